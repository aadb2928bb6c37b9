//! A model with every kind of field, each of which shows how many steps were made.

use crate::files::Held;
use mmstats_std::{
    Average, Constant, ConstantText, Counter, Flag, Format, Gauge, Histogram, Latched,
    MovingAverage, Text, Timer, model,
};
use std::time::Duration;

model! {
    /// A field of every kind.
    pub struct Steps {
        /// The number of steps.
        done: Counter,
        /// The number of steps, in 32 bits.
        narrow: Counter<u32>,
        /// The last one.
        level: Gauge<f64> => 1.5,
        /// The last one, in 8 bits.
        small: Gauge<i8> => -3,
        /// The last one, in two values.
        twice: Gauge<Latched<u64>>,
        /// Whether the last one was odd.
        odd: Flag => true,
        /// A letter for the last one, many times.
        note: Text<48> => "idle",
        /// The mean of all.
        mean: Average => 2.5,
        /// The mean of the last four.
        recent: MovingAverage<4>,
        /// All of them.
        sizes: Histogram<2, 20>,
        /// All of them, as seconds.
        time: Timer<10>,
        /// A number that stays.
        fixed: Constant<u64> => 7,
        /// A text that stays.
        made_of: ConstantText<8> => "fields",
    }
}

/// Returns the values of transient fields while no thread owns them.
#[must_use]
pub fn at_rest() -> [(&'static str, Held); 8] {
    [
        ("level", Held::Number(0.0)),
        ("small", Held::Signed(0)),
        ("twice", Held::Count(0)),
        ("odd", Held::Flag(false)),
        ("note", Held::Text(String::new())),
        ("mean", Held::Number(0.0)),
        ("recent", Held::Number(0.0)),
        ("time", Held::Number(0.0)),
    ]
}

/// Returns the value of a field after step `i`, if one owner made all steps from 1 to `i`.
///
/// # Panics
/// If there is no such field.
#[must_use]
pub fn after_step(label: &str, i: u64) -> Held {
    let mean_of_last = |n: u64| Held::Number((i.saturating_sub(n) + 1 + i) as f64 / 2.0);
    match label {
        "done" | "twice" => Held::Count(i),
        "narrow" => Held::Count((i as u32).into()),
        "level" => Held::Number(i as f64),
        "small" => Held::Signed((i as i8).into()),
        "odd" => Held::Flag(i % 2 == 1),
        "note" => Held::Text(letters(i).into()),
        "mean" => mean_of_last(u64::MAX),
        "recent" => mean_of_last(4),
        "sizes" => Held::Spread { count: i, sum: sum_to(i) },
        "time" => mean_of_last(10),
        "time.histogram" => Held::Spread { count: i, sum: sum_to(i).wrapping_mul(1_000_000_000) },
        "fixed" => Held::Count(7),
        "made_of" => Held::Text("fields".into()),
        other => panic!("no field {other}"),
    }
}

/// Returns 1 + 2 + … + `n`.
#[must_use]
pub fn sum_to(n: u64) -> u64 {
    n * (n + 1) / 2
}

fn letters(i: u64) -> &'static str {
    const ALL: [[u8; 48]; 26] = {
        let mut all = [[0; 48]; 26];
        let mut i = 0;
        while i < all.len() {
            all[i] = [b'a' + i as u8; 48];
            i += 1;
        }
        all
    };
    std::str::from_utf8(&ALL[(i % 26) as usize]).expect("letters")
}

impl<F: Format> Steps<F> {
    /// Makes step `i`; the first is 1.
    pub fn step(&self, i: u64) {
        self.done.incr();
        self.level.set(i as f64);
        self.note.set(letters(i));
        self.sizes.record(i);
        self.time.record(Duration::from_secs(i));
        self.twice.set(Latched(i));
        self.mean.record(i as f64);
        self.recent.record(i as f64);
        self.narrow.incr();
        self.small.set(i as i8);
        self.odd.set(i % 2 == 1);
    }

    /// Makes steps 1 to `n`.
    pub fn steps(&self, n: u64) {
        (1..=n).for_each(|i| self.step(i));
    }
}
