//! Signals that end or suspend a program.
//!
//! One thread receives them for the whole process and decides what each one does:
//!
//! - While a device is connected (a `Hold` exists), SIGHUP, SIGINT and SIGTERM end every wait for
//!   the device, which is then released. A tool (a [`Shutdown`] exists) ends afterwards; a
//!   library's user gets [`MemoryError::Interrupted`](crate::source::MemoryError).
//! - A signal that a [`Shutdown`] is graceful about is only recorded, and the tool ends by itself.
//!   The second one ends the process at once, or as soon as the devices are released.
//! - Anything else ends the process at once, as without this module.
//!
//! A signal that was ignored when the process started (`nohup`) stays ignored. One that the program
//! already handles when the first `Hold` is created is recorded and left to that handler.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

/// The signals that ask a program to end.
pub(crate) const TERMINATION_SIGNALS: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// More than a device takes to be released.
#[cfg(feature = "web")]
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// Enough for a cleanup, and independent of `RUST_MIN_STACK`.
const THREAD_STACK_BYTES: usize = 256 << 10;

static STATE: Mutex<State> = Mutex::new(State {
    receiver: None,
    received: Vec::new(),
    graceful: Vec::new(),
    tools: 0,
    holds: 0,
    first: None,
    second: None,
    is_suspended: false,
    cleanup: None,
});

/// Notified of every change of [`STATE`].
static CHANGED: Condvar = Condvar::new();

struct State {
    /// Adds signals to those that the thread receives.
    receiver: Option<Handle>,
    received: Vec<Received>,
    /// The signals of every [`Shutdown`].
    graceful: Vec<i32>,
    /// The number of [`Shutdown`]s.
    tools: usize,
    /// The number of [`Hold`]s.
    holds: usize,
    /// The first signal that asked the program to end and was recorded only.
    first: Option<i32>,
    /// The second one, which arrived while a device was connected.
    second: Option<i32>,
    is_suspended: bool,
    /// Called before the process ends at once.
    cleanup: Option<fn()>,
}

/// A signal that the thread receives.
struct Received {
    signal: i32,
    /// Whether the signal ends the process as soon as it arrives, without waiting for the thread;
    /// `None` if the program handled it before.
    is_default: Option<Arc<AtomicBool>>,
}

/// The end of a tool that runs until a signal arrives.
#[derive(Debug)]
pub(crate) struct Shutdown {
    graceful: Vec<i32>,
}

impl Shutdown {
    /// Records SIGINT and SIGTERM, so that the tool can clean up and exit.
    ///
    /// # Errors
    /// If the signal handler cannot be installed.
    pub(crate) fn new() -> io::Result<Shutdown> {
        Shutdown::on(&[SIGINT, SIGTERM])
    }

    /// Records these signals, so that the tool can clean up and exit.
    ///
    /// # Errors
    /// If the signal handler cannot be installed.
    pub(crate) fn on(signals: &[i32]) -> io::Result<Shutdown> {
        let mut state = lock();
        state.receive(signals)?;
        state.graceful.extend(signals);
        state.tools += 1;
        state.update();
        Ok(Shutdown { graceful: signals.to_vec() })
    }

    /// Leaves all signals to end the process: at once, or as soon as the devices are released.
    #[must_use]
    pub(crate) fn immediate() -> Shutdown {
        lock().tools += 1;
        Shutdown { graceful: Vec::new() }
    }

    /// Calls `cleanup` before a second signal ends the process.
    #[cfg(feature = "tui")]
    #[must_use]
    pub(crate) fn with_cleanup(self, cleanup: fn()) -> Shutdown {
        let mut state = lock();
        state.cleanup = Some(cleanup);
        state.update();
        drop(state);
        self
    }

    /// Returns `true` once a signal has asked the tool to end.
    #[must_use]
    pub(crate) fn requested(&self) -> bool {
        self.signal().is_some()
    }

    /// Returns the signal that asked the tool to end.
    #[must_use]
    pub(crate) fn signal(&self) -> Option<i32> {
        lock().first
    }

    /// Waits until the time is over or a signal asks the tool to end; returns `true` for a signal.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        wait_while(time, |state| state.first.is_none());
        self.requested()
    }

    /// Returns `true` if SIGTSTP has arrived since the last call.
    #[cfg(feature = "tui")]
    #[must_use]
    pub(crate) fn take_suspend(&self) -> bool {
        std::mem::take(&mut lock().is_suspended)
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        let mut state = lock();
        state.tools -= 1;
        for signal in &self.graceful {
            if let Some(at) = state.graceful.iter().position(|graceful| graceful == signal) {
                state.graceful.swap_remove(at);
            }
        }
        state.update();
    }
}

