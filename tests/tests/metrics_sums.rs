//! Sums over writers that start and end.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mmstats_core::reader::ValueLocation;
use mmstats_core::{Counter, Gauge, Histogram, Type, units};
use mmstats_std::read::Field;
use mmstats_std::{Options, Publication, Published, model, publish};
use mmstats_tests::cli::VersionOne;
use mmstats_tests::programs::directory;
use mmstats_tests::regions::region_bytes;
use mmstats_tools::options::SourceOptions;
use mmstats_tools::render::metrics::{Format, Settings, Totals};
use mmstats_tools::scraper::{OwnedValue, Scrape, Scraper, WriterId};
use mmstats_tools::source::Sources;

#[path = "../metrics/check.rs"]
mod check;

model! {
/// The stats of these tests.
    struct Server in "server." {
        /// Requests answered.
        requests: Counter,
/// The sizes of requests.
        sizes: Histogram<1, 4> [bytes],
        /// Open connections.
        open: Gauge<i64>,
    }
}

fn server(directory: &Path, name: &str) -> Published<Server> {
    publish::<Server>(
        &Options::new()
            .directory(String::leak(directory.to_str().unwrap().to_owned()))
            .file_name(String::leak(name.to_owned())),
    )
    .unwrap()
}

/// The sums after each scrape.
struct Watch {
    scraper: Scraper,
    totals: Totals,
    pages: Vec<String>,
}

impl Watch {
    fn new(directory: &Path) -> Self {
        let scraper = Scraper::new(
            vec![directory.to_owned()],
            Sources::new(SourceOptions::default()).unwrap(),
        );
        Watch { scraper, totals: Totals::new(), pages: Vec::new() }
    }

    /// Scrapes, and returns the values of the samples with these names.
    fn scrape(&mut self, names: &[&str]) -> Vec<String> {
        let scrape = self.scraper.scrape();
        self.add(&scrape, names)
    }

    fn add(&mut self, scrape: &Scrape, names: &[&str]) -> Vec<String> {
        self.totals.add(scrape, false);
        let settings = Settings { format: Format::OpenMetrics, ..Settings::default() };
        let page = self.totals.page(scrape, Duration::ZERO, &settings);
        assert_eq!(page.dropped, []);
        let value = |name: &&str| {
            page.text
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name} ")))
                .unwrap_or("none")
                .to_owned()
        };
        let values = names.iter().map(value).collect();
        self.pages.push(page.text);
        values
    }
}

const NAMES: [&str; 5] = [
    "server_requests_total",
    "server_sizes_bytes_bucket{le=\"1.0\"}",
    "server_sizes_bytes_count",
    "server_sizes_bytes_sum",
    "server_open",
];

#[test]
fn sums_continue_when_writers_end_and_restart() {
    let dir = directory();
    let mut watch = Watch::new(dir.path());
    let (a, b) = (server(dir.path(), "a.mmstats"), server(dir.path(), "b.mmstats"));
    for (server, times) in [(&a, 1), (&b, 2)] {
        server.requests.add(10 * times);
        server.open.set(times as i64);
        (0..times).for_each(|_| server.sizes.record(1));
    }
    assert_eq!(watch.scrape(&NAMES), ["30", "3", "3", "3", "3"]);
    a.requests.add(1);
    a.sizes.record(100);
    assert_eq!(watch.scrape(&NAMES), ["31", "3", "4", "103", "3"]);
    // Its counts stay, its gauges do not.
    a.remove();
    assert_eq!(watch.scrape(&NAMES), ["31", "3", "4", "103", "2"]);
    assert_eq!(watch.scrape(&NAMES), ["31", "3", "4", "103", "2"]);
    // A new writer with the same name, whose counter is already higher than its predecessor's.
    let a = server(dir.path(), "a.mmstats");
    a.requests.add(500);
    a.sizes.record(2);
    a.open.set(-7);
    assert_eq!(watch.scrape(&NAMES), ["531", "3", "5", "105", "-5"]);
    // A new writer that replaces it between two scrapes.
    a.remove();
    let a = server(dir.path(), "a.mmstats");
    a.requests.add(4);
    assert_eq!(watch.scrape(&NAMES), ["535", "3", "5", "105", "2"]);
    a.remove();
    b.remove();
    assert_eq!(watch.scrape(&NAMES), ["535", "3", "5", "105", "none"]);
    check::strict(&watch.pages);
}

