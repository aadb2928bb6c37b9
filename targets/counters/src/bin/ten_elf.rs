//! Ten counters, their directory only in the ELF file.
#![no_std]
#![no_main]

use counters::{Ten, count, stop};
use mmstats_core::StaticRegion;

static REGION: StaticRegion<{ Ten::publisher().directory_in_elf_file().size() }> =
    StaticRegion::new();

/// Runs forever.
#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let Ok(stats) = Ten::publisher().directory_in_elf_file().publish(&REGION) else { stop() };
    loop {
        for counter in [
            &stats.a0, &stats.a1, &stats.a2, &stats.a3, &stats.a4, &stats.a5, &stats.a6, &stats.a7,
            &stats.a8, &stats.a9,
        ] {
            count(counter);
        }
    }
}
