//! Waiting for the next round, or for the end.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::source::interrupt::is_ignored;

/// Rounds that go on until SIGINT or SIGTERM, or a single one.
pub(super) enum Watch {
    Once,
    /// Nothing is ever sent; when it is over, nobody can any more.
    Every(Duration, Receiver<()>),
}

impl Watch {
    /// Looks again so often, if at all; from now on, the signals end that instead of the program.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(super) fn new(interval: Option<Duration>) -> io::Result<Watch> {
        let Some(interval) = interval else { return Ok(Watch::Once) };
        // One that the program was started to ignore stays ignored.
        let signals: Vec<_> = [SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal)).collect();
        let mut signals = Signals::new(signals)?;
        let (sender, receiver) = channel();
        thread::Builder::new().spawn(move || {
            let mut signals = signals.forever();
            signals.next();
            drop(sender);
            // The second one does not wait for output that nobody reads.
            signals.for_each(|signal| drop(emulate_default_handler(signal)));
        })?;
        Ok(Watch::Every(interval, receiver))
    }

    /// Whether there is more than one round.
    pub(super) fn is_endless(&self) -> bool {
        matches!(self, Watch::Every(..))
    }

    /// Whether it is to end now, even in the middle of a round.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Watch::Every(_, end) if end.try_recv() != Err(TryRecvError::Empty))
    }

    /// Waits for the next round; tells whether there is one.
    pub(super) fn wait(&self) -> bool {
        matches!(self, Watch::Every(interval, end) if end.recv_timeout(*interval) == Err(RecvTimeoutError::Timeout))
    }
}
