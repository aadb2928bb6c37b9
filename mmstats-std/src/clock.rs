//! The operating system's clock.

use mmstats_core::{Clock, V2};
use std::time::Instant;

/// Time that only goes forward; on Linux read without a system call.
pub struct Monotonic;

impl Clock for Monotonic {
    type Instant = Instant;

    fn now() -> Instant {
        Instant::now()
    }

    fn nanoseconds_since(start: Instant) -> u64 {
        u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A [`Timer`](mmstats_core::Timer) by the operating system's clock.
pub type Timer<const N: usize = 100, F = V2> = mmstats_core::Timer<Monotonic, N, F>;
