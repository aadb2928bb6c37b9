//! The same work by the crate `metrics`, with our recorder and with metrics-exporter-prometheus.

use crate::cases;
use crate::updates::{Case, Durations, Run};
use metrics::{Recorder, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use mmstats_std::{Options, recorder};
use std::sync::LazyLock;
use std::time::Instant;

/// The cases of this module appear twice, once for each of these.
pub const OURS: &str = "metrics + mmstats";
pub const EXPORTER: &str = "metrics + exporter";

static MMSTATS: LazyLock<recorder::Recorder> = LazyLock::new(|| {
    let options = Options::new().file_name("bench-{PID}-{TID}-metrics.mmstats");
    recorder::builder().options(options).build().expect("the only recorder of this kind")
});
static PROMETHEUS: LazyLock<PrometheusRecorder> =
    LazyLock::new(|| PrometheusBuilder::new().build_recorder());

/// Returns the exporter, whose histograms keep all values until its upkeep.
pub fn exporter() -> PrometheusHandle {
    PROMETHEUS.handle()
}

/// Makes a loop that runs with the recorder of this library.
fn within(recorder: &'static dyn Recorder, make: fn() -> Run) -> Run {
    let run = with_local_recorder(recorder, make);
    Box::new(move |count| with_local_recorder(recorder, || run(count)))
}

pub fn make(case: &Case) -> Run {
    match case.library {
        OURS => within(&*MMSTATS, case.make),
        EXPORTER => within(&*PROMETHEUS, case.make),
        _ => (case.make)(),
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = cases_of_a_recorder();
    for case in &mut cases {
        case.library = EXPORTER;
    }
    cases.extend(cases_of_a_recorder());
    cases
}

fn cases_of_a_recorder() -> Vec<Case> {
    cases! {
        Counter, "metrics + mmstats", "handle.increment(1)":
            own = counter!("bench.counter"), |_| own.increment(1);
        Counter, "metrics + mmstats", "counter!(…)":
            _own = (), |_| counter!("bench.counter").increment(1);
        Labelled, "metrics + mmstats", "counter!(…)":
            _own = (),
            |_| counter!("bench.labelled", "route" => "/", "status" => "200").increment(1);
        Gauge, "metrics + mmstats", "handle.set(…)":
            own = gauge!("bench.gauge"), |i| own.set(i as f64);
        SharedGauge, "metrics + mmstats", "handle.increment(…)":
            own = gauge!("bench.gauge"), |_| own.increment(1.0);
        Histogram, "metrics + mmstats", "handle.record(…)":
            own = (histogram!("bench.histogram_seconds"), Durations::new()),
            |i| own.0.record(own.1.seconds(i));
        Timer, "metrics + mmstats", "Instant, record":
            own = histogram!("bench.timer_seconds"), |_| own.record(Instant::now().elapsed());
    }
}
