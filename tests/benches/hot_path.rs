//! The cost of an update, compared with the same update written by hand.
//!
//! Each case is a loop of updates and has a twin: the same bytes written with raw pointers and the
//! standard library's atomics, as a careful C programmer would. Case, twin and a volatile increment
//! of a `u64` are timed in interleaved rounds, and the minimum over all rounds counts, because
//! noise only ever adds. A case fails above 1.15 × its twin, so the result does not depend on the
//! processor; the ratio to the volatile increment is printed as information.
//!
//! Stores to two cache lines cost up to half as much again as stores to one, so rounds go through
//! all positions of the memory within a line: neither side wins by its place.
//!
//! Run it with `cargo bench -p mmstats-tests --bench hot_path`.
#![allow(unsafe_code)]

mod by_hand;

use by_hand::{
    Histogram8, Latch, Process, Python, SharedWord, Slot, TextLatch, Thread, TimerTwin, Words, line,
};
use mmstats_core::{Counter, Gauge, Histogram, Latched, Model, Region, Shared, Text};
use mmstats_core::{V1, V1Exact, V2, V2Narrow};
use mmstats_std::{Format, Options, Timer, model, per_process, per_thread};
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

model! {
    struct SharedFields {
        counter: Counter,
        gauge: Gauge<f64>,
        histogram: Histogram,
    }
}

per_thread! {
    static TWO: Fields = Options::new().file_name("bench-{PID}-two.mmstats");
    static ONE: Fields<V1> = Options::new().file_name("bench-{PID}-one.mmstats");
}

per_process! {
    static PROCESS: SharedFields<Shared> = Options::new().file_name("bench-{PID}-all.mmstats");
}

/// Updates in one timing; few enough that an interrupt hits only some of them.
const UPDATES: u64 = 20_000;
const ROUNDS: usize = 800;
/// Words of a cache line.
const POSITIONS: usize = 8;
/// The most that a case may cost, as a multiple of its twin.
const MAX_RATIO: f64 = 1.15;
/// Another load on the same core is seldom constant: more rounds follow after a pause.
const ATTEMPTS: usize = 6;
const PAUSE: Duration = Duration::from_secs(5);

/// Loops of updates, one for each position of the memory, with the shortest time that an update
/// took, in nanoseconds.
struct Timing {
    runs: Vec<Box<dyn Fn()>>,
    best: f64,
}

