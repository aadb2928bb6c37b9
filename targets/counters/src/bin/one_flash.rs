//! One counter, its directory in flash.
#![no_std]
#![no_main]

use counters::{One, count, stop};
use mmstats_core::StaticRegion;

static REGION: StaticRegion<{ One::publisher().directory_in_flash().size() }> = StaticRegion::new();

/// Runs forever.
#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let Ok(stats) = One::publisher().directory_in_flash().publish(&REGION) else { stop() };
    loop {
        count(&stats.a0);
    }
}
