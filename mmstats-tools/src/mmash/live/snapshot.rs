//! A scrape, and its difference from the previous one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mmstats_std::read::Field;

use crate::render::metrics::Sums;
use crate::scraper::{Scrape, WriterSample};
use crate::series::{Baseline, Counted, HistogramSnapshot, is_cumulative};

/// A scrape, and its difference from the previous one.
pub(crate) struct Snapshot {
    /// The number of the scrape: 1, 2, …
    pub(crate) number: u64,
    /// The values of all writers.
    pub(crate) scrape: Scrape,
    /// How long the scrape took.
    pub(crate) duration: Duration,
    /// When it was finished.
    pub(crate) finished: Instant,
    /// The changes of each field of each writer.
    pub(crate) deltas: Vec<Vec<Delta>>,
    /// Sums over writers up to this scrape, with --sum.
    pub(crate) sums: Option<Sums>,
    /// The patterns of the files that were searched for.
    pub(crate) searched: Vec<PathBuf>,
}

/// The change of a field since the previous scrape.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delta {
    /// The increase per second, in the base unit; for a histogram, the number of values recorded.
    pub(crate) rate: Option<f64>,
    /// The values that a histogram recorded.
    pub(crate) increase: Option<Box<HistogramSnapshot>>,
}

impl Delta {
    /// Returns the changes of all fields of a writer in these seconds.
    pub(super) fn of_fields(
        sample: &WriterSample,
        previous: Option<&WriterSample>,
        seconds: f64,
    ) -> Vec<Delta> {
        let delta = |(index, field): (usize, &Field)| {
            let Some(Ok(now)) = sample.values.get(index).filter(|_| is_cumulative(field)) else {
                return Delta::default();
            };
            let baseline = match previous {
                Some(previous) => Baseline::from_sample(previous, index, field),
                None if sample.writer_id.is_new => Baseline::Zero,
                None => Baseline::Unknown,
            };
            let (amount, increase) = match baseline.counted(field, now) {
                None => return Delta::default(),
                Some(Counted::Number(increase)) => {
                    (increase.scale.approximate(increase.number.as_f64()), None)
                }
                Some(Counted::Histogram(recorded, _)) => {
                    (recorded.count() as f64, Some(Box::new(recorded.into_owned())))
                }
            };
            Delta { rate: (seconds > 0.0).then(|| amount / seconds), increase }
        };
        sample.fields.iter().enumerate().map(delta).collect()
    }
}
