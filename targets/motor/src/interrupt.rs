//! Who owns what: the timer's interrupt the [`Stepper`], `main` the [`Controller`].
//!
//! Both write to the same region, each through handles of its own; so neither has to wait for the
//! other.

use crate::{Controller, Stepper};
use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};
use critical_section::Mutex;

/// On its way from `main` to the interrupt, and there for good.
static STEPPER: Mutex<RefCell<Option<Stepper>>> = Mutex::new(RefCell::new(None));

/// Ticks so far. Only the interrupt writes it.
static TICKS: AtomicU32 = AtomicU32::new(0);

/// To be called by the timer's interrupt, and nowhere else.
pub fn on_tick() {
    critical_section::with(|token| {
        if let Some(stepper) = STEPPER.borrow_ref_mut(token).as_mut() {
            stepper.tick();
        }
    });
    // No read-modify-write: a Cortex-M0 has none.
    TICKS.store(TICKS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Hands the stepper to the interrupt, starts the timer, and from then on looks after every tick;
/// `sleep` waits for an interrupt.
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
