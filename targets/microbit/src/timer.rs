//! Timer 0 of the nRF51, which has no SysTick. It calls `on_tick` of the program.

use cortex_m::Peripherals;
use cortex_m_rt::exception;

/// The number of its interrupt.
const INTERRUPT: i16 = 8;

/// Registers of timer 0 by address.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Register {
    Start = 0x4000_8000,
    /// Set when the timer reaches `Compare0`; requests the interrupt until it is cleared.
    Compared0 = 0x4000_8140,
    Shortcuts = 0x4000_8200,
    EnableInterrupt = 0x4000_8304,
    Width = 0x4000_8508,
    Prescaler = 0x4000_8510,
    Compare0 = 0x4000_8540,
}

#[allow(unsafe_code)]
fn write(register: Register, value: u32) {
    // SAFETY: the address is that of a register of the timer, which has no effect on memory.
    unsafe { (register as usize as *mut u32).write_volatile(value) }
}

/// Starts the timer, which interrupts every tick.
pub(crate) fn start() {
    // Of 16 MHz, down to 1 MHz.
    write(Register::Prescaler, 4);
    // 32 bits.
    write(Register::Width, 3);
    write(Register::Compare0, motor::TICK);
    // Back to 0 on `Compared0`.
    write(Register::Shortcuts, 1);
    write(Register::EnableInterrupt, 1 << 16);
    enable_interrupt();
    write(Register::Start, 1);
}

#[allow(unsafe_code)]
fn enable_interrupt() {
    let interrupts = Peripherals::take().expect("they are free").NVIC;
    // SAFETY: no critical section is open here that the interrupt could break.
    unsafe { interrupts.iser[0].write(1 << INTERRUPT) }
}

#[exception]
#[allow(unsafe_code)]
// SAFETY: nothing here is unsound in an interrupt handler, such as freeing memory.
unsafe fn DefaultHandler(interrupt: i16) {
    assert_eq!(interrupt, INTERRUPT, "no other interrupt is enabled");
    write(Register::Compared0, 0);
    crate::on_tick();
}
