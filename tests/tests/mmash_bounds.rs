//! The memory of `mmash` is bounded, whatever the files say; a limit that is reached is reported,
//! and everything else is still read.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mmstats_core::{Counter, Gauge, Histogram, Type, V2, Writer, units};
use mmstats_tests::cli::{VersionOne, program, run};
use mmstats_tests::http::{connect, open, request};
use mmstats_tests::mmash::{Mmash, command, shop};
use mmstats_tests::programs::directory;
use mmstats_tests::regions::{bytes, leaked_region, region_bytes};
use mmstats_tools::options::SourceOptions;
use mmstats_tools::render::metrics::{Settings, Totals};
use mmstats_tools::scraper::Scraper;
use mmstats_tools::source::Sources;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Writes a file of version 1 with this many fields.
fn write_fields(path: &Path, fields: usize) {
    let stats = (0..fields)
        .fold(VersionOne::default(), |stats, at| stats.field(format!("f{at}"), "B", [1]));
    fs::write(path, stats.finish()).unwrap();
}

fn sizes(server: &Mmash) -> (usize, String) {
    let files = server.json("/api/v1/files");
    let fields = files["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| usize::try_from(file["fields"].as_u64().unwrap()).unwrap());
    (fields.sum(), files["errors"].to_string())
}

#[test]
fn a_file_with_many_hard_links_counts_once() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    write_fields(&path("m.mmstats"), 100);
    fs::write(path("other.mmstats"), VersionOne::default().field("n", "B", [1]).finish()).unwrap();
    let server = Mmash::serve(directory.path(), &["-d", "0.1"]);
    assert_eq!(sizes(&server), (101, "[]".to_owned()));
    for name in 0..100 {
        fs::hard_link(path("m.mmstats"), path(&format!("{name}.mmstats"))).unwrap();
    }
    let linked = |files: &Value| files["errors"].as_array().unwrap().len() == 100;
    let files = server.wait_for("/api/v1/files", linked);
    assert_eq!(sizes(&server).0, 101);
    // The name that was read first stays, and each other name is reported.
    assert_eq!(files["files"][0]["file"], path("m.mmstats").to_str().unwrap());
    let error = files["errors"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("another name of ") && error.contains("m.mmstats"), "{error}");
    fs::remove_file(path("m.mmstats")).unwrap();
    server.wait_for("/api/v1/files", |files| {
        files["errors"].as_array().unwrap().len() == 99
            && files["files"].as_array().unwrap().len() == 2
    });
}

#[test]
fn the_fields_of_a_scrape_are_bounded_and_the_other_files_are_read() {
    const FIELDS: usize = 60_000;
    let directory = directory();
    for name in 0..10 {
        write_fields(&directory.path().join(format!("{name}.mmstats")), FIELDS);
    }
    let last = VersionOne::default().field("n", "B", [1]).finish();
    fs::write(directory.path().join("z.mmstats"), last).unwrap();
    let server = Mmash::serve(directory.path(), &["-d", "60", "--history-bytes", "1M"]);
    let (fields, errors) = sizes(&server);
    assert_eq!(fields, 8 * FIELDS + 1);
    assert!(errors.contains("not read: 60000 more fields (at most 500000 in all expected)"));
    assert_eq!(server.json("/stats/n"), json!({ "n": [1] }));
}

#[test]
fn sums_of_ever_new_labels_are_bounded_and_reported() {
    const LABELS: usize = 300;
    const ROUNDS: usize = 12;
    let directory = directory();
    let shop = shop(&directory, "shop.mmstats");
    shop.orders.add(7);
    let sources = Sources::new(SourceOptions::default()).unwrap();
    let mut scraper = Scraper::new(vec![directory.path().to_owned()], sources);
    let mut totals = Totals::with_max_bytes(64 << 20);
    let mut pages = Vec::new();
    for round in 0..ROUNDS {
        let memory = leaked_region(LABELS * 600);
        let view = memory.view();
        let mut writer = Writer::<V2>::with_immutable_layout(memory).unwrap();
        for label in 0..LABELS {
            let label = format!("{}.{round}.{label}", "x".repeat(4000));
            let counter: Counter<u64, _> = writer.add(Counter::builder(&label)).unwrap();
            counter.incr();
        }
        fs::write(directory.path().join("next"), bytes(&view)).unwrap();
        fs::rename(directory.path().join("next"), directory.path().join("a.mmstats")).unwrap();
        let scrape = scraper.scrape();
        totals.add(&scrape, false);
        if round == 0 || round + 2 >= ROUNDS {
            pages.push(totals.page(&scrape, Duration::ZERO, &Settings::default()));
        }
    }
    let [first, before, last] = &pages[..] else { panic!("{} pages", pages.len()) };
    assert!(pages.iter().all(|page| page.text.contains("\nshop_orders_total 7\n")));
    assert_eq!(last.text.len(), before.text.len());
    let reasons: Vec<&str> = last.dropped.iter().map(|dropped| &dropped.reason[..]).collect();
    assert_eq!(reasons, ["dropped, as 300 in all: all sums have 67108864 bytes"]);
    assert!(first.dropped.is_empty());
}

