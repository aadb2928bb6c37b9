//! The part of the motor that the interrupt drives.

use crate::TICK;
use crate::profile::Profile;
use mmstats_core::{Counter, Histogram};

/// Micrometres per step: a turn of the spindle moves the load by a millimetre.
const PITCH: u64 = 5;

/// Makes steps and counts them.
pub struct Stepper {
    steps: Counter<u32>,
    distance: Counter,
    interval: Histogram<2, 20, u32>,
    profile: Profile,
}

impl Stepper {
    /// Creates the stepper of a motor at rest.
    #[must_use]
    pub const fn new(
        steps: Counter<u32>,
        distance: Counter,
        interval: Histogram<2, 20, u32>,
    ) -> Self {
        Stepper { steps, distance, interval, profile: Profile::new() }
    }

    /// Makes a step if it is time for one.
    pub fn tick(&mut self) {
        if let Some(ticks) = self.profile.tick() {
            self.steps.incr();
            self.distance.add(PITCH);
            self.interval.record((ticks * TICK).into());
        }
    }
}