#[test]
fn a_file_that_its_process_creates_again_is_not_counted_twice() {
    let dir = directory();
    let mut watch = Watch::new(dir.path());
    let a = server(dir.path(), "a.mmstats");
    a.requests.add(10);
    assert_eq!(watch.scrape(&NAMES[..1]), ["10"]);
    for (scrapes, sum) in [(0, "11"), (1, "12"), (3, "13")] {
        fs::remove_file(a.path()).unwrap();
        (0..scrapes).for_each(|_| drop(watch.scrape(&NAMES[..1])));
        a.requests.add(1);
        let Publication::File(_) = a.publication() else { panic!("no file") };
        assert_eq!(watch.scrape(&NAMES[..1]), [sum], "after {scrapes} scrapes without a file");
    }
    check::strict(&watch.pages);
}

#[test]
fn a_temporarily_unreadable_writer_is_not_counted_twice() {
    let dir = directory();
    let mut watch = Watch::new(dir.path());
    let a = server(dir.path(), "a.mmstats");
    a.requests.add(10);
    let first = watch.scraper.scrape();
    assert_eq!(watch.add(&first, &NAMES[..1]), ["10"]);
    let mut hidden = first.clone();
    let name = hidden.samples.remove(0).writer_id.name.clone();
    hidden.errors.push(mmstats_tools::scraper::ScrapeError {
        name,
        what: "cut short".to_owned(),
        is_new: true,
    });
    assert_eq!(watch.add(&hidden, &NAMES[..1]), ["10"]);
    a.requests.add(1);
    assert_eq!(watch.scrape(&NAMES[..1]), ["11"]);
    // Neither is a value that was always being written.
    let mut contended = first;
    contended.samples[0]
        .values
        .iter_mut()
        .for_each(|value| *value = Err(mmstats_core::reader::ValueError::Contended));
    watch.totals.add(&contended, false);
    a.requests.add(1);
    assert_eq!(watch.scrape(&NAMES[..1]), ["12"]);
}

/// Returns a file with a counter and a gauge of this scale, and a histogram.
fn times(scale: i8, counted: u32, latest: f64) -> Vec<u8> {
    region_bytes(|writer| {
        let counter: Counter<u32, _> =
            writer.add(Counter::builder("time").unit(units::seconds.e(scale))).unwrap();
        counter.set(counted);
        let gauge: Gauge<f64, _> =
            writer.add(Gauge::builder("last").unit(units::unixtime)).unwrap();
        gauge.set(latest);
        let histogram: Histogram<0, 8, u32, _> = writer.add(Histogram::builder("sizes")).unwrap();
        histogram.record(counted.into());
    })
}

#[test]
fn different_scales_and_widths_are_added() {
    let dir = directory();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    let mut watch = Watch::new(dir.path());
    write("a.mmstats", &times(-3, 1500, 5.0));
    write("b.mmstats", &times(-3, u32::MAX, 7.0));
    let names = ["time_seconds_total", "last_timestamp_seconds", "sizes_count", "old"];
    assert_eq!(watch.scrape(&names), ["4294968.795", "7", "2", "none"]);
    // One counter has wrapped, and its histogram has restarted; the other file has another scale.
    write("b.mmstats", &times(-3, 4, 6.0));
    write("c.mmstats", &times(0, 2, 1.0));
    write("old.mmstats", &VersionOne::default().field("old", "Q", 9_u64.to_ne_bytes()).finish());
    assert_eq!(watch.scrape(&names), ["4294970.8", "6", "4", "9"]);
    check::strict(&watch.pages);
}

/// Returns a file with these counters.
fn counters(counted: &[(&str, u64)]) -> Vec<u8> {
    region_bytes(|writer| {
        for (label, value) in counted {
            let counter: Counter<u64, _> = writer.add(Counter::builder(label)).unwrap();
            counter.set(*value);
        }
    })
}

/// Scrapes a writer and cuts its labels at `#`: a hand-written file can have two fields with one
/// label.
fn scrape_hand_written(watch: &mut Watch, names: &[&str]) -> Vec<String> {
    let mut scrape = watch.scraper.scrape();
    for samples in &mut scrape.samples {
        let named = |field: &Field| Field {
            label: field.label.split('#').next().unwrap().to_owned(),
            ..field.clone()
        };
        samples.fields = samples.fields.iter().map(named).collect();
    }
    watch.add(&scrape, names)
}

