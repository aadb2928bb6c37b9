//! Labels and texts at the limits of the format, and directories that are unreadable for a while:
//! every tool handles them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use mmstats_tests::cli::{Outcome, VersionOne, program, run, without_environment};
use mmstats_tests::images::Dir;
use mmstats_tests::programs::{Program, directory, tool};
use mmstats_tools::options::SourceOptions;
use mmstats_tools::scraper::Scraper;
use mmstats_tools::source::Sources;
use serde_json::Value;

fn call(dir: &Dir, name: &str, arguments: &[&str]) -> Outcome {
    run(Command::new(program("--bin", name)).current_dir(dir.path()).args(arguments))
}

fn write(dir: &Dir, name: &str, file: VersionOne) {
    fs::write(dir.path().join(name), file.finish()).unwrap();
}

#[test]
fn a_label_or_text_can_be_as_long_as_the_format_allows() {
    let dir = Dir::default();
    let label = "\x1b".repeat(60_000);
    write(
        &dir,
        "a.mmstats",
        VersionOne::default().field(&label, "Q", 7_u64.to_ne_bytes()).field(
            "long",
            "60000s",
            "x".repeat(60_000),
        ),
    );
    write(&dir, "b.mmstats", VersionOne::default().field("short", "Q", 8_u64.to_ne_bytes()));
    for (name, arguments) in [
        ("slurpstats", &["."][..]),
        ("pollstats", &["-c", "1", "*", "."]),
        ("pollstats", &["-c", "1", "--csv", "*", "."]),
        ("topstats", &["-b", "-d", "0.1", "."]),
    ] {
        let outcome = call(&dir, name, arguments);
        assert_eq!((outcome.status, outcome.err.as_str()), (0, ""), "{name}");
        assert!(outcome.out.contains("short"), "{name}");
    }
    let outcome = call(&dir, "cleanstats", &["--dry-run", "--print-removed", "."]);
    assert!(outcome.out.ends_with("Would remove 0  -  0 alive\n"), "{outcome:?}");
}

#[test]
fn a_label_can_consist_of_dots() {
    let dir = Dir::default();
    let dots = ".".repeat(65_000);
    write(
        &dir,
        "a.mmstats",
        VersionOne::default().field(format!("{dots}x"), "Q", [0; 8]).field(
            format!("{dots}y"),
            "Q",
            [0; 8],
        ),
    );
    for group in ["none", "prefix", "dimension", "file"] {
        let outcome = call(&dir, "topstats", &["-b", "-d", "0.1", "-g", group, "."]);
        assert_eq!((outcome.status, outcome.err.as_str()), (0, ""), "{group}");
    }
}

#[test]
fn a_file_that_starts_to_match_a_filter_counts_from_then_on() {
    let dir = Dir::default();
    let file = |n: u64, state: &str| {
        VersionOne::default().field("n", "Q", n.to_ne_bytes()).field(
            "state",
            "8s",
            format!("{state:\0<8}"),
        )
    };
    let recording = dir.path().join("r.jsonl");
    write(&dir, "a.mmstats", file(100, "run"));
    let mut command = Command::new(program("--bin", "pollstats"));
    let command = command.current_dir(dir.path()).args([
        "--json",
        "--totals",
        "-d",
        "0.05",
        "-f",
        "state=run",
        "--record",
    ]);
    let mut poll =
        Program::spawn(without_environment(command.arg(&recording).args(["n", "a.mmstats"])));
    let mut until = |wanted: u64| loop {
        let row: Value = serde_json::from_str(&poll.line()).unwrap();
        let n = row["values"]["n"].as_u64();
        assert!(n.is_none_or(|n| n <= wanted), "{row}");
        if n == Some(wanted) {
            return;
        }
    };
    until(100);
    fs::write(dir.path().join("a.mmstats"), file(100, "idle").finish()).unwrap();
    sleep(Duration::from_millis(300));
    fs::write(dir.path().join("a.mmstats"), file(101, "run").finish()).unwrap();
    // Not 201: the file had that count before it matched.
    until(101);
    poll.kill();
    let replayed = call(
        &dir,
        "pollstats",
        &["--replay", "r.jsonl", "--json", "--totals", "-f", "state=run", "n"],
    );
    assert!(replayed.out.lines().last().unwrap().contains("\"n\":101"), "{replayed:?}");
}

#[test]
fn a_temporarily_unreadable_directory_creates_no_new_writers() {
    // Root can list everything, so the tool runs as another user.
    let dir = directory();
    let at = dir.path().join("stats");
    fs::create_dir(&at).unwrap();
    fs::write(
        at.join("a.mmstats"),
        VersionOne::default().field("n", "Q", 5_u64.to_ne_bytes()).finish(),
    )
    .unwrap();
    let allow =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    allow(dir.path(), 0o755);
    // Copied to where that user can run it.
    let pollstats = dir.path().join("pollstats");
    fs::copy(program("--bin", "pollstats"), &pollstats).unwrap();
    allow(&pollstats, 0o755);
    let mut command = tool("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&pollstats)
        .args(["--json", "-y", "-d", "0.02", "n"])
        .arg(&at);
    let mut poll = Program::spawn(without_environment(&mut command));
    for mode in [0o755, 0o700, 0o755, 0o700, 0o755] {
        allow(&at, mode);
        for _ in 0..10 {
            let row: Value = serde_json::from_str(&poll.line()).unwrap();
            let n = &row["values"]["n"];
            assert!(n.is_null() || *n == 0, "it has not counted: {row}");
        }
    }
    poll.kill();
}

#[test]
fn links_out_of_the_directory_are_not_opened_on_request() {
    let dir = directory();
    let secret = directory();
    fs::write(secret.path().join("secret"), b"root:x:0").unwrap();
    std::os::unix::fs::symlink(secret.path().join("secret"), dir.path().join("l.mmstats")).unwrap();
    let scraper = || {
        Scraper::new(vec![dir.path().to_owned()], Sources::new(SourceOptions::default()).unwrap())
    };
    let what = |mut scraper: Scraper| {
        scraper.scrape().errors.into_iter().map(|problem| problem.what).collect::<Vec<_>>()
    };
    assert_eq!(
        what(scraper().without_links()),
        ["a link that leads out of its directory, which is not followed"]
    );
    assert!(what(scraper())[0].starts_with("not an mmstats file"));
}
