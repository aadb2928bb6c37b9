//! Histograms that are independent of the memory they were read from. They can be added over
//! writers and subtracted over time.

use mmstats_core::Type;
use mmstats_core::reader::{Distribution, quantile};

/// The values that a histogram has recorded, counted in buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// The sum of all values, wrapping.
    pub sum: u64,
    /// The buckets that are not empty, ordered by their bounds.
    pub filled: Vec<Bucket>,
}

/// The number of values between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The smallest value that it counts.
    pub low: u64,
    /// The largest value that it counts; `None` if there is no limit.
    pub high: Option<u64>,
    /// The number of values.
    pub count: u64,
}

impl HistogramSnapshot {
    /// Copies a field's distribution.
    #[must_use]
    pub fn new(distribution: &Distribution<'_>) -> HistogramSnapshot {
        let filled =
            distribution.buckets().map(|(low, high, count)| Bucket { low, high, count }).collect();
        HistogramSnapshot { sum: distribution.sum, filled }
    }

    /// Returns the number of values; `u64::MAX` if there are more.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.filled.iter().fold(0, |count, bucket| count.saturating_add(bucket.count))
    }

    /// Returns the mean of the values, as [`Self::mean_ratio`] has it; `None` if there are no
    /// values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.mean_ratio().map(|(sum, count)| sum as f64 / count as f64)
    }

    /// Returns the mean of the values as a sum and a count; `None` if there are no values. It is
    /// between the bounds of the buckets: the sum may be of an earlier or later moment than the
    /// counts, or have wrapped.
    #[must_use]
    pub fn mean_ratio(&self) -> Option<(u64, u64)> {
        let count = self.count();
        let (first, last) = (self.filled.first()?, self.filled.last()?);
        let sum_if_all = |value: u64| u128::from(value) * u128::from(count);
        let sum = u128::from(self.sum);
        let is_above = |high: &u64| sum > sum_if_all(*high);
        (count > 0).then(|| match last.high.filter(is_above) {
            Some(high) => (high, 1),
            None if sum < sum_if_all(first.low) => (first.low, 1),
            None => (self.sum, count),
        })
    }

    /// Returns the value below which a fraction of the values lies; `None` if there are no values.
    /// It is the middle of its bucket, or the lower bound of a bucket without upper bound.
    #[must_use]
    pub fn quantile(&self, fraction: f64) -> Option<u64> {
        quantile(self.filled.iter().map(|bucket| (bucket.low, bucket.high, bucket.count)), fraction)
    }

    /// Returns the largest value that the last bucket with values counts, or its lower bound if it
    /// has no upper one; `None` if there are no values.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.filled.last().map(|last| last.high.unwrap_or(last.low))
    }

    /// Returns the values that were recorded since `before`. Counts of type `ty` may have wrapped.
    /// A count that is smaller than before means that the writer restarted: then all values are
    /// returned.
    #[must_use]
    pub fn since(&self, before: &HistogramSnapshot, ty: Type) -> HistogramSnapshot {
        let mut recorded = HistogramSnapshot {
            sum: self.sum.wrapping_sub(before.sum),
            filled: Vec::with_capacity(self.filled.len()),
        };
        let mut earlier = before.filled.iter().peekable();
        for bucket in &self.filled {
            let old = match earlier.peek() {
                Some(old) if old.low == bucket.low => earlier.next().map_or(0, |old| old.count),
                // A bucket was emptied: the writer restarted.
                Some(old) if old.low < bucket.low => return self.clone(),
                _ => 0,
            };
            let (count, half) = match ty {
                Type::U32 => ((bucket.count as u32).wrapping_sub(old as u32).into(), 1 << 31),
                _ => (bucket.count.wrapping_sub(old), 1 << 63),
            };
            if count >= half {
                return self.clone();
            }
            if count > 0 {
                recorded.filled.push(Bucket { count, ..*bucket });
            }
        }
        if earlier.next().is_some() { self.clone() } else { recorded }
    }

    /// Returns `true` if neither the sum nor the count overflows when these values are added.
    #[must_use]
    pub fn has_room_for(&self, other: &HistogramSnapshot) -> bool {
        let mut counts = self.filled.iter().chain(&other.filled).map(|bucket| bucket.count);
        self.sum.checked_add(other.sum).is_some()
            && counts.try_fold(0_u64, u64::checked_add).is_some()
    }

    /// Adds the values of another writer.
    pub fn add(&mut self, other: &HistogramSnapshot) {
        self.sum = self.sum.wrapping_add(other.sum);
        for bucket in &other.filled {
            // Histograms of another width have buckets with the same lower but other upper bounds.
            match self.filled.binary_search_by_key(&(bucket.low, bucket.high), |bucket| {
                (bucket.low, bucket.high)
            }) {
                Ok(at) => {
                    self.filled[at].count = self.filled[at].count.saturating_add(bucket.count);
                }
                Err(at) => self.filled.insert(at, *bucket),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(sum: u64, filled: &[(u64, u64)]) -> HistogramSnapshot {
        let filled = filled.iter().map(|(low, count)| Bucket {
            low: *low,
            high: Some(low + 9),
            count: *count,
        });
        HistogramSnapshot { sum, filled: filled.collect() }
    }

    #[test]
    fn since_returns_the_values_between_two_scrapes() {
        let before = buckets(100, &[(0, 3), (20, 5)]);
        let now = buckets(250, &[(0, 3), (10, 1), (20, 9)]);
        assert_eq!(now.since(&before, Type::U64), buckets(150, &[(10, 1), (20, 4)]));
        assert_eq!(now.since(&now, Type::U64), buckets(0, &[]));
        assert_eq!(now.since(&HistogramSnapshot::default(), Type::U64), now);
    }

    #[test]
    fn narrow_buckets_may_wrap() {
        let before = buckets(u64::MAX, &[(0, 0xffff_fffe)]);
        assert_eq!(buckets(9, &[(0, 4)]).since(&before, Type::U32), buckets(10, &[(0, 6)]));
    }

    #[test]
    fn after_a_restart_all_values_are_new() {
        let now = buckets(9, &[(10, 2)]);
        for before in [
            buckets(90, &[(0, 1), (10, 1)]),
            buckets(90, &[(10, 3)]),
            buckets(90, &[(10, 2), (20, 1)]),
        ] {
            for ty in [Type::U32, Type::U64] {
                assert_eq!(now.since(&before, ty), now, "{before:?}");
            }
        }
    }

    #[test]
    fn writers_are_added_bucket_by_bucket() {
        let mut sum = buckets(1, &[(0, 1), (20, 2)]);
        sum.add(&buckets(2, &[(10, 4), (20, 8), (30, 16)]));
        assert_eq!(sum, buckets(3, &[(0, 1), (10, 4), (20, 10), (30, 16)]));
        assert_eq!((sum.count(), sum.mean()), (31, Some(3.0 / 31.0)));
    }

    #[test]
    fn a_mean_is_between_the_smallest_and_the_largest_value() {
        for (sum, mean) in [(0, 10.0), (33, 16.5), (u64::MAX, 29.0)] {
            assert_eq!(buckets(sum, &[(10, 1), (20, 1)]).mean(), Some(mean));
        }
    }

    #[test]
    fn quantiles_are_the_middles_of_buckets() {
        let buckets = buckets(0, &[(0, 50), (10, 49), (90, 1)]);
        assert_eq!(
            [0.0, 0.5, 0.51, 0.99, 1.0].map(|fraction| buckets.quantile(fraction).unwrap()),
            [4, 4, 14, 14, 94]
        );
        assert_eq!(HistogramSnapshot::default().quantile(0.5), None);
        assert_eq!(HistogramSnapshot::default().mean(), None);
    }
}
