//! The part of the motor that `main` drives.

use crate::profile::{Phase, Profile};
use mmstats_core::{Gauge, Text};

/// Of the room, in tenths of degrees.
pub(crate) const AMBIENT: i16 = 200;

/// Watches the motor: how warm it is, what it does.
pub struct Controller {
    temperature: Gauge<i16>,
    state: Text<12>,
    profile: Profile,
    shown: Option<Phase>,
    /// Above that of the room; 2^9 are a tenth of a degree.
    heat: u32,
}

impl Controller {
    /// Of a motor at rest, which is as warm as the room.
    #[must_use]
    pub const fn new(temperature: Gauge<i16>, state: Text<12>) -> Self {
        Controller { temperature, state, profile: Profile::new(), shown: None, heat: 0 }
    }

    /// Looks at the motor a tick later.
    pub fn tick(&mut self) {
        // The step itself is the interrupt's.
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

    /// Current heats the winding, the room cools it; both within about four seconds.
    fn warm(&mut self, phase: Phase) {
        if !matches!(phase, Phase::Resting | Phase::Done) {
            self.heat += 40;
        }
        // Rounded up, so that all of it goes in the end.
        self.heat -= (self.heat + 0xfff) >> 12;
        // At most 40 × 2^12 in all.
        self.temperature.set(AMBIENT + (self.heat >> 9) as i16);
    }
}
