//! `pollstats` with changing stats: counters that wrap, processes that restart, files that appear,
//! vanish and are truncated.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmstats_core::model;
use mmstats_std::{Counter, Gauge, Histogram, Options, Published, publish};
use mmstats_tests::cli::{VersionOne, program, run, without_environment};
use mmstats_tests::images::Dir;
use mmstats_tests::programs::{End, Program};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

model! {
/// The changing stats.
    struct Work in "work." {
        jobs: Counter<u32>,
        depth: Gauge<i32>,
        time: Histogram<2, 30>,
    }
}

fn work(dir: &Dir, name: &str) -> Published<Work> {
    let directory = dir.path().to_str().unwrap().to_owned().leak();
    publish::<Work>(&Options::new().directory(directory).file_name(name.to_owned().leak())).unwrap()
}

/// A run that prints JSON, faster than the stats change.
struct Poll(Program);

impl Poll {
    fn start(dir: &Dir, arguments: &[&str]) -> Poll {
        let mut command = Command::new(program("--bin", "pollstats"));
        let command = command
            .current_dir(dir.path())
            .args(["--json", "-d", "0.01", "-p", "work."])
            .args(arguments);
        Poll(Program::spawn(without_environment(command)))
    }

    fn row(&mut self) -> Value {
        serde_json::from_str(&self.0.line()).unwrap()
    }

    /// Returns the first column of the next row.
    fn value(&mut self) -> Value {
        self.row()["values"].as_object().unwrap().values().next().unwrap().clone()
    }

    /// Adds changes, which are never negative, until they reach a total, and checks that it stays.
    fn grows_by(&mut self, wanted: i64) {
        let mut sum = 0;
        while sum < wanted {
            let change = self.value();
            assert!(change.is_null() || change.as_i64().unwrap() >= 0, "{change}");
            sum += change.as_i64().unwrap_or(0);
        }
        assert_eq!(sum, wanted);
        for _ in 0..5 {
            assert!(matches!(self.value().as_i64(), None | Some(0)));
        }
    }

    /// Waits for a value that satisfies a condition.
    fn becomes(&mut self, wanted: &Value) {
        while self.value() != *wanted {}
    }

    fn signal(self, signal: Signal) -> End {
        kill_process(Pid::from_raw(self.0.pid() as i32).unwrap(), signal).unwrap();
        self.0.end()
    }

    fn interrupt(self) -> (Option<i32>, String) {
        let end = self.signal(Signal::INT);
        (end.status.code(), end.errors)
    }
}

#[test]
fn a_wrapped_counter_continues() {
    let dir = Dir::default();
    let stats = work(&dir, "1");
    stats.jobs.add(u32::MAX - 2);
    let mut poll = Poll::start(&dir, &["jobs", "1"]);
    assert_eq!(poll.value(), json!(u32::MAX - 2));
    stats.jobs.add(7);
    poll.grows_by(7);
    assert_eq!(poll.interrupt(), (Some(0), String::new()));
}

#[test]
fn a_restarted_process_counts_from_zero() {
    let dir = Dir::default();
    let (first, staying) = (work(&dir, "1.mmstats"), work(&dir, "2.mmstats"));
    first.jobs.add(100);
    staying.jobs.add(1000);
    let (mut changes, mut totals) =
        (Poll::start(&dir, &["jobs", "."]), Poll::start(&dir, &["--totals", "jobs", "."]));
    assert_eq!((changes.value(), totals.value()), (json!(1100), json!(1100)));
    // With the same name.
    drop(first);
    let second = work(&dir, "1.mmstats");
    second.jobs.add(5);
    changes.grows_by(5);
    totals.becomes(&json!(1105));
    // A second process is added; one that ends subtracts nothing.
    let third = work(&dir, "3.mmstats");
    third.jobs.add(20);
    drop(staying);
    changes.grows_by(20);
    totals.becomes(&json!(1125));
    drop(second);
    third.jobs.incr();
    changes.grows_by(1);
    totals.becomes(&json!(1126));
    // When all have ended, the total stays.
    drop(third);
    changes.becomes(&Value::Null);
    (0..10).for_each(|_| assert_eq!(totals.value(), json!(1126)));
    assert_eq!(
        (changes.interrupt(), totals.interrupt()),
        ((Some(0), String::new()), (Some(0), String::new()))
    );
}

