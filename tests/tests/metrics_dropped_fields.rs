//! The warnings of `mmash` about fields that are not in the metrics.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmstats_core::{Counter, Gauge};
use mmstats_tests::cli::program;
use mmstats_tests::mmash::{Mmash, command};
use mmstats_tests::programs::{Program, directory};
use mmstats_tests::regions::region_bytes;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn each_dropped_field_is_reported_once() {
    let directory = directory();
    let counters = region_bytes(|writer| {
        let _: Counter<u64, _> = writer.add(Counter::builder("one")).unwrap();
        let _: Counter<u64, _> = writer.add(Counter::builder("other")).unwrap();
    });
    let gauges = region_bytes(|writer| {
        let _: Gauge<u64, _> = writer.add(Gauge::builder("one")).unwrap();
        let _: Gauge<u64, _> = writer.add(Gauge::builder("other")).unwrap();
    });
    fs::write(directory.path().join("1.mmstats"), counters).unwrap();
    fs::write(directory.path().join("2.mmstats"), gauges).unwrap();
    let server = Mmash::serve(directory.path(), &["--sum"]);
    for _ in 0..3 {
        let page = server.get("/metrics").text();
        assert!(page.contains("\nmmstats_dropped_fields 2\n"), "{page}");
    }
    server.signal(Signal::TERM);
    let reported = |label: &str| {
        format!(
            "mmash: not in the metrics: {label}: dropped: as a gauge, it would be {label}, which is taken by {label} (a counter)\n"
        )
    };
    assert_eq!(server.end().errors, reported("one") + &reported("other"));
}

#[test]
fn named_files_without_stats_are_reported_once_and_found_ones_are_not() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("named.mmstats"), "no stats").unwrap();
    fs::create_dir(at("stats")).unwrap();
    fs::write(at("stats/found.mmstats"), "no stats either").unwrap();
    let named =
        ["named.mmstats", "missing", "stats"].map(|name| at(name).to_str().unwrap().to_owned());
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let lines = |errors: &str| {
        let mut lines: Vec<_> = errors.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let expected = [
        format!("mmash: {}: No such file or directory (os error 2)", named[1]),
        format!("mmash: {}: not an mmstats file", named[0]),
    ];

    let server = Mmash::start(&mut command(&named));
    server.wait_for("/healthz", |health| health["scrapes"].as_u64() > Some(1));
    server.signal(Signal::TERM);
    assert_eq!(lines(&server.end().errors), expected);

    let file = at("out.prom");
    let failures = "\nmmstats_read_failures{textfile=\"out\"} 3\n";
    let scrapes = || fs::read_to_string(&file).is_ok_and(|page| page.contains(failures));
    let mut program = Command::new(program("--bin", "mmash"));
    let program = Program::spawn(program.args(["-d", "0.1", "--textfile"]).arg(&file).args(&named));
    // It was removed, and exists again after the next scrape.
    for _ in 0..3 {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !scrapes() {
            assert!(Instant::now() < deadline);
            sleep(Duration::from_millis(10));
        }
        fs::remove_file(&file).unwrap();
    }
    kill_process(Pid::from_raw(i32::try_from(program.pid()).unwrap()).unwrap(), Signal::TERM)
        .unwrap();
    assert_eq!(lines(&program.end().errors), expected);
}
