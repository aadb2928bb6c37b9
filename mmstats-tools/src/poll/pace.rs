//! When the next look is due, and whether there is to be one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::source::interrupt::is_ignored;

/// Ends what goes on for ever: Ctrl-C and its like, which are noticed from here on.
pub(super) struct Interrupt {
    /// Ends every wait; nothing is ever sent if it is not told.
    told: Receiver<()>,
    came: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes the signals up. One that this process was started to ignore stays ignored.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(super) fn new() -> io::Result<Interrupt> {
        let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal)))?;
        let came = Arc::new(AtomicBool::new(false));
        let (sender, told) = channel();
        let raise = came.clone();
        thread::Builder::new().spawn(move || {
            for signal in signals.forever() {
                // The second one does not wait for output that nobody reads.
                if raise.swap(true, Ordering::SeqCst) {
                    let _ = emulate_default_handler(signal);
                }
                let _ = sender.send(());
            }
        })?;
        Ok(Interrupt { told, came })
    }

    /// Whether it is time to end.
    pub(super) fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    fn wait(&self, time: Duration) {
        let _ = self.told.recv_timeout(time);
    }
}

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
    pub(super) fn wait(&self, interrupt: &Interrupt) {
        interrupt.wait(rest(self.started.elapsed(), self.delay));
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
        for (elapsed, delay, wait) in [(0, 250, 250), (1, 250, 249), (249, 250, 1), (250, 250, 250), (1001, 250, 249), (7, 1000, 993)] {
            assert_eq!(rest(milliseconds(elapsed), milliseconds(delay)), milliseconds(wait), "{elapsed} of {delay}");
        }
    }
}
