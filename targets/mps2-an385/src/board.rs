//! What is the board's: its timer.

use cortex_m::Peripherals;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;

/// Of the processor, in MHz.
const CLOCK: u32 = 25;

/// Lets the timer interrupt every tick.
pub(crate) fn start_timer() {
    let mut timer = Peripherals::take().expect("nobody else takes them").SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CLOCK * motor::TICK - 1);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
}

#[exception]
fn SysTick() {
    motor::on_tick();
}
