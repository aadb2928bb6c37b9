//! Ten counters in an array, their directory in flash.
#![no_std]
#![no_main]

use counters::{TenInArray, count, stop};
use mmstats_core::StaticRegion;

static REGION: StaticRegion<{ TenInArray::publisher().directory_in_flash().size() }> =
    StaticRegion::new();

/// Runs forever.
#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let Ok(stats) = TenInArray::publisher().directory_in_flash().publish(&REGION) else { stop() };
    loop {
        stats.a.iter().for_each(count);
    }
}
