//! The operating system's clocks.

use mmstats_core::{Clock, V2};
use std::time::{Duration, Instant, SystemTime};

/// A monotonic clock (`CLOCK_MONOTONIC`); Linux reads it without a system call.
#[derive(Debug)]
pub struct Monotonic;

impl Clock for Monotonic {
    type Instant = Instant;

    #[inline]
    fn now() -> Instant {
        Instant::now()
    }

    #[inline]
    fn nanoseconds_since(start: Instant) -> u64 {
        let elapsed = start.elapsed();
        match elapsed.as_secs() {
            // A branch, so that the usual case does not wait for a multiplication.
            0 => elapsed.subsec_nanos().into(),
            _ => whole_nanoseconds(elapsed),
        }
    }
}

#[cold]
fn whole_nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A [`Timer`](mmstats_core::Timer) that uses the [`Monotonic`] clock.
pub type Timer<const N: usize = 100, F = V2> = mmstats_core::Timer<Monotonic, N, F>;

/// A time by the wall clock and by the monotonic clock: together, they show later whether the wall
/// clock was set since.
#[derive(Debug, Clone, Copy)]
pub struct ClockReading {
    /// By the wall clock.
    pub wall: SystemTime,
    /// By the monotonic clock.
    pub monotonic: Instant,
}

impl ClockReading {
    /// Reads both clocks.
    #[must_use]
    pub fn now() -> Self {
        let monotonic = Instant::now();
        ClockReading { wall: SystemTime::now(), monotonic }
    }

    /// Returns the same time by the wall clock as it is set now.
    ///
    /// Due to the order in which the clocks are read, a delay in between makes it earlier, never
    /// later.
    #[must_use]
    pub fn by_current_clock(&self) -> SystemTime {
        let now = SystemTime::now();
        now.checked_sub(self.monotonic.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// Returns the current time in seconds since 1970 (the unit of `sys.created`); 0 before 1970.
#[must_use]
pub fn unix_time() -> f64 {
    unix_seconds(SystemTime::now())
}

/// Returns `time` in seconds since 1970; 0 before 1970.
#[must_use]
pub fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
