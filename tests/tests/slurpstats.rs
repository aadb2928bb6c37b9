//! The output, options and errors of `slurpstats`.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mmstats_std::{
    Constant, ConstantText, Counter, Gauge, Histogram, Options, Published, Text, model, publish,
};
use mmstats_tests::cli::{Outcome, VersionOne, golden, program, python, run, without_environment};
use serde_json::{Value, json};
use tempfile::TempDir;

fn slurpstats() -> Command {
    Command::new(program("--bin", "slurpstats"))
}

/// A directory for one test.
struct Dir(TempDir);

impl Dir {
    fn new() -> Self {
        Dir(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs `slurpstats` in this directory, so that paths are short and known.
    fn slurp(&self, arguments: &[&str]) -> Outcome {
        run(slurpstats().current_dir(self.path()).args(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let outcome = self.slurp(&[&["--json"], arguments].concat());
        outcome
            .out
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}

fn small(label: &str, value: u8) -> Vec<u8> {
    VersionOne::default().field(label, "B", [value]).finish()
}

// Text output

#[test]
fn golden_files_are_printed_exactly() {
    let mut compared = 0;
    for version in ["v1", "v2"] {
        let directory = golden().join(version);
        for entry in fs::read_dir(&directory).unwrap() {
            let expected = entry.unwrap().path();
            if expected.extension().is_some_and(|extension| extension == "txt") {
                let file = expected.with_extension("mmstats");
                let outcome =
                    run(slurpstats().current_dir(&directory).arg(file.file_name().unwrap()));
                assert_eq!(
                    (outcome.out, outcome.err.as_str(), outcome.status),
                    (fs::read_to_string(&expected).unwrap(), "", 0)
                );
                compared += 1;
            }
        }
    }
    assert!(compared >= 2);
}

#[test]
fn files_come_in_the_order_of_the_arguments() {
    let dir = Dir::new();
    dir.file("a.mmstats", &small("x", 1));
    dir.file("b.mmstats", &small("longer", 2));
    fs::create_dir(dir.path().join("d")).unwrap();
    dir.file("d/2.mmstats", &small("y", 4));
    dir.file("d/1.mmstats", &small("y", 3));
    dir.file("d/.hidden.mmstats", &small("y", 5));
    dir.file("d/other", &small("y", 6));
    let outcome = dir.slurp(&["b.mmstats", "a.mmstats", "d", "b.mmstats"]);
    let [a, b] = ["==> a.mmstats\n  x 1\n\n", "==> b.mmstats\n  longer 2\n\n"];
    let d = "==> d/1.mmstats\n  y 3\n\n==> d/2.mmstats\n  y 4\n\n";
    assert_eq!((outcome.out, outcome.status), (format!("{b}{a}{d}{b}"), 0));
}

/// A pseudorandom generator with the same numbers in each run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

#[test]
fn floats_are_printed_like_pythons() {
    let mut random = Random(2013);
    let mut floats: Vec<(&str, Vec<u8>)> = Vec::new();
    for i in 0..3000 {
        let bits = random.next();
        let ordinary = (bits as i64) as f64 / 10_f64.powi((bits % 40) as i32);
        floats.push(("d", f64::from_bits(bits).to_ne_bytes().into()));
        floats.push(("d", ordinary.to_ne_bytes().into()));
        floats.push(("d", f64::from_bits((i % 2047) << 52).to_ne_bytes().into()));
        floats.push(("f", (bits as u32).to_ne_bytes().into()));
        floats.push(("e", (bits as u16).to_ne_bytes().into()));
    }
    let mut file = VersionOne::default();
    let mut input = String::new();
    for (i, (ty, bytes)) in floats.iter().enumerate() {
        file = file.field(format!("{i:06}"), ty, bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        input += &format!("{ty} {hex}\n");
    }
    let script = "import struct, sys\nfor line in sys.stdin:\n ty, bits = line.split()\n print(struct.unpack(ty, bytes.fromhex(bits))[0])";
    let dir = Dir::new();
    dir.file("floats.mmstats", &file.finish());
    let out = dir.slurp(&["floats.mmstats"]).out;
    let printed: Vec<&str> =
        out.lines().filter_map(|line| line.strip_prefix("  ")).map(|line| &line[7..]).collect();
    let expected = python(script, input.as_bytes());
    assert_eq!((printed.len(), expected.lines().count()), (floats.len(), floats.len()));
    for ((printed, expected), (ty, bytes)) in printed.iter().zip(expected.lines()).zip(&floats) {
        assert_eq!(*printed, expected, "{ty} {bytes:02x?}");
    }
}

#[test]
fn texts_of_a_file_cannot_control_a_terminal() {
    let dir = Dir::new();
    let hostile = "\x1b[2J\n\u{9b}31m\u{202e}x\u{2028}\x07";
    let file = VersionOne::default().field(
        format!("l{hostile}"),
        "40s",
        format!("{hostile:\0<40}").as_bytes().get(..40).unwrap(),
    );
    let name = format!("f{}.mmstats", hostile.replace('\n', ""));
    dir.file(&name, &file.finish());
    let bad = dir.file(&format!("bad{name}"), b"");
    let outcome = dir.slurp(&[&name, bad.to_str().unwrap()]);
    let escaped = "\\x1b[2J\\n\\x9b31m\\u202ex\\u2028\\x07";
    assert!(outcome.out.contains(&format!("\n  l{escaped} {escaped}\n")), "{outcome:?}");
    assert!(outcome.err.contains("bad"));
    for character in (outcome.out + &outcome.err).chars() {
        assert!(
            character == '\n' || !character.is_control() && !"\u{202e}\u{2028}".contains(character),
            "{character:?}"
        );
    }
    let json = run(slurpstats().current_dir(dir.path()).arg("--json").arg(&name)).out;
    assert!(
        json.trim_end()
            .chars()
            .all(|character| !character.is_control() && !"\u{202e}\u{2028}".contains(character)),
        "{json}"
    );
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        [&value["label"], &value["value"], &value["file"]],
        [&json!(format!("l{hostile}")), &json!(hostile), &json!(name)]
    );
}

#[test]
fn a_path_can_be_invalid_utf_8() {
    let dir = Dir::new();
    let name = std::ffi::OsStr::from_bytes(b"\xff.mmstats");
    fs::write(dir.path().join(name), small("x", 1)).unwrap();
    assert_eq!(
        run(slurpstats().current_dir(dir.path()).arg(name)).out,
        "==> \\xff.mmstats\n  x 1\n\n"
    );
    assert_eq!(dir.json(&["."])[0]["file"], "./\\xff.mmstats");
}

// Selection

#[test]
fn labels_are_selected_by_patterns() {
    let dir = Dir::new();
    let file = ["web.2XX", "web.5XX", "sys.pid"]
        .iter()
        .fold(VersionOne::default(), |file, label| file.field(label, "B", [1]));
    dir.file("a.mmstats", &file.finish());
    dir.file("b.mmstats", &small("other", 1));
    for (arguments, shown) in [
        (&["-f", "web.*"][..], "  web.2XX 1\n  web.5XX 1\n"),
        (&["--filter", "web.*", "--exclude", "*5XX"], "  web.2XX 1\n"),
        (&["-f", "sys.???", "-f", "web.[25]XX", "-x", "web.2*"], "  web.5XX 1\n  sys.pid 1\n"),
    ] {
        let outcome = dir.slurp(&[arguments, &["a.mmstats", "b.mmstats"]].concat());
        assert_eq!(
            (outcome.out, outcome.err.as_str(), outcome.status),
            (format!("==> a.mmstats\n{shown}\n"), "", 0)
        );
    }
    let outcome = dir.slurp(&["-f", "nothing", "a.mmstats", "b.mmstats"]);
    assert_eq!((outcome.out.as_str(), outcome.status), ("", 1));
    assert!(outcome.err.contains("no label matches in 2 files"), "{outcome:?}");
}

#[test]
fn live_shows_only_files_whose_writer_is_alive() {
    let dir = Dir::new();
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let of = |pid: u32| VersionOne::default().field("x.sys.pid", "I", pid.to_ne_bytes()).finish();
    dir.file("dead.mmstats", &of(ended.id()));
    dir.file("live.mmstats", &of(std::process::id()));
    dir.file("nobody.mmstats", &small("x", 1));
    let outcome = dir.slurp(&["--live", "."]);
    assert_eq!(
        (outcome.out, outcome.status),
        (format!("==> ./live.mmstats\n  x.sys.pid {}\n\n", std::process::id()), 0)
    );
    let liveness: Vec<_> = dir.json(&["."]).iter().map(|line| line["liveness"].clone()).collect();
    assert_eq!(liveness, ["dead", "alive", "unknown"]);
    let outcome = dir.slurp(&["--live", "dead.mmstats"]);
    assert!(outcome.status == 0 && outcome.err.contains("no live writer in 1 file"), "{outcome:?}");
}

#[test]
fn without_arguments_files_are_discovered() {
    let dir = Dir::new();
    dir.file("a.mmstats", &small("x", 1));
    let with = |name: &str, value: &Path| run(slurpstats().env(name, value));
    assert!(with("MMSTATS_PATH", dir.path()).out.ends_with("/a.mmstats\n  x 1\n\n"));
    assert!(with("MMSTATS_GLOB", &dir.path().join("?.mm*")).out.ends_with("/a.mmstats\n  x 1\n\n"));
    let outcome = with("MMSTATS_PATH", &dir.path().join("nowhere"));
    assert!(
        outcome.status == 0 && outcome.out.is_empty() && outcome.err.contains("nowhere/*.mmstats"),
        "{outcome:?}"
    );
    let outcome = with("MMSTATS_PATH", Path::new("{WHAT}"));
    assert!(
        outcome.status == 1 && outcome.err.contains("unknown placeholder {WHAT}"),
        "{outcome:?}"
    );
}

// JSON

model! {
    struct Everything {
        /// Requests.
        requests: Counter = "http.requests{method=\"GET\"}",
        volt: Gauge<i32> [volts.e(-3)] => -3300,
        angle: Gauge<u16> [ratio.over(4096)] => 1024,
        largest: Gauge<u64> => u64::MAX,
        smallest: Gauge<i64> => i64::MIN,
        nan: Gauge<f64> => f64::NAN,
        infinite: Gauge<f32> => f32::NEG_INFINITY,
        third: Gauge<f64> => 1.0 / 3.0,
        flag: Gauge<bool> => true,
        state: Text<16> => "a \"b\" \\ c",
        version: ConstantText<8> => "1.2.3",
        size: Constant<u32> [bytes.e(3)] => 4,
        latency: Histogram<2, 20> [seconds.e(-6)],
        empty: Histogram<2, 20>,
    }
}

fn everything(dir: &Dir) -> Published<Everything> {
    let directory = dir.path().to_str().unwrap().to_owned().leak();
    let stats = publish::<Everything>(
        &Options::new().label_prefix("my.").directory(directory).file_name("all.mmstats"),
    )
    .unwrap();
    stats.requests.add(3);
    for value in [5, 5, 100, 3_000_000] {
        stats.latency.record(value);
    }
    stats
}

#[test]
fn json_has_a_line_with_all_properties_for_each_field() {
    let dir = Dir::new();
    let _stats = everything(&dir);
    let lines = dir.json(&["all.mmstats"]);
    let line = |label: &str| {
        lines.iter().find(|line| line["label"] == format!("my.{label}")).unwrap().clone()
    };
    let pid = std::process::id();
    assert_eq!(
        line("http.requests{method=\"GET\"}"),
        json!({"label": "my.http.requests{method=\"GET\"}", "value": 3, "kind": "counter", "type": "Q", "unit": "", "help": "Requests.",
            "file": "all.mmstats", "version": 2, "pid": pid, "liveness": "alive"})
    );
    assert_eq!(
        line("volt"),
        json!({"label": "my.volt", "value": -3.3, "raw": -3300, "kind": "gauge", "type": "i", "unit": "volts", "scale": -3, "help": "",
            "file": "all.mmstats", "version": 2, "pid": pid, "liveness": "alive"})
    );
    for (label, keys) in [
        (
            "angle",
            json!({"value": 0.25, "raw": 1024, "divisor": 4096, "scale": null, "unit": "ratio"}),
        ),
        ("largest", json!({"value": u64::MAX, "raw": null, "scale": null, "divisor": null})),
        ("smallest", json!({"value": i64::MIN})),
        ("nan", json!({"value": "NaN"})),
        ("infinite", json!({"value": "-Infinity", "type": "f"})),
        ("flag", json!({"value": true})),
        ("state", json!({"value": "a \"b\" \\ c", "kind": "info", "type": "16s"})),
        ("version", json!({"value": "1.2.3", "type": "8s"})),
        ("size", json!({"value": 4000, "raw": 4, "unit": "bytes"})),
        (
            "empty",
            json!({"kind": "histogram", "value": {"count": 0, "sum": 0, "p50": null, "p90": null, "p99": null, "buckets": []}}),
        ),
        ("sys.created", json!({"unit": "unixtime"})),
    ] {
        for (key, value) in keys.as_object().unwrap() {
            assert_eq!(line(label)[key], *value, "{key} of {label}");
        }
    }
    let latency = line("latency");
    let bucket = |from: f64, to: Value, count: u64| json!({"from": from, "to": to, "count": count});
    let buckets = json!([
        bucket(5e-6, json!(5e-6), 2),
        bucket(9.6e-5, json!(1.11e-4), 1),
        bucket(0.917504, Value::Null, 1)
    ]);
    assert_eq!(latency["value"]["buckets"], buckets);
    assert_eq!(
        [&latency["value"]["count"], &latency["value"]["sum"]],
        [&json!(4), &json!(3.00011)]
    );
    assert_eq!(
        [&latency["raw"]["sum"], &latency["raw"]["buckets"][2]["to"]],
        [&json!(3_000_110), &Value::Null]
    );
}

#[test]
fn scaled_values_and_histograms_are_printed_in_one_line() {
    let dir = Dir::new();
    let _stats = everything(&dir);
    let outcome = dir.slurp(&["-x", "*sys.*", "all.mmstats"]);
    let expected = "\
==> all.mmstats
  my.http.requests{method=\"GET\"} 3
  my.volt                        -3.3
  my.angle                       0.25
  my.largest                     18446744073709551615
  my.smallest                    -9223372036854775808
  my.nan                         nan
  my.infinite                    -inf
  my.third                       0.3333333333333333
  my.flag                        True
  my.state                       a \"b\" \\ c
  my.version                     1.2.3
  my.size                        4000
  my.latency                     count 4, mean 0.750028, p50 5e-06, p90 0.92, p99 0.92, max 0.92 or more seconds
  my.empty                       count 0

";
    assert_eq!((outcome.out.as_str(), outcome.status), (expected, 0));
    let verbose = dir.slurp(&["-v", "-f", "*.volt", "-f", "*requests*", "all.mmstats"]).out;
    assert_eq!(
        verbose,
        "==> all.mmstats\n  my.http.requests{method=\"GET\"} 3\n      Requests.\n  my.volt                        -3.3 volts\n\n"
    );
}

// Errors

#[test]
fn a_bad_file_is_reported_and_the_others_are_read() {
    let dir = Dir::new();
    dir.file("good.mmstats", &small("x", 1));
    dir.file("empty", b"");
    dir.file("text", b"Dear reader, this is no stats file.");
    dir.file("later", b"\x07MMSTATS and whatever it will have");
    dir.file("removed", &[0; 64]);
    dir.file("short", b"\x02MMSTATS\x02\x01");
    dir.file("cut", &fs::read(golden().join("v1/kinds.mmstats")).unwrap()[..100]);
    symlink("loop", dir.path().join("loop")).unwrap();
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    fs::create_dir(dir.path().join("directory")).unwrap();
    assert!(Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap().success());
    for (argument, reported) in [
        ("missing", "No such file"),
        ("dangling", "No such file"),
        ("loop", "symbolic links"),
        ("empty", "empty (0 bytes)"),
        ("text", "not an mmstats file"),
        ("later", "unknown version 7 (1 or 2 expected)"),
        ("removed", "not initialised"),
        ("short", "cut short: 10 bytes"),
        ("pipe", "is a pipe"),
        ("/dev/zero", "is a device"),
        ("good.mmstats/x", "Not a directory"),
    ] {
        let outcome = dir.slurp(&[argument, "good.mmstats"]);
        assert_eq!(
            (outcome.out.as_str(), outcome.status),
            ("==> good.mmstats\n  x 1\n\n", 1),
            "{argument}"
        );
        assert!(
            outcome.err.starts_with(&format!("slurpstats: {argument}: "))
                && outcome.err.contains(reported),
            "{argument}: {}",
            outcome.err
        );
        assert_eq!(outcome.err.lines().count(), 1, "{argument}: {}", outcome.err);
    }
    let outcome = dir.slurp(&["directory", "good.mmstats"]);
    assert_eq!(
        (outcome.out.as_str(), outcome.err.as_str(), outcome.status),
        ("==> good.mmstats\n  x 1\n\n", "", 0)
    );
    let outcome = dir.slurp(&["cut", "good.mmstats"]);
    assert!(
        outcome.out.starts_with("==> cut\n  a_byte   -128\n  a_short  -32768\n"),
        "{outcome:?}"
    );
    assert!(
        outcome.status == 1
            && outcome.err.contains("a_u64")
            && outcome.err.contains("cut short at 100 bytes"),
        "{outcome:?}"
    );
    assert_eq!(dir.json(&["cut"]).len(), 5);
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    let dir = Dir::new();
    for arguments in [&["--no-such"][..], &["-f"], &["-f", "["]] {
        let outcome = dir.slurp(arguments);
        assert!(
            outcome.status == 2 && outcome.out.is_empty() && outcome.err.contains("--help"),
            "{outcome:?}"
        );
    }
    assert!(dir.slurp(&["-f", "web.[ab"]).err.contains("at character 5"));
    for (arguments, part) in
        [(&["--help"][..], "MMSTATS_GLOB"), (&["-h"], "--json"), (&["--version"], "slurpstats 0")]
    {
        let outcome = dir.slurp(arguments);
        assert!(
            outcome.status == 0 && outcome.err.is_empty() && outcome.out.contains(part),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_closed_pipe_is_no_error_but_a_full_disk_is_one() {
    let dir = Dir::new();
    let file = dir.file("good.mmstats", &small("x", 1));
    let many = vec![file.to_str().unwrap(); 20_000];
    let mut command = slurpstats();
    let mut child = without_environment(command.args(&many))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 4];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr, &first), (Some(0), &b""[..], b"==> "));

    for argument in [file.to_str().unwrap(), "--help", "--version"] {
        let mut command = slurpstats();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = without_environment(command.arg(argument))
            .stdout(full)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        let reported = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && reported.contains("standard output: No space left"),
            "{argument}: {reported}"
        );
    }
}

// Terminals

/// Runs `slurpstats` on a new terminal; returns its output and exit status.
fn on_terminal(dir: &Dir, environment: &[(&str, &str)], arguments: &str) -> (String, i32) {
    let line = format!("{} {arguments}", program("--bin", "slurpstats").display());
    let mut command = Command::new("script");
    command
        .current_dir(dir.path())
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm-256color");
    let outcome = run(command.envs(environment.iter().copied()));
    (outcome.out.replace("\r\n", "\n"), outcome.status)
}

#[test]
fn colours_are_for_terminals_unless_the_environment_forces_or_forbids_them() {
    let dir = Dir::new();
    let _stats = everything(&dir);
    let arguments = "-f '*.volt' all.mmstats";
    let plain = "==> all.mmstats\n  my.volt -3.3 volts\n\n";
    let coloured =
        "\x1b[1m==> all.mmstats\x1b[0m\n  my.volt \x1b[36m-3.3\x1b[0m \x1b[2mvolts\x1b[0m\n\n";
    for (environment, seen) in [
        (&[][..], coloured),
        (&[("NO_COLOR", "1")], plain),
        (&[("NO_COLOR", "")], coloured),
        (&[("TERM", "dumb")], plain),
        (&[("CLICOLOR", "0")], plain),
    ] {
        assert_eq!(
            on_terminal(&dir, environment, arguments),
            (seen.to_owned(), 0),
            "{environment:?}"
        );
    }
    let piped = |name: &str, value: &str| {
        run(slurpstats().current_dir(dir.path()).env(name, value).args([
            "-f",
            "*.volt",
            "all.mmstats",
        ]))
        .out
    };
    assert_eq!(piped("CLICOLOR_FORCE", "1"), coloured.replace(" \x1b[2mvolts\x1b[0m", ""));
    assert_eq!(piped("TERM", "xterm-256color"), plain.replace(" volts", ""));
}

#[test]
fn a_terminal_shows_dates_and_dead_writers() {
    let dir = Dir::new();
    fs::copy(golden().join("v1/webstats.mmstats"), dir.path().join("web.mmstats")).unwrap();
    let stats = everything(&dir);
    fs::copy(stats.path(), dir.path().join("copy.mmstats")).unwrap();
    let live = stats.path().display().to_string();
    let arguments = format!("-f '*created' web.mmstats {live} copy.mmstats");
    let (seen, status) = on_terminal(&dir, &[("NO_COLOR", "1")], &arguments);
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(status, 0);
    assert!(lines[0].starts_with("==> web.mmstats (") && lines[1].ends_with(".090503"), "{seen}");
    assert!(lines[3] == format!("==> {live}") && lines[4].ends_with(" UTC)"), "{seen}");
    // The process runs, but writes to the other file.
    assert_eq!(lines[6], "==> copy.mmstats (its process no longer writes to it)", "{seen}");
}
