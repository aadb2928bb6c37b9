//! One writer per thread and model.
//!
//! The first use in a thread creates its file or adopts the file of a thread that has ended. The
//! end of the thread parks the file for the next one. So there are never more files than threads
//! that ran at the same time, and sums over the files never decrease.
//!
//! A gauge belongs to its thread, too: it is reset when the thread ends. A gauge that one thread
//! raises and another one lowers belongs in [`per_process!`](crate::per_process!).

use crate::error::PublishError;
use crate::file_region::{Flush, OwnedRegion, ParkedRegion, Publication, warn_if_private};
use crate::live_regions::{self, LiveRegion, LiveRegions};
use crate::memory::{ProcessLocal, ThreadSlot};
use crate::options::Options;
use crate::read::FileError;
use crate::thread::{self, AnyThreadEntry, is_ending};
use mmstats_core::Model;
use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::LocalKey;

/// A model with a separate instance for each thread; declared by
/// [`per_thread!`](crate::per_thread!).
pub struct PerThread<M: Model + 'static> {
    slot: LocalKey<ThreadSlot<M>>,
    /// A function, as a constant cannot refer to a static with interior mutability in Rust 1.85.
    shared: fn() -> &'static Shared<M>,
}

/// Declares statics that hold a separate instance of a model for each thread.
///
/// ```
/// use mmstats_std::{Counter, Gauge, Options, Timer, V1, model, per_thread};
///
/// model! {
///     /// Metrics of the web server.
///     pub struct WebStats {
///         /// Responses with a 2xx status.
///         status2xx: Counter = "status.2XX",
///         last_hit: Gauge<f64> = "timers.last_hit" [unixtime],
///         latency: Timer,
///     }
/// }
/// per_thread! {
///     /// This server's stats.
///     pub static STATS: WebStats = Options::new().label_prefix("web.stats.");
///     /// The same in version 1, for the Python tools.
///     static OLD_STATS: WebStats<V1>;
/// }
///
/// STATS.with(|stats| {
///     let _timing = stats.latency.start();
///     stats.status2xx.incr();
/// });
/// OLD_STATS.with(|stats| stats.status2xx.incr());
/// ```
///
/// A [`Family`](crate::Family) has fields of one label that differ in their dimensions' values:
///
/// ```
/// # use mmstats_std::{Counter, Family, per_thread};
/// per_thread! {
///     static REQUESTS: Family<Counter, 1> = Family::new("http.requests", ["route"]);
/// }
/// REQUESTS.with(["/users"], |requests| requests.incr());
/// ```
///
/// The name is a constant, not a `static`, which would cost two more instructions at each use. All
/// uses of it refer to the same instances.
#[macro_export]
macro_rules! per_thread {
    () => {};
    (@options) => { $crate::Options::new() };
    (@options $options:expr) => { $options };
    (
        $(#[$attribute:meta])*
        $visible:vis static $name:ident : Family < $field:ty, $names:literal > = $family:expr ;
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[allow(clippy::declare_interior_mutable_const)]
        $visible const $name: $crate::PerThreadFamily<$field, $names> = {
            ::std::thread_local! {
                static SLOT: $crate::__private::ThreadSlot<
                    $crate::__private::ThreadFamily<$field, $names>
                > = const { $crate::__private::ThreadSlot::new() };
            }
            fn family() -> &'static $crate::Family<$field, $names> {
                static FAMILY: $crate::Family<$field, $names> = $family;
                &FAMILY
            }
            $crate::PerThreadFamily::new(SLOT, family)
        };
        $crate::per_thread! { $($rest)* }
    };
    (
        $(#[$attribute:meta])*
        $visible:vis static $name:ident : $model:ty $(= $options:expr)? ;
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[allow(clippy::declare_interior_mutable_const)]
        $visible const $name: $crate::PerThread<$model> = {
            ::std::thread_local! {
                static SLOT: $crate::__private::ThreadSlot<$model> =
                    const { $crate::__private::ThreadSlot::new() };
            }
            fn shared() -> &'static $crate::__private::Shared<$model> {
                static SHARED: $crate::__private::Shared<$model> =
                    $crate::__private::Shared::new($crate::per_thread!(@options $($options)?));
                &SHARED
            }
            $crate::PerThread::new(SLOT, shared)
        };
        $crate::per_thread! { $($rest)* }
    };
}

impl<M: Model> PerThread<M> {
    #[doc(hidden)]
    pub const fn new(slot: LocalKey<ThreadSlot<M>>, shared: fn() -> &'static Shared<M>) -> Self {
        PerThread { slot, shared }
    }

