//! Fields say how writers are combined, and whether they count after their writer has ended. All
//! tools obey.

use std::fs;
use std::path::Path;
use std::process::Command;

use mmstats_std::{
    Average, Counter, Flag, Gauge, Highest, Lowest, Options, Published, Text, V1, model, publish,
};
use mmstats_tests::cli::{program, run};
use mmstats_tests::images::Dir;
use mmstats_tests::mmash::Mmash;
use mmstats_tests::programs::Program;
use serde_json::{Value, json};

model! {
    /// The stack of a thread.
    struct Stack in "stack." {
        used: Highest<u32> [bytes],
        free: Lowest<u32> [bytes],
        load: Gauge<f64> as mean,
        heat: Gauge<i32> [celsius] as sum,
        size: Gauge<u32> as last,
        state: Text<16> as last,
        is_full: Flag as max,
        calls: Counter as max,
    }

    /// Records of a thread that has recorded nothing.
    struct Unset in "unset." {
        high: Highest<i16> [volts.e(-3)],
        low: Lowest<u32>,
        coldest: Lowest<f64>,
        low_zero: Highest<u32>,
    }

    /// The load, in an older version of a program.
    struct Older in "load." {
        now: Gauge<u32>,
    }
    struct Newer in "load." {
        now: Gauge<u32> as max,
    }

    struct Sizes in "sizes." {
        mean: Average,
    }
}

fn options(dir: &Dir, name: &'static str) -> Options {
    Options::new().directory(dir.path().to_str().unwrap().to_owned().leak()).file_name(name)
}

/// Two threads' stacks. The one that was created last is found first.
fn stacks() -> (Dir, [Published<Stack>; 2]) {
    let dir = Dir::default();
    let stacks = [("b.mmstats", 1), ("a.mmstats", 2)].map(|(name, number)| {
        let stack = publish::<Stack>(&options(&dir, name)).unwrap();
        stack.used.record(976);
        stack.free.record(100 * number);
        stack.load.set(number.into());
        stack.heat.set(20);
        stack.size.set(number);
        stack.state.set(if number == 1 { "first" } else { "second" });
        stack.is_full.set(number == 1);
        stack.calls.add(5);
        stack
    });
    (dir, stacks)
}

fn output(directory: &Path, tool: &str, arguments: &[&str]) -> String {
    let outcome = run(Command::new(program("--bin", tool)).current_dir(directory).args(arguments));
    assert_eq!((outcome.err.as_str(), outcome.status), ("", 0), "{tool} {arguments:?}");
    outcome.out
}

/// The values of a row of pollstats.
fn polled(directory: &Path, arguments: &[&str]) -> Value {
    let lines = output(directory, "pollstats", &[&["--json", "-c1"], arguments].concat());
    serde_json::from_str::<Value>(&lines).unwrap()["values"].clone()
}

/// The words that topstats shows after a label.
fn shown(directory: &Path, label: &str) -> String {
    let arguments = ["-b", "-d", "0.1", "-f", label, "."];
    let table = output(directory, "topstats", &arguments);
    let mut rows = table.lines().map(|line| line.trim_start_matches('†').trim());
    let rest = rows.find_map(|row| row.strip_prefix(label)?.strip_prefix(' '));
    let rest = rest.unwrap_or_else(|| panic!("no {label} in {table}"));
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The values of all labels in mmash's API, by label, and the latest ones of its history.
fn served(mmash: &Mmash, by: &str) -> (Vec<Value>, Value) {
    let stats = mmash.json(&format!("/api/v1/stats?by={by}"));
    let history = mmash.wait_for(&format!("/api/v1/query?by={by}"), |answer| {
        answer["series"].as_array().is_some_and(|series| !series.is_empty())
    });
    (stats["stats"].as_array().unwrap().clone(), history["series"].clone())
}

fn find<'v>(rows: &'v [Value], label: &str) -> &'v Value {
    rows.iter().find(|row| row["label"] == label).unwrap_or_else(|| panic!("no {label}"))
}

const FIELDS: &str = "stack.used,stack.free,stack.load,stack.heat,stack.size,stack.state,\
                      stack.is_full,stack.calls";

