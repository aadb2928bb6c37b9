//! Writes stats as fast as it can, and nothing else. Wherever it is stopped, every field must be as
//! one of its last two rounds left it.
//!
//! In round *i*: `begun` becomes *i*; then the other fields become what belongs to *i*, in the
//! order of the model; then `done` becomes *i*.
#![no_std]
#![no_main]

use mmstats_core::{Counter, Gauge, Histogram, StaticRegion, Text, model};
use panic_halt as _;

model! {
    /// What is written.
    pub struct Rounds in "rounds." {
        /// Begins with this one.
        begun: Gauge<u32>,
        /// The round, in both halves.
        pair: Gauge<u64>,
        /// One letter many times: A in round 0, 8, 16…
        text: Text<12>,
        /// The value recorded is the round modulo 8.
        spread: Histogram<2, 4, u32>,
        /// Twice the round.
        twice: Counter,
        /// And ends with this one.
        done: Gauge<u32>,
    }
}

const TEXTS: [&str; 8] = [
    "AAAAAAAAAAAA",
    "BBBBBBBBBBBB",
    "CCCCCCCCCCCC",
    "DDDDDDDDDDDD",
    "EEEEEEEEEEEE",
    "FFFFFFFFFFFF",
    "GGGGGGGGGGGG",
    "HHHHHHHHHHHH",
];

static REGION: StaticRegion<{ Rounds::SIZE }> = StaticRegion::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    let Ok(Rounds { begun, pair, text, spread, twice, done }) = Rounds::publish(&REGION) else {
        panic!("nobody else takes it, and it fits")
    };
    // Round 0 leaves everything as it is, but for the text.
    text.set(TEXTS[0]);
    let mut round = 0_u32;
    loop {
        round = round.wrapping_add(1);
        begun.set(round);
        pair.set(u64::from(round) << 32 | u64::from(round));
        text.set(TEXTS[round as usize % TEXTS.len()]);
        spread.record((round % 8).into());
        twice.add(2);
        done.set(round);
    }
}
