//! A stepper motor's controller, independent of the board: its stats and its behaviour.
//!
//! It makes [`MOVES`] turns, cools down and stops. Everything depends only on the number of timer
//! ticks, so that the stats at the end are known.
//!
//! A board creates a region, publishes [`Motor`] in it, and calls [`run`] from `main` and
//! [`on_tick`] from a timer's interrupt every [`TICK`] microseconds.
#![no_std]

mod controller;
mod interrupt;
mod profile;
mod stepper;

pub use controller::Controller;
pub use interrupt::{on_tick, run};
pub use profile::{MOVES, Phase, Profile, STEPS};
pub use stepper::Stepper;

use mmstats_core::{Counter, Gauge, Histogram, Text, model};

/// Microseconds between two ticks.
pub const TICK: u32 = 1000;

model! {
    /// A stepper motor.
    pub struct Motor in "motor." {
        /// How often it was started, power-on included.
        boots: Counter<u32>,
        /// Steps made.
        steps: Counter<u32>,
        /// How far it moved its load, to and fro.
        distance: Counter [meters.e(-6)],
        /// Time between two steps.
        interval: Histogram<2, 20, u32> [microseconds],
        /// Of the winding.
        temperature: Gauge<i16> [celsius.e(-1)] => controller::AMBIENT,
        /// Its activity.
        state: Text<12> => "off",
    }
}

impl Motor {
    /// Counts the start, and divides the handles between the interrupt (the first part) and `main`
    /// (the second).
    #[must_use]
    pub fn start(self) -> (Stepper, Controller) {
        let Motor { boots, steps, distance, interval, temperature, state } = self;
        boots.incr();
        (Stepper::new(steps, distance, interval), Controller::new(temperature, state))
    }
}
