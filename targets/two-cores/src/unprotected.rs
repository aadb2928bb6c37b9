//! Like `two-cores` without protection: two values, written one after the other, which do not
//! belong together in every read.
#![no_std]
#![no_main]

use mmstats_core::reader::ReadBuffers;
use mmstats_core::{Gauge, StaticRegion, model};
use two_cores::{compare, pair, start_the_other, write};

model! {
    /// Written by core 1, read by core 0.
    pub struct Shared {
        /// A number.
        first: Gauge<u32> => pair(0)[0],
        /// The number that belongs to it.
        second: Gauge<u32> => pair(0)[1],
    }
}

static REGION: StaticRegion<{ Shared::SIZE }> = StaticRegion::new();

/// Runs on both cores.
#[riscv_rt::entry]
fn main(core: usize) -> ! {
    if core == 1 {
        let shared = Shared::publish(&REGION).expect("the region is free");
        write(|[first, second]| {
            shared.first.set(first);
            shared.second.set(second);
        });
    }
    start_the_other();
    let mut memory = [0; ReadBuffers::words(Shared::SIZE)];
    compare(&REGION.view(), ReadBuffers::new(&mut memory), 100_000, |[first, second]| {
        [first as u32, second as u32]
    })
}
