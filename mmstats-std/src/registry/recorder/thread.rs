//! The series of a thread.

use super::histogram::ScaledHistogram;
use super::index::{BuildKeyHasher, SeriesKind};
use super::{lock_index, state};
use crate::memory::ThreadSlot;
use crate::registry::chain::Chain;
use crate::registry::table::Arena;
use crate::registry::{AnyField, ThreadFields};
use metrics::Key;
use mmstats_core::Counter;
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// The handles that a thread has used, by their keys.
type Handles<H> = RefCell<HashMap<Key, H, BuildKeyHasher>>;

/// The fields of a thread, at the indices of their series, and the handles that it has used.
pub(super) struct ThreadSeries {
    pub(super) counters: Arena<Counter>,
    pub(super) histograms: Arena<ScaledHistogram>,
    pub(super) counter_handles: Handles<metrics::Counter>,
    pub(super) gauge_handles: Handles<metrics::Gauge>,
    pub(super) histogram_handles: Handles<metrics::Histogram>,
}

thread_local! {
    static SLOT: ThreadSlot<ThreadSeries> = const { ThreadSlot::new() };
}

impl ThreadSeries {
    fn new() -> Self {
        ThreadSeries {
            counters: Arena::new(),
            histograms: Arena::new(),
            counter_handles: Handles::default(),
            gauge_handles: Handles::default(),
            histogram_handles: Handles::default(),
        }
    }

    fn of_thread(fields: &ThreadFields) -> &ThreadSeries {
        fields.part(|_| true, ThreadSeries::new)
    }
}

impl AnyField for ThreadSeries {
    /// Counters and histograms stay, and gauges belong to no thread.
    fn reset_transient(&self) {}

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn clear_slot(&self) {
        SLOT.with(ThreadSlot::clear);
    }
}

/// Calls `f` with this thread's series, if they can be used without counting that.
#[inline(always)]
pub(super) fn with_slot<R>(f: impl FnOnce(Option<&ThreadSeries>) -> R) -> R {
    SLOT.with(|slot| f(slot.get()))
}

/// Calls `f` with this thread's series and its regions.
#[cold]
#[inline(never)]
pub(super) fn with_regions<R>(f: impl FnOnce(&ThreadSeries, &Chain) -> R) -> R {
    let entry = state().threads.entry();
    let result = f(ThreadSeries::of_thread(entry.fields()), &entry.fields().chain);
    entry.allow_fast_use(|fields| SLOT.with(|slot| slot.set(ThreadSeries::of_thread(fields))));
    result
}

/// Returns the handle of a key, usually one that this thread has used.
#[inline]
pub(super) fn get_or_register<S: SeriesKind, H: Clone>(
    key: &Key,
    handles: fn(&ThreadSeries) -> &Handles<H>,
    create: fn(Arc<S>) -> H,
) -> H {
    let known = with_slot(|thread| handles(thread?).borrow().get(key).cloned());
    known.unwrap_or_else(|| register(key, handles, create))
}

#[cold]
#[inline(never)]
fn register<S: SeriesKind, H: Clone>(
    key: &Key,
    handles: fn(&ThreadSeries) -> &Handles<H>,
    create: fn(Arc<S>) -> H,
) -> H {
    let (key, series) = lock_index().series(key);
    let handle = create(series);
    if let Some(key) = key {
        with_regions(|thread, _| {
            handles(thread).borrow_mut().insert(key, handle.clone());
        });
    }
    handle
}
