//! One core publishes a latched value and the other reads it: its halves belong together in every
//! read.
#![no_std]
#![no_main]

use mmstats_core::reader::ReadBuffers;
use mmstats_core::{Gauge, StaticRegion, model};
use two_cores::{Pair, compare, pair, start_the_other, write};

model! {
    /// Written by core 1, read by core 0.
    pub struct Shared {
        /// Two numbers that belong together.
        pair: Gauge<u64> => join(pair(0)),
    }
}

static REGION: StaticRegion<{ Shared::SIZE }> = StaticRegion::new();

/// Runs on both cores.
#[riscv_rt::entry]
fn main(core: usize) -> ! {
    if core == 1 {
        let shared = Shared::publish(&REGION).expect("the region is free");
        write(|pair| shared.pair.set(join(pair)));
    }
    start_the_other();
    let mut memory = [0; ReadBuffers::words(Shared::SIZE)];
    compare(&REGION.view(), ReadBuffers::new(&mut memory), 1_000_000, |[pair]| {
        [pair as u32, (pair >> 32) as u32]
    })
}

fn join([lower, upper]: Pair) -> u64 {
    u64::from(upper) << 32 | u64::from(lower)
}
