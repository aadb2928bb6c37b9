//! Keeps core 1 waiting, and wakes it.
#![allow(unsafe_code)]

use core::arch::global_asm;

/// Core 1's register in the core-local interruptor: its software interrupt is pending while this
/// holds 1.
const SOFTWARE_INTERRUPT: *mut u32 = 0x0200_0004 as *mut u32;

/// Starts the other core, from core 0, after it has prepared memory for both.
pub fn start_the_other() {
    // SAFETY: on this machine there is a register at this address, and nothing else in the program
    // uses it.
    unsafe { SOFTWARE_INTERRUPT.write_volatile(1) };
}

// `riscv-rt` asks each core whether it prepares memory, which core 0 does. The other one sleeps
// here until its software interrupt is pending. (It is enabled in `mie`, which wakes the core, and
// not in `mstatus`, so nothing handles it.) In assembly, because statics are not initialised yet.
//
// SAFETY: as `riscv-rt` asks: the answer is in `a0`, and no register but that and `t0` changes.
global_asm!(
    ".section .init.mp_hook, \"ax\"",
    ".global _mp_hook",
    "_mp_hook:",
    "    bnez a0, 1f",
    "    li a0, 1",
    "    ret",
    "1:  csrsi mie, 8",
    "2:  wfi",
    "    csrr t0, mip",
    "    andi t0, t0, 8",
    "    beqz t0, 2b",
    "    csrci mie, 8",
    "    li a0, 0",
    "    ret",
);