    /// Calls `f` with this thread's stats. The first call in a thread creates its file; each later
    /// one costs two loads and a test.
    ///
    /// It never fails: if no file can be created, the stats count in private memory, and one
    /// warning goes to standard error, unless [`Options::quiet`] is set. [`Self::publication`]
    /// returns the error. If disk space, memory or descriptors were missing, the thread tries again
    /// about once a second; until then, each use costs some ten nanoseconds.
    ///
    /// A forked child gets files of its own. Call `chroot` and change the user before the first
    /// use: files that exist then are written on, but the process may be unable to remove them, and
    /// they state the user who created them.
    ///
    /// Not for signal handlers, which may interrupt the first call. They need a handle of their
    /// own.
    #[inline(always)]
    pub fn with<R>(&'static self, f: impl FnOnce(&M) -> R) -> R {
        self.slot.with(|slot| match slot.get() {
            Some(stats) => f(stats),
            None => self.with_entry(|entry| f(entry.region.model())),
        })
    }

    /// Returns the file of this thread's stats, or why they have none. Creates the file if this is
    /// the first use.
    ///
    /// If the file has been removed by somebody else, or the operating system refused to create it,
    /// this creates a new one, in which the counts go on.
    pub fn publication(&'static self) -> Publication {
        self.with_entry(|entry| {
            if is_ending() {
                let error = PublishError::too_late("the thread is ending");
                return Publication::Private(Arc::new(error));
            }
            entry.region.ensure_file(&(self.shared)().options);
            entry.region.publication()
        })
    }

    /// Writes this thread's file to its disk; does nothing on a tmpfs.
    ///
    /// # Errors
    /// If the operating system cannot.
    pub fn flush(&'static self, mode: Flush) -> io::Result<()> {
        self.with_entry(|entry| entry.region.flush(mode))
    }

    /// Removes this thread's file and the files of threads that have ended. Running threads keep
    /// theirs. The next use in this thread creates a new file.
    ///
    /// Stats in use stay until nobody uses them. The fast uses are not counted, so stats that had
    /// any stay until the thread ends; the more of them there are, the later a thread uses new
    /// stats the fast way.
    pub fn remove(&'static self) {
        thread::remove_entry(|entry| entry.is_for(self.address()));
        for parked in mem::take(&mut *(self.shared)().parked()) {
            parked.discard();
        }
    }

    /// Returns the sums of this process's counters, gauges and histograms (the number of their
    /// values) over all threads, those that have ended included, by label without the prefix of the
    /// options: in a unit test, what all threads have counted. Nothing needs to be published for
    /// that.
    ///
    /// Averages, texts, fields with another aggregation, fields of version 1 and
    /// [isolated](Self::isolated) stats are left out. A sum is exact up to 2^53.
    ///
    /// ```
    /// use mmstats_std::{Counter, model, per_thread};
    /// model! { struct Cache { hits: Counter } }
    /// per_thread! { static CACHE: Cache; }
    ///
    /// for n in [1, 2] {
    ///     std::thread::spawn(move || CACHE.with(|cache| cache.hits.add(n))).join().unwrap();
    /// }
    /// assert_eq!(CACHE.sums()?["hits"], 3.0);
    /// # Ok::<(), mmstats_std::read::FileError>(())
    /// ```
    ///
    /// Threads that begin or end wait until it returns; those that count do not.
    ///
    /// # Errors
    /// If `/proc/self/mem` cannot be read, or a value was being written during all attempts.
    pub fn sums(&'static self) -> Result<BTreeMap<String, f64>, FileError> {
        let shared = (self.shared)();
        // Locked as by a thread that ends, so that each region is in one of the lists.
        let parked = shared.parked();
        let live = shared.live.lock();
        let regions = parked.iter().map(ParkedRegion::addresses).chain(live.iter().cloned());
        live_regions::sums(regions, shared.options.label_prefix)
    }

    /// Replaces this thread's stats by new ones in private memory until the result is dropped: in a
    /// unit test, so that it sees only what it counted itself. Other threads are not affected.
    ///
    /// ```
    /// use mmstats_std::{Counter, model, per_thread};
    /// model! { struct Cache { hits: Counter } }
    /// per_thread! { static CACHE: Cache; }
    ///
    /// CACHE.with(|cache| cache.hits.incr()); // in another test, perhaps
    /// let _isolated = CACHE.isolated();
    /// CACHE.with(|cache| cache.hits.incr());
    /// assert_eq!(CACHE.with(|cache| cache.hits.get()), 1);
    /// ```
    pub fn isolated(&'static self) -> Isolated<M> {
        let region = OwnedRegion::private("isolated in a test");
        let (uses, is_fast) = (Cell::new(0), Cell::new(false));
        let entry = Rc::new(ThreadEntry { region, live: None, owner: self, uses, is_fast });
        self.slot.with(ThreadSlot::clear);
        thread::add_entry(entry.clone());
        Isolated { entry }
    }

    /// Calls `f` with this thread's entry for this static, which it creates at the first use.
    #[cold]
    #[inline(never)]
    fn with_entry<R>(&'static self, f: impl FnOnce(&ThreadEntry<M>) -> R) -> R {
        let entry = thread::find_entry(self.address()).unwrap_or_else(|| self.add_entry());
        entry.allow_fast_use();
        let result = f(&entry);
        if is_ending() {
            entry.release();
        }
        result
    }

