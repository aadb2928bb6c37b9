//! Ctrl-C and its like, noticed instead of obeyed while something has to be put back first.
//!
//! While a [target](super::gdb) is connected, SIGINT, SIGTERM and SIGHUP do not end the program but
//! make [`is_raised`] true, for good, which ends every wait for the target. Before and afterwards
//! they end the program as ever. A signal that the program was started to ignore (`nohup`) stays
//! ignored. One that the program handles itself is left to it, and noticed too; it has to take that
//! up before it connects for the first time.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether one of the signals came while there was a guard.
static RAISED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Whether there is no guard.
static UNGUARDED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

static STATE: Mutex<State> = Mutex::new(State { installed: false, guards: 0 });

struct State {
    installed: bool,
    guards: usize,
}

/// Holds the signals off.
#[derive(Debug)]
pub(super) struct Guard(());

impl Guard {
    /// Holds them off until it is dropped.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(super) fn new() -> io::Result<Guard> {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.installed {
            install()?;
            state.installed = true;
        }
        state.guards += 1;
        UNGUARDED.store(false, Ordering::SeqCst);
        Ok(Guard(()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        state.guards -= 1;
        UNGUARDED.store(state.guards == 0, Ordering::SeqCst);
    }
}

/// Whether the program was told to end while something had to be put back: what it does next should
/// be that, and ending.
#[must_use]
pub fn is_raised() -> bool {
    RAISED.load(Ordering::SeqCst)
}

/// Those of these signals that this process was not started to ignore, as `nohup` does it, and has
/// not chosen to.
pub(crate) fn not_ignored(signals: impl IntoIterator<Item = i32>) -> Vec<i32> {
    let [ignored, _] = dispositions();
    signals.into_iter().filter(|signal| ignored & 1 << (signal - 1) == 0).collect()
}

fn install() -> io::Result<()> {
    let [ignored, handled] = dispositions();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let bit = 1 << (signal - 1);
        if ignored & bit != 0 {
            continue;
        }
        if handled & bit == 0 {
            flag::register_conditional_default(signal, UNGUARDED.clone())?;
        }
        flag::register(signal, RAISED.clone())?;
    }
    Ok(())
}

/// The signals that this process ignores and those that it handles, a bit each; none where the
/// system does not tell.
fn dispositions() -> [u64; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["SigIgn:", "SigCgt:"].map(|name| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    })
}
