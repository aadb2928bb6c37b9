//! The cost of the crate `metrics` with our recorder, compared with that of
//! metrics-exporter-prometheus in the same run.
//!
//! Each case is a loop of updates by one thread, timed for both recorders in interleaved rounds;
//! the minimum over all rounds counts, because noise only ever adds.
//!
//! Run it with `cargo bench -p mmstats-tests --bench peers`.

use metrics::{
    Counter, Gauge, Histogram, Recorder, counter, gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use mmstats_std::{Options, recorder};
use std::hint::black_box;
use std::time::Instant;

/// Updates in one timing; few enough that an interrupt hits only some of them.
const UPDATES: u64 = 5000;
const ROUNDS: usize = 400;

/// The handles of one recorder.
struct Handles<'r> {
    recorder: &'r dyn Recorder,
    counter: Counter,
    gauge: Gauge,
    histogram: Histogram,
}

impl Handles<'_> {
    fn new(recorder: &dyn Recorder) -> Handles<'_> {
        with_local_recorder(recorder, || Handles {
            recorder,
            counter: counter!("bench.counter"),
            gauge: gauge!("bench.gauge"),
            histogram: histogram!("bench.histogram_seconds"),
        })
    }
}

type Case = (&'static str, fn(&Handles<'_>));

const CASES: [Case; 7] = [
    ("counter, handle", |handles| updates(|i| handles.counter.increment(i))),
    ("counter, macro", |_| updates(|i| counter!("bench.macro").increment(i))),
    ("counter, macro with a label", |_| {
        updates(|i| counter!("bench.label", "method" => "GET").increment(i));
    }),
    ("gauge, handle, set", |handles| updates(|i| handles.gauge.set(i as f64))),
    ("gauge, handle, increment", |handles| updates(|_| handles.gauge.increment(1.0))),
    ("gauge, macro", |_| updates(|_| gauge!("bench.gauge_macro").increment(1.0))),
    ("histogram, handle", |handles| {
        updates(|i| handles.histogram.record(1e-6 * (i % 1024) as f64));
    }),
];

fn updates(update: impl Fn(u64)) {
    for i in 0..UPDATES {
        update(black_box(i));
    }
}

/// Returns the time of an update, in nanoseconds.
fn time((_, run): &Case, handles: &Handles<'_>) -> f64 {
    with_local_recorder(handles.recorder, || {
        let start = Instant::now();
        run(handles);
        start.elapsed().as_nanos() as f64 / UPDATES as f64
    })
}

fn main() {
    let options = Options::new().file_name("bench-{PID}-metrics.mmstats");
    let ours = recorder::builder().options(options).build().expect("the first recorder");
    let theirs = PrometheusBuilder::new().build_recorder();
    let exporter = theirs.handle();
    let (ours, theirs) = (Handles::new(&ours), Handles::new(&theirs));
    let mut best = [[f64::INFINITY; 2]; CASES.len()];
    for _ in 0..ROUNDS {
        for (case, best) in CASES.iter().zip(&mut best) {
            for (handles, best) in [&ours, &theirs].into_iter().zip(best) {
                *best = best.min(time(case, handles));
            }
        }
        // Its histograms keep all values until this.
        exporter.run_upkeep();
    }
    println!("{:28} {:>11} {:>30} {:>7}", "", "mmstats", "metrics-exporter-prometheus", "ratio");
    for ((name, _), [ours, theirs]) in CASES.iter().zip(best) {
        println!("{name:28} {ours:8.2} ns {theirs:27.2} ns {:7.2}", ours / theirs);
    }
}