/// A connected device, which must be released before the process ends.
#[derive(Debug)]
pub(crate) struct Hold(());

impl Hold {
    /// Holds signals off until it is dropped.
    ///
    /// # Errors
    /// If the signal handler cannot be installed.
    pub(crate) fn new() -> io::Result<Hold> {
        let mut state = lock();
        state.receive(&TERMINATION_SIGNALS)?;
        state.holds += 1;
        state.update();
        Ok(Hold(()))
    }

    /// Returns `true` once a signal has asked the program to end: the device is to be released.
    pub(crate) fn is_interrupted(&self) -> bool {
        lock().first.is_some()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = lock();
        state.holds -= 1;
        state.update();
        CHANGED.notify_all();
        if state.holds == 0 && state.tools > 0 {
            let abrupt = state.first.filter(|signal| !state.graceful.contains(signal));
            if let Some(signal) = state.second.or(abrupt) {
                end_process(state, signal);
            }
        }
    }
}

/// Waits until every device is released.
#[cfg(feature = "web")]
pub(crate) fn wait_for_release() {
    wait_while(RELEASE_TIMEOUT, |state| state.holds > 0);
}

/// Ends or suspends this process as the signal does by default, so that its parent sees why.
pub(crate) fn obey(signal: i32) {
    // Fails only for a number that is no signal.
    let _ = emulate_default_handler(signal);
}

impl State {
    /// Has the thread receive these signals, except those that this process ignores.
    fn receive(&mut self, signals: &[i32]) -> io::Result<()> {
        let [ignored, handled] = dispositions();
        for &signal in signals {
            let is_received = self.received.iter().any(|received| received.signal == signal);
            if is_received || ignored & bit(signal) != 0 {
                continue;
            }
            let is_default = (handled & bit(signal) == 0).then(|| Arc::new(AtomicBool::new(false)));
            if let Some(is_default) = &is_default {
                flag::register_conditional_default(signal, is_default.clone())?;
            }
            let receiver = match &self.receiver {
                Some(receiver) => receiver,
                None => self.receiver.insert(start()?),
            };
            receiver.add_signal(signal)?;
            self.received.push(Received { signal, is_default });
        }
        Ok(())
    }

    /// Returns `true` if the signal ends the process now.
    fn is_final(&self, signal: i32) -> bool {
        let is_graceful = self.graceful.contains(&signal);
        self.holds == 0 && (!is_graceful || self.first.is_some()) && signal != SIGTSTP
    }

    /// Decides which signals end the process as soon as they arrive.
    fn update(&self) {
        for Received { signal, is_default } in &self.received {
            if let Some(is_default) = is_default {
                let is_final = self.is_final(*signal) && self.cleanup.is_none();
                is_default.store(is_final, Ordering::SeqCst);
            }
        }
    }
}

/// Starts the thread.
fn start() -> io::Result<Handle> {
    let mut signals = Signals::new([0; 0])?;
    let receiver = signals.handle();
    let thread = thread::Builder::new().name("signals".to_owned()).stack_size(THREAD_STACK_BYTES);
    thread.spawn(move || {
        signals.forever().for_each(handle);
    })?;
    Ok(receiver)
}

fn handle(signal: i32) {
    let mut state = lock();
    if signal == SIGTSTP {
        state.is_suspended = true;
    } else if state.is_final(signal) {
        let mut received = state.received.iter();
        if received.any(|received| received.signal == signal && received.is_default.is_some()) {
            end_process(state, signal);
        }
        return;
    } else if state.first.is_some() {
        state.second = Some(signal);
    } else {
        state.first = Some(signal);
    }
    state.update();
    CHANGED.notify_all();
}

fn end_process(state: MutexGuard<'_, State>, signal: i32) {
    let cleanup = state.cleanup;
    // The cleanup may use this module.
    drop(state);
    if let Some(cleanup) = cleanup {
        cleanup();
    }
    obey(signal);
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_while(time: Duration, mut condition: impl FnMut(&State) -> bool) {
    drop(CHANGED.wait_timeout_while(lock(), time, |state| condition(state)));
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Returns the signals that this process ignores and those that it handles, a bit each; none if the
/// system does not say.
fn dispositions() -> [u64; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["SigIgn:", "SigCgt:"].map(|name| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    })
}
