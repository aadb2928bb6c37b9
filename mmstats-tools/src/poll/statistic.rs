//! Statistics of a histogram, named after a colon.

use crate::render::number::{Scale, ScaledNumber};
use crate::series::HistogramSnapshot;

/// A number that describes a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Statistic {
    /// The value below which this fraction lies.
    Quantile(f64),
    /// The number of values per second; also of counters.
    Rate,
    /// The number of values.
    Count,
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
    /// The lower end of the first bucket that is not empty.
    Min,
    /// The upper end of the last.
    Max,
}

impl Statistic {
    /// Parses a name: `p50`, `p99.9`, `rate`, `count`, `mean`, `sum`, `min`, `max`.
    pub(super) fn parse(name: &str) -> Option<Statistic> {
        Some(match name {
            "rate" => Statistic::Rate,
            "count" => Statistic::Count,
            "mean" => Statistic::Mean,
            "sum" => Statistic::Sum,
            "min" => Statistic::Min,
            "max" => Statistic::Max,
            _ => {
                let digits = name
                    .strip_prefix('p')
                    .filter(|digits| digits.starts_with(|first: char| first.is_ascii_digit()))?;
                let percent: f64 = digits.parse().ok()?;
                return (0.0..=100.0)
                    .contains(&percent)
                    .then_some(Statistic::Quantile(percent / 100.0));
            }
        })
    }

    /// Returns `true` if it increases, so that it can be shown per second.
    pub(super) fn is_amount(self) -> bool {
        matches!(self, Statistic::Rate | Statistic::Count | Statistic::Sum)
    }

    /// Returns `true` if it has the unit of the values.
    pub(super) fn has_unit(self) -> bool {
        !matches!(self, Statistic::Rate | Statistic::Count)
    }

    /// Computes the number; `None` if it needs values and there are none.
    pub(super) fn evaluate(
        self,
        buckets: &HistogramSnapshot,
        scale: Scale,
    ) -> Option<ScaledNumber> {
        Some(match self {
            Statistic::Rate | Statistic::Count => ScaledNumber::Unsigned(buckets.count()),
            Statistic::Sum => scale.unsigned(buckets.sum),
            Statistic::Mean => scale.float(buckets.mean()?),
            Statistic::Quantile(fraction) => scale.unsigned(buckets.quantile(fraction)?),
            Statistic::Min => scale.unsigned(buckets.filled.first()?.low),
            Statistic::Max => scale.unsigned(buckets.max()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statistic_has_a_name() {
        for (name, statistic) in [
            ("p50", Some(Statistic::Quantile(0.5))),
            ("p99.9", Some(Statistic::Quantile(99.9 / 100.0))),
            ("p0", Some(Statistic::Quantile(0.0))),
            ("p100", Some(Statistic::Quantile(1.0))),
            ("mean", Some(Statistic::Mean)),
            ("rate", Some(Statistic::Rate)),
            ("p", None),
            ("p101", None),
            ("p-1", None),
            ("pinf", None),
            ("P50", None),
            ("", None),
            ("50", None),
        ] {
            assert_eq!(Statistic::parse(name), statistic, "{name}");
        }
    }
}