impl Timing {
    fn measure(&mut self, position: usize) {
        let start = Instant::now();
        (self.runs[position])();
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

/// A loop of updates for each position: each update happens, none is merged with the next. Eight in
/// a row, so that the loop itself does not count.
macro_rules! updates {
    ($field:ident = $new:expr, |$i:ident| $update:expr) => {
        Timing { runs: (0..POSITIONS).map(|position| {
            // A local, whose pointers the compiler can keep in registers.
            let $field = $new(position);
            Box::new(move || {
                for i in 0..UPDATES / 8 {
                    updates!(@each $i, i, $update, 0 1 2 3 4 5 6 7);
                }
            }) as Box<dyn Fn()>
        }).collect(), best: f64::INFINITY }
    };
    (@each $i:ident, $n:ident, $update:expr, $($k:literal)*) => { $( {
        let $i = (8 * $n + $k) as usize;
        let _ = $i;
        $update;
    } )* };
}

macro_rules! cases {
    ($($name:literal: |$i:ident| $a:ident = $ours:expr, $update:expr; $b:ident = $by_hand:expr, $twin:expr;)*) => {
        [$(Case {
            name: $name,
            ours: updates!($a = $ours, |$i| $update),
            by_hand: updates!($b = $by_hand, |$i| $twin),
        }),*]
    };
}

fn publish<F: Format>(position: usize) -> Fields<F> {
    let memory = line(Fields::<F>::SIZE / 8, position);
    Fields::<F>::publish(Region::new(memory)).expect("memory of the size that the model states")
}

fn publish_shared(position: usize) -> SharedFields<Shared> {
    let memory = line(SharedFields::<Shared>::SIZE / 8, position);
    SharedFields::<Shared>::publish(Region::new(memory))
        .expect("memory of the size that the model states")
}

fn main() -> ExitCode {
    let same: &[u64; 1024] = black_box(Box::leak(Box::new([1000; 1024])));
    let full = black_box("0123456789abcdef0123456789abcdef");
    let part = black_box("GET /index.html");
    TWO.with(|_| ());
    ONE.with(|_| ());
    PROCESS.counter.add(0);
    Thread::set_up();
    Process::set_up();
    let mut base = updates!(slot = Slot::<u64>::new, |i| slot.add_one());
    let mut cases = cases! {
        "version 2 counter": |i|
            ours = |at| publish::<V2>(at).counter, ours.incr();
            twin = Slot::<u64>::new, twin.add_one();
        "version 2 counter, 32 bits": |i|
            ours = |at| publish::<V2>(at).counter32, ours.incr();
            twin = Slot::<u32>::new, twin.add_one();
        "version 1 counter": |i|
            ours = |at| publish::<V1>(at).counter, ours.incr();
            twin = Slot::<u64>::new, twin.add_one();
        "version 1 counter, as Python": |i|
            ours = |at| publish::<V1Exact>(at).counter, ours.incr();
            twin = Python::new, twin.add_one();
        "version 2 counter of the thread": |i|
            _ours = |_| (), TWO.with(|stats| stats.counter.incr());
            _twin = |_| (), Thread::add_one();
        "version 1 counter of the thread": |i|
            _ours = |_| (), ONE.with(|stats| stats.counter.incr());
            _twin = |_| (), Thread::add_one();
        "latched u64": |i|
            ours = |at| publish::<V2>(at).latched, ours.incr();
            twin = Latch::new, twin.add_one();
        "latched u64 in u32 words": |i|
            ours = |at| publish::<V2Narrow>(at).counter, ours.incr();
            twin = Words::new, twin.add_one();
        "shared counter": |i|
            ours = |at| publish_shared(at).counter, ours.incr();
            twin = SharedWord::new, twin.add_one();
        "shared f64 gauge": |i|
            ours = |at| publish_shared(at).gauge, ours.add(1.0);
            twin = SharedWord::new, twin.add_float();
        "shared histogram": |i|
            ours = |at| publish_shared(at).histogram, ours.record(same[i % 1024]);
            twin = Histogram8::<5, 40>::new, twin.record_shared(same[i % 1024]);
        "counter of the process": |i|
            _ours = |_| (), PROCESS.counter.incr();
            _twin = |_| (), Process::add_one();
        "f64 gauge of the process": |i|
            _ours = |_| (), PROCESS.gauge.add(1.0);
            _twin = |_| (), Process::add_float();
        "f64 gauge": |i|
            ours = |at| publish::<V2>(at).gauge, ours.set(f64::from_bits(i as u64));
            twin = Slot::<u64>::new, twin.set(i as u64);
        "histogram, one value": |i|
            ours = |at| publish::<V2>(at).histogram, ours.record(same[i % 1024]);
            twin = Histogram8::<5, 40>::new, twin.record(same[i % 1024]);
        "histogram, many values": |i|
            ours = |at| publish::<V2>(at).histogram, ours.record((i as u64).wrapping_mul(7919));
            twin = Histogram8::<5, 40>::new, twin.record((i as u64).wrapping_mul(7919));
        "32-byte text, full": |i|
            ours = |at| publish::<V2>(at).text, ours.set(full);
            twin = TextLatch::new, twin.set(full);
        "32-byte text, 15 bytes": |i|
            ours = |at| publish::<V2>(at).text, ours.set(part);
            twin = TextLatch::new, twin.set(part);
        "timer": |i|
            ours = |at| publish::<V2>(at).timer, drop(ours.start());
            twin = TimerTwin::new, twin.time();
    };
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        for round in 0..ROUNDS {
            for Case { ours, by_hand, .. } in &mut cases {
                for timing in [&mut base, ours, by_hand] {
                    timing.measure(round % POSITIONS);
                }
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
