//! Gauges: one field for the process.

use super::index::{ByKind, Index, Kind, Series, SeriesKind, SeriesList};
use super::{add_to_process, ensure_process_files};
use crate::memory::ProcessLocal;
use mmstats_core::Gauge;
use std::sync::OnceLock;

/// A gauge of the process.
pub(super) struct GaugeSeries {
    series: Series,
    field: ProcessLocal<OnceLock<SharedGauge>>,
}

/// The field of a process, updated by atomic instructions.
#[cfg(target_pointer_width = "64")]
type Field = Gauge<f64, mmstats_core::Shared>;
#[cfg(target_pointer_width = "64")]
type SharedGauge = Field;

/// The field of a process. Where 8 bytes cannot be changed at once, one thread at a time does it.
#[cfg(not(target_pointer_width = "64"))]
type Field = Gauge<f64>;
#[cfg(not(target_pointer_width = "64"))]
type SharedGauge = std::sync::Mutex<Field>;

impl SeriesKind for GaugeSeries {
    const KIND: Kind = Kind::Gauge;

    fn new(series: Series) -> Self {
        GaugeSeries { series, field: ProcessLocal::new() }
    }

    fn series(&self) -> &Series {
        &self.series
    }

    fn list() -> &'static SeriesList<Self> {
        static LIST: SeriesList<GaugeSeries> = SeriesList::new();
        &LIST
    }

    fn by_kind(index: &mut Index) -> &mut ByKind<Self> {
        &mut index.gauges
    }
}

impl GaugeSeries {
    #[inline]
    fn field(&self) -> &'static SharedGauge {
        ensure_process_files();
        let field = self.field.get();
        field.get().unwrap_or_else(|| self.create_field(field))
    }

    #[cold]
    #[inline(never)]
    fn create_field(&self, field: &'static OnceLock<SharedGauge>) -> &'static SharedGauge {
        field.get_or_init(|| SharedGauge::from(add_to_process::<Field>(&self.series)))
    }

    #[cfg(target_pointer_width = "64")]
    #[inline(always)]
    fn update(&self, change: impl FnOnce(&Field)) {
        change(self.field());
    }

    #[cfg(not(target_pointer_width = "64"))]
    fn update(&self, change: impl FnOnce(&Field)) {
        change(&self.field().lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl metrics::GaugeFn for GaugeSeries {
    fn increment(&self, value: f64) {
        self.update(|field| field.add(value));
    }

    fn decrement(&self, value: f64) {
        self.update(|field| field.sub(value));
    }

    fn set(&self, value: f64) {
        self.update(|field| field.set(value));
    }
}
