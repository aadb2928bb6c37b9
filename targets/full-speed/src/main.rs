//! Writes stats as fast as it can. Wherever it is stopped, every field must have a value of one of
//! the last two rounds.
//!
//! In round *i*, `begun` becomes *i*; then the other fields get the values of *i*, in the order of
//! the model; then `done` becomes *i*.
#![no_std]
#![no_main]

use mmstats_core::{Counter, Gauge, Histogram, StaticRegion, Text, model};
use panic_halt as _;

model! {
    /// The written fields.
    pub struct Rounds in "rounds." {
        /// The first.
        begun: Gauge<u32>,
        /// The round, in both halves.
        pair: Gauge<u64>,
        /// One letter repeated: A in round 0, 8, 16…
        text: Text<12>,
        /// The value recorded is the round modulo 8.
        spread: Histogram<2, 4, u32>,
        /// Twice the round.
        twice: Counter,
        /// The last.
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
        panic!("the region is free and large enough")
    };
    // Round 0 changes only the text.
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
