//! A timer has a second label.
//~ E0080 latency.histogram

use mmstats_core::{Clock, Counter, Timer, model};

/// A clock.
pub struct Stopped;

impl Clock for Stopped {
    type Instant = ();
    fn now() {}
    fn nanoseconds_since((): ()) -> u64 {
        0
    }
}

#[cfg(good)]
model! { struct Good { latency: Timer<Stopped>, other: Counter = "latency.histograms" } }
#[cfg(not(good))]
model! { struct Bad { latency: Timer<Stopped>, other: Counter = "latency.histogram" } }
