//! Histograms: one field for each thread, of scaled integers.

use super::index::{ByKind, Index, Kind, Series, SeriesKind, SeriesList};
use super::{label, thread, warn_once};
use crate::registry::CHECKED;
use mmstats_core::Histogram;
use std::sync::atomic::AtomicBool;

/// The power of two of the largest value: a double has no larger whole numbers without gaps.
const MAX_POWER: u32 = f64::MANTISSA_DIGITS;
const LARGEST: f64 = (1_u64 << MAX_POWER) as f64;

/// A histogram of the process.
pub(super) struct HistogramSeries {
    series: Series,
}

/// A field of a thread.
#[derive(Debug)]
pub(super) struct ScaledHistogram {
    field: Histogram<5, MAX_POWER>,
    /// The number of its steps in one of the metric's unit.
    steps: f64,
}

impl SeriesKind for HistogramSeries {
    const KIND: Kind = Kind::Histogram;

    fn new(series: Series) -> Self {
        HistogramSeries { series }
    }

    fn series(&self) -> &Series {
        &self.series
    }

    fn list() -> &'static SeriesList<Self> {
        static LIST: SeriesList<HistogramSeries> = SeriesList::new();
        &LIST
    }

    fn by_kind(index: &mut Index) -> &mut ByKind<Self> {
        &mut index.histograms
    }
}

impl ScaledHistogram {
    #[inline(always)]
    fn record(&self, value: f64, series: &Series) {
        let scaled = value * self.steps + 0.5;
        if (0.5..=LARGEST).contains(&scaled) {
            self.field.record(scaled as u64);
        } else {
            self.record_extreme(value, scaled, series);
        }
    }

    #[cold]
    fn record_extreme(&self, value: f64, scaled: f64, series: &Series) {
        static WARNED: AtomicBool = AtomicBool::new(false);
        let recorded = if scaled.is_nan() {
            "it is not recorded"
        } else if scaled < 0.5 {
            self.field.record(0);
            "recorded as 0"
        } else {
            self.field.record(LARGEST as u64);
            "recorded as the largest value"
        };
        let (label, largest) = (label::short(&series.label), LARGEST / self.steps);
        warn_once(
            &WARNED,
            format_args!(
                "{label}: value out of range: {value} (0 to {largest:e} expected); {recorded}"
            ),
        );
    }
}

impl HistogramSeries {
    #[cold]
    #[inline(never)]
    fn record_slowly(&self, value: f64) {
        thread::with_regions(|thread, regions| {
            let histogram = thread.histograms.cell(self.series.index).get_or_init(|| {
                let (field, steps) = self.series.histogram();
                let field = regions.add(&self.series.label, field).expect(CHECKED);
                ScaledHistogram { field, steps }
            });
            histogram.record(value, &self.series);
        });
    }
}

impl metrics::HistogramFn for HistogramSeries {
    #[inline]
    fn record(&self, value: f64) {
        thread::with_slot(|thread| {
            match thread.and_then(|thread| thread.histograms.get(self.series.index)) {
                Some(histogram) => histogram.record(value, &self.series),
                None => self.record_slowly(value),
            }
        });
    }
}
