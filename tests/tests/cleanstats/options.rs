//! The options of `cleanstats`.

use super::*;

#[test]
fn a_dry_run_removes_nothing() {
    let directory = directory();
    fs::write(directory.path().join("a.mmstats"), original(NOBODYS_PID, None)).unwrap();
    for argument in ["-n", "--dry-run"] {
        let outcome = clean(directory.path(), &[argument, "."]);
        let reported =
            "PID 2147483632 not found. Would delete ./a.mmstats\nWould remove 1  -  0 alive\n";
        assert_eq!((outcome.out.as_str(), outcome.err.as_str(), outcome.status), (reported, "", 0));
    }
    let reported = objects(&clean(directory.path(), &["-n", "--json", "."]));
    assert_eq!(reported[0]["action"], "would remove");
    assert_eq!(
        reported[1],
        json!({"removed": 0, "alive": 0, "unknown": 0, "failed": 0, "would_remove": 1})
    );
    assert_eq!(names(directory.path()), ["a.mmstats"]);
}

#[test]
fn a_file_is_removed_when_it_is_old_enough() {
    let directory = directory();
    let path = directory.path().join("a.mmstats");
    fs::write(&path, original(NOBODYS_PID, None)).unwrap();
    set_modified(&path, Duration::from_secs(1000));
    let kept = clean(directory.path(), &["--min-age", "1h", "."]);
    let (start, end) = (
        "PID 2147483632 not found. Modified 10",
        "s ago, skipping ./a.mmstats\nRemoved 0  -  0 alive\n",
    );
    assert!(kept.out.starts_with(start) && kept.out.ends_with(end) && kept.status == 0, "{kept:?}");
    let reported = objects(&clean(directory.path(), &["--min-age", "1h", "--json", "."]));
    assert_eq!(
        reported[1],
        json!({"removed": 0, "alive": 0, "unknown": 0, "failed": 0, "young": 1})
    );
    assert!(path.exists());
    let gone = clean(directory.path(), &["--min-age=10m", "."]);
    assert!(gone.out.ends_with("\nRemoved 1  -  0 alive\n") && !path.exists(), "{gone:?}");
}

#[test]
fn json_has_every_file() {
    let directory = directory();
    let at = directory.path();
    let (program, live) = publisher(at, "plain", None);
    fs::rename(live, at.join("c.mmstats")).unwrap();
    fs::write(at.join("a.mmstats"), original(NOBODYS_PID, None)).unwrap();
    fs::write(at.join("b.mmstats"), "").unwrap();
    let outcome = clean(at, &["--json", ".", "missing\x1b"]);
    let expected = [
        json!({"file": "./a.mmstats", "pid": NOBODYS_PID, "liveness": "dead", "reason": "its process has ended", "action": "removed"}),
        json!({"file": "./b.mmstats", "pid": null, "liveness": null, "reason": null, "action": "kept", "error": "empty (0 bytes)"}),
        json!({"file": "./c.mmstats", "pid": program.pid(), "liveness": "alive", "reason": "its process runs", "action": "kept"}),
        json!({"file": "missing\u{1b}", "pid": null, "liveness": null, "reason": null, "action": "failed", "error": "No such file or directory"}),
        json!({"removed": 1, "alive": 1, "unknown": 1, "failed": 1}),
    ];
    assert_eq!(objects(&outcome), expected);
    assert_eq!(
        (outcome.err.as_str(), outcome.status),
        ("cleanstats: missing\\x1b: No such file or directory\n", 1)
    );
}

#[test]
fn removed_files_are_printed_like_by_slurpstats() {
    let directory = directory();
    let at = directory.path();
    let path = at.join("a.mmstats");
    for json in [false, true] {
        fs::write(&path, original(NOBODYS_PID, None)).unwrap();
        let arguments: &[&str] = if json { &["--json", "."] } else { &["."] };
        let printed =
            run(Command::new(program("--bin", "slurpstats")).current_dir(at).args(arguments)).out;
        assert_eq!(
            clean(at, &[arguments, &["-n", "--print-removed"]].concat())
                .out
                .matches("web.hits")
                .count(),
            1
        );
        let outcome = clean(at, &[arguments, &["--print-removed"]].concat());
        assert!(
            outcome.out.contains(&printed) && printed.contains("web.hits") && outcome.status == 0,
            "{outcome:?}"
        );
        if json {
            assert_eq!(objects(&outcome).len(), 2 + 2);
        } else {
            assert!(
                outcome.out.starts_with(
                    "PID 2147483632 not found. Deleting ./a.mmstats\n==> ./a.mmstats\n"
                ),
                "{outcome:?}"
            );
        }
        assert!(!path.exists());
    }
    fs::write(&path, original(NOBODYS_PID, None)).unwrap();
    let outcome = clean(at, &["-q", "--print-removed", "."]);
    assert!(
        outcome.out.starts_with("==> ./a.mmstats\n") && outcome.out.ends_with("\n\n"),
        "{outcome:?}"
    );
}