#[test]
fn json_has_no_numbers_that_parsers_of_doubles_refuse() {
    let directory = directory();
    let file = directory.path().join("a.mmstats");
    let stats = region_bytes(|writer| {
        for (label, value) in [("far", 1e300), ("negative", -1e300), ("small", 1e180)] {
            let gauge: Gauge<f64, _> =
                writer.add(Gauge::builder(label).unit(units::seconds.e(127))).unwrap();
            gauge.set(value);
        }
    });
    fs::write(&file, stats).unwrap();
    let expected = [json!("Infinity"), json!("-Infinity"), json!(1e307)];
    let run_tool = |tool: &str, arguments: &[&str]| {
        run(Command::new(program("--bin", tool)).args(arguments).arg(&file)).out
    };
    let lines = run_tool("slurpstats", &["--json"]);
    let values: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["value"].clone())
        .collect();
    assert_eq!(values, expected);
    let row = run_tool("pollstats", &["--json", "--count", "1", "far,negative,small"]);
    let row: Value = serde_json::from_str(&row).unwrap();
    let values = ["far", "negative", "small"].map(|label| row["values"][label].clone());
    assert_eq!(values, expected);
    let server = Mmash::start(command(&["-d", "0.1"]).arg(&file));
    for target in ["/api/v1/stats", "/api/v1/stats?by=label"] {
        let stats = server.json(target);
        let values = [0, 1, 2].map(|at| stats["stats"][at]["value"].clone());
        assert_eq!(values, expected, "{target}");
    }
    for (label, value) in ["far", "negative", "small"].iter().zip(&expected) {
        assert_eq!(server.json(&format!("/stats/{label}"))[label][0], *value);
    }
}

#[test]
fn counts_beyond_64_bits_are_the_same_in_json_and_metrics() {
    let directory = directory();
    let stats = region_bytes(|writer| {
        let _: Histogram<0, 4, u64, _> = writer.add(Histogram::builder("h")).unwrap();
    });
    let file = directory.path().join("a.mmstats");
    fs::write(&file, with_full_buckets(stats)).unwrap();
    let server = Mmash::start(command(&["-d", "0.1"]).arg(&file));
    let count = server.json("/api/v1/stats")["stats"][0]["value"]["count"].clone();
    assert_eq!(count, json!(u64::MAX));
    let page = server.get("/metrics").text();
    assert!(page.contains(&format!("h_count{{file={:?}}} {}\n", file, u64::MAX)), "{page}");
    let slurped = |arguments: &[&str]| {
        run(Command::new(program("--bin", "slurpstats")).args(arguments).arg(&file)).out
    };
    assert!(slurped(&["--json"]).contains(&format!("\"count\":{}", u64::MAX)));
    assert!(slurped(&[]).contains(&format!("count {}", u64::MAX)));
}

/// Sets all buckets of the only field to their maximum.
fn with_full_buckets(mut stats: Vec<u8>) -> Vec<u8> {
    use mmstats_core::reader::Directory;
    let location = {
        let directory = Directory::open(&stats).unwrap();
        let entry = directory.entries().next().unwrap().unwrap();
        assert_eq!(entry.location.ty, Type::U64);
        entry.location
    };
    // The sum comes first.
    let start = location.offset as usize + 8;
    let end = location.offset as usize + location.size as usize;
    stats[start..end].fill(0xff);
    stats
}

/// Publishes this many labels of 250 times `a` and a number.
fn long_labels(labels: usize) -> (TempDir, Mmash) {
    let directory = directory();
    let stats = (0..labels).fold(VersionOne::default(), |stats, at| {
        stats.field(format!("{}{at:05}", "a".repeat(250)), "B", [1])
    });
    fs::write(directory.path().join("a.mmstats"), stats.finish()).unwrap();
    let server = Mmash::serve(directory.path(), &["-d", "60"]);
    server.wait_for("/healthz", |health| health["scrapes"] == 1);
    (directory, server)
}

fn duration(server: &Mmash, target: &str) -> Duration {
    let start = Instant::now();
    assert_eq!(server.get(target).status, 200, "{target}");
    start.elapsed()
}

#[test]
fn long_patterns_take_about_as_long_as_short_ones() {
    let (_directory, server) = long_labels(1000);
    let query = |start: &str| {
        let patterns: Vec<String> = (0..60).map(|at| format!("match=*{start}{at:02}b")).collect();
        format!("/api/v1/stats?{}", patterns.join("&"))
    };
    let [short, long] = [query("a"), query(&"a".repeat(120))]
        .map(|query| (0..3).map(|_| duration(&server, &query)).min().unwrap());
    assert!(long < short * 10, "{long:?} is not {short:?}");
}

#[test]
fn a_query_of_expensive_patterns_is_refused_and_delays_others_little() {
    let (_directory, server) = long_labels(1000);
    // Each is compared with a label from each of its characters on.
    let patterns: Vec<String> =
        (0..60).map(|at| format!("match=*{}?{at:02}b", "a".repeat(120))).collect();
    let query = patterns.join("&");
    for target in [
        format!("/api/v1/stats?{query}"),
        format!("/api/v1/stats?by=label&{query}"),
        format!("/api/v1/query?{query}"),
        format!("/?q={}", "aa+".repeat(9000)),
    ] {
        let refused = server.get(&target);
        assert_eq!(refused.status, 400, "{target}");
        assert!(refused.text().contains("fewer or shorter patterns"), "{}", refused.text());
    }
    let mut stream =
        open(server.address, &request(server.address, "GET", &format!("/events?{query}"), ""))
            .unwrap();
    let comment = stream.chunk().unwrap().unwrap();
    assert!(comment.starts_with(b": stopped, too many"), "{}", comment.escape_ascii());
    let accepted = duration(&server, &format!("/api/v1/stats?{}", patterns[0]));
    for _ in 0..8 {
        let request = request(server.address, "GET", &format!("/api/v1/stats?{query}"), "");
        connect(server.address).write_all(&request).unwrap();
    }
    let delayed = duration(&server, "/metrics");
    assert!(delayed < accepted * 50, "{delayed:?} is not {accepted:?}");
}