#[test]
fn a_truncated_file_is_reported_once_and_continues_when_restored() {
    let dir = Dir::default();
    let one =
        |value: u64| VersionOne::default().field("work.jobs", "Q", value.to_ne_bytes()).finish();
    let (file, staying) = (dir.file("1", &one(10)), work(&dir, "2"));
    let mut poll = Poll::start(&dir, &["jobs", "1", "2"]);
    assert_eq!(poll.value(), json!(10));
    let handle = File::options().write(true).open(&file).unwrap();
    handle.set_len(4).unwrap();
    staying.jobs.add(3);
    poll.grows_by(3);
    fs::write(&file, one(17)).unwrap();
    poll.grows_by(7);
    let (status, reported) = poll.interrupt();
    assert_eq!(status, Some(1));
    assert!(
        reported.lines().all(|line| line.starts_with("pollstats: 1: "))
            && (1..=3).contains(&reported.lines().count()),
        "{reported}"
    );
}

#[test]
fn files_that_appear_and_vanish_are_followed_and_reported_on_request() {
    let dir = Dir::default();
    let mut poll = Poll::start(&dir, &["-v", "jobs", "."]);
    assert_eq!(poll.value(), Value::Null);
    let stats = work(&dir, "late.mmstats");
    stats.jobs.add(4);
    poll.grows_by(4);
    drop(stats);
    poll.becomes(&Value::Null);
    let reported = "pollstats: no files found yet: searched ./*.mmstats\npollstats: ./late.mmstats: appeared\npollstats: ./late.mmstats: vanished\n";
    assert_eq!(poll.interrupt(), (Some(0), reported.to_owned()));
}

#[test]
fn gauges_and_distributions_are_current() {
    let dir = Dir::default();
    let (one, other) = (work(&dir, "1"), work(&dir, "2"));
    (0..1000).for_each(|_| one.time.record(1));
    one.depth.set(3);
    let mut depth = Poll::start(&dir, &["--agg", "max", "depth", "1", "2"]);
    let mut low = Poll::start(&dir, &["-y", "time:min", "1", "2"]);
    assert_eq!((depth.value(), low.value()), (json!(3), Value::Null));
    other.depth.set(9);
    depth.becomes(&json!(9));
    other.depth.set(-9);
    depth.becomes(&json!(3));
    // A thousand times larger than all before: only new values count.
    other.time.record(1024);
    let value = loop {
        let value = low.value();
        if !value.is_null() {
            break value;
        }
    };
    assert_eq!(value, json!(1024));
    assert_eq!(low.value(), Value::Null);
}

#[test]
fn rates_are_per_second_of_elapsed_time() {
    let dir = Dir::default();
    let stats = work(&dir, "1");
    let mut poll = Poll::start(&dir, &["--rate", "-d", "0.05", "jobs,depth", "1"]);
    stats.depth.set(5);
    let row = poll.row();
    assert_eq!(
        (&row["seconds"], &row["values"]["jobs"], row.get("total")),
        (&Value::Null, &Value::Null, None)
    );
    stats.jobs.add(1000);
    let mut sum = 0.0;
    while sum < 999.0 {
        let row = poll.row();
        let (seconds, rate) =
            (row["seconds"].as_f64().unwrap(), row["values"]["jobs"].as_f64().unwrap());
        assert!(seconds > 0.0);
        sum += seconds * rate;
    }
    assert!((sum - 1000.0).abs() < 1e-6, "{sum}");
    poll.becomes(&json!(5));
}

#[test]
fn rows_are_printed_at_their_times_and_no_earlier() {
    let dir = Dir::default();
    let _stats = work(&dir, "1");
    let mut poll = Poll::start(&dir, &["-c", "11", "-d", "0.05", "jobs", "1"]);
    let elapsed: f64 = (0..11).map(|_| poll.row()["seconds"].as_f64().unwrap_or(0.0)).sum();
    // The first one is late by the time to start.
    assert!(elapsed > 0.45, "{elapsed}");
    assert!(poll.0.end().status.success());
}

