//! The same work by hand, and by mmstats.

use crate::cases;
use crate::updates::{Case, Durations};
use mmstats_std::{
    Counter, Family, Gauge, Histogram, Options, ProcessorTimer, Published, Shared, Timer, model,
    per_process, per_thread, publish,
};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

model! {
    struct Fields {
        counter: Counter,
        gauge: Gauge<f64>,
        histogram: Histogram,
        timer: Timer,
        processor_timer: ProcessorTimer,
    }
}
model! { struct Level { level: Gauge<f64> } }
per_thread! {
    static STATS: Fields = Options::new().file_name("bench-{PID}-{TID}-peers.mmstats");
    static FAMILY: Family<Counter, 2> = Family::new("requests", ["route", "status"]);
}
per_process! {
    static PROCESS: Level<Shared> = Options::new().file_name("bench-{PID}-peers.mmstats");
}

fn own() -> Published<Fields> {
    publish(&Options::new().file_name("bench-{PID}-{TID}-own.mmstats")).expect("a file")
}

/// Returns a word of the calling thread alone: on no line of the cache that others use.
fn word() -> &'static AtomicU64 {
    #[repr(align(128))]
    struct Line(AtomicU64);
    &Box::leak(Box::new(Line(AtomicU64::new(0)))).0
}

static SHARED: AtomicU64 = AtomicU64::new(0);

/// A sum and 1152 buckets at computed addresses.
struct Buckets(&'static [AtomicU64; 1153]);

impl Buckets {
    fn new() -> Buckets {
        Buckets(Box::leak(Box::new([const { AtomicU64::new(0) }; 1153])))
    }

    #[inline(always)]
    fn record(&self, value: u64) {
        let shift = (value | 32).ilog2() - 5;
        let bucket = ((shift as usize) << 5) + (value >> shift) as usize;
        add(&self.0[1 + bucket.min(1151)], 1);
        add(&self.0[0], value);
    }
}

/// Adds to a word that one thread writes.
#[inline(always)]
fn add(word: &AtomicU64, n: u64) {
    word.store(word.load(Relaxed).wrapping_add(n), Relaxed);
}

pub fn cases() -> Vec<Case> {
    cases! {
        Counter, "by hand", "load, add, store":
            own = word(), |_| add(own, 1);
        Counter, "mmstats", "handle.incr()":
            own = own(), |_| own.counter.incr();
        Counter, "mmstats", "STATS.with(…)":
            _own = STATS.with(|_| ()), |_| STATS.with(|stats| stats.counter.incr());
        Labelled, "mmstats", "FAMILY.with(…)":
            _own = (), |_| FAMILY.with(["/", "200"], |counter| counter.incr());
        Labelled, "mmstats", "handle of the series":
            series = FAMILY.series(["/", "200"]), |_| series.incr();
        Gauge, "by hand", "store":
            own = word(), |i| own.store((i as f64).to_bits(), Relaxed);
        Gauge, "mmstats", "handle.set(…)":
            own = own(), |i| own.gauge.set(i as f64);
        Gauge, "mmstats", "STATS.with(…)":
            _own = STATS.with(|_| ()), |i| STATS.with(|stats| stats.gauge.set(i as f64));
        SharedGauge, "by hand", "compare and swap":
            _own = (), |_| {
                let sum = |bits| Some((f64::from_bits(bits) + 1.0).to_bits());
                let _ = SHARED.fetch_update(Relaxed, Relaxed, sum);
            };
        SharedGauge, "mmstats", "PROCESS.level.add(…)":
            _own = (), |_| PROCESS.level.add(1.0);
        Histogram, "by hand", "bucket and sum":
            own = (Buckets::new(), Durations::new()), |i| own.0.record(own.1.nanoseconds(i));
        Histogram, "mmstats", "handle.record(…)":
            own = (own(), Durations::new()), |i| own.0.histogram.record(own.1.nanoseconds(i));
        Histogram, "mmstats", "STATS.with(…)":
            own = Durations::new(),
            |i| STATS.with(|stats| stats.histogram.record(own.nanoseconds(i)));
        Timer, "by hand", "clock twice, bucket, sum":
            own = Buckets::new(), |_| own.record(Instant::now().elapsed().as_nanos() as u64);
        Timer, "mmstats", "handle.start()":
            own = own(), |_| drop(own.timer.start());
        Timer, "mmstats", "STATS.with(…)":
            _own = STATS.with(|_| ()), |_| STATS.with(|stats| drop(stats.timer.start()));
        Timer, "mmstats", "ProcessorTimer":
            own = own(), |_| drop(own.processor_timer.start());
    }
}
