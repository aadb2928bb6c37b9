//! Ten counters that survive a reset, their directory in flash.
#![no_std]
#![no_main]

use counters::{Ten, count, stop};
use mmstats_core::persistent_region;

persistent_region! {
    static REGION: PersistentRegion<{ Ten::publisher().directory_in_flash().size() }>
        in ".uninit.stats";
}

/// Runs forever.
#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let Ok((stats, _)) = Ten::publisher().directory_in_flash().recover(&REGION) else { stop() };
    loop {
        for counter in [
            &stats.a0, &stats.a1, &stats.a2, &stats.a3, &stats.a4, &stats.a5, &stats.a6, &stats.a7,
            &stats.a8, &stats.a9,
        ] {
            count(counter);
        }
    }
}