#[test]
fn quiet_prints_only_errors() {
    let directory = directory();
    let at = directory.path();
    for name in ["a.mmstats", "b.mmstats"] {
        fs::write(at.join(name), original(NOBODYS_PID, None)).unwrap();
    }
    fs::write(at.join("c.mmstats"), "").unwrap();
    let outcome = clean(at, &["-q", "."]);
    assert_eq!((outcome.out.as_str(), outcome.err.as_str(), outcome.status), ("", "", 0));
    let outcome = clean(at, &["--quiet", "c.mmstats", "d.mmstats"]);
    let reported =
        ("Invalid file: c.mmstats\n", "cleanstats: d.mmstats: No such file or directory\n", 1);
    assert_eq!((outcome.out.as_str(), outcome.err.as_str(), outcome.status), reported);
    assert_eq!(names(at), ["c.mmstats"]);
}

#[test]
fn an_interval_is_never_taken_for_a_file() {
    let directory = directory();
    let at = directory.path();
    for arguments in [&["--interval"][..], &[".", "--interval"], &["-d"], &["-d", "5x", "."]] {
        let mut command = cleanstats();
        let end =
            Program::spawn(without_environment(command.current_dir(at).args(arguments))).end();
        assert!(
            end.lines.is_empty()
                && end.errors.contains("--interval <TIME>")
                && end.status.code() == Some(2),
            "{arguments:?}: {}",
            end.errors
        );
    }
    // However it is spelled, other words are files, also those that read as a duration.
    for (arguments, name) in [
        (&["--interval", "5", "a.mmstats"][..], "a.mmstats"),
        (&["-d", "20ms", "6", "a.mmstats"], "6"),
        (&["--interval=20ms", "6", "a.mmstats"], "a.mmstats"),
    ] {
        for name in ["5", name] {
            fs::write(at.join(name), original(NOBODYS_PID, None)).unwrap();
        }
        let mut command = cleanstats();
        let mut watch =
            Program::spawn(without_environment(command.current_dir(at).args(arguments)));
        watch.expect(&format!("PID {NOBODYS_PID} not found. Deleting {name}"));
        watch.expect("Removed 1  -  0 alive");
        assert!(at.join("5").exists());
    }
}

#[test]
fn files_of_processes_that_die_are_removed_until_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = directory();
        let at = directory.path();
        fs::write(at.join("garbage.mmstats"), "").unwrap();
        let (mut first, _) = publisher(at, "plain", None);
        let (mut second, _) = publisher(at, "version_1", None);
        let mut command = cleanstats();
        let named = at.join("named");
        fs::write(&named, original(NOBODYS_PID, None)).unwrap();
        let mut watch = Program::spawn(without_environment(
            command.args(["--interval=20ms"]).args([at, &named]),
        ));
        watch.expect(&format!("Invalid file: {}", at.join("garbage.mmstats").display()));
        watch.expect(&format!("PID {NOBODYS_PID} not found. Deleting {}", named.display()));
        watch.expect("Removed 1  -  2 alive");
        for (program, alive) in [(&mut first, 1), (&mut second, 0)] {
            program.kill();
            // It can scrape while the process is a zombie.
            watch.expect(&format!("PID {} ", program.pid()));
            watch.expect(&format!("Removed 1  -  {alive} alive"));
        }
        kill_process(Pid::from_raw(watch.pid() as i32).unwrap(), signal).unwrap();
        let end = watch.end();
        assert_eq!((end.status.code(), end.errors.as_str()), (Some(0), ""));
        assert_eq!(end.lines, ["Removed 3  -  0 alive"]);
        assert_eq!(names(at), ["garbage.mmstats"]);
    }
}
