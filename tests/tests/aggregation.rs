//! Values of several writers are combined by the same rules in all tools.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use mmstats_core::format::crc32;
use mmstats_core::model;
use mmstats_std::identity::ProcessId;
use mmstats_std::{Counter, Flag, Gauge, Options, Published, Text, per_thread, publish};
use mmstats_tests::cli::{program, run};
use mmstats_tests::images::Dir;
use serde_json::{Value, json};

model! {
    /// A cache.
    struct Cache in "cache." {
        hits: Counter,
        hit_ratio: Gauge<f64> [ratio],
        entries: Gauge<u32>,
        last_hit: Gauge<f64> [unixtime],
    }
}

fn cache(dir: &Dir, name: &'static str, hits: u64) -> Published<Cache> {
    let directory = dir.path().to_str().unwrap().to_owned().leak();
    let cache = publish::<Cache>(&Options::new().directory(directory).file_name(name)).unwrap();
    cache.hits.add(hits);
    cache.hit_ratio.set(hits as f64 / 8.0);
    cache.entries.set(hits as u32 * 10);
    cache.last_hit.set(1000.0 + hits as f64);
    cache
}

/// Writes a copy of a file in which a number of its writer's identity is another one.
fn copy(dir: &Dir, from: &str, to: &str, number: u64, other: u64) {
    let mut bytes = fs::read(dir.path().join(from)).unwrap();
    let places: Vec<usize> =
        (0..bytes.len() - 8).filter(|at| bytes[*at..at + 8] == number.to_ne_bytes()).collect();
    assert_eq!(places.len(), 1, "{number} is in the file once");
    bytes[places[0]..places[0] + 8].copy_from_slice(&other.to_ne_bytes());
    // The checksum of the directory, as FORMAT.md has it.
    let directory = u64::from_ne_bytes(bytes[16..24].try_into().unwrap()) as usize;
    let length = u32::from_ne_bytes(bytes[36..40].try_into().unwrap()) as usize;
    let checksum = crc32(0, &bytes[directory..directory + length]);
    bytes[28..32].copy_from_slice(&checksum.to_ne_bytes());
    fs::write(dir.path().join(to), bytes).unwrap();
}

fn output(dir: &Dir, tool: &str, arguments: &[&str]) -> String {
    output_in(dir.path(), tool, arguments)
}

fn output_in(directory: &Path, tool: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program("--bin", tool));
    let outcome = run(command.current_dir(directory).args(arguments));
    assert_eq!((outcome.err.as_str(), outcome.status), ("", 0), "{tool} {arguments:?}");
    outcome.out
}

