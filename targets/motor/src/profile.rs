//! How the motor moves, tick by tick.

/// Turns that it makes after a start.
pub const MOVES: u32 = 250;

/// Steps of a turn.
pub const STEPS: u32 = 200;

/// Steps in which it gathers speed, and loses it.
const RAMP: u32 = 16;

/// The last step at full speed.
const CRUISE: u32 = STEPS - RAMP;

/// Ticks between two turns.
const REST: u32 = 100;

/// What the motor does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It gathers speed.
    Starting,
    /// It turns at full speed.
    Running,
    /// It loses speed.
    Stopping,
    /// It waits for the next turn.
    Resting,
    /// It has made all its turns.
    Done,
}

/// Where the motor is in its work. Two profiles that saw as many ticks are equal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Profile {
    moves: u32,
    /// Of this turn.
    step: u32,
    /// Ticks until something happens.
    wait: u32,
}

impl Profile {
    /// At rest before the first turn.
    #[must_use]
    pub const fn new() -> Self {
        Profile { moves: 0, step: 0, wait: REST }
    }

    /// What the motor does now.
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

    /// A tick later. If it is time for a step, tells the ticks since the step before (or since the
    /// turn began).
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

/// Ticks that step number `step` of a turn takes: from 9 down to 1 and up again.
const fn interval(step: u32) -> u32 {
    let from_the_end = STEPS + 1 - step;
    let nearest = if step < from_the_end { step } else { from_the_end };
    if nearest < RAMP { 9 - nearest / 2 } else { 1 }
}
