//! No counter: the size of start-up code and vectors.
#![no_std]
#![no_main]

use counters::stop;

/// Runs forever.
#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    stop()
}
