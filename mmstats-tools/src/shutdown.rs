//! The end of what goes on for ever: Ctrl-C, or SIGTERM.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::source::interrupt::not_ignored;

/// Notices signals that are to end the program, which then does so when it suits it.
pub struct Shutdown {
    /// Ends every wait.
    told: Receiver<()>,
    requested: Arc<AtomicBool>,
}

impl Shutdown {
    /// Takes the signals up. One that this process was started to ignore stays ignored; the second
    /// one ends the program at once, also while it waits for somebody to read its output.
    ///
    /// To be called before anything is connected to, which leaves signals to whoever has them by
    /// then.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn new() -> io::Result<Shutdown> {
        let mut signals = Signals::new(not_ignored([SIGINT, SIGTERM]))?;
        let requested = Arc::new(AtomicBool::new(false));
        let (sender, told) = channel();
        let raise = requested.clone();
        thread::Builder::new().spawn(move || {
            for signal in signals.forever() {
                if raise.swap(true, Ordering::SeqCst) {
                    let _ = emulate_default_handler(signal);
                }
                let _ = sender.send(());
            }
        })?;
        Ok(Shutdown { told, requested })
    }

    /// Leaves the signals to what they do by themselves.
    #[must_use]
    pub fn never() -> Shutdown {
        Shutdown { told: channel().1, requested: Arc::default() }
    }

    /// Whether it is time to end.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Waits for so long, or until it is time to end; tells whether it is.
    pub fn wait(&self, time: Duration) -> bool {
        let _ = self.told.recv_timeout(time);
        self.requested()
    }
}
