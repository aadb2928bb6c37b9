//! The smallest device with stats: three fields in a static region, which the program updates and
//! never reads.
//!
//! `targets/build` checks the compiled program.
#![no_std]
#![no_main]

use mmstats_core::{Counter, Gauge, StaticRegion, Text, model};
use panic_halt as _;

model! {
    /// A stepper motor.
    pub struct Motor {
        /// Steps made.
        steps: Counter<u32>,
        /// Of the winding.
        temperature: Gauge<i16> [celsius.e(-1)] => 200,
        /// Its activity.
        state: Text<8> => "idle",
    }
}

static REGION: StaticRegion<{ Motor::SIZE }> = StaticRegion::new();

// The header; three entries with label, unit and help; the text's two buffers and sequence; a u16
// and a u32.
const _: () = assert!(
    Motor::SIZE
        == 40
            + (28 + 5 + 11 + 0)
            + (28 + 11 + 7 + 15 + 3)
            + (28 + 5 + 13 + 2)
            + (2 * 8 + 4)
            + 4
            + 4
);

/// Runs forever.
#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let Ok(Motor { steps, temperature, state }) = Motor::publish(&REGION) else {
        panic!("the region is free and large enough")
    };
    state.set("running");
    loop {
        step(&steps);
        temperature.add(1);
    }
}

/// Counts one step; not inlined, so that its instructions can be counted.
#[inline(never)]
fn step(steps: &Counter<u32>) {
    steps.incr();
}
