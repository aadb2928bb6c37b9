//! Counters: one field for each thread, or one for the process.

use super::index::{ByKind, Index, Kind, Series, SeriesKind, SeriesList};
use super::{add_to_process, ensure_process_files, thread};
use crate::memory::ProcessLocal;
use crate::registry::CHECKED;
use mmstats_core::{Counter, Shared};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A counter of the process.
pub(super) struct CounterSeries {
    series: Series,
    /// Whether all threads update one field, as they do after the first `absolute`. Relaxed: an
    /// increment that does not see it yet is counted in its thread.
    is_shared: AtomicBool,
    shared: ProcessLocal<OnceLock<SharedCounter>>,
}

/// The field of a process.
struct SharedCounter {
    field: Counter<u64, Shared>,
    /// Locked while it is raised to an absolute value.
    raising: Mutex<()>,
}

impl SeriesKind for CounterSeries {
    const KIND: Kind = Kind::Counter;

    fn new(series: Series) -> Self {
        let (is_shared, shared) = (AtomicBool::new(false), ProcessLocal::new());
        CounterSeries { series, is_shared, shared }
    }

    fn series(&self) -> &Series {
        &self.series
    }

    fn list() -> &'static SeriesList<Self> {
        static LIST: SeriesList<CounterSeries> = SeriesList::new();
        &LIST
    }

    fn by_kind(index: &mut Index) -> &mut ByKind<Self> {
        &mut index.counters
    }
}

impl CounterSeries {
    #[cold]
    #[inline(never)]
    fn add_slowly(&self, n: u64) {
        if self.is_shared.load(Ordering::Relaxed) {
            self.shared().field.add(n);
            return;
        }
        thread::with_regions(|thread, regions| {
            let field = thread.counters.cell(self.series.index).get_or_init(|| {
                regions.add(&self.series.label, self.series.number()).expect(CHECKED)
            });
            field.add(n);
        });
    }

    fn shared(&self) -> &'static SharedCounter {
        ensure_process_files();
        self.shared.get().get_or_init(|| SharedCounter {
            field: add_to_process(&self.series),
            raising: Mutex::new(()),
        })
    }
}

impl metrics::CounterFn for CounterSeries {
    #[inline]
    fn increment(&self, n: u64) {
        let is_shared = self.is_shared.load(Ordering::Relaxed);
        thread::with_slot(|thread| match thread {
            Some(thread) if !is_shared => match thread.counters.get(self.series.index) {
                Some(field) => field.add(n),
                None => self.add_slowly(n),
            },
            _ => self.add_slowly(n),
        });
    }

    fn absolute(&self, value: u64) {
        self.is_shared.store(true, Ordering::Relaxed);
        let SharedCounter { field, raising } = self.shared();
        let _raising = raising.lock().unwrap_or_else(PoisonError::into_inner);
        // An increment in between comes after this.
        field.add(value.saturating_sub(field.get()));
    }
}
