//! When the next look is due, and whether there is to be one.

use std::time::{Duration, Instant};

use crate::shutdown::Shutdown;

/// Looks that are due at whole multiples of a time since the first, however long they take.
pub(super) struct Pace {
    started: Instant,
    delay: Duration,
}

impl Pace {
    pub(super) fn new(delay: Duration) -> Pace {
        Pace { started: Instant::now(), delay }
    }

    /// Waits until the next look is due. Those that were due meanwhile are left out.
    pub(super) fn wait(&self, shutdown: &Shutdown) {
        shutdown.wait(rest(self.started.elapsed(), self.delay));
    }
}

/// The time to the next multiple of `delay`, which is not 0.
fn rest(elapsed: Duration, delay: Duration) -> Duration {
    let behind = elapsed.as_nanos() % delay.as_nanos().max(1);
    delay.saturating_sub(Duration::from_nanos(u64::try_from(behind).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_due_at_multiples_of_the_delay() {
        let milliseconds = Duration::from_millis;
        for (elapsed, delay, wait) in [
            (0, 250, 250),
            (1, 250, 249),
            (249, 250, 1),
            (250, 250, 250),
            (1001, 250, 249),
            (7, 1000, 993),
        ] {
            assert_eq!(
                rest(milliseconds(elapsed), milliseconds(delay)),
                milliseconds(wait),
                "{elapsed} of {delay}"
            );
        }
    }
}
