//! Pages for Prometheus, as `slurpstats --prometheus` prints them. `METRICS_OVERWRITE=1` in the
//! environment overwrites the pages in `metrics/`.

use std::fs;
use std::path::Path;
use std::process::Command;

use mmstats_core::{Constant, ConstantText, Counter, Flag, Gauge, Histogram, Text, Unit, units};
use mmstats_std::{Options, model, publish};
use mmstats_tests::cli::{Outcome, VersionOne, golden, program, run};
use mmstats_tests::programs::directory;
use mmstats_tests::regions::region_bytes;
use tempfile::TempDir;

#[path = "../metrics/check.rs"]
mod check;

const FORMATS: [&str; 2] = ["--prometheus=text", "--prometheus=openmetrics"];

fn slurp(directory: &Path, arguments: &[&str]) -> Outcome {
    run(Command::new(program("--bin", "slurpstats")).current_dir(directory).args(arguments))
}

/// Returns a page without its duration, which varies.
fn page(directory: &Path, arguments: &[&str]) -> String {
    let outcome = slurp(directory, arguments);
    assert_eq!((&outcome.err[..], outcome.status), ("", 0), "{arguments:?}");
    without_time(&outcome.out)
}

fn without_time(page: &str) -> String {
    let name = "mmstats_scrape_duration_seconds ";
    page.lines()
        .map(|line| if line.starts_with(name) { format!("{name}0\n") } else { format!("{line}\n") })
        .collect()
}

/// Returns the samples whose name starts like this.
fn samples<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    page.lines().filter(|line| line.starts_with(name)).collect()
}

