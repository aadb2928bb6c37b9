//! The same work by other crates, as their documentation does it. Histograms have about as many
//! buckets as are usual in each.

use crate::cases;
use crate::updates::{Case, Durations};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::Instant;

/// A static that is created by its first use.
macro_rules! lazy {
    ($($name:ident: $type:ty = $new:expr;)*) => {
        $(static $name: LazyLock<$type> = LazyLock::new(|| $new);)*
    };
}

const BOUNDS: [f64; 11] = [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 2e-4, 3e-4, 5e-4, 7e-4, 9e-4, 1e-3];
const BOUNDS_IN_NANOSECONDS: &[i64] =
    &[1000, 3000, 10_000, 30_000, 100_000, 200_000, 300_000, 500_000, 700_000, 900_000, 1_000_000];

type Labels = (&'static str, &'static str);

lazy! {
    PROM_COUNTER: prometheus::IntCounter = prometheus::IntCounter::new("a", "b").unwrap();
    PROM_FAMILY: prometheus::IntCounterVec = prometheus::IntCounterVec::new(
        prometheus::Opts::new("a", "b"), &["route", "status"]).unwrap();
    PROM_GAUGE: prometheus::Gauge = prometheus::Gauge::new("a", "b").unwrap();
    PROM_HISTOGRAM: prometheus::Histogram = prometheus::Histogram::with_opts(
        prometheus::HistogramOpts::new("a", "b").buckets(BOUNDS.into())).unwrap();
    CLIENT_COUNTER: prometheus_client::metrics::counter::Counter = Default::default();
    CLIENT_FAMILY: prometheus_client::metrics::family::Family<
        Labels, prometheus_client::metrics::counter::Counter> = Default::default();
    CLIENT_GAUGE: prometheus_client::metrics::gauge::Gauge<f64, std::sync::atomic::AtomicU64> =
        Default::default();
    CLIENT_HISTOGRAM: prometheus_client::metrics::histogram::Histogram =
        prometheus_client::metrics::histogram::Histogram::new(BOUNDS);
    FAST_COUNTER: fastmetrics::metrics::counter::Counter = Default::default();
    FAST_FAMILY: fastmetrics::metrics::family::Family<
        Labels, fastmetrics::metrics::counter::Counter> = Default::default();
    FAST_GAUGE: fastmetrics::metrics::gauge::Gauge<f64> = Default::default();
    FAST_HISTOGRAM: fastmetrics::metrics::histogram::Histogram =
        fastmetrics::metrics::histogram::Histogram::new(BOUNDS);
    PROVIDER: SdkMeterProvider =
        SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build();
    METER: Meter = PROVIDER.meter("bench");
    LABELS_OF_MEMBER: metriken::CounterMember<'static> =
        METRIKEN_FAMILY.member([("route", "/"), ("status", "200")]);
}

#[metriken::metric]
static METRIKEN_COUNTER: metriken::Counter = metriken::Counter::new();
#[metriken::metric]
static METRIKEN_FAMILY: metriken::CounterFamily = metriken::CounterFamily::new();
#[metriken::metric]
static METRIKEN_GAUGE: metriken::Gauge = metriken::Gauge::new();
#[metriken::metric]
static METRIKEN_HISTOGRAM: metriken::AtomicCounterHistogram =
    metriken::AtomicCounterHistogram::new(5, 40);

thread_local! {
    static NM_COUNTER: nm::Event = nm::Event::builder().name("count").build();
    static NM_HISTOGRAM: nm::Event =
        nm::Event::builder().name("duration").histogram(BOUNDS_IN_NANOSECONDS).build();
}

fn labels() -> [KeyValue; 2] {
    [KeyValue::new("route", "/"), KeyValue::new("status", "200")]
}

/// Two significant digits, up to 18 minutes.
fn hdr() -> RefCell<hdrhistogram::Histogram<u64>> {
    RefCell::new(hdrhistogram::Histogram::new_with_bounds(1, 1 << 40, 2).unwrap())
}

pub fn cases() -> Vec<Case> {
    let mut cases = counters();
    cases.extend(gauges());
    cases.extend(histograms());
    cases
}

fn counters() -> Vec<Case> {
    cases! {
        Counter, "prometheus", "IntCounter::inc":
            own = &*PROM_COUNTER, |_| own.inc();
        Counter, "prometheus-client", "Counter::inc":
            own = &*CLIENT_COUNTER, |_| own.inc();
        Counter, "fastmetrics", "Counter::inc":
            own = &*FAST_COUNTER, |_| own.inc();
        Counter, "metriken", "Counter::increment":
            _own = (), |_| METRIKEN_COUNTER.increment();
        Counter, "opentelemetry", "BoundCounter::add":
            own = METER.u64_counter("count").build().bind(&labels()), |_| own.add(1);
        Counter, "nm", "Event, in a local":
            own = nm::Event::builder().name("own").build(), |_| own.observe_once();
        Counter, "nm", "Event, thread-local":
            _own = (), |_| NM_COUNTER.with(nm::Event::observe_once);
        Labelled, "prometheus", "with_label_values":
            own = &*PROM_FAMILY, |_| own.with_label_values(&["/", "200"]).inc();
        Labelled, "prometheus-client", "Family::get_or_create":
            own = &*CLIENT_FAMILY, |_| own.get_or_create(&("/", "200")).inc();
        Labelled, "fastmetrics", "Family::with_or_new":
            own = &*FAST_FAMILY, |_| own.with_or_new(&("/", "200"), |counter| counter.inc());
        Labelled, "opentelemetry", "Counter::add":
            own = METER.u64_counter("requests").build(), |_| own.add(1, &labels());
        Labelled, "metriken", "CounterMember (no lookup)":
            own = &*LABELS_OF_MEMBER, |_| own.increment();
    }
}

