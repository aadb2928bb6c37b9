//! One writer for each thread and model.
//!
//! A thread's first touch makes its file, or takes over that of a thread that has ended; the
//! thread's end parks it for the next one. So there are never more files than threads that ran at
//! once, and sums over them never go backwards.

use crate::error::PublishError;
use crate::identity;
use crate::memory::{PerProcess, ThreadSlot};
use crate::options::Options;
use crate::publish::{Flush, OwnedRegion, ParkedRegion, Publication};
use mmstats_core::Model;
use std::cell::RefCell;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::LocalKey;

/// A model that each thread has for itself; [`per_thread!`](crate::per_thread!) makes it.
pub struct PerThread<M: Model + 'static> {
    slot: LocalKey<ThreadSlot<M>>,
    /// Not a reference: with Rust 1.85, a constant cannot refer to something that changes.
    shared: fn() -> &'static Shared<M>,
}

/// Declares statics of which each thread has its own.
///
/// ```
/// use mmstats_std::{Counter, Gauge, Options, Timer, V1, model, per_thread};
///
/// model! {
///     /// What the web server does.
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
///     /// The same for readers of version 1.
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
/// The static is a constant in disguise: a `static` would cost two more instructions at each use.
#[macro_export]
macro_rules! per_thread {
    ($($(#[$attribute:meta])* $visible:vis static $name:ident : $model:ty $(= $options:expr)? ;)*) => { $(
        $(#[$attribute])*
        #[allow(clippy::declare_interior_mutable_const)]
        $visible const $name: $crate::PerThread<$model> = {
            ::std::thread_local! {
                static SLOT: $crate::ThreadSlot<$model> = const { $crate::ThreadSlot::new() };
            }
            fn shared() -> &'static $crate::Shared<$model> {
                static SHARED: $crate::Shared<$model> = $crate::Shared::new($crate::per_thread!(@options $($options)?));
                &SHARED
            }
            $crate::PerThread::new(SLOT, shared)
        };
    )* };
    (@options) => { $crate::Options::new() };
    (@options $options:expr) => { $options };
}

impl<M: Model> PerThread<M> {
    #[doc(hidden)]
    pub const fn new(slot: LocalKey<ThreadSlot<M>>, shared: fn() -> &'static Shared<M>) -> Self {
        PerThread { slot, shared }
    }

    /// Calls `f` with this thread's stats. The first call in a thread makes its file; the others
    /// cost two loads and a test.
    ///
    /// It never fails: what cannot be published is counted in private memory, and warned once on
    /// standard error ([`Options::quiet`] is silent). Who wants to know asks [`Self::publication`].
    ///
    /// Not for signal handlers, which may interrupt just this. They need a handle of their own.
    #[inline(always)]
    pub fn with<R>(&'static self, f: impl FnOnce(&M) -> R) -> R {
        self.slot.with(|slot| match slot.get() {
            Some(stats) => f(stats),
            None => self.first_touch(f),
        })
    }

    /// Where this thread's stats are, or why they are nowhere.
    pub fn publication(&'static self) -> Publication {
        let found = self.held(|held| match &held.region.origin.file {
            Ok(file) => Publication::File(file.path.clone()),
            Err(error) => Publication::Private(error.clone()),
        });
        found.unwrap_or_else(|| {
            Publication::Private(Arc::new(PublishError::too_late("the thread is ending")))
        })
    }

    /// Brings this thread's file to the disk, if it is on one.
    ///
    /// # Errors
    /// If the operating system cannot.
    pub fn flush(&'static self, how: Flush) -> io::Result<()> {
        self.held(|held| how.apply(held.region.mapped.mapping())).unwrap_or(Ok(()))
    }

    /// Removes this thread's file and those that ended threads left; running threads keep theirs.
    /// Doing it twice does nothing more; the next touch makes a new file.
    pub fn remove(&'static self) {
        // At the thread's end, it has parked its file already.
        let _ = THREAD.try_with(|thread| {
            for held in
                thread.held.borrow_mut().iter_mut().filter(|held| held.is_of(self.address()))
            {
                held.remove();
            }
        });
        for parked in mem::take(&mut *(self.shared)().parked()) {
            if let Ok(file) = &parked.origin.file {
                file.discard();
            }
        }
    }

    /// Looks at what this thread holds for this static, after a first touch.
    fn held<R>(&'static self, look: impl FnOnce(&ThreadEntry<M>) -> R) -> Option<R> {
        self.with(|_| ());
        let mut look = Some(look);
        let mut result = None;
        let _ = THREAD.try_with(|thread| {
            for held in thread
                .held
                .borrow()
                .iter()
                .filter(|held| held.is_of(self.address()) && !held.is_removed())
            {
                if let (Some(held), Some(look)) =
                    (held.as_any().downcast_ref::<ThreadEntry<M>>(), look.take())
                {
                    result = Some(look(held));
                }
            }
        });
        result
    }

    fn address(&self) -> usize {
        (&raw const *(self.shared)()).addr()
    }

    #[cold]
    #[inline(never)]
    fn first_touch<R>(&'static self, f: impl FnOnce(&M) -> R) -> R {
        let held =
            Box::new(ThreadEntry { region: (self.shared)().region(), of: self, removed: false });
        let mut held = Some(held);
        let entered = THREAD.try_with(|thread| {
            if let Some(held) = held.take() {
                // The slot points into the box, which stays where it is until it is released.
                self.slot.with(|slot| slot.set(held.region.model()));
                thread.held.borrow_mut().push(held);
            }
        });
        ENTERED.set(true);
        match (entered, held) {
            (Err(_), Some(held)) => {
                // A destructor that runs at the thread's end after ours: a short loan.
                let result = f(held.region.model());
                held.release();
                result
            }
            _ => self.slot.with(|slot| f(slot.get().expect("it was set just now"))),
        }
    }
}

/// What the threads of one static share.
#[doc(hidden)]
pub struct Shared<M: Model> {
    options: Options,
    parked: PerProcess<Mutex<Vec<ParkedRegion>>>,
    warned: AtomicBool,
    _model: PhantomData<fn() -> M>,
}

impl<M: Model> Shared<M> {
    #[must_use]
    pub const fn new(options: Options) -> Self {
        Shared {
            options,
            parked: PerProcess::new(),
            warned: AtomicBool::new(false),
            _model: PhantomData,
        }
    }

    fn parked(&self) -> MutexGuard<'static, Vec<ParkedRegion>> {
        self.parked.get().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stats for this thread: a finished one's, or new ones.
    fn region(&self) -> OwnedRegion<M> {
        let parked = self.parked().pop();
        if let Some(region) =
            parked.and_then(|parked| parked.unpark(&self.options, identity::tid().into()))
        {
            return region;
        }
        OwnedRegion::in_file(&self.options).unwrap_or_else(|error| {
            if !self.options.quiet
                && !error.is_too_late()
                && !self.warned.swap(true, Ordering::Relaxed)
            {
                warn(&format!(
                    "mmstats: {} is not published: {error}; it is counted in private memory\n",
                    M::NAME
                ));
            }
            OwnedRegion::in_private(Arc::new(error))
        })
    }
}

/// Says something on standard error, or nothing if that cannot be. `eprintln!` would panic then,
/// and wait for ever in a forked child that inherited its lock.
fn warn(line: &str) {
    let _ = rustix::io::write(io::stderr(), line.as_bytes());
}

/// A thread's stats of one static.
struct ThreadEntry<M: Model + 'static> {
    region: OwnedRegion<M>,
    of: &'static PerThread<M>,
    removed: bool,
}

