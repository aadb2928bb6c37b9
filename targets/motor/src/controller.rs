//! The part of the motor that `main` drives.

use crate::profile::{Phase, Profile};
use mmstats_core::{Gauge, Text};

/// The temperature of the room, in tenths of degrees.
pub(crate) const AMBIENT: i16 = 200;

/// Publishes the temperature and the state of the motor.
pub struct Controller {
    temperature: Gauge<i16>,
    state: Text<12>,
    profile: Profile,
    shown: Option<Phase>,
    /// The difference to the room; 2^9 are a tenth of a degree.
    heat: u32,
}

impl Controller {
    /// Creates the controller of a motor at rest, which is as warm as the room.
    #[must_use]
    pub const fn new(temperature: Gauge<i16>, state: Text<12>) -> Self {
        Controller { temperature, state, profile: Profile::new(), shown: None, heat: 0 }
    }

    /// Updates the stats after a tick.
    pub fn tick(&mut self) {
        // The interrupt makes the step.
        let _ = self.profile.tick();
        let phase = self.profile.phase();
        if self.shown != Some(phase) {
            self.shown = Some(phase);
            self.state.set(match phase {
                Phase::Starting => "starting",
                Phase::Running => "running",
                Phase::Stopping => "stopping",
                Phase::Resting => "resting",
                Phase::Done => "done",
            });
        }
        self.warm(phase);
    }

    /// Heats the winding by the current and cools it by the room, within about four seconds.
    fn warm(&mut self, phase: Phase) {
        if !matches!(phase, Phase::Resting | Phase::Done) {
            self.heat += 40;
        }
        // Rounded up, so that it reaches 0.
        self.heat -= (self.heat + 0xfff) >> 12;
        // At most 40 × 2^12 in all.
        self.temperature.set(AMBIENT + (self.heat >> 9) as i16);
    }
}