fn gauges() -> Vec<Case> {
    cases! {
        Gauge, "prometheus", "Gauge::set":
            own = &*PROM_GAUGE, |i| own.set(i as f64);
        Gauge, "prometheus-client", "Gauge::set":
            own = &*CLIENT_GAUGE, |i| own.set(i as f64);
        Gauge, "fastmetrics", "Gauge::set":
            own = &*FAST_GAUGE, |i| own.set(i as f64);
        Gauge, "metriken", "Gauge::set (integers)":
            _own = (), |i| METRIKEN_GAUGE.set(i as i64);
        Gauge, "opentelemetry", "BoundGauge::record":
            own = METER.f64_gauge("level").build().bind(&labels()), |i| own.record(i as f64);
        SharedGauge, "prometheus", "Gauge::add":
            own = &*PROM_GAUGE, |_| own.add(1.0);
        SharedGauge, "prometheus-client", "Gauge::inc_by":
            own = &*CLIENT_GAUGE, |_| own.inc_by(1.0);
        SharedGauge, "fastmetrics", "Gauge::inc_by":
            own = &*FAST_GAUGE, |_| own.inc_by(1.0);
        SharedGauge, "metriken", "Gauge::add (integers)":
            _own = (), |_| METRIKEN_GAUGE.add(1);
        SharedGauge, "opentelemetry", "BoundUpDownCounter::add":
            own = METER.f64_up_down_counter("sum").build().bind(&labels()), |_| own.add(1.0);
    }
}

fn histograms() -> Vec<Case> {
    cases! {
        Histogram, "prometheus", "observe, 11 buckets":
            own = (&*PROM_HISTOGRAM, Durations::new()), |i| own.0.observe(own.1.seconds(i));
        Histogram, "prometheus-client", "observe, 11 buckets":
            own = (&*CLIENT_HISTOGRAM, Durations::new()), |i| own.0.observe(own.1.seconds(i));
        Histogram, "fastmetrics", "observe, 11 buckets":
            own = (&*FAST_HISTOGRAM, Durations::new()), |i| own.0.observe(own.1.seconds(i));
        Histogram, "metriken", "increment, 1152 buckets":
            own = Durations::new(), |i| drop(METRIKEN_HISTOGRAM.increment(own.nanoseconds(i)));
        Histogram, "opentelemetry", "record, 11 buckets":
            own = (
                METER.f64_histogram("size").with_boundaries(BOUNDS.into()).build().bind(&labels()),
                Durations::new(),
            ),
            |i| own.0.record(own.1.seconds(i));
        Histogram, "nm", "observe, 11 buckets":
            own = Durations::new(),
            |i| NM_HISTOGRAM.with(|event| event.observe(own.nanoseconds(i) as i64));
        Histogram, "hdrhistogram", "record, in a RefCell":
            own = (hdr(), Durations::new()), |i| {
                let _ = own.0.borrow_mut().record(own.1.nanoseconds(i));
            };
        Timer, "prometheus", "start_timer":
            own = &*PROM_HISTOGRAM, |_| own.start_timer().observe_duration();
        Timer, "prometheus-client", "Instant, observe":
            own = &*CLIENT_HISTOGRAM, |_| own.observe(Instant::now().elapsed().as_secs_f64());
        Timer, "fastmetrics", "Instant, observe":
            own = &*FAST_HISTOGRAM, |_| own.observe(Instant::now().elapsed().as_secs_f64());
        Timer, "metriken", "Instant, increment":
            _own = (),
            |_| drop(METRIKEN_HISTOGRAM.increment(Instant::now().elapsed().as_nanos() as u64));
        Timer, "opentelemetry", "Instant, record":
            own = METER.f64_histogram("time").with_boundaries(BOUNDS.into()).build().bind(&labels()),
            |_| own.record(Instant::now().elapsed().as_secs_f64());
        Timer, "nm", "Instant, observe":
            _own = (),
            |_| NM_HISTOGRAM.with(|event| {
                event.observe(Instant::now().elapsed().as_nanos() as i64);
            });
        Timer, "hdrhistogram", "Instant, record":
            own = hdr(), |_| {
                let _ = own.borrow_mut().record(Instant::now().elapsed().as_nanos() as u64);
            };
    }
}