    /// Creates this thread's entry.
    fn add_entry(&'static self) -> Rc<ThreadEntry<M>> {
        thread::register_fork_handler();
        let (region, live) = (self.shared)().adopt_or_create();
        let (uses, is_fast) = (Cell::new(0), Cell::new(false));
        let entry = Rc::new(ThreadEntry { region, live: Some(live), owner: self, uses, is_fast });
        thread::add_entry(entry.clone());
        entry
    }

    /// Returns a number that differs between statics, even those of one model.
    fn address(&self) -> usize {
        (&raw const *(self.shared)()).addr()
    }
}

impl<M: Model> fmt::Debug for PerThread<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerThread").field("model", &M::NAME).finish_non_exhaustive()
    }
}

/// The state that all threads share for one static.
pub struct Shared<M: Model> {
    options: Options,
    parked: ProcessLocal<Mutex<Vec<ParkedRegion>>>,
    live: LiveRegions,
    /// Whether the warning has been printed.
    warned: AtomicBool,
    _model: PhantomData<fn() -> M>,
}

impl<M: Model> Shared<M> {
    /// Creates the state without regions.
    #[must_use]
    pub const fn new(options: Options) -> Self {
        Shared {
            options,
            parked: ProcessLocal::new(),
            live: LiveRegions::new(),
            warned: AtomicBool::new(false),
            _model: PhantomData,
        }
    }

    fn parked(&self) -> MutexGuard<'static, Vec<ParkedRegion>> {
        self.parked.get().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a region for this thread: that of a thread that has ended, or a new one.
    fn adopt_or_create(&'static self) -> (OwnedRegion<M>, LiveRegion) {
        let adopted = self
            .pop_parked()
            .and_then(|(parked, live)| parked.adopt(&self.options).map(|region| (region, live)));
        let (region, live) = adopted.unwrap_or_else(|| {
            let region = OwnedRegion::create(&self.options);
            let live = self.live.add(region.addresses());
            (region, live)
        });
        warn_if_private(M::NAME, &region.publication(), &self.options, &self.warned);
        (region, live)
    }

    /// Takes a region of a thread that has ended. The lock is released before it is adopted.
    fn pop_parked(&'static self) -> Option<(ParkedRegion, LiveRegion)> {
        let mut parked = self.parked();
        let region = parked.pop()?;
        let live = self.live.add(region.addresses());
        Some((region, live))
    }

    /// Keeps the region of a thread that has ended for the next one.
    fn park(&self, region: OwnedRegion<M>, live: Option<LiveRegion>) {
        let region = region.park();
        let mut parked = self.parked();
        drop(live);
        parked.extend(region);
    }
}

impl<M: Model> fmt::Debug for Shared<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

/// A thread's stats for one static.
struct ThreadEntry<M: Model + 'static> {
    region: OwnedRegion<M>,
    /// `None` if it is isolated.
    live: Option<LiveRegion>,
    owner: &'static PerThread<M>,
    /// How often it was used, while not in the slot.
    uses: Cell<u64>,
    /// Whether it has been in the slot.
    is_fast: Cell<bool>,
}

impl<M: Model> ThreadEntry<M> {
    /// Puts the fields in the slot after enough uses.
    fn allow_fast_use(&self) {
        self.uses.set(self.uses.get() + 1);
        let may_use_slot = thread::may_use_slot(self.uses.get());
        if may_use_slot && !self.region.awaits_file(&(self.owner.shared)().options) {
            self.is_fast.set(true);
            // The slot points into the `Rc`, which stays until the slot is cleared.
            self.owner.slot.with(|slot| slot.set(self.region.model()));
        }
    }
}

impl<M: Model + 'static> AnyThreadEntry for ThreadEntry<M> {
    fn is_for(&self, address: usize) -> bool {
        self.owner.address() == address
    }

    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn remove(&self) -> bool {
        self.clear_slots();
        self.live.iter().for_each(LiveRegion::clear);
        self.region.discard_file();
        self.is_fast.get()
    }

    fn release(self: Rc<Self>) {
        self.clear_slots();
        // It is still in use if `exit` is called within a use.
        if let Ok(entry) = Rc::try_unwrap(self) {
            (entry.owner.shared)().park(entry.region, entry.live);
        }
    }

    fn clear_slots(&self) {
        self.owner.slot.with(ThreadSlot::clear);
    }
}

/// A thread's stats in private memory, created by [`PerThread::isolated`].
#[must_use = "the earlier stats are back when it is dropped"]
pub struct Isolated<M: Model + 'static> {
    entry: Rc<ThreadEntry<M>>,
}

impl<M: Model> Drop for Isolated<M> {
    fn drop(&mut self) {
        let own = Rc::as_ptr(&self.entry).addr();
        thread::remove_entry(|entry| ptr::from_ref(entry).addr() == own);
    }
}

impl<M: Model> fmt::Debug for Isolated<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Isolated").field("model", &M::NAME).finish_non_exhaustive()
    }
}
