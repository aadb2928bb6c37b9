//! The messages of `cleanstats`.

use super::*;

#[test]
fn the_originals_cases_have_its_messages() {
    let directory = directory();
    let at = directory.path();
    let (_program, live) = publisher(at, "plain", None);
    fs::rename(live, at.join("e.mmstats")).unwrap();
    fs::write(at.join("a.mmstats"), original(NOBODYS_PID, Some(now()))).unwrap();
    fs::write(at.join("b.mmstats"), "nothing of ours").unwrap();
    fs::write(at.join("c.mmstats"), VersionOne::default().field("web.hits", "Q", [0; 8]).finish())
        .unwrap();
    fs::write(at.join("mmstats-d"), original(NOBODYS_PID, None)).unwrap();
    let found = "PID 2147483632 not found. Deleting ./a.mmstats\nInvalid file: ./b.mmstats\nFile has no sys.pid entry: ./c.mmstats\nRemoved 1  -  1 alive\n";
    let outcome = clean(at, &["."]);
    assert_eq!((outcome.out.as_str(), outcome.err.as_str(), outcome.status), (found, "", 0));
    // As the shell expands them.
    let named = "Invalid file: b.mmstats\nFile has no sys.pid entry: c.mmstats\nPID 2147483632 not found. Deleting mmstats-d\nRemoved 1  -  1 alive\n";
    let outcome = clean(at, &["b.mmstats", "c.mmstats", "e.mmstats", "mmstats-d"]);
    assert_eq!((outcome.out.as_str(), outcome.err.as_str(), outcome.status), (named, "", 1));
    assert_eq!(names(at), ["b.mmstats", "c.mmstats", "e.mmstats"]);
}

#[test]
fn without_arguments_it_cleans_the_default_directories() {
    let directory = directory();
    let at = directory.path();
    for (name, value) in
        [("MMSTATS_PATH", at.to_path_buf()), ("MMSTATS_GLOB", at.join("*.mmstats"))]
    {
        fs::write(at.join("a.mmstats"), original(NOBODYS_PID, None)).unwrap();
        let outcome = run(cleanstats().env(name, value));
        assert!(
            outcome.out.ends_with("\nRemoved 1  -  0 alive\n") && outcome.status == 0,
            "{outcome:?}"
        );
        assert_eq!(names(at), [""; 0]);
    }
}

#[test]
fn files_without_a_process_are_refused() {
    let directory = directory();
    let outcome = clean(directory.path(), &["gdb://localhost:1", "qmp:///run/qemu", "missing"]);
    let reported = "cleanstats: gdb://localhost:1: a device: only files can be removed\ncleanstats: qmp:///run/qemu: a device: only files can be removed\n\
        cleanstats: missing: No such file or directory\n";
    assert_eq!(
        (outcome.out.as_str(), outcome.err.as_str(), outcome.status),
        ("Removed 0  -  0 alive\n", reported, 1)
    );
    let core = directory.path().join("core");
    fs::write(&core, [b"\x7fELF".as_slice(), &[0; 4000], &original(NOBODYS_PID, None)].concat())
        .unwrap();
    let outcome = clean(directory.path(), &["core"]);
    assert_eq!(
        (outcome.out.as_str(), outcome.status),
        ("Invalid file: core\nRemoved 0  -  0 alive\n", 1)
    );
    assert!(core.exists());
}

#[test]
fn names_and_texts_of_files_cannot_control_the_terminal() {
    let directory = directory();
    let text = VersionOne::default()
        .field("sys.pid", "I", NOBODYS_PID.to_ne_bytes())
        .field("web.\x1b[2J", "8s", b"\x1b[31mred")
        .finish();
    fs::write(directory.path().join("a\x1b[2J.mmstats"), text).unwrap();
    fs::write(directory.path().join("b\x1b[2J.mmstats"), "nothing of ours").unwrap();
    let outcome = clean(directory.path(), &["--print-removed", "."]);
    let printed = outcome.out + &outcome.err;
    for escaped in ["a\\x1b[2J.mmstats", "b\\x1b[2J.mmstats", "web.\\x1b[2J", "\\x1b[31mred"] {
        assert!(printed.contains(escaped), "{printed}");
    }
    assert!(!printed.contains('\x1b'), "{printed}");
}
