//! The motion of the motor, tick by tick.

/// Turns after a start.
pub const MOVES: u32 = 250;

/// Steps of a turn.
pub const STEPS: u32 = 200;

/// Steps in which it accelerates, and in which it brakes.
const RAMP: u32 = 16;

/// The last step at full speed.
const CRUISE: u32 = STEPS - RAMP;

/// Ticks between two turns.
const REST: u32 = 100;

/// The phase of the motor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It accelerates.
    Starting,
    /// It turns at full speed.
    Running,
    /// It brakes.
    Stopping,
    /// It waits for the next turn.
    Resting,
    /// It has made all its turns.
    Done,
}

/// The progress of the motor. Two profiles after the same number of ticks are equal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Profile {
    moves: u32,
    /// The step in this turn.
    step: u32,
    /// Ticks until the next step or turn.
    wait: u32,
}

impl Profile {
    /// Creates a profile at rest before the first turn.
    #[must_use]
    pub const fn new() -> Self {
        Profile { moves: 0, step: 0, wait: REST }
    }

    /// Returns the current phase.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self.step {
            _ if self.moves == MOVES => Phase::Done,
            0 => Phase::Resting,
            1..RAMP => Phase::Starting,
            RAMP..=CRUISE => Phase::Running,
            _ => Phase::Stopping,
        }
    }

    /// Makes a tick. If it is time for a step, returns the ticks since the step before (or since
    /// the start of the turn).
    pub const fn tick(&mut self) -> Option<u32> {
        if self.moves == MOVES {
            return None;
        }
        self.wait -= 1;
        if self.wait > 0 {
            return None;
        }
        let made = if self.step == 0 { None } else { Some(interval(self.step)) };
        self.step += 1;
        if self.step > STEPS {
            self.step = 0;
            self.moves += 1;
            self.wait = REST;
        } else {
            self.wait = interval(self.step);
        }
        made
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the ticks of step number `step` of a turn: from 9 down to 1 and up again.
const fn interval(step: u32) -> u32 {
    let from_the_end = STEPS + 1 - step;
    let nearest = if step < from_the_end { step } else { from_the_end };
    if nearest < RAMP { 9 - nearest / 2 } else { 1 }
}
