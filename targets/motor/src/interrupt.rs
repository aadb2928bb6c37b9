//! Ownership: the timer's interrupt owns the [`Stepper`], `main` the [`Controller`].
//!
//! Both write to the same region, each through its own handles, so that neither waits for the
//! other.

use crate::{Controller, Stepper};
use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};
use critical_section::Mutex;

/// Passed from `main` to the interrupt, which keeps it.
static STEPPER: Mutex<RefCell<Option<Stepper>>> = Mutex::new(RefCell::new(None));

/// Ticks so far. Only the interrupt writes it.
static TICKS: AtomicU32 = AtomicU32::new(0);

/// Makes a tick. Only the timer's interrupt may call it.
pub fn on_tick() {
    critical_section::with(|token| {
        if let Some(stepper) = STEPPER.borrow_ref_mut(token).as_mut() {
            stepper.tick();
        }
    });
    // No read-modify-write: a Cortex-M0 has none.
    TICKS.store(TICKS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Passes the stepper to the interrupt, starts the timer, and handles every tick; `sleep` waits for
/// an interrupt.
pub fn run(
    stepper: Stepper,
    mut controller: Controller,
    start_timer: impl FnOnce(),
    sleep: impl Fn(),
) -> ! {
    critical_section::with(|token| STEPPER.replace(token, Some(stepper)));
    start_timer();
    let mut seen = 0;
    loop {
        while seen != TICKS.load(Ordering::Relaxed) {
            controller.tick();
            seen = seen.wrapping_add(1);
        }
        sleep();
    }
}