#[test]
fn fields_with_one_label_are_not_counted_twice_when_others_are_added() {
    let dir = directory();
    // In place, so that the writer stays the same.
    let write = |counted: &[(&str, u64)]| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.path().join("a.mmstats"))
            .unwrap();
        file.write_all(&counters(counted)).unwrap();
    };
    let mut watch = Watch::new(dir.path());
    write(&[("twice#1", 7), ("twice#2", 1000), ("other", 1)]);
    assert_eq!(scrape_hand_written(&mut watch, &["twice_total", "other_total"]), ["1007", "1"]);
    write(&[("twice#1", 7), ("twice#2", 1000), ("other", 1), ("more", 5)]);
    assert_eq!(
        scrape_hand_written(&mut watch, &["twice_total", "other_total", "more_total"]),
        ["1007", "1", "5"]
    );
    write(&[("twice#1", 8), ("twice#2", 1000), ("other", 1), ("more", 5)]);
    assert_eq!(scrape_hand_written(&mut watch, &["twice_total"]), ["1008"]);
}

#[test]
fn fields_that_cannot_be_added_are_reported_and_the_sum_continues() {
    let dir = directory();
    std::fs::write(dir.path().join("a.mmstats"), times(0, 2, 0.0)).unwrap();
    let mut watch = Watch::new(dir.path());
    assert_eq!(watch.scrape(&["sizes_count"]), ["1"]);
    // Nearly the largest count, twice.
    let mut scrape = watch.scraper.scrape();
    for id in [100, 101] {
        let mut samples = scrape.samples[0].clone();
        samples.writer_id =
            Arc::new(WriterId { id, name: format!("{id}").into(), ..(*samples.writer_id).clone() });
        for value in samples.values.iter_mut().flatten() {
            match value {
                OwnedValue::Histogram(buckets) => buckets.filled[0].count = u64::MAX - 5,
                _ => *value = OwnedValue::Float(1e308),
            }
        }
        samples.fields = samples
            .fields
            .iter()
            .map(|field| Field {
                location: ValueLocation { ty: Type::F64, ..field.location },
                ..field.clone()
            })
            .collect();
        scrape.samples.push(samples);
    }
    let settings = Settings { format: Format::OpenMetrics, ..Settings::default() };
    watch.totals.add(&scrape, false);
    let page = watch.totals.page(&scrape, Duration::ZERO, &settings);
    assert!(page.text.contains(&format!("sizes_count {}\n", u64::MAX - 4)), "{}", page.text);
    let left_out: Vec<String> = page.dropped.iter().map(ToString::to_string).collect();
    assert!(
        left_out.len() == 2
            && left_out
                .iter()
                .all(|left| left.starts_with("101") && left.contains("more than can be counted")),
        "{left_out:?}"
    );
    check::strict(&[page.text]);
}

#[test]
fn measurements_are_averaged() {
    let dir = directory();
    let write = |name: &str, tenths: i16, open: u32| {
        let bytes = region_bytes(|writer| {
            let temperature: Gauge<i16, _> =
                writer.add(Gauge::builder("temperature").unit(units::celsius.e(-1))).unwrap();
            temperature.set(tenths);
            let connections: Gauge<u32, _> = writer.add(Gauge::builder("open")).unwrap();
            connections.set(open);
        });
        std::fs::write(dir.path().join(name), bytes).unwrap();
    };
    let (mut watch, names) = (Watch::new(dir.path()), ["temperature_celsius", "open"]);
    write("a.mmstats", 215, 3);
    assert_eq!(watch.scrape(&names), ["21.5", "3"]);
    write("b.mmstats", -105, 4);
    write("c.mmstats", 190, 5);
    assert_eq!(watch.scrape(&names), ["10", "12"]);
    check::strict(&watch.pages);
}

#[test]
fn with_live_writers_count_once_they_were_alive() {
    let dir = directory();
    let a = server(dir.path(), "a.mmstats");
    a.requests.add(3);
    std::fs::write(dir.path().join("b.mmstats"), times(0, 2, 0.0)).unwrap();
    let mut scraper = Watch::new(dir.path()).scraper;
    let (mut totals, scrape) = (Totals::new(), scraper.scrape());
    totals.add(&scrape, true);
    let page = totals.page(&scrape, Duration::ZERO, &Settings::default()).text;
    assert!(
        page.contains("\nserver_requests_total 3\n") && !page.contains("time_seconds"),
        "{page}"
    );
}
