//! The output, options and errors of `pollstats`, with files that do not change.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use mmstats_core::model;
use mmstats_std::{
    ConstantText, Counter, Flag, Gauge, Histogram, Options, Published, Text, Timer, publish,
};
use mmstats_tests::cli::{Outcome, VersionOne, program, python, run, without_environment};
use mmstats_tests::images::{Dir, image, pump};
use mmstats_tests::programs::Program;
use serde_json::{Value, json};

fn pollstats() -> Command {
    Command::new(program("--bin", "pollstats"))
}

/// Runs `pollstats` in a directory, so that paths are short and known.
fn poll(dir: &Dir, arguments: &[&str]) -> Outcome {
    run(pollstats().current_dir(dir.path()).args(arguments))
}

/// Returns the output; standard error has to be empty.
fn rows(dir: &Dir, arguments: &[&str]) -> String {
    let outcome = poll(dir, arguments);
    assert_eq!((outcome.err.as_str(), outcome.status), ("", 0), "{arguments:?}");
    outcome.out
}

fn json(dir: &Dir, arguments: &[&str]) -> Vec<Value> {
    rows(dir, &[&["--json", "-d", "0.001"], arguments].concat())
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Returns the values of the first row.
fn first(dir: &Dir, arguments: &[&str]) -> Value {
    json(dir, &[&["-c1"], arguments].concat())[0]["values"].clone()
}

fn counters(prefix: &str, fields: &[(&str, u64)]) -> Vec<u8> {
    fields
        .iter()
        .fold(VersionOne::default(), |file, (label, value)| {
            file.field(format!("{prefix}{label}"), "Q", value.to_ne_bytes())
        })
        .finish()
}

fn web() -> Dir {
    let dir = Dir::default();
    dir.file(
        "mmstats-1",
        &counters("web.stats.status.", &[("2XX", 10), ("3XX", 20), ("4XX", 30), ("5XX", 40)]),
    );
    dir.file("mmstats-2", &counters("web.stats.status.", &[("2XX", 1), ("3XX", 2), ("4XX", 3)]));
    dir
}

const HEADER: &str = "        2XX         |        5XX         \n";
const TOTALS: &str = "                 11 |                 40 (total since start)\n";
const NOTHING: &str = "                  0 |                  0 \n";

model! {
/// One field of each kind.
    struct Work in "work." {
        jobs: Counter,
        bytes_out: Counter<u32> [bytes.e(3)],
        load: Gauge<f64>,
        depth: Gauge<i32>,
        volt: Gauge<i32> [volts.e(-3)],
        busy: Flag,
        state: Text<40>,
        version: ConstantText<8> => "1.2",
        time: Histogram<2, 30> [microseconds],
    }
}

fn work(dir: &Dir, name: &str, numbers: (i32, f64), state: &str) -> Published<Work> {
    let directory = dir.path().to_str().unwrap().to_owned().leak();
    let work =
        publish::<Work>(&Options::new().directory(directory).file_name(name.to_owned().leak()))
            .unwrap();
    let (depth, load) = numbers;
    let amount = depth.unsigned_abs();
    work.jobs.add(amount.into());
    work.bytes_out.add(amount);
    work.load.set(load);
    work.depth.set(depth);
    work.volt.set(depth);
    work.busy.set(depth > 5);
    work.state.set(state);
    (1..=100).for_each(|value| work.time.record(value * u64::from(amount)));
    work
}

// The original's output

#[test]
fn the_commands_of_the_originals_readme_run_unchanged() {
    let dir = web();
    dir.file(
        "flask.mmstats",
        &counters("flask.example.", &[("ok", 5), ("bad", 1), ("working", 2)]),
    );
    fs::rename(dir.path().join("flask.mmstats"), dir.path().join("mmstats-flask")).unwrap();
    // The first has /tmp in the README.
    let path = dir.path().display();
    for (line, header, totals) in [
        (
            format!("pollstats -p web.stats.status 2XX,3XX,4XX,5XX {path}/mmstats-*"),
            "        2XX         |        3XX         |        4XX         |        5XX         ",
            "                 11 |                 22 |                 33 |                 40 (total since start)",
        ),
        (
            "pollstats -p flask.example. ok,bad,working mmstats-*".to_owned(),
            "         ok         |        bad         |      working       ",
            "                  5 |                  1 |                  2 (total since start)",
        ),
    ] {
        let mut command = Command::new("sh");
        let line = line.replacen(
            "pollstats",
            &format!("exec {}", program("--bin", "pollstats").display()),
            1,
        );
        let mut program = Program::spawn(
            without_environment(command.args(["-c", &line])).current_dir(dir.path()),
        );
        assert_eq!([program.line(), program.line()], [header, totals], "{line}");
        // It continues.
        assert!(program.line().starts_with("                  0 |"));
    }
}

#[test]
fn rows_are_exactly_the_originals() {
    let dir = web();
    let arguments =
        ["-d", "0.01", "-c", "2", "-p", "web.stats.status.", "2XX,5XX", "mmstats-1", "mmstats-2"];
    assert_eq!(rows(&dir, &arguments), [HEADER, TOTALS, NOTHING].concat());
    // The header is repeated after this number of rows; never for 0.
    let printed = rows(&dir, &[&["-n2", "-c5"], &arguments[..2], &arguments[4..]].concat());
    assert_eq!(
        printed,
        [HEADER, TOTALS, NOTHING, HEADER, NOTHING, NOTHING, HEADER, NOTHING].concat()
    );
    let printed = rows(&dir, &[&["-n0", "-c30", "-d", "0.001"], &arguments[4..]].concat());
    assert_eq!(printed, [HEADER, TOTALS, &NOTHING.repeat(29)].concat());
    let printed = rows(&dir, &[&["-c", "21", "-d", "0.001"], &arguments[4..]].concat());
    assert_eq!(printed, [HEADER, TOTALS, &NOTHING.repeat(19), HEADER, NOTHING].concat());
    // Wider values widen their column.
    dir.file("wide", &counters("", &[("a.name.of.more.than.twenty", 1), ("large", u64::MAX)]));
    let printed = rows(&dir, &["-c1", "a.name.of.more.than.twenty,large", "wide"]);
    assert_eq!(
        printed,
        "a.name.of.more.than.twenty|        large        \n                        1 |18446744073709551615 (total since start)\n"
    );
}

#[test]
fn options_can_be_in_any_order() {
    let dir = web();
    for line in [
        "-p web.stats.status. -c 1 -d 1 -n 20 2XX,5XX mmstats-1 mmstats-2",
        "2XX,5XX mmstats-1 mmstats-2 -p web.stats.status -c1 -d1",
        "2XX,5XX -c 1 mmstats-1 --prefix=web.stats.status mmstats-2 --delay 5m",
        "--count=1 2XX,5XX --headers 3 mmstats-1 mmstats-2 --pre web.stats.status.",
        "-vpweb.stats.status -c=1 -- 2XX,5XX mmstats-1 mmstats-2",
        "-p web.stats.status 2XX,5XX mmstats-1 mmstats-2 -c 1 -f web. other",
        "-f web. other -p web.stats.status -c 1 2XX,5XX mmstats-1 mmstats-2",
        "-f web. -p web.stats.status -c 1 2XX,5XX mmstats-1 mmstats-2",
        "-p web.stats.status -c 1 -f web. 2XX,5XX mmstats-1 mmstats-2",
        "-p web.stats.status -c 1 2XX,5XX mmstats-1 mmstats-2 -f",
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        assert_eq!(rows(&dir, &arguments), [HEADER, TOTALS].concat(), "{line}");
    }
    assert!(rows(&dir, &["--version"]).starts_with("pollstats 0"));
}

#[test]
fn without_files_the_default_directories_are_searched() {
    let dir = web();
    fs::copy(dir.path().join("mmstats-1"), dir.path().join("a.mmstats")).unwrap();
    let arguments = ["-p", "web.stats.status.", "2XX,5XX", "-c1"];
    let outcome = run(pollstats().args(arguments).env("MMSTATS_PATH", dir.path()));
    assert_eq!(
        outcome.out,
        [HEADER, "                 10 |                 40 (total since start)\n"].concat()
    );
}

// Selection of files

#[test]
fn filters_select_files_by_a_label_or_its_value() {
    let dir = Dir::default();
    let _works = [
        work(&dir, "1", (1, 0.5), "a=b"),
        work(&dir, "2", (6, 2.0), "idle"),
        work(&dir, "3", (1, 0.25), "idle"),
    ];
    dir.file("4", &counters("work.", &[("jobs", 100), ("other{method=\"GET\"}", 7)]));
    for (filter, jobs) in [
        ("-f work.state", 8),
        ("-f work.st", 8),
        ("-f work.depth=6", 6),
        ("-f depth=6", 6),
        ("-f work.busy=True", 6),
        ("-f work.load=0.25", 1),
        ("-f work.volt=0.006", 6),
        ("-f work.state=a=b", 1),
        ("-f state=idle", 7),
        ("-f other", 100),
        ("-f work.other{method=\"GET\"", 100),
        ("-f work.other{method=\"GET\"}=7", 100),
        ("-f other depth=6", 106),
        ("-f other -f depth=6", 106),
        ("-f depth=1 state=idle --match all", 1),
        ("-f depth=1 state=idle --match any", 8),
        ("-f work.version=1.2 --match=all", 8),
        ("-f depth=6 work.sys.pid=1 sys.uid=none", 6),
        ("-fwork.", 108),
    ] {
        let arguments = [
            &["-p", "work.", "jobs", "1", "2", "3", "4"],
            &filter.split(' ').collect::<Vec<_>>()[..],
        ]
        .concat();
        assert_eq!(first(&dir, &arguments), json!({ "jobs": jobs }), "{filter}");
    }
    let pid = format!("sys.pid={}", std::process::id());
    assert_eq!(
        first(&dir, &["work.jobs", "1", "2", "3", "4", "-f", &pid]),
        json!({ "work.jobs": 8 })
    );
    let outcome = poll(&dir, &["-c1", "work.jobs", "1", "2", "-f", "nothing"]);
    assert_eq!((outcome.status, outcome.out.lines().count()), (1, 2));
    assert!(
        outcome.err.starts_with("pollstats: none of 2 files matches the filters yet (--where)\n"),
        "{}",
        outcome.err
    );
}

// Values

#[test]
fn counters_are_summed_measurements_averaged_and_texts_compared() {
    let dir = Dir::default();
    let _works = [
        work(&dir, "1", (2, 0.5), "idle"),
        work(&dir, "2", (7, 1.25), "idle"),
        work(&dir, "3", (-3, 1.25), "idle\u{1b}[2J"),
    ];
    dir.file("4", &counters("other", &[("", 100)]));
    let fields = "jobs,bytes_out,load,depth,volt,busy,state,version,time";
    let values = json(&dir, &["-c2", "-p", "work.", fields, "1", "2", "4"]);
    let gauges = json!({ "load": 1.75, "depth": 9, "volt": 0.0045, "busy": 1, "state": "idle", "version": "1.2" });
    for (row, counts) in values.iter().zip([
        json!({ "jobs": 9, "bytes_out": 9000, "time": 200 }),
        json!({ "jobs": 0, "bytes_out": 0, "time": 0 }),
    ]) {
        for (label, value) in gauges.as_object().unwrap().iter().chain(counts.as_object().unwrap())
        {
            assert_eq!(row["values"][label], *value, "{label}");
        }
    }
    // Texts that differ, and hostile ones.
    assert_eq!(
        rows(&dir, &["-c1", "work.state", "1", "3"]).lines().last().unwrap(),
        "                  * (total since start)"
    );
    assert_eq!(
        rows(&dir, &["-c1", "work.state", "3"]).lines().last().unwrap(),
        "        idle\\x1b[2J (total since start)"
    );
    assert_eq!(
        rows(&dir, &["-c1", "work.load,work.volt", "2"]).lines().last().unwrap(),
        "               1.25 |              0.007 (total since start)"
    );
    for (aggregate, depth, load) in [
        ("sum", json!(6), json!(3.0)),
        ("avg", json!(2.0), json!(1.0)),
        ("min", json!(-3), json!(0.5)),
        ("max", json!(7), json!(1.25)),
    ] {
        assert_eq!(
            first(&dir, &["--agg", aggregate, "work.depth,work.load", "1", "2", "3"]),
            json!({ "work.depth": depth, "work.load": load }),
            "{aggregate}"
        );
    }
    // Timestamps are never added by default.
    let latest = |value: f64| VersionOne::default().field("x", "d", value.to_ne_bytes()).finish();
    dir.file("5", &latest(1.5));
    dir.file("6", &latest(f64::NAN));
    assert_eq!(first(&dir, &["x", "5", "6"]), json!({ "x": "NaN" }));
    let created = first(&dir, &["sys.created", "1", "2"]);
    assert!(
        created["sys.created"].is_null() || created["sys.created"].as_f64().unwrap() < 3e9,
        "{created}"
    );
}

#[test]
fn sums_are_exact() {
    let dir = Dir::default();
    let max = counters("", &[("x", u64::MAX)]);
    dir.file("1", &max);
    dir.file("2", &max);
    assert!(rows(&dir, &["-c1", "x", "1", "2"]).contains("36893488147419103230 "));
    assert!(rows(&dir, &["-c1", "--json", "x", "1", "2"]).contains(r#""x":36893488147419103230"#));
}

#[test]
fn patterns_are_columns_in_order_and_prefixes_are_not_patterns() {
    let dir = web();
    dir.file("more", &counters("a[b]*.", &[("z", 1), ("y", 2), ("x:p50", 3)]));
    let header = |arguments: &[&str]| {
        rows(&dir, &[&["-c1"], arguments].concat())
            .lines()
            .next()
            .unwrap()
            .split('|')
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        header(&["web.*.[45]XX", "mmstats-1", "mmstats-2"]),
        "web.stats.status.4XX web.stats.status.5XX"
    );
    assert_eq!(
        header(&["-p", "web.stats", "status.?XX,status.2XX", "mmstats-2"]),
        "status.2XX status.3XX status.4XX status.2XX"
    );
    assert_eq!(header(&["-p", "web.stats.status", "*", "mmstats-2", "more"]), "2XX 3XX 4XX");
    assert_eq!(header(&["-p", "a[b]*.", "*", "mmstats-2", "more"]), "x:p50 y z");
    // A label that contains a colon.
    assert_eq!(first(&dir, &["-p", "a[b]*", "x:p50", "more"]), json!({ "x:p50": 3 }));
}

#[test]
fn histograms_have_statistics_after_a_colon() {
    let dir = Dir::default();
    let _works = [work(&dir, "1", (1, 0.0), ""), work(&dir, "2", (100, 0.0), "")];
    let values = first(
        &dir,
        &[
            "-p",
            "work.",
            "time,time:count,time:sum,time:mean,time:min,time:max,time:p1,time:p99.9,time:rate",
            "1",
        ],
    );
    let number = |values: &Value, name: &str| values[name].as_f64().unwrap();
    assert_eq!(
        (&values["time"], &values["time:count"], &values["time:rate"]),
        (&json!(100), &json!(100), &Value::Null)
    );
    // Shown in seconds, by the field's scale.
    let near = |found: f64, wanted: f64| (found - wanted).abs() <= wanted * 0.25;
    for (name, wanted) in [
        ("time:sum", 5050e-6),
        ("time:mean", 50.5e-6),
        ("time:min", 1e-6),
        ("time:max", 100e-6),
        ("time:p1", 1e-6),
        ("time:p99.9", 100e-6),
    ] {
        assert!(near(number(&values, name), wanted), "{name}: {values}");
    }
    let both = first(&dir, &["-p", "work.", "time:p50,t*:max,*:count", "1", "2"]);
    assert!(
        near(number(&both, "time:p50"), 95e-6) && near(number(&both, "time:max"), 10_000e-6),
        "{both}"
    );
    assert_eq!(both["time:count"], json!(200));
}

#[test]
fn a_timer_has_the_statistics_of_its_histogram() {
    model! { struct Web in "web." { latency: Timer } }
    let dir = Dir::default();
    let directory = dir.path().to_str().unwrap().to_owned().leak();
    let web = publish::<Web>(&Options::new().directory(directory).file_name("mmstats-1")).unwrap();
    (1..=200).for_each(|milliseconds| web.latency.record(Duration::from_millis(milliseconds)));
    let columns = "latency,latency:p99,latency:count,latency.histogram:count";
    let values = first(&dir, &["-p", "web.", columns, "mmstats-1"]);
    // The mean of the last 100; the others are of all.
    assert!((values["latency"].as_f64().unwrap() - 0.1505).abs() < 1e-9, "{values}");
    let p99 = values["latency:p99"].as_f64().unwrap();
    assert!((0.17..0.23).contains(&p99), "{values}");
    assert_eq!(values["latency:count"], json!(200), "{values}");
    assert_eq!(values["latency.histogram:count"], json!(200), "{values}");
    let by_pattern = first(&dir, &["-p", "web.", "*ency:max", "mmstats-1"]);
    let max = by_pattern["latency.histogram:max"].as_f64().unwrap_or_default();
    assert!((0.17..0.23).contains(&max), "{by_pattern}");
    let rates = json(&dir, &["-c2", "-p", "web.", "latency:rate", "mmstats-1"]);
    assert_eq!(rates[1]["values"]["latency:rate"].as_f64(), Some(0.0), "{rates:?}");
}

#[test]
fn a_timer_with_dimensions_has_the_statistics_of_its_histogram() {
    model! { struct Web in "web." { latency: Timer = "latency{route=\"/a\"}" } }
    let dir = Dir::default();
    let directory = dir.path().to_str().unwrap().to_owned().leak();
    let web = publish::<Web>(&Options::new().directory(directory).file_name("mmstats-1")).unwrap();
    web.latency.record(Duration::from_secs(1));
    let count = "latency{route=\"/a\"}:count";
    let values = first(&dir, &["-p", "web.", count, "mmstats-1"]);
    assert_eq!(values[count], json!(1), "{values}");
    let by_pattern = first(&dir, &["-p", "web.", "*\"/a\"}:count", "mmstats-1"]);
    assert_eq!(by_pattern["latency.histogram{route=\"/a\"}:count"], json!(1), "{by_pattern}");
}

/// Requests by route and status, in two files, and two timers in a third.
fn requests(dir: &Dir) -> Published<Latencies> {
    let label = |route, status| format!("http.requests{{route=\"{route}\",status=\"{status}\"}}");
    let (home, jobs) = (label("/", 200), label("/jobs", 200));
    let (failed, other) = (label("/jobs", 500), "http.requests{status=\"500\"}");
    dir.file("1", &counters("", &[(&home, 1), (&jobs, 10), (&failed, 100)]));
    // Another order of dimensions is the same series.
    let home = "http.requests{status=\"200\",route=\"/\"}";
    dir.file("2", &counters("", &[(home, 1000), (other, 10_000), ("http.requests.total", 7)]));
    let directory = dir.path().to_str().unwrap().to_owned().leak();
    let timers = publish::<Latencies>(&Options::new().directory(directory).file_name("3")).unwrap();
    timers.home.record(Duration::from_millis(1));
    (0..3).for_each(|_| timers.jobs.record(Duration::from_secs(1)));
    timers
}

model! {
    struct Latencies {
        home: Timer = "http.latency{route=\"/\"}",
        jobs: Timer = "http.latency{route=\"/jobs\"}",
    }
}

#[test]
fn a_name_without_dimensions_is_the_sum_over_all_series() {
    let dir = Dir::default();
    let _timers = requests(&dir);
    let both = |names| first(&dir, &[names, "1", "2", "3"]);
    let failed = "http.requests{status=\"500\"}";
    let names = format!("http.requests,{failed},http.requests{{route=\"\"}}");
    assert_eq!(
        both(&names),
        json!({ "http.requests": 11_111, failed: 10_100, "http.requests{route=\"\"}": 10_000 })
    );
    let values = first(&dir, &["-p", "http", "requests,latency:count,latency:max", "1", "2", "3"]);
    assert_eq!((&values["requests"], &values["latency:count"]), (&json!(11_111), &json!(4)));
    assert!((0.8..1.3).contains(&values["latency:max"].as_f64().unwrap()), "{values}");
    // A field with exactly this label is preferred in its file.
    dir.file("4", &counters("", &[("http.requests", 5), ("http.requests{route=\"/\"}", 5)]));
    assert_eq!(first(&dir, &["http.requests", "1", "4"]), json!({ "http.requests": 116 }));
    let missing = poll(&dir, &["-c1", "http.requests{status=\"404\"}", "1"]);
    let reported = "pollstats: no file has http.requests{status=\"404\"} yet: searched \
                    http.requests{status=\"404\"}\n";
    assert_eq!((missing.err.as_str(), missing.status), (reported, 1));
}

#[test]
fn columns_are_split_by_the_values_of_a_dimension() {
    let dir = Dir::default();
    let _timers = requests(&dir);
    let split = |by, names| first(&dir, &["--by", by, "-p", "http.", names, "1", "2", "3"]);
    let (home, jobs) = ("requests{route=\"/\"}", "requests{route=\"/jobs\"}");
    let routes = json!({ home: 1001, jobs: 110, "requests": 10_000 });
    assert_eq!(split("route", "requests"), routes);
    assert_eq!(split("route", "req*s{*"), routes);
    assert_eq!(
        split("route", "requests{status=\"500\"}"),
        json!({
            "requests{status=\"500\",route=\"/jobs\"}": 100, "requests{status=\"500\"}": 10_000
        })
    );
    assert_eq!(
        split("status,route", "requests"),
        json!({
            "requests{status=\"200\",route=\"/\"}": 1001,
            "requests{status=\"200\",route=\"/jobs\"}": 10,
            "requests{status=\"500\",route=\"/jobs\"}": 100,
            "requests{status=\"500\"}": 10_000,
        })
    );
    let counts = json!({ "latency{route=\"/\"}:count": 1, "latency{route=\"/jobs\"}:count": 3 });
    assert_eq!(split("route", "latency:count"), counts);
    let mut all = routes;
    all["requests.total"] = 7.into();
    assert_eq!(split("route", "requests.total,requests"), all);
}

#[test]
fn an_empty_value_of_a_dimension_is_as_good_as_none() {
    let dir = Dir::default();
    let labels = ["a", "a{route=\"\"}", "a{route=\"\",status=\"200\"}", "a{route=\"/\"}"];
    dir.file("1", &counters("", &labels.map(|label| (label, 1))));
    let split = |by| first(&dir, &["--by", by, "a", "1"]);
    assert_eq!(split("route"), json!({ "a": 3, "a{route=\"/\"}": 1 }));
    assert_eq!(
        split("route,status"),
        json!({ "a": 2, "a{status=\"200\"}": 1, "a{route=\"/\"}": 1 })
    );
}

#[test]
fn a_dimension_that_no_field_has_is_reported() {
    let dir = Dir::default();
    let _timers = requests(&dir);
    let outcome = poll(&dir, &["-c2", "-d0.01", "--by", "route,method", "http.requests", "1"]);
    let reported = "pollstats: none of these fields has the dimension method yet\n";
    assert_eq!((outcome.err.as_str(), outcome.status), (reported, 1));
    let outcome = poll(&dir, &["-c1", "--by", "route", "http.answers", "1"]);
    let reported = "pollstats: no file has http.answers yet: searched http.answers\n";
    assert_eq!((outcome.err.as_str(), outcome.status), (reported, 1));
}

#[test]
fn a_statistic_of_a_field_without_it_is_reported_with_the_kinds_that_have_it() {
    let dir = Dir::default();
    let _work = work(&dir, "mmstats-1", (3, 0.5), "busy");
    let report = |column| poll(&dir, &["-c1", "-p", "work.", column, "mmstats-1"]).err;
    assert_eq!(
        report("load:max"),
        "pollstats: no file has load:max yet: searched work.load:max, work.load (a histogram), \
         work.load.histogram (a histogram)\n"
    );
    assert!(report("load:rate").contains("work.load (a counter or histogram)"));
    assert!(report("l?ad:p50").contains("work.l?ad (a histogram)"));
}

#[test]
fn a_missing_field_is_reported_and_the_others_are_shown() {
    let dir = web();
    let outcome = poll(
        &dir,
        &["-c2", "-d0.01", "-p", "web.stats.status", "2XX,6XX,no.*", "mmstats-1", "mmstats-2"],
    );
    let lines: Vec<_> = outcome.out.lines().collect();
    assert_eq!(
        (lines.len(), lines[1]),
        (3, "                 11 |                  - (total since start)")
    );
    let reported = "pollstats: no file has 6XX yet: searched web.stats.status6XX, web.stats.status.6XX\n\
                pollstats: no file has no.* yet: searched web.stats.statusno.*, web.stats.status.no.*\n";
    assert_eq!((outcome.err.as_str(), outcome.status), (reported, 1));
}

// Rows

#[test]
fn the_first_row_has_the_totals_unless_it_is_omitted() {
    let dir = web();
    let arguments = ["-d0.01", "-p", "web.stats.status.", "2XX,5XX", "mmstats-1", "mmstats-2"];
    assert_eq!(
        rows(&dir, &[&["-y", "-c2"], &arguments[..]].concat()),
        [HEADER, NOTHING, NOTHING].concat()
    );
    assert_eq!(
        rows(&dir, &[&["--totals", "-c2"], &arguments[..]].concat()),
        [HEADER, &TOTALS.replace("(total since start)", "").repeat(2)].concat()
    );
    let printed = rows(&dir, &[&["--rate", "-c2"], &arguments[..]].concat());
    assert_eq!(
        printed,
        [HEADER, &NOTHING.replace('0', "-"), "              0.000 |              0.000 \n"]
            .concat()
    );
}

#[test]
fn each_group_has_rows() {
    let dir = web();
    let _works = [work(&dir, "w1", (1, 0.0), ""), work(&dir, "w2", (2, 0.0), "")];
    let grouped = |by: &str, key: &str, files: &[&str]| -> Vec<(Value, Value)> {
        let rows = json(
            &dir,
            &[&["-c1", "--group-by", by, "web.stats.status.2XX,work.jobs"], files].concat(),
        );
        rows.into_iter()
            .map(|row| {
                (
                    row[key].clone(),
                    json!([row["values"]["web.stats.status.2XX"], row["values"]["work.jobs"]]),
                )
            })
            .collect()
    };
    let pid = json!(std::process::id());
    let files = ["mmstats-2", "w1", "mmstats-1", "w2"];
    assert_eq!(
        grouped("process", "pid", &files),
        [(pid, json!([null, 3])), (Value::Null, json!([11, null]))]
    );
    let by_file = [
        ("mmstats-1", json!([10, null])),
        ("mmstats-2", json!([1, null])),
        ("w1", json!([null, 1])),
        ("w2", json!([null, 2])),
    ];
    assert_eq!(
        grouped("file", "file", &files),
        by_file.map(|(file, values)| (json!(file), values))
    );
    assert_eq!(grouped("thread", "thread", &files).len(), 2);
    let printed =
        rows(&dir, &["-c1", "--group-by=file", "web.stats.status.2XX", "mmstats-1", "mmstats-2"]);
    let expected = "        file        |web.stats.status.2XX\n          mmstats-1 |                 10 (total since start)\n          mmstats-2 |                  1 (total since start)\n";
    assert_eq!(printed, expected);
}

#[test]
fn rows_can_start_with_the_time_of_day() {
    let dir = web();
    let printed =
        rows(&dir, &["-c1", "-t", "--group-by=file", "web.stats.status.2XX", "mmstats-1"]);
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[0], "     time (UTC)     |        file        |web.stats.status.2XX");
    let time = lines[1].split('|').next().unwrap().trim();
    assert!(
        time.len() == 8
            && time.chars().enumerate().all(|(at, c)| if at % 3 == 2 {
                c == ':'
            } else {
                c.is_ascii_digit()
            }),
        "{time}"
    );
}

#[test]
fn programs_get_json_and_csv() {
    let dir = web();
    let hostile = VersionOne::default()
        .field("a,\"b\"\n\u{1b}", "16s", b"x,\"y\"\x1b[2J\0\0\0\0\0\0\0")
        .field("n", "d", f64::INFINITY.to_ne_bytes());
    dir.file("hostile", &hostile.finish());
    let arguments =
        ["-c2", "-d0.05", "--group-by=file", "web.stats.status.2XX,a*,n,n", "mmstats-2", "hostile"];
    let printed = rows(&dir, &[&["--json"], &arguments[..]].concat());
    let lines: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys =
        |line: &Value| line.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        (keys(&lines[0]), keys(&lines[3])),
        ("file seconds time total values".into(), "file seconds time values".into())
    );
    assert_eq!(
        (&lines[0]["file"], &lines[0]["total"], &lines[0]["seconds"]),
        (&json!("hostile"), &json!(true), &Value::Null)
    );
    assert_eq!(
        lines[0]["values"],
        json!({ "web.stats.status.2XX": null, "a,\"b\"\n\u{1b}": "x,\"y\"\u{1b}[2J", "n": "Infinity" })
    );
    assert_eq!(lines[3]["values"]["web.stats.status.2XX"], json!(0));
    assert!((0.04..5.0).contains(&lines[2]["seconds"].as_f64().unwrap()));
    assert!(!printed.contains('\u{1b}'));

    let printed = rows(&dir, &[&["--csv"], &arguments[..]].concat());
    assert!(
        !printed.contains('\u{1b}')
            && printed.matches("\r\n").count() == 5
            && printed.matches('\n').count() == 5
    );
    let script = "import csv, json, sys; print(json.dumps(list(csv.reader(sys.stdin))))";
    let table: Vec<Vec<String>> =
        serde_json::from_str(&python(script, printed.as_bytes())).unwrap();
    assert_eq!(
        table[0],
        ["time", "seconds", "file", "web.stats.status.2XX", "a,\"b\"\\n\\x1b", "n", "n"]
    );
    assert_eq!(table[1][1..], ["", "hostile", "", "x,\"y\"\\x1b[2J", "inf", "inf"]);
    assert_eq!(table[2][2..], ["mmstats-2", "1", "", "", ""]);
    assert!(table[4][1].parse::<f64>().unwrap() > 0.04 && table[4][0].ends_with('Z'));
}

// Other sources and errors

#[test]
fn regions_in_memory_are_polled_like_files() {
    let dir = Dir::default();
    dir.file("ram", &image(9999, &[(64, &pump(3)), (4444, &pump(4))]));
    assert_eq!(
        first(&dir, &["-p", "pump", "turns,state", "ram"]),
        json!({ "turns": 7, "state": "running" })
    );
    let printed = rows(
        &dir,
        &[
            "-c1",
            "--group-by=file",
            "-p",
            "pump",
            "turns",
            "ram",
            "--load-address",
            "0x2000_0000",
            "--region-address",
            "0x2000_0040",
        ],
    );
    assert_eq!(
        printed.lines().last().unwrap(),
        "     ram@0x20000040 |                  3 (total since start)"
    );
}

#[test]
fn an_unreadable_file_is_reported_once_and_the_others_are_shown() {
    let dir = web();
    dir.file("text", b"Dear reader");
    let outcome = poll(
        &dir,
        &[
            "-c3",
            "-d0.01",
            "-p",
            "web.stats.status.",
            "2XX,5XX",
            "mmstats-1",
            "text",
            "missing",
            "mmstats-2",
        ],
    );
    assert_eq!((outcome.out, outcome.status), ([HEADER, TOTALS, NOTHING, NOTHING].concat(), 1));
    let reported: Vec<_> = outcome.err.lines().collect();
    assert!(
        reported.len() == 2
            && reported[0].starts_with("pollstats: text: not an mmstats file")
            && reported[1].starts_with("pollstats: missing: No such file"),
        "{reported:?}"
    );
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    let dir = web();
    for (line, reported) in [
        ("", "<FIELDS>"),
        ("-c 0 x f", "--count"),
        ("-c x x f", "--count"),
        ("-d 0 x f", "shorter than 1ms"),
        ("-d soon x f", "not a duration"),
        ("-n -1 x f", "-1"),
        ("x, f", "empty label"),
        ("x[ f", "at character"),
        ("--json --csv x f", "cannot be used with"),
        ("--rate --totals x f", "cannot be used with"),
        ("--replay r --record s x", "cannot be used with"),
        ("--replay r x f", "cannot be used with"),
        ("--record - x f", "the standard output has the rows"),
        ("--group-by moon x f", "possible values: process, thread, file"),
        ("--no-such x f", "--no-such"),
        ("x --region-address 64", "need a FILE or device URL"),
    ] {
        let outcome = poll(&dir, &line.split_whitespace().collect::<Vec<_>>());
        assert!(
            outcome.status == 2 && outcome.out.is_empty() && outcome.err.contains(reported),
            "{line}: {outcome:?}"
        );
    }
    for (argument, part) in [
        ("--help", "Examples:"),
        ("--help", "Exit status: 0"),
        ("-h", "--totals"),
        ("-h", "Exit status: 0"),
    ] {
        assert!(rows(&dir, &[argument]).contains(part), "{argument}: {part}");
    }
}

#[test]
fn a_closed_pipe_is_no_error_but_a_full_disk_is_one() {
    let dir = web();
    for format in ["--json", "--csv", "-t"] {
        let arguments = [format, "-d0.001", "web.stats.status.2XX", "mmstats-1"];
        let mut child = without_environment(pollstats().current_dir(dir.path()).args(arguments))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut bytes = [0; 4];
        child.stdout.take().unwrap().read_exact(&mut bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{format}");

        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = without_environment(pollstats().current_dir(dir.path()).args(arguments))
            .stdout(full)
            .output()
            .unwrap();
        let reported = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && reported.contains("standard output: No space left"),
            "{format}: {reported}"
        );
    }
}
