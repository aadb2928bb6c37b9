//! Shared by the programs: their models, and a function whose instructions can be counted.
#![no_std]
#![allow(missing_docs, reason = "a doc comment is a help text, and these fields have none")]

use mmstats_core::{Counter, model};
use panic_halt as _;

model! {
    /// One counter.
    pub struct One {
        a0: Counter<u32>,
    }

    /// Ten of the same.
    pub struct Ten {
        a0: Counter<u32>,
        a1: Counter<u32>,
        a2: Counter<u32>,
        a3: Counter<u32>,
        a4: Counter<u32>,
        a5: Counter<u32>,
        a6: Counter<u32>,
        a7: Counter<u32>,
        a8: Counter<u32>,
        a9: Counter<u32>,
    }

    /// Ten of the same in an array.
    pub struct TenInArray {
        a: [Counter<u32>; 10],
    }
}

/// Counts one; not inlined, so that its instructions can be counted.
#[inline(never)]
pub fn count(counter: &Counter<u32>) {
    counter.incr();
}

/// Stops forever.
pub fn stop() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