#[test]
fn a_pattern_that_matches_more_fields_gets_a_new_header() {
    let dir = Dir::default();
    let jobs = |label: &str| VersionOne::default().field(label, "Q", 7_u64.to_ne_bytes()).finish();
    dir.file("1.mmstats", &jobs("b"));
    let mut command = Command::new(program("--bin", "pollstats"));
    let mut poll = Program::spawn(
        without_environment(&mut command)
            .current_dir(dir.path())
            .args(["-d", "0.01", "--csv", "*", "."]),
    );
    assert_eq!(poll.line().trim_end(), "time,seconds,b");
    dir.file("new", &jobs("a"));
    fs::rename(dir.path().join("new"), dir.path().join("2.mmstats")).unwrap();
    let header = loop {
        let line = poll.line();
        if line.starts_with("time") {
            break line;
        }
    };
    assert_eq!(header.trim_end(), "time,seconds,a,b");
    // It has no creation time, so its counts can be old.
    let row = poll.line();
    assert!(row.trim_end().ends_with(",0,0"), "{row}");
}

#[test]
fn a_signal_ends_it_at_once_and_quietly() {
    let dir = Dir::default();
    let _stats = work(&dir, "1");
    for signal in [Signal::INT, Signal::TERM] {
        let mut poll = Poll::start(&dir, &["-d", "1h", "jobs", "1"]);
        poll.row();
        let end = poll.signal(signal);
        assert_eq!((end.status.code(), end.errors.as_str(), end.lines.len()), (Some(0), "", 0));
    }
}

// Recordings

#[test]
fn a_recording_shows_the_same_rows_again() {
    let dir = Dir::default();
    let (one, other) = (work(&dir, "1.mmstats"), work(&dir, "2.mmstats"));
    one.jobs.add(100);
    for format in ["--json", "--csv", "-t"] {
        for options in
            [&["--group-by=file"][..], &["--rate"], &["--totals"], &["-y", "-f", "sys.pid"]]
        {
            let wanted = "work.jobs,work.depth,work.time:p50,*.time,*.boot_id,sys.c*,none";
            let arguments = [&[format, wanted], options].concat();
            let mut command = Command::new(program("--bin", "pollstats"));
            let command = command.current_dir(dir.path()).args(&arguments).args([
                ".",
                "-d",
                "0.01",
                "-c",
                "30",
                "--record",
                "recording",
            ]);
            let mut live = Program::spawn(without_environment(command));
            let first = live.line();
            other.jobs.incr();
            let third = work(&dir, "3.mmstats");
            third.jobs.add(3);
            third.time.record(9);
            let second = live.line();
            drop(third);
            let end = live.end();
            let live: String =
                [first, second].into_iter().chain(end.lines).map(|line| line + "\n").collect();
            let replayed = run(Command::new(program("--bin", "pollstats"))
                .current_dir(dir.path())
                .args(&arguments)
                .args(["--replay", "recording"]));
            assert_eq!(
                (replayed.out.replace("\r\n", "\n"), replayed.status),
                (live, end.status.code().unwrap()),
                "{arguments:?}"
            );
        }
    }
}

