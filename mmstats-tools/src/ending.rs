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
pub struct Ending {
    /// Ends every wait.
    told: Receiver<()>,
    came: Arc<AtomicBool>,
}

impl Ending {
    /// Takes the signals up. One that this process was started to ignore stays ignored; the second
    /// one ends the program at once, also while it waits for somebody to read its output.
    ///
    /// To be called before anything is connected to, which leaves signals to whoever has them by
    /// then.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn new() -> io::Result<Ending> {
        let mut signals = Signals::new(not_ignored([SIGINT, SIGTERM]))?;
        let came = Arc::new(AtomicBool::new(false));
        let (sender, told) = channel();
        let raise = came.clone();
        thread::Builder::new().spawn(move || {
            for signal in signals.forever() {
                if raise.swap(true, Ordering::SeqCst) {
                    let _ = emulate_default_handler(signal);
                }
                let _ = sender.send(());
            }
        })?;
        Ok(Ending { told, came })
    }

    /// Leaves the signals to what they do by themselves.
    #[must_use]
    pub fn never() -> Ending {
        Ending { told: channel().1, came: Arc::default() }
    }

    /// Whether it is time to end.
    #[must_use]
    pub fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    /// Waits for so long, or until it is time to end; tells whether it is.
    pub fn wait(&self, time: Duration) -> bool {
        let _ = self.told.recv_timeout(time);
        self.came()
    }
}
