//! Signals that end or stop a program, noticed so that the terminal can be given back first.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::flag;
use signal_hook::low_level::emulate_default_handler;

/// The last signal that came.
pub(crate) struct Signals {
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// Notices signals from now on.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(crate) fn new() -> io::Result<Signals> {
        let last = Arc::new(AtomicUsize::new(0));
        // Those too that the program was started to ignore: without a terminal there is no sense in
        // going on.
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP] {
            flag::register_usize(signal, last.clone(), usize::try_from(signal).unwrap_or(0))?;
        }
        Ok(Signals { last })
    }

    /// The signal that came since the last call, if one did.
    pub(crate) fn take(&self) -> Option<i32> {
        i32::try_from(self.last.swap(0, Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }
}

/// Whether a signal only stops the program, until it is told to go on.
pub(crate) fn is_stop(signal: i32) -> bool {
    signal == SIGTSTP
}

/// Does what the signal would have done: ends this process, so that whoever waits for it learns
/// why.
pub(crate) fn obey(signal: i32) {
    // It is one of those above, which the system knows.
    let _ = emulate_default_handler(signal);
}

/// Stops this process, until it is told to go on.
pub(crate) fn stop() {
    obey(SIGTSTP);
}