#[test]
fn a_truncated_recording_is_shown_up_to_its_end() {
    let dir = Dir::default();
    let _one = work(&dir, "1.mmstats");
    let pollstats = || {
        let mut command = Command::new(program("--bin", "pollstats"));
        command.current_dir(dir.path());
        command
    };
    assert_eq!(
        run(pollstats().args(["work.jobs", "1.mmstats", "-c3", "-d0.01", "--record", "whole"]))
            .status,
        0
    );
    let whole = fs::read(dir.path().join("whole")).unwrap();
    dir.file("cut", &whole[..whole.len() - 20]);
    let outcome = run(pollstats().args(["work.jobs", "--replay", "cut"]));
    assert_eq!((outcome.out.lines().count(), outcome.status), (3, 1));
    assert_eq!(outcome.err, "pollstats: cut: line 4: truncated\n");
    let standard_input = |name: &str| {
        let mut command = pollstats();
        let command = without_environment(command.args(["work.jobs", "--replay", "-"]))
            .stdin(File::open(dir.path().join(name)).unwrap());
        let output = command.stderr(Stdio::piped()).output().unwrap();
        (
            String::from_utf8(output.stdout).unwrap().lines().count(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(standard_input("whole"), (4, String::new()));
    assert_eq!(standard_input("cut"), (3, "pollstats: -: line 4: truncated\n".to_owned()));
    dir.file("other", b"Dear reader\n");
    for (name, reported) in [
        ("other", "line 1: not a recording of pollstats"),
        ("missing", "No such file"),
        (".", "directory"),
    ] {
        let outcome = run(pollstats().args(["work.jobs", "--replay", name]));
        assert!(outcome.status == 1 && outcome.err.contains(reported), "{outcome:?}");
    }
    let outcome = run(pollstats().args(["work.jobs", "1.mmstats", "--record", "/dev/full"]));
    assert!(outcome.status == 1 && outcome.err.contains("/dev/full: No space left"), "{outcome:?}");
}

// Terminals

/// Returns the output on a terminal with this number of columns.
fn on_terminal(dir: &Dir, columns: u16, environment: &[(&str, &str)], arguments: &str) -> String {
    let line =
        format!("stty cols {columns}; {} {arguments}", program("--bin", "pollstats").display());
    let mut command = Command::new("script");
    command
        .current_dir(dir.path())
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm-256color");
    run(command.envs(environment.iter().copied())).out.replace("\r\n", "\n")
}

#[test]
fn a_terminal_gets_as_many_columns_as_fit() {
    let dir = Dir::default();
    let stats = work(&dir, "1");
    stats.jobs.add(12_345);
    let plain = |columns, arguments| on_terminal(&dir, columns, &[("NO_COLOR", "1")], arguments);
    assert_eq!(
        plain(80, "-c1 work.jobs,work.depth 1"),
        "work.jobs  work.depth\n    12.3k           0  (total since start)\n"
    );
    assert_eq!(
        plain(28, "-c1 work.jobs,work.depth 1"),
        "…rk.jobs  …k.depth\n   12.3k         0  (total)\n"
    );
    let narrow = plain(40, "-c2 -d0.01 work.jobs,work.depth,work.time,sys.pid,sys.uid,sys.gid 1");
    assert!(
        narrow.lines().all(|line| line.chars().count() <= 40) && narrow.contains("do not fit)"),
        "{narrow}"
    );
    let coloured = on_terminal(&dir, 80, &[], "-y -c1 -d0.01 work.jobs,none 1");
    let expected =
        "\x1b[1mwork.jobs    none\x1b[0m\n        \x1b[36m0\x1b[0m       \x1b[2m-\x1b[0m\n";
    assert!(coloured.ends_with(expected), "{coloured:?}");
    // Not a terminal, but with colours.
    let mut command = Command::new(program("--bin", "pollstats"));
    let forced = run(command
        .current_dir(dir.path())
        .args(["-c1", "work.jobs", "1"])
        .env("CLICOLOR_FORCE", "1"));
    assert_eq!(
        forced.out,
        "\x1b[1m     work.jobs      \x1b[0m\n              12345 (total since start)\n"
    );
}

#[test]
fn pollstats_ends_when_nobody_reads_its_messages_any_more() {
    let dir = Dir::default();
    let out = File::create(dir.path().join("log")).unwrap();
    let mut poll = Command::new(program("--bin", "pollstats"))
        .args(["-d", "0.05", "n"])
        .arg(dir.path())
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The connection breaks.
    drop(poll.stderr.take());
    let begin = Instant::now();
    while poll.try_wait().unwrap().is_none() {
        if begin.elapsed() > Duration::from_secs(30) {
            poll.kill().unwrap();
            panic!("it runs on");
        }
        sleep(Duration::from_millis(10));
    }
}