/// The same of any static.
trait AnyThreadEntry: std::any::Any {
    fn is_of(&self, shared: usize) -> bool;
    fn is_removed(&self) -> bool;
    fn as_any(&self) -> &dyn std::any::Any;
    /// Removes the file; the fields stay until the thread ends, for who may be using them just now.
    fn remove(&mut self);
    /// At the thread's end.
    fn release(self: Box<Self>);
    /// In a forked child.
    fn clear_slot(&self);
}

impl<M: Model + 'static> AnyThreadEntry for ThreadEntry<M> {
    fn is_of(&self, shared: usize) -> bool {
        self.of.address() == shared
    }

    fn is_removed(&self) -> bool {
        self.removed
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn remove(&mut self) {
        if self.removed {
            return;
        }
        self.removed = true;
        self.clear_slot();
        if let Ok(file) = &self.region.origin.file {
            file.discard();
        }
    }

    fn release(self: Box<Self>) {
        if !self.removed {
            self.clear_slot();
            let shared = (self.of.shared)();
            if let Some(parked) = self.region.park() {
                shared.parked().push(parked);
            }
        }
    }

    fn clear_slot(&self) {
        self.of.slot.with(ThreadSlot::clear);
    }
}

/// All that a thread holds.
struct Thread {
    held: RefCell<Vec<Box<dyn AnyThreadEntry>>>,
}

thread_local! {
    static THREAD: Thread = const { Thread { held: RefCell::new(Vec::new()) } };
    /// Whether `THREAD` has been used, in a slot without destructor, which a forked child may look
    /// at.
    static ENTERED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.held.take().into_iter().for_each(AnyThreadEntry::release);
    }
}

/// In a forked child: what this thread held is its parent's. It is neither used again nor freed.
pub(crate) fn forget_this_thread() {
    if !ENTERED.get() {
        return;
    }
    let _ = THREAD.try_with(|thread| {
        if let Ok(mut held) = thread.held.try_borrow_mut() {
            held.iter().for_each(|held| held.clear_slot());
            mem::forget(mem::take(&mut *held));
        }
    });
}
