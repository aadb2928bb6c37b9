//! Converts histograms to cumulative buckets.
//!
//! Prometheus keeps a series for each bound, and a field has many buckets. So the bounds are powers
//! of two, which are also bounds of the field's buckets at any precision: 2^k − 1, the largest
//! value with k bits, for each k below the field's maximum power (the last bucket starts there or
//! above and is unbounded). They do not depend on the recorded values, so no series appears late,
//! and the buckets of all writers can be added.

use mmstats_core::reader::Storage;
use mmstats_std::read::Field;

use super::number::{format_bound, scaled};
use crate::render::number::Scale;
use crate::series::HistogramSnapshot;

/// The bounds of a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    /// The stored bounds, ascending, with their labels: `le="0.001"`.
    finite: Vec<(u64, String)>,
}

/// The label of the last bucket, which counts all values.
const INFINITE: &str = "le=\"+Inf\"";

impl Bounds {
    /// Returns the bounds of a field; none if it is not a histogram.
    pub(super) fn from_field(field: &Field) -> Bounds {
        let Storage::Histogram { max_power: n, .. } = field.location.storage else {
            return Bounds::default();
        };
        let stored = (0..n.min(64)).map(|bits| (1 << bits) - 1);
        Bounds {
            finite: stored
                .map(|stored| {
                    (
                        stored,
                        format!(
                            "le=\"{}\"",
                            format_bound(scaled(stored, Scale::from_field(field)))
                        ),
                    )
                })
                .collect(),
        }
    }

    /// Returns the label of each bound with the number of values up to it; the last is the total.
    /// The numbers never decrease, whatever the buckets hold.
    pub(super) fn cumulate<'b>(
        &'b self,
        buckets: &'b HistogramSnapshot,
    ) -> impl Iterator<Item = (&'b str, u64)> {
        let mut filled = buckets.filled.iter().peekable();
        let (mut below, mut unbounded) = (0_u64, 0_u64);
        let mut finite = self.finite.iter();
        let mut is_done = false;
        std::iter::from_fn(move || match finite.next() {
            Some((stored, label)) => {
                // The unbounded bucket of one writer can precede bounded ones of another writer
                // with a larger maximum power.
                while let Some(bucket) =
                    filled.next_if(|bucket| bucket.high.is_none_or(|high| high <= *stored))
                {
                    let to = if bucket.high.is_some() { &mut below } else { &mut unbounded };
                    *to = to.saturating_add(bucket.count);
                }
                Some((&label[..], below))
            }
            None if is_done => None,
            None => {
                is_done = true;
                below = filled.by_ref().fold(below.saturating_add(unbounded), |below, bucket| {
                    below.saturating_add(bucket.count)
                });
                Some((INFINITE, below))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Bucket;

    use mmstats_core::{Kind, Type};

    fn field(p: u8, n: u8, scale: i8) -> Field {
        let mut field = Field { scale, ..Field::new("", Kind::Histogram, Type::U64) };
        field.location.storage = Storage::Histogram { grouping_power: p, max_power: n };
        field
    }

    fn cumulated(field: &Field, filled: &[(u64, Option<u64>, u64)]) -> Vec<(String, u64)> {
        let filled = filled.iter().map(|&(low, high, count)| Bucket { low, high, count }).collect();
        Bounds::from_field(field)
            .cumulate(&HistogramSnapshot { sum: 0, filled })
            .map(|(label, count)| (label.to_owned(), count))
            .collect()
    }

    #[test]
    fn bounds_do_not_depend_on_what_was_recorded() {
        let empty = cumulated(&field(1, 3, 0), &[]);
        let expected = ["0.0", "1.0", "3.0", "+Inf"].map(|bound| (format!("le=\"{bound}\""), 0));
        assert_eq!(empty, expected);
        let counts = |filled: &[_]| {
            cumulated(&field(1, 3, 0), filled).iter().map(|(_, count)| *count).collect::<Vec<_>>()
        };
        assert_eq!(
            counts(&[(0, Some(0), 1), (3, Some(3), 2), (4, Some(5), 4), (6, None, 8)]),
            [1, 1, 3, 15]
        );
        assert_eq!(counts(&[(4, Some(5), 7), (6, None, u64::MAX)]), [0, 0, 0, u64::MAX]);
    }

    #[test]
    fn unbounded_buckets_count_only_at_the_end() {
        let counts = |filled: &[_]| {
            cumulated(&field(1, 5, 0), filled).iter().map(|(_, count)| *count).collect::<Vec<_>>()
        };
        // One writer's last bucket starts at 6, the other has more buckets.
        assert_eq!(
            counts(&[
                (3, Some(3), 1),
                (6, None, 2),
                (6, Some(7), 4),
                (12, Some(15), 8),
                (24, None, 16)
            ]),
            [0, 0, 1, 5, 13, 31]
        );
        assert_eq!(counts(&[(6, None, u64::MAX), (12, Some(15), 1)]), [0, 0, 0, 0, 1, u64::MAX]);
    }

    #[test]
    fn bounds_are_scaled() {
        let labels: Vec<_> =
            cumulated(&field(0, 64, -9), &[]).into_iter().map(|(label, _)| label).collect();
        assert_eq!(labels.len(), 65);
        assert_eq!(
            [&labels[0], &labels[10], &labels[63]],
            ["le=\"0.0\"", "le=\"1.023e-06\"", "le=\"9.223372036854776e+09\""]
        );
    }
}
