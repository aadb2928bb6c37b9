//! A program as on a device: it updates stats in a static region and never reads them.
//! `tests/static_region.rs` finds them in its memory.

use mmstats_core::{Counter, Gauge, StaticRegion, Text, model};
use std::io::Read;

model! {
    /// A stepper motor.
    pub struct Motor in "motor." {
        /// Steps made.
        steps: Counter<u32>,
        /// Of the winding.
        temperature: Gauge<i16> [celsius.e(-1)],
        /// Its activity.
        state: Text<12>,
    }
}

static REGION: StaticRegion<{ Motor::SIZE }> = StaticRegion::new();

fn main() {
    let motor = Motor::publish(&REGION).expect("it fits, and nobody else takes it");
    for _ in 0..4711 {
        motor.steps.incr();
    }
    motor.temperature.set(-215);
    motor.state.set("running");
    println!("{}", std::process::id());
    // Until nobody is interested any more.
    let _ = std::io::stdin().read(&mut [0]);
}