fn rows(dir: &Dir, arguments: &[&str]) -> Vec<Value> {
    output(dir, "pollstats", &[&["--json", "-c1"], arguments].concat())
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Two files of this process, and one of a process that had its PID and has ended.
fn caches() -> (Dir, [Published<Cache>; 2]) {
    let dir = Dir::default();
    let caches = [cache(&dir, "a.mmstats", 2), cache(&dir, "b.mmstats", 6)];
    let dead = cache(&dir, "template.mmstats", 7);
    let start = ProcessId::current().start().unwrap();
    copy(&dir, "template.mmstats", "dead.mmstats", start, start - 1);
    drop(dead);
    (dir, caches)
}

#[test]
fn pollstats_averages_ratios_and_adds_no_process_ids() {
    let (dir, _caches) = caches();
    let fields = "cache.hits,cache.hit_ratio,cache.entries,cache.last_hit,sys.pid";
    let pid = std::process::id();
    assert_eq!(
        rows(&dir, &[fields, "."])[0]["values"],
        json!({
            "cache.hits": 15,
            "cache.hit_ratio": 0.5,
            "cache.entries": 80,
            "cache.last_hit": 1006.0,
            "sys.pid": pid,
        })
    );
    // Only a dead writer is left.
    assert_eq!(
        rows(&dir, &["cache.hits,cache.entries", "dead.mmstats"])[0]["values"],
        json!({ "cache.hits": 7, "cache.entries": 70 })
    );
    for (aggregation, ratio) in
        [("sum", 1.0), ("avg", 0.5), ("min", 0.25), ("max", 0.75), ("last", 0.75)]
    {
        let row = &rows(&dir, &["cache.hit_ratio", "--agg", aggregation, "."])[0];
        assert_eq!(row["values"], json!({ "cache.hit_ratio": ratio }), "{aggregation}");
    }
}

#[test]
fn topstats_and_sums_for_prometheus_combine_writers_as_pollstats_does() {
    let (dir, _caches) = caches();
    let table = output(&dir, "topstats", &["-b", "-d", "0.1", "-f", "cache", "."]);
    let words = |label: &str| -> Vec<&str> {
        let line = table.lines().find(|line| line.contains(label));
        line.unwrap_or_else(|| panic!("no {label} in {table}")).split_whitespace().collect()
    };
    assert_eq!(words("cache.hits"), ["cache.hits", "15", "0"]);
    assert_eq!(words("cache.hit_ratio"), ["cache.hit_ratio", "avg", "50%"]);
    assert_eq!(words("cache.entries"), ["cache.entries", "80"]);
    let sums = output(&dir, "slurpstats", &["--prometheus", "--sum", "."]);
    for line in ["cache_hits_total 15", "cache_hit_ratio 0.5", "cache_entries 80"] {
        assert!(sums.lines().any(|other| other == line), "no {line} in {sums}");
    }
}

#[test]
fn processes_with_the_same_pid_in_other_namespaces_are_shown_apart() {
    let dir = Dir::default();
    let own = cache(&dir, "a.mmstats", 1);
    let namespace = ProcessId::current().pid_namespace().unwrap();
    copy(&dir, "a.mmstats", "b.mmstats", namespace, 4_000_000_001);
    let pid = std::process::id();
    own.hits.add(1);
    let all = rows(&dir, &["--group-by", "process", "cache.hits", "."]);
    let mut shown: Vec<_> = all
        .iter()
        .map(|row| (row["pid"].clone(), row["note"].clone(), row["values"]["cache.hits"].clone()))
        .collect();
    shown.sort_by_key(|(_, _, hits)| hits.as_u64());
    let note = json!("pid namespace 4000000001");
    assert_eq!(
        shown,
        [(json!(pid), note, json!(1)), (json!(pid), Value::Null, json!(2))],
        "{all:?}"
    );
    let table = output(&dir, "pollstats", &["-c1", "--group-by", "process", "cache.hits", "."]);
    assert!(table.contains(&format!(" {pid} |")), "{table}");
    assert!(table.contains(&format!("{pid} (pid namespace 4000000001) |")), "{table}");
    let table = output(&dir, "topstats", &["-b", "-d", "0.1", "-g", "process", "-f", "hits", "."]);
    let groups = table
        .lines()
        .filter(|line| line.trim_start_matches(['†', ' ']).starts_with(&pid.to_string()));
    assert_eq!(groups.count(), 2, "{table}");
}

model! {
    /// Counters of different scales.
    struct Rates in "rates." {
        requests: Counter,
        megabytes: Counter [bytes.e(6)],
    }
}

#[test]
fn topstats_sorts_by_rates_as_they_are_displayed() {
    let dir = Dir::default();
    let directory = dir.path().to_str().unwrap().to_owned().leak();
    let rates = publish::<Rates>(&Options::new().directory(directory)).unwrap();
    let child = Command::new(program("--bin", "topstats"))
        .current_dir(dir.path())
        .args(["-b", "-d", "0.5", "-s", "rate", "-f", "rates", "."])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let reader = thread::spawn(|| child.wait_with_output().unwrap());
    while !reader.is_finished() {
        rates.requests.add(1000);
        rates.megabytes.incr();
        thread::sleep(Duration::from_millis(1));
    }
    let table = String::from_utf8(reader.join().unwrap().stdout).unwrap();
    let [megabytes, requests] =
        ["rates.megabytes", "rates.requests"].map(|label| table.find(label).unwrap());
    assert!(megabytes < requests, "{table}");
}

model! {
    /// A worker of a pool.
    struct Pool in "pool." {
        jobs: Counter,
        load: Gauge<f64> [ratio],
        open: Gauge<u32>,
        is_idle: Flag,
        state: Text<16>,
    }
}

per_thread! {
    static POOL: Pool = Options::new().directory(POOL_DIRECTORY);
}

const POOL_DIRECTORY: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/ended-threads");

fn work(load: f64) {
    POOL.with(|pool| {
        pool.jobs.incr();
        pool.load.set(load);
        pool.open.set(4);
        pool.is_idle.set(false);
        pool.state.set("busy");
    });
}

#[test]
fn ended_threads_count_in_counters_only() {
    let _ = fs::remove_dir_all(POOL_DIRECTORY);
    fs::create_dir(POOL_DIRECTORY).unwrap();
    let all_have_files = Barrier::new(3);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                work(0.9);
                all_have_files.wait();
            });
        }
    });
    // Takes over one of their files.
    work(0.25);
    let fields = "pool.jobs,pool.load,pool.open";
    let expected = json!({ "pool.jobs": 4, "pool.load": 0.25, "pool.open": 4 });
    for aggregation in [&[][..], &["--agg", "min"], &["--agg", "last"]] {
        let arguments = [&["--json", "-c1", fields, "."], aggregation].concat();
        let row: Value =
            serde_json::from_str(&output_in(Path::new(POOL_DIRECTORY), "pollstats", &arguments))
                .unwrap();
        assert_eq!(row["values"], expected, "{aggregation:?}");
    }
    let table =
        output_in(Path::new(POOL_DIRECTORY), "topstats", &["-b", "-d", "0.1", "-f", "pool", "."]);
    for words in [
        &["pool.jobs", "4", "0"][..],
        &["pool.load", "25%"],
        &["pool.open", "4"],
        &["pool.is_idle", "false"],
        &["pool.state", "busy"],
    ] {
        let is_row = |line: &str| line.split_whitespace().eq(words.iter().copied());
        assert!(table.lines().any(is_row), "no {words:?} in {table}");
    }
    let sums = output_in(Path::new(POOL_DIRECTORY), "slurpstats", &["--prometheus", "--sum", "."]);
    for line in ["pool_jobs_total 4", "pool_load_ratio 0.25", "pool_open 4"] {
        assert!(sums.lines().any(|other| other == line), "no {line} in {sums}");
    }
}
