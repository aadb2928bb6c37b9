//! Labels and texts at the limits of the format, and directories that are unreadable for a while:
//! every tool handles them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use mmstats_tests::cli::{Outcome, VersionOne, program, run, without_environment};
use mmstats_tests::images::Dir;
use mmstats_tests::mmash::{Mmash, command as mmash};
use mmstats_tests::programs::{Program, directory, tool};
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
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
    // Not by this process: another test may fork while the copy is open, and it could not run.
    let mut copy = Command::new("cp");
    assert!(copy.arg(program("--bin", "pollstats")).arg(&pollstats).status().unwrap().success());
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
fn links_in_a_directory_are_not_followed_by_any_tool() {
    let (dir, elsewhere) = (Dir::default(), Dir::default());
    write(&dir, "a.mmstats", VersionOne::default().field("shop", "B", [1]));
    write(&elsewhere, "secret", VersionOne::default().field("secret", "B", [2]));
    symlink(elsewhere.path().join("secret"), dir.path().join("l.mmstats")).unwrap();
    for (tool, arguments) in [
        ("slurpstats", &["."][..]),
        ("slurpstats", &["--json", "."]),
        ("slurpstats", &["--prometheus", "."]),
        ("pollstats", &["--json", "-c", "1", "*", "."]),
        ("topstats", &["-b", "-c", "1", "."]),
    ] {
        let outcome = call(&dir, tool, arguments);
        assert!(outcome.out.contains("shop"), "{tool} {arguments:?}: {}", outcome.err);
        assert!(!outcome.out.contains("secret"), "{tool} {arguments:?}: {}", outcome.out);
        let report = "l.mmstats: is a symbolic link (a regular file expected)";
        assert!(outcome.err.contains(report), "{tool} {arguments:?}: {}", outcome.err);
        let named: Vec<&str> =
            arguments.iter().map(|it| if *it == "." { "l.mmstats" } else { *it }).collect();
        let outcome = call(&dir, tool, &named);
        assert!(outcome.out.contains("secret"), "{tool} {named:?}: {}", outcome.err);
    }
    let mut found = Command::new(program("--bin", "slurpstats"));
    found.current_dir(dir.path());
    let outcome = run(without_environment(&mut found).env("MMSTATS_GLOB", "*.mmstats"));
    assert!(outcome.out.contains("shop") && !outcome.out.contains("secret"), "{}", outcome.out);
}

#[test]
fn invalid_arguments_cannot_control_a_terminal() {
    let dir = Dir::default();
    for tool in ["slurpstats", "pollstats", "topstats", "cleanstats", "mmash"] {
        // `clap` removes whole escape sequences, but nothing else.
        for argument in ["--no-such-\x07\u{9b}2J\u{202e}", "--help=\x07\u{9b}2J\u{202e}"] {
            let outcome = call(&dir, tool, &[argument]);
            assert_eq!(outcome.status, 2, "{tool}: {}", outcome.err);
            assert!(outcome.err.contains("\\u202e"), "{tool}: {:?}", outcome.err);
            let is_harmful = |character: char| {
                character.is_control() && character != '\n' || character == '\u{202e}'
            };
            assert!(!outcome.err.contains(is_harmful), "{tool}: {:?}", outcome.err);
        }
    }
}

#[test]
fn a_pipe_that_takes_the_place_of_a_named_file_blocks_no_tool() {
    let dir = Dir::default();
    let [file, pipe] = ["file", "pipe"].map(|name| dir.path().join(name));
    fs::write(&file, "no stats").unwrap();
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                renameat_with(CWD, &file, CWD, &pipe, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for _ in 0..30 {
            for (tool, arguments) in
                [("slurpstats", &["file"][..]), ("slurpstats", &["--elf", "file", "file"])]
            {
                let mut command = Command::new("timeout");
                command.current_dir(dir.path()).arg("60").arg(program("--bin", tool));
                let outcome = run(command.args(arguments));
                assert_ne!(outcome.status, 124, "{tool} {arguments:?} waits");
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_file_that_states_another_owner_is_marked() {
    let dir = Dir::default();
    for (name, owner) in [("own", 7_u32), ("other", 65534)] {
        write(&dir, name, VersionOne::default().field("sys.uid", "I", 7_u32.to_ne_bytes()));
        chown(dir.path().join(name), Some(owner), None).unwrap();
        let line = call(&dir, "slurpstats", &["--json", name]).out;
        let line: Value = serde_json::from_str(&line).unwrap();
        let marked = if name == "own" { Value::Null } else { owner.into() };
        assert_eq!(line["owner"], marked);
        let text = call(&dir, "slurpstats", &["-v", name]).out;
        let is_marked = text.contains("(owned by user 65534, not by its sys.uid)");
        assert_eq!(is_marked, name == "other", "{text}");
        let reported = call(&dir, "pollstats", &["--count", "1", "sys.uid", name]).err;
        let expected = "pollstats: other: owned by user 65534, not by its sys.uid\n";
        assert_eq!(reported, if name == "other" { expected } else { "" });
        let server = Mmash::start(&mut mmash(&[dir.path().join(name).to_str().unwrap()]));
        let owners = [server.json("/api/v1/files"), server.json("/api/v1/stats")]
            .map(|all| [&all["files"], &all["stats"]].map(|list| list[0]["owner"].clone()));
        assert_eq!([&owners[0][0], &owners[1][1]], [&marked; 2]);
        for (target, note) in [
            ("/metrics", "owner=\"65534\""),
            ("/?plot=sys.uid", "; owned by user 65534, not by its sys.uid"),
        ] {
            let text = server.get(target).text();
            assert_eq!(text.contains(note), name == "other", "{target}: {text}");
        }
    }
}

#[test]
fn a_pattern_finds_no_file_through_a_link() {
    let dir = Dir::default();
    for folder in ["real/a", "secret"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
        write(&dir, &format!("{folder}/x.mmstats"), VersionOne::default().field("n", "B", [7]));
    }
    symlink("../secret", dir.path().join("real/link")).unwrap();
    symlink("real", dir.path().join("named")).unwrap();
    // A search that followed it would not end.
    for link in ["real/circle", "real/a/circle"] {
        symlink(dir.path(), dir.path().join(link)).unwrap();
    }
    for (variable, pattern, found) in [
        ("MMSTATS_GLOB", "real/*/x.mmstats", "real/a"),
        ("MMSTATS_GLOB", "./named/*/x.mmstats", "named/a"),
        ("MMSTATS_GLOB", "**/x.mmstats", "a"),
        ("MMSTATS_PATH", "real/{CMD}", "real/a"),
    ] {
        let mut command = Command::new(program("--bin", "slurpstats"));
        let outcome =
            run(without_environment(command.current_dir(dir.path())).env(variable, pattern));
        let paths: Vec<_> = outcome.out.lines().filter(|line| line.starts_with("==>")).collect();
        assert!(
            paths.iter().any(|path| path.ends_with(&format!("{found}/x.mmstats"))),
            "{paths:?}"
        );
        assert!(!paths.iter().any(|path| path.contains("link")), "{pattern}: {paths:?}");
        let reported = "/link: is a symbolic link (a directory expected)";
        assert!(pattern == "**/x.mmstats" || outcome.err.contains(reported), "{}", outcome.err);
    }
    // A link that is named is followed.
    let mut command = Command::new(program("--bin", "slurpstats"));
    let outcome = run(without_environment(command.current_dir(dir.path()))
        .env("MMSTATS_GLOB", "real/link/*.mmstats"));
    assert!(outcome.out.contains("real/link/x.mmstats"), "{}", outcome.err);
}
