//! A later version of the program with one more field. It does not mistake the stats that the
//! earlier version left in RAM for its own.
#![no_std]
#![no_main]

#[path = "../board.rs"]
mod board;

use cortex_m::asm::wfi;
use mmstats_core::{Counter, Gauge, Histogram, Text, model, persistent_region};
use motor::{Controller, Stepper};
use semihosting as _;

model! {
    /// A stepper motor.
    struct Motor in "motor." {
        /// How often it was started, power-on included.
        boots: Counter<u32>,
        /// Steps made.
        steps: Counter<u32>,
        /// How far it moved its load, to and fro.
        distance: Counter [meters.e(-6)],
        /// Time between two steps.
        interval: Histogram<2, 20, u32> [microseconds],
        /// Of the winding.
        temperature: Gauge<i16> [celsius.e(-1)] => 200,
        /// Its activity.
        state: Text<12> => "off",
        /// Requested steps that the motor did not make.
        missed: Counter<u32>,
    }
}

persistent_region! { static REGION: PersistentRegion<{ Motor::SIZE }> in ".persistent.stats"; }

#[cortex_m_rt::entry]
fn main() -> ! {
    let (Motor { boots, steps, distance, interval, temperature, state, missed: _ }, _) =
        Motor::publisher().recover(&REGION).expect("the region is free");
    boots.incr();
    motor::run(
        Stepper::new(steps, distance, interval),
        Controller::new(temperature, state),
        board::start_timer,
        wfi,
    )
}
