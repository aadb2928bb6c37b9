//! The timer of the board.

use cortex_m::Peripherals;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;

/// The frequency of the processor in MHz.
const CLOCK: u32 = 25;

/// Starts the timer, which interrupts every tick.
pub(crate) fn start_timer() {
    let mut timer = Peripherals::take().expect("they are free").SYST;
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
