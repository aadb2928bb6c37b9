//! Closed output, large directories and wrong usage.

use super::*;

#[test]
fn removal_stops_when_the_output_is_closed() {
    let directory = directory();
    let at = directory.path();
    let fill = || {
        (0..3).for_each(|i| {
            fs::write(at.join(format!("{i}.mmstats")), original(NOBODYS_PID, None)).unwrap();
        });
    };
    let end = |arguments: &[&str], out: Stdio| {
        let mut command = cleanstats();
        let child = without_environment(command.arg(at).args(arguments))
            .stdout(out)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    fill();
    let full = || File::options().write(true).open("/dev/full").unwrap().into();
    let no_space =
        "cleanstats: standard output: No space left on device (os error 28)\n".to_owned();
    assert_eq!(end(&[], full()), (Some(1), no_space.clone()));
    assert_eq!(end(&["-q", "--print-removed"], full()), (Some(1), no_space.clone()));
    assert_eq!(names(at).len(), 3);
    // The output is no longer read.
    let closed = || {
        let mut child = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let unread = child.stdin.take().unwrap();
        child.wait().unwrap();
        Stdio::from(unread)
    };
    let unread = "cleanstats: standard output was closed: the remaining files are kept (-q removes silently)\n".to_owned();
    assert_eq!(end(&[], closed()), (Some(1), unread.clone()));
    assert_eq!(end(&["--dry-run"], closed()), (Some(0), String::new()));
    assert_eq!(names(at).len(), 3);
    // A removal is reported afterwards, so one file is removed.
    assert_eq!(end(&["--json"], full()), (Some(1), no_space));
    assert_eq!(names(at).len(), 2);
    assert_eq!(end(&["--json"], closed()), (Some(1), unread));
    assert_eq!(names(at).len(), 1);
    assert_eq!(end(&["-q"], closed()), (Some(0), String::new()));
    assert_eq!(names(at).len(), 0);
    // Everything was removed before the report failed.
    assert_eq!(end(&[], closed()), (Some(0), String::new()));
}

#[test]
fn a_thousand_files_are_removed_quickly() {
    let directory = directory();
    let at = directory.path();
    let path = left_file(at, "plain", None);
    for i in 0..500 {
        fs::copy(&path, at.join(format!("two-{i}.mmstats"))).unwrap();
        fs::write(at.join(format!("one-{i}.mmstats")), original(NOBODYS_PID, Some(now()))).unwrap();
    }
    let begun = Instant::now();
    let outcome = clean(at, &["."]);
    assert!(
        outcome.out.ends_with("\nRemoved 1001  -  0 alive\n") && outcome.status == 0,
        "{outcome:?}"
    );
    assert_eq!(names(at), [""; 0]);
    assert!(begun.elapsed() < TIMEOUT / 2, "{:?}", begun.elapsed());
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    let directory = directory();
    for arguments in [
        &["--no-such"][..],
        &["--min-age"],
        &["--min-age", "x"],
        &["--interval=0"],
        &["-q", "--json"],
    ] {
        let outcome = clean(directory.path(), arguments);
        assert!(
            outcome.status == 2 && outcome.out.is_empty() && outcome.err.contains("--help"),
            "{outcome:?}"
        );
    }
    for (arguments, part) in [
        (&["--help"][..], "MMSTATS_GLOB"),
        (&["-h"], "Exit status"),
        (&["--help"], "--dry-run /path"),
        (&["--version"], "cleanstats 0"),
    ] {
        let outcome = clean(directory.path(), arguments);
        assert!(
            outcome.status == 0 && outcome.err.is_empty() && outcome.out.contains(part),
            "{outcome:?}"
        );
    }
}
