//! The timer of RISC-V machines with a CLINT.

use riscv::interrupt::Interrupt;
use riscv::register::{mie, mstatus};
use riscv_rt::core_interrupt;

/// Ticks of the machine's clock in a microsecond.
const CLOCK: u32 = 10;

/// Registers of the CLINT by address.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Register {
    CompareLow = 0x0200_4000,
    CompareHigh = 0x0200_4004,
    TimeLow = 0x0200_bff8,
    TimeHigh = 0x0200_bffc,
}

#[allow(unsafe_code)]
fn write(register: Register, value: u32) {
    // SAFETY: the address is that of a register of the timer, which has no effect on memory.
    unsafe { (register as usize as *mut u32).write_volatile(value) }
}

#[allow(unsafe_code)]
fn read(register: Register) -> u32 {
    // SAFETY: the address is that of a register of the timer, and reading it has no effect.
    unsafe { (register as usize as *const u32).read_volatile() }
}

/// Reads the time from a pair of registers, of which the upper one may change in between.
fn time(low: Register, high: Register) -> u64 {
    loop {
        let before = read(high);
        let time = u64::from(before) << 32 | u64::from(read(low));
        if read(high) == before {
            return time;
        }
    }
}

/// Requests the interrupt a tick after this time.
fn interrupt_after(time: u64) {
    let next = time + u64::from(CLOCK * motor::TICK);
    // In this order the compare value never is a time that has passed.
    write(Register::CompareHigh, u32::MAX);
    write(Register::CompareLow, next as u32);
    write(Register::CompareHigh, (next >> 32) as u32);
}

/// Starts the timer, which interrupts every tick.
#[allow(unsafe_code)]
pub(crate) fn start() {
    interrupt_after(time(Register::TimeLow, Register::TimeHigh));
    // SAFETY: no critical section is open here that the interrupt could break.
    unsafe {
        mie::set_mtimer();
        mstatus::set_mie();
    }
}

#[core_interrupt(Interrupt::MachineTimer)]
fn machine_timer() {
    interrupt_after(time(Register::CompareLow, Register::CompareHigh));
    motor::on_tick();
}
