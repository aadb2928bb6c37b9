//! The cost of an update, compared with the same update written by hand.
//!
//! Each case is a loop of updates and has a twin: the same bytes written with raw pointers and the
//! standard library's atomics, as a careful C programmer would. Case, twin and a volatile increment
//! of a `u64` are timed in interleaved rounds, and the minimum over all rounds counts, because
//! noise only ever adds. A case fails above 1.15 × its twin, so the result does not depend on the
//! processor; the ratio to the volatile increment is printed as information.
//!
//! Run it with `cargo bench -p mmstats-tests --bench hot_path`.
#![allow(unsafe_code)]

mod by_hand;

use by_hand::{Histogram8, Latch, Python, Slot, TextLatch, Thread, TimerTwin, Words};
use mmstats_core::V2Narrow;
use mmstats_core::{Counter, Gauge, Histogram, Latched, Model, Region, Text, V1, V1Exact, V2};
use mmstats_std::{Format, Options, Timer, model, per_thread};
use std::hint::black_box;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

model! {
    struct Fields {
        counter: Counter,
        counter32: Counter<u32>,
        latched: Counter<Latched<u64>>,
        gauge: Gauge<f64>,
        text: Text<32>,
        histogram: Histogram,
        timer: Timer,
    }
}

per_thread! {
    static TWO: Fields = Options::new().file_name("bench-{PID}-two.mmstats");
    static ONE: Fields<V1> = Options::new().file_name("bench-{PID}-one.mmstats");
}

/// Updates in one timing; few enough that an interrupt hits only some of them.
const UPDATES: u64 = 20_000;
const ROUNDS: usize = 300;
/// The most that a case may cost, as a multiple of its twin.
const MAX_RATIO: f64 = 1.15;
/// Another load on the same core is seldom constant: more rounds follow after a pause.
const ATTEMPTS: usize = 6;
const PAUSE: Duration = Duration::from_secs(5);

/// A loop of updates with the shortest time that an update took, in nanoseconds.
struct Timing {
    run: Box<dyn Fn()>,
    best: f64,
}

impl Timing {
    fn new(run: impl Fn() + 'static) -> Self {
        Timing { run: Box::new(run), best: f64::INFINITY }
    }

    fn measure(&mut self) {
        let start = Instant::now();
        (self.run)();
        self.best = self.best.min(start.elapsed().as_nanos() as f64 / UPDATES as f64);
    }
}

struct Case {
    name: &'static str,
    ours: Timing,
    by_hand: Timing,
}

impl Case {
    fn ratio(&self) -> f64 {
        self.ours.best / self.by_hand.best
    }
}

/// A loop of updates: each one happens, none is merged with the next. Eight in a row, so that the
/// loop itself does not count.
macro_rules! updates {
    (|$i:ident| $update:expr) => {
        Timing::new(move || {
            for i in 0..UPDATES / 8 {
                updates!(@each $i, i, $update, 0 1 2 3 4 5 6 7);
            }
        })
    };
    (@each $i:ident, $n:ident, $update:expr, $($k:literal)*) => { $( {
        let $i = (8 * $n + $k) as usize;
        let _ = $i;
        $update;
    } )* };
}

macro_rules! case {
    ($name:literal, |$i:ident| $ours:expr, $by_hand:expr) => {
        Case { name: $name, ours: updates!(|$i| $ours), by_hand: updates!(|$i| $by_hand) }
    };
}

fn publish<F: Format>() -> Fields<F> {
    let memory = vec![0; Fields::<F>::SIZE / 8].leak();
    Fields::<F>::publish(Region::new(memory)).expect("memory of the size that the model states")
}

fn fields<F: Format + Format>() -> &'static Fields<F> {
    black_box(Box::leak(Box::new(publish())))
}

fn main() -> ExitCode {
    let (two, narrow, exact) = (fields::<V2>(), fields::<V2Narrow>(), fields::<V1Exact>());
    // Handles as locals, whose pointers the compiler keeps in registers, like those of the twins.
    let Fields { counter, counter32, gauge, histogram, text, latched, .. } = publish::<V2>();
    let Fields { histogram: histogram2, text: text2, .. } = publish::<V2>();
    let Fields { counter: counter1, .. } = publish::<V1>();
    let same: &[u64; 1024] = black_box(Box::leak(Box::new([1000; 1024])));
    TWO.with(|_| ());
    ONE.with(|_| ());
    let full = black_box("0123456789abcdef0123456789abcdef");
    let part = black_box("GET /index.html");

    let slot = Slot::<u64>::new();
    let (word, word_1, word_32) = (Slot::<u64>::new(), Slot::<u64>::new(), Slot::<u32>::new());
    let (float, python) = (Slot::new(), Python::new());
    let (latch, words) = (Latch::new(), Words::new());
    let (buckets, buckets2) = (Histogram8::<5, 40>::new(), Histogram8::<5, 40>::new());
    let (text_by_hand, text2_by_hand, timer) =
        (TextLatch::new(), TextLatch::new(), TimerTwin::new());
    Thread::set_up();

    let mut base = updates!(|i| slot.add_one());
    let mut cases = [
        case!("version 2 counter", |i| counter.incr(), word.add_one()),
        case!("version 2 counter, 32 bits", |i| counter32.incr(), word_32.add_one()),
        case!("version 1 counter", |i| counter1.incr(), word_1.add_one()),
        case!("version 1 counter, as Python", |i| exact.counter.incr(), python.add_one()),
        case!(
            "version 2 counter of the thread",
            |i| TWO.with(|stats| stats.counter.incr()),
            Thread::add_one()
        ),
        case!(
            "version 1 counter of the thread",
            |i| ONE.with(|stats| stats.counter.incr()),
            Thread::add_one()
        ),
        case!("latched u64", |i| latched.incr(), latch.add_one()),
        case!("latched u64 in u32 words", |i| narrow.counter.incr(), words.add_one()),
        case!("f64 gauge", |i| gauge.set(f64::from_bits(i as u64)), float.set(i as u64)),
        case!(
            "histogram, one value",
            |i| histogram.record(same[i % 1024]),
            buckets.record(same[i % 1024])
        ),
        case!(
            "histogram, many values",
            |i| histogram2.record((i as u64).wrapping_mul(7919)),
            buckets2.record((i as u64).wrapping_mul(7919))
        ),
        case!("32-byte text, full", |i| text.set(full), text_by_hand.set(full)),
        case!("32-byte text, 15 bytes", |i| text2.set(part), text2_by_hand.set(part)),
        case!("timer", |i| drop(two.timer.start()), timer.time()),
    ];
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        for _ in 0..ROUNDS {
            for Case { ours, by_hand, .. } in &mut cases {
                base.measure();
                ours.measure();
                by_hand.measure();
            }
        }
        if cases.iter().all(|case| case.ratio() <= MAX_RATIO) {
            break;
        }
    }
    println!("{:34} {:8.3} ns", "volatile u64 increment", base.best);
    println!("{:34} {:>11} {:>11} {:>9} {:>11}", "", "ours", "by hand", "ratio", "increments");
    let mut slow = 0;
    for case in &cases {
        let (ours, by_hand, ratio) = (case.ours.best, case.by_hand.best, case.ratio());
        let verdict = if ratio > MAX_RATIO { "  TOO SLOW" } else { "" };
        slow += usize::from(ratio > MAX_RATIO);
        println!(
            "{:34} {ours:8.3} ns {by_hand:8.3} ns {ratio:9.2} {:11.2}{verdict}",
            case.name,
            ours / base.best
        );
    }
    println!("{slow} of {} cases above {MAX_RATIO} × by hand", cases.len());
    if slow > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
