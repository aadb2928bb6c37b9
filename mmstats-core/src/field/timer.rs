use super::definition::{Field, Sealed, builder, mean, present_cell};
use super::histogram::Histogram;
use crate::add_error::AddError;
use crate::allocator::{Allocator, SlotIter};
use crate::cell::ValueCell;
use crate::format::layout::ValueLayout;
use crate::format_types::{Format, V2};
use crate::kind::units;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

/// A monotonic clock. A type without values, so that a [`Timer`] stores no clock.
///
/// `mmstats-std` has that of the operating system; a device reads a counter of its own:
///
/// ```
/// use mmstats_core::Clock;
/// # fn cycles() -> u32 { 0 }
/// struct Cycles;
/// impl Clock for Cycles {
///     type Instant = u32;
///     fn now() -> u32 {
///         cycles()
///     }
///     fn nanoseconds_since(start: u32) -> u64 {
///         u64::from(cycles().wrapping_sub(start)) * 125 // at 8 MHz
///     }
/// }
/// ```
pub trait Clock {
    /// A point in time.
    type Instant: Copy;
    /// Returns the current time.
    fn now() -> Self::Instant;
    /// Returns the time since `start`.
    fn nanoseconds_since(start: Self::Instant) -> u64;
}

/// The text that is appended to a timer's label for its distribution.
pub const HISTOGRAM_SUFFIX: &str = ".histogram";

/// Durations: a moving average of the last `N`, in seconds; and in version 2, under the label with
/// `.histogram` appended, the distribution of all of them (to 12 %, up to 18 minutes).
///
/// ```
/// # use mmstats_core::Clock;
/// # struct Fake;
/// # impl Clock for Fake { type Instant = (); fn now() {} fn nanoseconds_since(_: ()) -> u64 { 1_500_000 } }
/// use core::time::Duration;
/// use mmstats_core::{StaticRegion, Timer, Writer};
/// static REGION: StaticRegion<4096> = StaticRegion::new();
/// let mut writer: Writer = Writer::new(REGION.take()?)?;
/// let latency: Timer<Fake> = writer.add(Timer::builder("latency"))?;
/// {
///     let _guard = latency.start(); // stops when it is dropped
/// }
/// assert_eq!(latency.last(), Some(Duration::from_micros(1500)));
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
pub struct Timer<C: Clock, const N: usize = 100, F: Format = V2> {
    mean: RecentMean<N, F>,
    spread: Histogram<3, 40, u64, F>,
    last: Cell<Option<u64>>,
    _clock: PhantomData<fn() -> C>,
}

impl<C: Clock, const N: usize, F: Format> Sealed for Timer<C, N, F> {}

impl<C: Clock, const N: usize, F: Format> Timer<C, N, F> {
    builder!();

    const MEAN: ValueLayout = ValueLayout { unit: units::seconds, ..mean::<F>() };
    const SPREAD: ValueLayout = ValueLayout {
        suffix: HISTOGRAM_SUFFIX,
        unit: units::nanoseconds,
        ..Histogram::<3, 40, u64, F>::LAYOUT
    };

    /// Starts a guard that records the time when it is stopped or dropped. Several may run at once.
    #[inline]
    #[must_use = "the time is recorded when the guard is dropped"]
    pub fn start(&self) -> TimerGuard<'_, C, N, F> {
        TimerGuard { timer: self, start: C::now() }
    }

    /// Records the time of a call.
    pub fn time<R>(&self, f: impl FnOnce() -> R) -> R {
        let _guard = self.start();
        f()
    }

    /// Records the time since `start`, which its clock returned, and returns that time. For use
    /// where no guard can be kept, as across an `.await`; any number of times may run at once.
    #[inline]
    pub fn record_since(&self, start: C::Instant) -> Duration {
        let nanoseconds = C::nanoseconds_since(start);
        self.record_nanoseconds(nanoseconds);
        Duration::from_nanos(nanoseconds)
    }

    /// Records a duration that was measured elsewhere.
    pub fn record(&self, duration: Duration) {
        self.record_nanoseconds(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Returns the last duration that this handle recorded.
    #[must_use]
    pub fn last(&self) -> Option<Duration> {
        self.last.get().map(Duration::from_nanos)
    }

    /// Returns the moving average in seconds.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.mean.seconds.get()
    }

    #[inline(always)]
    fn record_nanoseconds(&self, nanoseconds: u64) {
        self.last.set(Some(nanoseconds));
        self.mean.record(nanoseconds);
        self.spread.record(nanoseconds);
    }
}

