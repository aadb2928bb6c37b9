//! Waiting for the next round, or for the end.

use std::io;
use std::time::Duration;

use crate::shutdown::Shutdown;

/// Rounds that go on until SIGINT or SIGTERM, or a single one.
pub(super) enum Watch {
    Once,
    Every(Duration, Shutdown),
}

impl Watch {
    /// Looks again so often, if at all; from now on, the signals end that instead of the program.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(super) fn new(interval: Option<Duration>) -> io::Result<Watch> {
        Ok(match interval {
            Some(interval) => Watch::Every(interval, Shutdown::new()?),
            None => Watch::Once,
        })
    }

    /// Whether there is more than one round.
    pub(super) fn is_endless(&self) -> bool {
        matches!(self, Watch::Every(..))
    }

    /// Whether it is to end now, even in the middle of a round.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Watch::Every(_, shutdown) if shutdown.requested())
    }

    /// Waits for the next round; tells whether there is one.
    pub(super) fn wait(&self) -> bool {
        matches!(self, Watch::Every(interval, shutdown) if !shutdown.wait(*interval))
    }
}