fn combined() -> Value {
    json!({
        "stack.used": 976, "stack.free": 100, "stack.load": 1.5, "stack.heat": 40, "stack.size": 2,
        "stack.state": "second", "stack.is_full": 1, "stack.calls": 10,
    })
}

#[test]
fn pollstats_combines_writers_as_fields_state() {
    let (dir, _stacks) = stacks();
    assert_eq!(polled(dir.path(), &[FIELDS, "."]), combined());
    assert_eq!(polled(dir.path(), &["-g", "process", FIELDS, "."]), combined());
    let sums = json!({ "stack.used": 1952, "stack.state": "second" });
    assert_eq!(polled(dir.path(), &["--agg", "sum", "stack.used,stack.state", "."]), sums);
    let last = json!({ "stack.load": 2.0, "stack.free": 200 });
    assert_eq!(polled(dir.path(), &["--agg", "last", "stack.load,stack.free", "."]), last);
    // A recording states it, too.
    output(dir.path(), "pollstats", &["-c1", "--record", "r.jsonl", "stack.used", "."]);
    assert_eq!(polled(dir.path(), &["--replay", "r.jsonl", FIELDS]), combined());
}

#[test]
fn topstats_combines_writers_as_fields_state() {
    let (dir, _stacks) = stacks();
    for (label, expected) in [
        ("stack.used", "max 976B"),
        ("stack.free", "min 100B"),
        ("stack.load", "avg 1.50"),
        ("stack.heat", "40°C"),
        ("stack.size", "last 2"),
        ("stack.state", "second"),
        ("stack.is_full", "max true"),
        ("stack.calls", "10 0"),
    ] {
        assert_eq!(shown(dir.path(), label), expected, "{label}");
    }
}

#[test]
fn sums_for_prometheus_combine_writers_as_fields_state() {
    let (dir, _stacks) = stacks();
    let mmash = Mmash::serve(dir.path(), &["--sum", "--interval", "0.1"]);
    mmash.wait_for("/healthz", |health| health["scrapes"].as_u64() > Some(0));
    for page in [
        output(dir.path(), "slurpstats", &["--prometheus", "--sum", "."]),
        mmash.get("/metrics").text(),
    ] {
        for line in [
            "# TYPE stack_used_bytes gauge",
            "stack_used_bytes 976",
            "stack_free_bytes 100",
            "stack_load 1.5",
            "stack_heat_celsius 40",
            "stack_size 2",
            "stack_is_full 1",
            "stack_calls_total 10",
        ] {
            assert!(page.lines().any(|other| other == line), "no {line} in {page}");
        }
    }
    let page = output(dir.path(), "slurpstats", &["--prometheus", "."]);
    assert_eq!(page.matches("stack_used_bytes{file=").count(), 2, "{page}");
}

#[test]
fn mmash_combines_writers_as_fields_state() {
    let (dir, _stacks) = stacks();
    let mmash = Mmash::serve(dir.path(), &["--interval", "0.1"]);
    mmash.wait_for("/healthz", |health| health["scrapes"].as_u64() > Some(0));
    let (stats, history) = served(&mmash, "label");
    for (label, stated, aggregate, value) in [
        ("stack.used", json!("max"), "max", json!(976)),
        ("stack.free", json!("min"), "min", json!(100)),
        ("stack.load", json!("mean"), "mean", json!(1.5)),
        ("stack.heat", json!("sum"), "sum", json!(40)),
        ("stack.size", json!("last"), "last", json!(2)),
        ("stack.state", json!("last"), "last", json!("second")),
        ("stack.is_full", json!("max"), "max", json!(true)),
        ("stack.calls", Value::Null, "sum", json!(10)),
    ] {
        let row = find(&stats, label);
        assert_eq!(
            (&row["aggregation"], &row["aggregate"], &row["value"]),
            (&stated, &json!(aggregate), &value),
            "{row}"
        );
        if label != "stack.state" {
            let series = find(history.as_array().unwrap(), label);
            assert_eq!((&series["points"][0][1], &series["aggregation"]), (&value, &stated));
        }
    }
    let page = mmash.get("/").text();
    for cell in ["title=\"976 bytes, max of 2\">976B<", "title=\"second, last of 2\">second<"] {
        assert!(page.contains(cell), "no {cell} in {page}");
    }
    // The original's API combines as it is asked to.
    assert_eq!(mmash.json("/stats/stack.used?exact&aggr=sum"), json!({ "stack.used": 1952 }));
}

