//! No counter: what start-up and vectors take.
#![no_std]
#![no_main]

use counters::stop;

/// Until the power goes.
#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    stop()
}
