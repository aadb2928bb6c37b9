//! A clock that reads the processor's counter.

use crate::memory::{LeakedList, ProcessLocal};
use mmstats_core::{Clock, V2};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A monotonic clock that reads the processor's time stamp counter by the crate
/// [`quanta`](https://docs.rs/quanta). A [`ProcessorTimer`] uses it; on x86-64, such a timer takes
/// about half the time of a [`Timer`](crate::Timer).
///
/// - It needs a counter of constant rate that no state of the processor stops (on x86-64, the flag
///   `nonstop_tsc` in `/proc/cpuinfo`; every AArch64 has one). On other machines it reads the
///   operating system's clock instead.
/// - The first use in a process calibrates the counter, which blocks for some milliseconds, at most
///   200. [`ProcessorClock::now`] at the start of a program does it early.
/// - The rate is not adjusted afterwards, unlike that of [`Monotonic`](crate::Monotonic): durations
///   differ from its by the error of the calibration, usually less than 0.1 %. In a virtual machine
///   that is moved to a processor of another rate without compensation, they are wrong.
/// - The kernel synchronises the counters of all processors at boot; where it does not, a task that
///   moves between processors can see the time go back. Such a duration counts as 0.
/// - Time during which the system is suspended may count or not.
///
/// ```
/// use mmstats_std::{ProcessorTimer, model, per_thread};
/// model! { struct Cache { lookup: ProcessorTimer } }
/// per_thread! { static CACHE: Cache; }
///
/// CACHE.with(|cache| cache.lookup.time(|| 6 * 7));
/// ```
#[derive(Debug)]
pub struct ProcessorClock;

/// A [`Timer`](mmstats_core::Timer) that uses the [`ProcessorClock`].
pub type ProcessorTimer<const N: usize = 100, F = V2> = mmstats_core::Timer<ProcessorClock, N, F>;

impl Clock for ProcessorClock {
    /// In units of the counter.
    type Instant = u64;

    #[inline]
    fn now() -> u64 {
        match source() {
            Source::Counter(clock) => clock.raw(),
            Source::System(start) => nanoseconds(*start),
        }
    }

    #[inline]
    fn nanoseconds_since(start: u64) -> u64 {
        match source() {
            Source::Counter(clock) => clock.delta_as_nanos(start, clock.raw()),
            Source::System(origin) => nanoseconds(*origin).saturating_sub(start),
        }
    }
}

enum Source {
    Counter(quanta::Clock),
    /// The operating system's clock, counted from this instant.
    System(Instant),
}

/// Empty until the counter is calibrated. Not a `OnceLock`, for which a forked child would wait
/// forever if another thread of its parent was calibrating.
static SOURCES: LeakedList<Source> = LeakedList::new();

#[inline]
fn source() -> &'static Source {
    SOURCES.iter().next().unwrap_or_else(|| calibrate())
}

#[cold]
#[inline(never)]
fn calibrate() -> &'static Source {
    static CALIBRATION: ProcessLocal<OnceLock<&Source>> = ProcessLocal::new();
    /// Whether a thread of this process, or of the one that it was forked from, has begun. Relaxed:
    /// one thread of a process at a time calibrates.
    static HAS_BEGUN: AtomicBool = AtomicBool::new(false);
    CALIBRATION.get().get_or_init(|| {
        // A child that was forked meanwhile cannot calibrate: `quanta` has a lock of its own.
        SOURCES.push(if HAS_BEGUN.swap(true, Ordering::Relaxed) {
            Source::System(Instant::now())
        } else {
            Source::Counter(quanta::Clock::new())
        })
    })
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