#[test]
fn a_minimum_or_maximum_without_a_value_is_shown_as_none() {
    let dir = Dir::default();
    let writers =
        ["a.mmstats", "b.mmstats"].map(|name| publish::<Unset>(&options(&dir, name)).unwrap());
    let labels = ["unset.high", "unset.low", "unset.coldest"];
    let none = json!({ "unset.high": null, "unset.low": null, "unset.coldest": null });
    assert_eq!(polled(dir.path(), &[&labels.join(","), "."]), none);
    let text = output(dir.path(), "slurpstats", &["a.mmstats"]);
    let table = output(dir.path(), "pollstats", &["-c1", "unset.high", "."]);
    assert!(table.trim_end().ends_with(" - (total since start)"), "{table}");
    let json = output(dir.path(), "slurpstats", &["--json", "-f", "unset.*", "a.mmstats"]);
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mmash = Mmash::serve(dir.path(), &["--sum", "--interval", "0.1"]);
    mmash.wait_for("/healthz", |health| health["scrapes"].as_u64() > Some(0));
    let own = mmash.json("/stats/unset.");
    let page = mmash.get("/").text();
    for label in labels {
        assert!(text.lines().any(|line| line.split_whitespace().eq([label, "-"])), "{text}");
        assert!(shown(dir.path(), label).starts_with('–'));
        let line = find(&lines, label);
        assert_eq!(
            (&line["value"], line.get("raw"), line.get("error")),
            (&Value::Null, None, None)
        );
        for by in ["file", "label"] {
            let (stats, history) = served(&mmash, by);
            let row = find(&stats, label);
            assert_eq!(
                (&row["value"], row.get("raw"), row.get("error")),
                (&Value::Null, None, None)
            );
            let series = find(history.as_array().unwrap(), label);
            assert_eq!(series["points"][0][1], Value::Null, "{series}");
        }
        assert_eq!(own[label], json!([null, null]));
        assert_eq!(mmash.json(&format!("/stats/{label}?exact&aggr=max"))[label], Value::Null);
        assert!(page.contains("title=\"no value yet\">-<"), "{page}");
    }
    for arguments in [&["--prometheus", "--sum", "."][..], &["--prometheus", "."]] {
        let metrics = output(dir.path(), "slurpstats", arguments);
        for name in ["unset_high_volts", "unset_low", "unset_coldest"] {
            let sample = |line: &&str| {
                line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))
            };
            assert_eq!(metrics.lines().find(sample), None);
            assert!(!metrics.contains(&format!("# TYPE {name} ")), "{metrics}");
        }
        assert!(metrics.contains("mmstats_dropped_fields 0"), "{metrics}");
        // The least value of an unsigned number is one.
        assert!(metrics.lines().any(|line| line.starts_with("unset_low_zero")), "{metrics}");
    }
    // One of them has a value, and counts alone.
    writers[0].high.record(-1200);
    writers[0].low.record(7);
    writers[0].coldest.record(-40.5);
    let values = json!({ "unset.high": -1.2, "unset.low": 7, "unset.coldest": -40.5 });
    assert_eq!(polled(dir.path(), &[&labels.join(","), "."]), values);
    assert_eq!(shown(dir.path(), "unset.high"), "-1.20V");
    let metrics = output(dir.path(), "slurpstats", &["--prometheus", "--sum", "."]);
    assert!(metrics.contains("\nunset_high_volts -1.2\n"), "{metrics}");
}