/// Publishes every kind of field, in two files of version 2 and one of version 1.
fn one_of_everything() -> TempDir {
    let dir = directory();
    for (name, times) in [("a.mmstats", 1), ("b.mmstats", 2)] {
        let bytes = region_bytes(|writer| {
            let requests: Counter<u64, _> = writer
                .add(
                    Counter::builder("web.requests{code=\"200\",method=\"GET\"}")
                        .help("Requests,\nby \"method\"."),
                )
                .unwrap();
            let errors: Counter<u32, _> =
                writer.add(Counter::builder("web.requests{method=\"PUT\",code=\"500\"}")).unwrap();
            let sent: Counter<u64, _> =
                writer.add(Counter::builder("web.sent.total").unit(units::bytes.e(3))).unwrap();
            let volt: Gauge<i32, _> = writer
                .add(Gauge::builder("2.volt").unit(units::millivolts).help("C:\\\\volt"))
                .unwrap();
            let turn: Gauge<u16, _> =
                writer.add(Gauge::builder("turn").unit(Unit::named("ratio").over(4096))).unwrap();
            let last: Gauge<f64, _> =
                writer.add(Gauge::builder("web.last_hit").unit(units::unixtime)).unwrap();
            let odd: Gauge<f64, _> =
                writer.add(Gauge::builder("odd").unit(Unit::named("größen/mal"))).unwrap();
            let busy: Flag<_> = writer.add(Flag::builder("busy")).unwrap();
            let state: Text<20, _> = writer.add(Text::builder("state")).unwrap();
            let _: ConstantText<20, _> =
                writer.add(ConstantText::builder("build.info").initial("1.2.3")).unwrap();
            let _: Constant<u32, _> = writer
                .add(Constant::builder("size").unit(units::bytes.e(3)).initial(64_u32))
                .unwrap();
            let latency: Histogram<2, 6, u32, _> = writer
                .add(Histogram::builder("latency.histogram").unit(units::milliseconds))
                .unwrap();
            requests.add(u64::MAX / 2 * times);
            errors.add(3 * times as u32);
            sent.add(7 * times);
            volt.set(-3300 * times as i32);
            turn.set(1024 * times as u16);
            last.set(1_353_442_620.125 + times as f64);
            odd.set([f64::NAN, f64::NEG_INFINITY][times as usize - 1]);
            busy.set(true);
            state.set("idle \"<b>\"");
            [0, 5, 5, 31, 40, 10_000].iter().for_each(|value| latency.record(value * times));
        });
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let old = VersionOne::default().field("web.status.2XX", "Q", 7_u64.to_ne_bytes()).field(
        "web.up",
        "?",
        [1],
    );
    let old = old.field("web.load", "d", (-0.25_f64).to_ne_bytes()).field(
        "web.who",
        "8s",
        b"me\0\0\0\0\0\0",
    );
    // No process can have this PID.
    let old = old.field("web.sys.pid", "I", u32::MAX.to_ne_bytes()).field(
        "web.sys.tid",
        "q",
        42_i64.to_ne_bytes(),
    );
    fs::write(dir.path().join("old.mmstats"), old.finish()).unwrap();
    dir
}

#[test]
fn pages_are_exactly_as_recorded() {
    let dir = one_of_everything();
    for (arguments, name) in [
        (&["--prometheus"][..], "page.txt"),
        (&["--prometheus=openmetrics"], "page.om"),
        (&["--prometheus", "--sum"], "sum.txt"),
        (&["--prometheus=openmetrics", "--sum"], "sum.om"),
    ] {
        let page =
            page(dir.path(), &[arguments, &["a.mmstats", "b.mmstats", "old.mmstats"]].concat());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("metrics").join(name);
        if std::env::var_os("METRICS_OVERWRITE").is_some() {
            fs::write(&path, &page).unwrap();
        }
        assert_eq!(page, fs::read_to_string(&path).unwrap(), "{name}");
        if name.ends_with(".txt") {
            assert_eq!(check::promtool(&page), "", "{name}");
        } else {
            assert_eq!(page.lines().last(), Some("# EOF"));
            check::strict(&[page]);
        }
    }
}

#[test]
fn golden_files_make_valid_pages() {
    for version in ["v1", "v2"] {
        let text = slurp(&golden().join(version), &["--prometheus", "."]);
        check::promtool(&text.out);
        let open = slurp(&golden().join(version), &["--prometheus=openmetrics", "."]);
        assert!(check::strict(&[open.out])[0].len() > 15);
    }
}

model! {
/// The stats of a server.
    struct Server in "server." {
        /// Requests answered.
        requests: Counter,
/// From a request to its response.
        latency: mmstats_std::Timer,
/// Its state.
        state: Text<20> => "idle",
    }
}

#[test]
fn writers_differ_by_their_file_and_their_identity_is_written_once() {
    let dir = directory();
    let at: &'static str = dir.path().to_str().unwrap().to_owned().leak();
    let server =
        publish::<Server>(&Options::new().directory(at).file_name("live.mmstats")).unwrap();
    server.requests.add(3);
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let dead =
        VersionOne::default().field("sys.pid", "I", ended.id().to_ne_bytes()).field("x", "B", [9]);
    fs::write(dir.path().join("dead.mmstats"), dead.finish()).unwrap();
    let text = page(dir.path(), &["--prometheus", "."]);
    assert_eq!(check::promtool(&text), "");
    assert_eq!(
        samples(&text, "server_requests_total"),
        ["server_requests_total{file=\"./live.mmstats\"} 3"]
    );
    assert_eq!(samples(&text, "x"), ["x{file=\"./dead.mmstats\"} 9"]);
    assert_eq!(
        samples(&text, "mmstats_writers"),
        [("alive", 1), ("dead", 1), ("unknown", 0)]
            .map(|(of, n)| format!("mmstats_writers{{liveness=\"{of}\"}} {n}"))
    );
    let alive = [
        "mmstats_writer_alive{file=\"./dead.mmstats\"} 0",
        "mmstats_writer_alive{file=\"./live.mmstats\"} 1",
    ];
    assert_eq!(samples(&text, "mmstats_writer_alive"), alive);
    let info = samples(&text, "mmstats_writer_info");
    assert_eq!(
        info[0],
        format!(
            "mmstats_writer_info{{file=\"./dead.mmstats\",pid=\"{}\",format=\"1\"}} 1",
            ended.id()
        )
    );
    let known = [
        format!("file=\"./live.mmstats\",pid=\"{}\",thread=\"", std::process::id()),
        "boot_id=\"".to_owned(),
        ",format=\"2\"} 1".to_owned(),
    ];
    assert!(known.iter().all(|known| info[1].contains(known)), "{info:?}");
    assert!(!text.contains("sys_"), "{text}");
    let live = page(dir.path(), &["--prometheus", "--live", "."]);
    assert!(
        live.contains("./live.mmstats")
            && !live.contains("./dead.mmstats")
            && live.contains("liveness=\"dead\"} 1"),
        "{live}"
    );
}

#[test]
fn labels_select_the_content_of_a_page() {
    let dir = one_of_everything();
    let text = page(
        dir.path(),
        &[
            "--prometheus",
            "-f",
            "web.*",
            "-x",
            "*PUT*",
            "-x",
            "*.load",
            "-x",
            "*.tid",
            "a.mmstats",
            "old.mmstats",
        ],
    );
    let names: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let shown = [
        "web_last_hit_timestamp_seconds",
        "web_requests_total",
        "web_sent_bytes_total",
        "web_status_2XX",
        "web_up",
        "web_who_info",
        "mmstats_writer_info",
    ];
    assert_eq!(names[..7], shown);
    assert_eq!(
        samples(&text, "mmstats_writer_info"),
        ["mmstats_writer_info{file=\"old.mmstats\",pid=\"4294967295\",format=\"1\"} 1"]
    );
}

// Invalid or hostile files

const HOSTILE: &str = "<script>\"'\\\n\r\t\x1b[2J\u{202e}#{}=,ü";

#[test]
fn hostile_texts_are_only_texts() {
    let dir = directory();
    let bytes = region_bytes(|writer| {
        let hits: Counter<u64, _> =
            writer.add(Counter::builder(&format!("a{HOSTILE}")).help(HOSTILE)).unwrap();
        hits.add(1);
        let escaped = HOSTILE.replace('\\', "\\\\").replace('"', "\\\"");
        let hits: Counter<u64, _> =
            writer.add(Counter::builder(&format!("b{{{HOSTILE}x=\"1\"}}"))).unwrap();
        hits.add(2);
        let hits: Counter<u64, _> =
            writer.add(Counter::builder(&format!("c{{file=\"{escaped}\",le=\"\"}}"))).unwrap();
        hits.add(3);
        let text: Text<100, _> = writer.add(Text::builder("text")).unwrap();
        text.set(HOSTILE);
    });
    let name = format!("f{HOSTILE}.mmstats");
    fs::write(dir.path().join(name.replace('/', "")), bytes).unwrap();
    let [text, open] = FORMATS.map(|format| page(dir.path(), &[format, "."]));
    check::promtool(&text);
    for page in [&text, &open] {
        assert!(
            page.chars()
                .all(|character| character == '\n'
                    || !character.is_control() && character != '\u{202e}'),
            "{page}"
        );
    }
    let hostile = "<script>\"'\\\n\\r\\t\\x1b[2J\\u202e#{}=,ü";
    let families = &check::strict(&[open])[0];
    assert_eq!(
        (&families[0].help[..], &families[0].name[..]),
        (hostile, "a_script_________2J_______")
    );
    let labels = |family: usize| &families[family].samples[0].1;
    let file = ("file".to_owned(), format!("./f{hostile}.mmstats"));
    assert_eq!(*labels(0), std::slice::from_ref(&file)[..]);
    assert_eq!(*labels(2), [("exported_file".to_owned(), hostile.to_owned()), file.clone()]);
    assert_eq!(*labels(3), [file, ("value".to_owned(), hostile.to_owned())]);
}

#[test]
fn names_that_collide_are_reported_and_not_merged() {
    let dir = directory();
    let counters = |labels: &[&str]| {
        region_bytes(|writer| {
            for (count, label) in labels.iter().enumerate() {
                let counter: Counter<u64, _> = writer.add(Counter::builder(label)).unwrap();
                counter.add(count as u64 + 1);
            }
        })
    };
    let gauge = region_bytes(|writer| {
        let _: Gauge<u64, _> = writer.add(Gauge::builder("p.q")).unwrap();
        let _: Gauge<u64, _> = writer.add(Gauge::builder("x.total")).unwrap();
    });
    // The order of the files does not matter.
    fs::write(dir.path().join("1.mmstats"), &gauge).unwrap();
    fs::write(
        dir.path().join("2.mmstats"),
        counters(&[
            "p_q",
            "p.q",
            "x",
            "y{a=\"1\",b=\"2\"}",
            "y{b=\"2\",a=\"1\"}",
            "mmstats.writers",
        ]),
    )
    .unwrap();
    for format in FORMATS {
        let outcome = slurp(dir.path(), &[format, "1.mmstats", "2.mmstats"]);
        assert_eq!(outcome.status, 1);
        let taken = |file: &str, label: &str, as_what: &str, name: &str, by: &str| {
            format!(
                "slurpstats: {file}.mmstats: {label}: dropped: as {as_what}, it would be {name}, which is taken by {by}\n"
            )
        };
        let expected = [
            taken("1", "p.q", "a gauge", "p_q", "p.q (a counter)"),
            taken("2", "p_q", "a counter", "p_q", "p.q (a counter)"),
            taken("2", "mmstats.writers", "a counter", "mmstats_writers", "mmstats' own"),
            taken("1", "x.total", "a gauge", "x_total", "x (a counter)"),
            "slurpstats: 2.mmstats: y{b=\"2\",a=\"1\"}: dropped: another field of the same file gives the same series\n".to_owned(),
        ];
        let mut reported: Vec<_> = outcome.err.split_inclusive('\n').collect();
        reported.sort_by_key(|line| line.split(": ").nth(2));
        let mut wanted = expected.to_vec();
        wanted.sort_by_key(|line| line.split(": ").nth(2).map(str::to_owned));
        assert_eq!(reported, wanted);
        assert_eq!(samples(&outcome.out, "p_q"), ["p_q_total{file=\"2.mmstats\"} 2"]);
        assert_eq!(samples(&outcome.out, "x_total"), ["x_total{file=\"2.mmstats\"} 3"]);
        assert_eq!(
            samples(&outcome.out, "y_total"),
            ["y_total{a=\"1\",b=\"2\",file=\"2.mmstats\"} 4"]
        );
        assert_eq!(samples(&outcome.out, "mmstats_dropped_fields"), ["mmstats_dropped_fields 5"]);
        if format.ends_with("text") {
            assert_eq!(check::promtool(&outcome.out), "");
        } else {
            check::strict(&[outcome.out]);
        }
    }
}

#[test]
fn a_bad_file_does_not_hide_the_others() {
    let dir = one_of_everything();
    fs::write(dir.path().join("bad.mmstats"), b"nonsense").unwrap();
    let outcome = slurp(dir.path(), &["--prometheus", "bad.mmstats", "a.mmstats"]);
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.err.starts_with("slurpstats: bad.mmstats: not an mmstats file"),
        "{}",
        outcome.err
    );
    assert_eq!(samples(&outcome.out, "mmstats_read_failures"), ["mmstats_read_failures 1"]);
    assert_eq!(samples(&outcome.out, "busy"), ["busy{file=\"a.mmstats\"} 1"]);
    assert_eq!(check::promtool(&outcome.out), "");
}

#[test]
fn a_page_without_files_reports_zero_writers() {
    let dir = directory();
    let outcome = slurp(dir.path(), &["--prometheus", "."]);
    assert_eq!(
        (outcome.status, &outcome.err[..]),
        (0, "slurpstats: no files found: searched ./*.mmstats\n")
    );
    assert_eq!(
        samples(&outcome.out, "mmstats_writers{liveness=\"alive\"}"),
        ["mmstats_writers{liveness=\"alive\"} 0"]
    );
    assert_eq!(check::promtool(&outcome.out), "");
}

#[test]
fn wrong_usage_is_reported() {
    let dir = directory();
    for (arguments, message) in [
        (&["--prometheus", "--json"][..], "cannot be used with '--json'"),
        (&["--sum"], "--prometheus"),
        (&["--prometheus=xml"], "[possible values: text, openmetrics]"),
    ] {
        let outcome = slurp(dir.path(), arguments);
        assert!(outcome.status == 2 && outcome.err.contains(message), "{outcome:?}");
    }
}