/// The arithmetic mean of the last `N` durations. Their sum is an integer: it needs no correction,
/// and adding to it is faster than adding floats, which matters as all of this delays whatever
/// reads the clock next.
struct RecentMean<const N: usize, F: Format> {
    /// The published value, in seconds.
    seconds: F::Cell<f64>,
    /// In nanoseconds.
    window: [Cell<u64>; N],
    next: Cell<usize>,
    /// In nanoseconds. It cannot overflow, as each of the `N` values has 64 bits.
    sum: Cell<u128>,
    count: Cell<usize>,
    /// `count` × 10⁹, which turns `sum` into a mean in seconds.
    divisor: Cell<f64>,
}

impl<const N: usize, F: Format> RecentMean<N, F> {
    fn new(seconds: F::Cell<f64>) -> Self {
        const { assert!(N > 0, "the moving average of a timer needs at least one sample") };
        RecentMean {
            seconds,
            window: [const { Cell::new(0) }; N],
            next: Cell::new(0),
            sum: Cell::new(0),
            count: Cell::new(0),
            divisor: Cell::new(0.0),
        }
    }

    fn reset(&self) {
        self.seconds.set(0.0);
        self.window.iter().for_each(|duration| duration.set(0));
        self.next.set(0);
        self.sum.set(0);
        self.count.set(0);
    }

    #[inline(always)]
    fn record(&self, nanoseconds: u64) {
        let next = self.next.get();
        let dropped = self.window[next].replace(nanoseconds);
        let sum = self.sum.get() - u128::from(dropped) + u128::from(nanoseconds);
        self.sum.set(sum);
        self.next.set(if next + 1 < N { next + 1 } else { 0 });
        if self.count.get() < N {
            self.count_up();
        }
        let sum = match i64::try_from(sum) {
            Ok(sum) => sum as f64,
            Err(_) => convert_large(sum),
        };
        self.seconds.set(sum / self.divisor.get());
    }

    #[cold]
    fn count_up(&self) {
        self.count.set(self.count.get() + 1);
        self.divisor.set(self.count.get() as f64 * 1e9);
    }
}

/// Converts a sum of 292 years and more, which takes a call on most machines.
#[cold]
#[inline(never)]
fn convert_large(sum: u128) -> f64 {
    sum as f64
}

impl<C: Clock, const N: usize, F: Format> Field for Timer<C, N, F> {
    type Format = F;
    type In<G: Format> = Timer<C, N, F::In<G>>;
    type Initial<'i> = ();
    const LAYOUTS: &'static [ValueLayout] = if Histogram::<3, 40, u64, F>::EXISTS {
        &[Self::MEAN, Self::SPREAD]
    } else {
        &[Self::MEAN]
    };

    #[inline(always)]
    fn attach<A: Allocator>(slots: &mut SlotIter<'_, A>, _: Option<()>) -> Result<Self, AddError> {
        let mean = RecentMean::new(present_cell::<f64, F, A>(slots, None)?);
        let spread = Histogram::attach(slots, None)?;
        Ok(Timer { mean, spread, last: Cell::new(None), _clock: PhantomData })
    }

    fn reset_transient(&self) {
        self.mean.reset();
        self.last.set(None);
    }
}

impl<C: Clock, const N: usize, F: Format> fmt::Debug for Timer<C, N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("mean", &self.get())
            .field("last", &self.last())
            .finish_non_exhaustive()
    }
}

/// A running [`Timer`].
#[must_use = "the time is recorded when the guard is dropped"]
pub struct TimerGuard<'t, C: Clock, const N: usize, F: Format> {
    timer: &'t Timer<C, N, F>,
    start: C::Instant,
}

impl<C: Clock, const N: usize, F: Format> TimerGuard<'_, C, N, F> {
    /// Records the time and returns it.
    pub fn stop(self) -> Duration {
        let duration = self.timer.record_since(self.start);
        core::mem::forget(self);
        duration
    }

    /// Stops without recording the time.
    pub fn discard(self) {
        core::mem::forget(self);
    }
}

impl<C: Clock, const N: usize, F: Format> Drop for TimerGuard<'_, C, N, F> {
    #[inline]
    fn drop(&mut self) {
        self.timer.record_since(self.start);
    }
}

impl<C: Clock, const N: usize, F: Format> fmt::Debug for TimerGuard<'_, C, N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerGuard").field("timer", self.timer).finish_non_exhaustive()
    }
}
