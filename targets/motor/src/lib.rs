//! A stepper motor's controller, without the board that it runs on: what it publishes, and how it
//! behaves.
//!
//! It makes [`MOVES`] turns, cools down and stands still. All of it depends on nothing but the
//! number of timer ticks: so one knows what the stats have to say in the end.
//!
//! A board makes a region, publishes [`Motor`] in it, and calls [`run`] from `main` and [`on_tick`]
//! from a timer's interrupt every [`TICK`] microseconds.
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
        /// What it does.
        state: Text<12> => "off",
    }
}

impl Motor {
    /// Counts the start, and gives each handle to the one who writes it: the first part belongs to
    /// the interrupt, the second to `main`.
    #[must_use]
    pub fn start(self) -> (Stepper, Controller) {
        let Motor { boots, steps, distance, interval, temperature, state } = self;
        boots.incr();
        (Stepper::new(steps, distance, interval), Controller::new(temperature, state))
    }
}
