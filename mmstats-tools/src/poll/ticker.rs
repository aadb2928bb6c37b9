//! The times at which scrapes are due.

use std::time::{Duration, Instant};

use crate::shutdown::Shutdown;

/// Ticks at whole multiples of an interval since the first one. Missed ticks are skipped.
pub(super) struct Ticker {
    started: Instant,
    interval: Duration,
}

impl Ticker {
    pub(super) fn new(interval: Duration) -> Ticker {
        Ticker { started: Instant::now(), interval }
    }

    /// Waits for the next tick, or for a shutdown.
    pub(super) fn wait(&self, shutdown: &Shutdown) {
        shutdown.wait(time_to_next_tick(self.started.elapsed(), self.interval));
    }
}

/// Returns the time to the next multiple of `interval`, at least a nanosecond.
fn time_to_next_tick(elapsed: Duration, interval: Duration) -> Duration {
    let late = elapsed.as_nanos() % interval.as_nanos().max(1);
    interval.saturating_sub(Duration::from_nanos(u64::try_from(late).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_multiples_of_the_interval() {
        let milliseconds = Duration::from_millis;
        for (elapsed, interval, wait) in [
            (0, 250, 250),
            (1, 250, 249),
            (249, 250, 1),
            (250, 250, 250),
            (1001, 250, 249),
            (7, 1000, 993),
        ] {
            assert_eq!(
                time_to_next_tick(milliseconds(elapsed), milliseconds(interval)),
                milliseconds(wait),
                "{elapsed} of {interval}"
            );
        }
    }
}