#[test]
fn what_is_kept_counts_after_its_thread_and_its_process() {
    let dir = Dir::default();
    let mut overflows = Program::start(env!("CARGO_BIN_EXE_overflows"), dir.path(), &[]);
    overflows.expect("ended");
    let fields = "stack.used,stack.recent,stack.depth,stack.fault,stack.state";
    let check = |recent: u32, depth: u32, state: &str| {
        let values = polled(dir.path(), &[fields, "."]);
        let expected = json!({
            "stack.used": 976, "stack.recent": recent, "stack.depth": depth,
            "stack.fault": "stack overflow", "stack.state": state,
        });
        assert_eq!(values, expected);
        assert_eq!(shown(dir.path(), "stack.used"), "max 976B");
        assert_eq!(shown(dir.path(), "stack.fault"), "stack overflow");
        let metrics = output(dir.path(), "slurpstats", &["--prometheus", "--sum", "."]);
        assert!(metrics.contains("\nstack_used_bytes 976\n"), "{metrics}");
        let mmash = Mmash::serve(dir.path(), &["--interval", "0.1"]);
        mmash.wait_for("/healthz", |health| health["scrapes"].as_u64() > Some(0));
        let (stats, history) = served(&mmash, "label");
        let (used, fault) = (find(&stats, "stack.used"), find(&stats, "stack.fault"));
        assert_eq!((&used["value"], &used["kept"]), (&json!(976), &json!(true)));
        assert_eq!(fault["value"], "stack overflow");
        assert_eq!(find(&stats, "stack.depth").get("kept"), None);
        let series = find(history.as_array().unwrap(), "stack.used");
        assert_eq!((&series["points"][0][1], &series["kept"]), (&json!(976), &json!(true)));
        assert!(mmash.get("/").text().contains(">stack overflow<"));
    };
    // The other thread's values are the present; those of the ended one were reset.
    check(400, 2, "waiting");
    overflows.kill();
    check(400, 2, "*");
    let json = output(dir.path(), "slurpstats", &["--json", "-f", "stack.*", "."]);
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let used = find(&lines, "stack.used");
    assert_eq!((&used["aggregation"], &used["kept"]), (&json!("max"), &json!(true)));
    let depth = find(&lines, "stack.depth");
    assert_eq!((depth.get("aggregation"), depth.get("kept")), (None, None));
}

#[test]
fn fields_of_version_1_which_states_none_follow_the_others() {
    let dir = Dir::default();
    let old = publish::<Sizes<V1>>(&options(&dir, "a.mmstats")).unwrap();
    let new = publish::<Sizes>(&options(&dir, "b.mmstats")).unwrap();
    old.mean.record(2.0);
    assert_eq!(polled(dir.path(), &["sizes.mean", "a.mmstats"]), json!({ "sizes.mean": 2.0 }));
    new.mean.record(5.0);
    assert_eq!(polled(dir.path(), &["sizes.mean", "."]), json!({ "sizes.mean": 3.5 }));
}

#[test]
fn fields_that_state_different_aggregations_are_not_combined() {
    let dir = Dir::default();
    let older = publish::<Older>(&options(&dir, "a.mmstats")).unwrap();
    let newer = publish::<Newer>(&options(&dir, "b.mmstats")).unwrap();
    older.now.set(3);
    newer.now.set(5);
    assert_eq!(polled(dir.path(), &["load.now", "."]), json!({ "load.now": "*" }));
    let sum = polled(dir.path(), &["--agg", "sum", "load.now", "."]);
    assert_eq!(sum, json!({ "load.now": 8 }));
    let table = output(dir.path(), "topstats", &["-b", "-d", "0.1", "-f", "load.now", "."]);
    assert_eq!(table.matches("load.now").count(), 2, "{table}");
    let mmash = Mmash::serve(dir.path(), &["--interval", "0.1"]);
    mmash.wait_for("/healthz", |health| health["scrapes"].as_u64() > Some(0));
    let (stats, _) = served(&mmash, "label");
    let values: Vec<_> = stats
        .iter()
        .filter(|row| row["label"] == "load.now")
        .map(|row| (&row["value"], &row["aggregate"]))
        .collect();
    assert_eq!(values, [(&json!(3), &json!("sum")), (&json!(5), &json!("max"))]);
    let command = &mut Command::new(program("--bin", "slurpstats"));
    let outcome = run(command.current_dir(dir.path()).args(["--prometheus", "--sum", "."]));
    assert_eq!(outcome.out.matches("\nload_now ").count(), 1, "{}", outcome.out);
    assert!(
        outcome.err.contains("load.now: dropped: the exported field states another"),
        "{}",
        outcome.err
    );
    fs::remove_file(dir.path().join("a.mmstats")).unwrap();
    assert_eq!(polled(dir.path(), &["load.now", "."]), json!({ "load.now": 5 }));
}
