//! Summarises a histogram in one line.

use std::fmt;

use mmstats_core::reader::Distribution;

use super::number::Scale;
use crate::series::HistogramSnapshot;

/// The quantiles that the tools show, with their names.
pub const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)];

/// Significant digits of a mean, which is exact, unlike a quantile.
const MEAN_DIGITS: usize = 6;

/// Displays a distribution as
/// `count 120, mean 0.00213, p50 0.0021, p90 0.0038, p99 0.0062, max 0.0067`.
///
/// A quantile is the middle of its bucket, `max` the upper bound of the last non-empty bucket. They
/// are rounded to the precision of the buckets.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'d> {
    distribution: &'d Distribution<'d>,
    scale: Scale,
}

impl<'d> Summary<'d> {
    /// Creates the summary of a distribution whose values have this scale.
    #[must_use]
    pub fn new(distribution: &'d Distribution<'d>, scale: Scale) -> Self {
        Summary { distribution, scale }
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let histogram = HistogramSnapshot::new(self.distribution);
        write!(f, "count {}", histogram.count())?;
        let (Some((sum, count)), Some(last)) = (histogram.mean_ratio(), histogram.filled.last())
        else {
            return Ok(());
        };
        // A bucket's width is below its lower bound / 2^p: p bits, or 0.3 × p decimal digits.
        let digits = 2 + self.distribution.grouping_power() as usize * 3 / 10;
        let rounded = |value| self.scale.quotient(value, 1).rounded(digits);
        write!(f, ", mean {}", self.scale.quotient(sum, count).rounded(MEAN_DIGITS))?;
        for (name, fraction) in QUANTILES {
            if let Some(value) = histogram.quantile(fraction) {
                write!(f, ", {name} {}", rounded(value))?;
            }
        }
        match last.high {
            Some(high) => write!(f, ", max {}", rounded(high)),
            None => write!(f, ", max {} or more", rounded(last.low)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mmstats_core::reader::{ReadBuffers, Value, read};
    use mmstats_core::{Histogram, Region, V2, Writer};

    /// Returns the summary of these values, in thousandths.
    fn summary(values: &[u64]) -> String {
        summary_with_sum(values, None)
    }

    /// Returns the summary of these values and a sum that may be of another moment.
    fn summary_with_sum(values: &[u64], sum: Option<u64>) -> String {
        let region = Region::new(vec![0; 64].leak());
        let view = region.view();
        let mut writer = Writer::<V2>::new(region).unwrap();
        let histogram: Histogram<2, 10, u64, _> = writer.add(Histogram::builder("h")).unwrap();
        values.iter().for_each(|value| histogram.record(*value));
        let mut copies = [0; 4 * 64];
        let mut buffers = ReadBuffers::new(&mut copies);
        let (directory, snapshot) = read(&view, &mut buffers).unwrap();
        let Value::Histogram(mut distribution) =
            snapshot.value(&directory.entries().next().unwrap().unwrap().location).unwrap()
        else {
            panic!()
        };
        distribution.sum = sum.unwrap_or(distribution.sum);
        Summary::new(&distribution, Scale { power: -3, divisor: 1 }).to_string()
    }

    #[test]
    fn a_mean_is_between_the_smallest_and_the_largest_value() {
        for (sum, mean) in [(0, "0.007"), (16, "0.008"), (u64::MAX, "0.009")] {
            let summary = summary_with_sum(&[7, 9], Some(sum));
            assert!(summary.contains(&format!("mean {mean},")), "{summary}");
        }
    }

    #[test]
    fn a_distribution_fits_one_line() {
        assert_eq!(summary(&[]), "count 0");
        assert_eq!(
            summary(&[7]),
            "count 1, mean 0.007, p50 0.007, p90 0.007, p99 0.007, max 0.007"
        );
        assert_eq!(
            summary(&[1, 1, 1, 1, 1, 1, 1, 1, 100, 500]),
            "count 10, mean 0.0608, p50 0.001, p90 0.1, p99 0.48, max 0.51"
        );
        assert_eq!(
            summary(&[1, 4096]),
            "count 2, mean 2.0485, p50 0.001, p90 0.9, p99 0.9, max 0.9 or more"
        );
    }
}
