use super::{Field, Histogram, MovingAverage, builder, number};
use crate::format::layout::ValueLayout;
use crate::format::{Format, V2};
use crate::kind::{Kind, units};
use crate::writer::{AddError, Allocator, SlotIter};
use core::cell::Cell;
use core::time::Duration;

/// Tells time. A type and not a value, so that timers stay as small as they are.
///
/// `mmstats-std` brings the one of the operating system; a device reads a counter of its own:
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
    /// Now.
    fn now() -> Self::Instant;
    /// The time since then.
    fn nanoseconds_since(start: Self::Instant) -> u64;
}

/// Durations: a moving average of the last `N`, in seconds; and in version 2, under the label with
/// `.histogram` behind it, the distribution of all of them (12 % precise, up to 18 minutes).
///
/// ```
/// # use mmstats_core::Clock;
/// # struct Fake;
/// # impl Clock for Fake { type Instant = (); fn now() {} fn nanoseconds_since(_: ()) -> u64 { 1_500_000 } }
/// use core::time::Duration;
/// use mmstats_core::{Borrowed, Region, Timer, Writer};
/// let mut memory = [0; 512];
/// let mut writer = Writer::<Borrowed>::new(Region::new(&mut memory))?;
/// let latency: Timer<Fake, 100, _> = writer.add(Timer::builder("latency"))?;
/// {
///     let _running = latency.start(); // stops when it is dropped
/// }
/// assert_eq!(latency.last(), Some(Duration::from_micros(1500)));
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
pub struct Timer<C: Clock, const N: usize = 100, F: Format = V2> {
    mean: MovingAverage<N, F>,
    spread: Histogram<3, 40, u64, F>,
    last: Cell<Option<u64>>,
    running: Cell<Option<C::Instant>>,
}

impl<C: Clock, const N: usize, F: Format> super::Sealed for Timer<C, N, F> {}

impl<C: Clock, const N: usize, F: Format> Timer<C, N, F> {
    builder!();

    const MEAN: ValueLayout = ValueLayout { unit: units::seconds, ..number::<f64, F>(Kind::Gauge) };
    const SPREAD: ValueLayout = ValueLayout {
        suffix: ".histogram",
        unit: units::nanoseconds,
        ..Histogram::<3, 40, u64, F>::LAYOUT
    };

    /// Runs until the guard is stopped or dropped. Several may run at once.
    #[must_use = "the time is taken when the guard is dropped"]
    pub fn start(&self) -> TimerGuard<'_, C, N, F> {
        let start = self.begin();
        TimerGuard { timer: self, start }
    }

    /// Times a call.
    pub fn time<R>(&self, f: impl FnOnce() -> R) -> R {
        let _running = self.start();
        f()
    }

    /// Starts without a guard, where none can be kept; [`Self::stop`] ends it.
    pub fn begin(&self) -> C::Instant {
        let start = C::now();
        self.running.set(Some(start));
        start
    }

    /// Records the time since the last start, unless that has been stopped.
    pub fn stop(&self) -> Option<Duration> {
        let start = self.running.take()?;
        Some(self.record_since(start))
    }

    /// Records a duration that was measured elsewhere.
    pub fn record(&self, duration: Duration) {
        self.record_nanoseconds(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The last duration recorded by this handle.
    #[must_use]
    pub fn last(&self) -> Option<Duration> {
        self.last.get().map(Duration::from_nanos)
    }

    /// The time since the last start; `None` if it has been stopped.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        self.running.get().map(|start| Duration::from_nanos(C::nanoseconds_since(start)))
    }

    /// The moving average in seconds.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.mean.get()
    }

    fn record_since(&self, start: C::Instant) -> Duration {
        let nanoseconds = C::nanoseconds_since(start);
        self.record_nanoseconds(nanoseconds);
        Duration::from_nanos(nanoseconds)
    }

    fn record_nanoseconds(&self, nanoseconds: u64) {
        self.last.set(Some(nanoseconds));
        self.mean.record(nanoseconds as f64 / 1e9);
        self.spread.record(nanoseconds);
    }
}

impl<C: Clock, const N: usize, F: Format> Field for Timer<C, N, F> {
    type Format = F;
    type In<G: Format> = Timer<C, N, G>;
    type Initial<'i> = ();
    const LAYOUTS: &'static [ValueLayout] = if Histogram::<3, 40, u64, F>::EXISTS {
        &[Self::MEAN, Self::SPREAD]
    } else {
        &[Self::MEAN]
    };

    fn attach<S: Allocator>(slots: &mut SlotIter<'_, S>, _: Option<()>) -> Result<Self, AddError> {
        let mean = MovingAverage::attach(slots, None)?;
        let spread = Histogram::attach(slots, None)?;
        Ok(Timer { mean, spread, last: Cell::new(None), running: Cell::new(None) })
    }

    fn reset_transient(&self) {
        self.mean.reset_transient();
    }
}

/// A running [`Timer`].
#[must_use = "the time is taken when the guard is dropped"]
pub struct TimerGuard<'t, C: Clock, const N: usize, F: Format> {
    timer: &'t Timer<C, N, F>,
    start: C::Instant,
}

impl<C: Clock, const N: usize, F: Format> TimerGuard<'_, C, N, F> {
    /// Records the time and tells it.
    pub fn stop(self) -> Duration {
        let duration = self.finish();
        core::mem::forget(self);
        duration
    }

    /// Records nothing.
    pub fn discard(self) {
        self.timer.running.set(None);
        core::mem::forget(self);
    }

    fn finish(&self) -> Duration {
        self.timer.running.set(None);
        self.timer.record_since(self.start)
    }
}

impl<C: Clock, const N: usize, F: Format> Drop for TimerGuard<'_, C, N, F> {
    fn drop(&mut self) {
        self.finish();
    }
}
