//! Processes that are alive, dead or unknown.

use super::*;

#[test]
fn a_recycled_pid_is_detected_by_the_creation_time_of_a_version_1_file() {
    let directory = directory();
    let at = directory.path();
    let live = std::process::id();
    let started = now() - 3600.0;
    for (name, created, age, is_dead) in [
        ("created-before", Some(started - 1e6), 0, true),
        ("created-after", Some(now()), 0, false),
        ("modified-before", None, 1_000_000, true),
        ("modified-after", None, 0, false),
        // The file's content takes precedence.
        ("created-after-and-modified-before", Some(now()), 1_000_000, false),
        ("created-never", Some(0.0), 1_000_000, true),
    ] {
        let path = at.join(format!("{name}.mmstats"));
        fs::write(&path, original(live, created)).unwrap();
        set_modified(&path, Duration::from_secs(age));
        let outcome = clean(at, &["."]);
        let reported = if is_dead {
            format!(
                "PID {live} is another process now. Deleting ./{name}.mmstats\nRemoved 1  -  0 alive\n"
            )
        } else {
            "Removed 0  -  1 alive\n".to_owned()
        };
        assert_eq!((outcome.out, outcome.status, path.exists()), (reported, 0, !is_dead), "{name}");
        let _ = fs::remove_file(path);
    }
}

#[test]
fn from_a_pid_namespace_no_process_outside_is_taken_for_dead() {
    let directory = public_directory();
    let at = directory.path();
    let path = at.join("a.mmstats");
    let live = Original::start(&path, now(), None);
    let outcome = clean_in_namespace(at, &[]);
    assert!(path.exists() && outcome.out.ends_with("Removed 0  -  0 alive\n"), "{outcome:?}");
    drop(live);
}

#[test]
fn assume_same_pid_namespace_takes_missing_processes_for_dead() {
    let (directory, outside) = (public_directory(), public_directory());
    let at = directory.path();
    let dead = [at.join("a.mmstats"), at.join(format!(".mmstats-{NOBODYS_PID}-0.tmp"))];
    let kept = [at.join("b.mmstats"), at.join("c.mmstats")];
    fs::write(&dead[0], original(NOBODYS_PID, Some(now()))).unwrap();
    fs::write(&dead[1], []).unwrap();
    set_modified(&dead[1], Duration::from_secs(3600));
    // Every namespace has a PID 1; here it started before the file was created.
    fs::write(&kept[0], original(1, Some(now() + 1e6))).unwrap();
    // A file of version 2, which names its namespace.
    fs::rename(left_file(outside.path(), "plain", None), &kept[1]).unwrap();
    let count_existing = |paths: &[PathBuf]| paths.iter().filter(|path| path.exists()).count();
    let outcome = clean_in_namespace(at, &[]);
    assert!(
        count_existing(&dead) == 2 && outcome.out.ends_with("Removed 0  -  1 alive\n"),
        "{outcome:?}"
    );
    let outcome = clean_in_namespace(at, &["--assume-same-pid-namespace"]);
    assert!(count_existing(&dead) == 0 && count_existing(&kept) == 2, "{outcome:?}");
    assert!(
        outcome
            .out
            .contains(&format!("PID {NOBODYS_PID} not found. Deleting {}\n", dead[0].display())),
        "{outcome:?}"
    );
    assert!(outcome.out.ends_with("Removed 2  -  1 alive\n") && outcome.status == 0, "{outcome:?}");
}

/// Runs `cleanstats` in a new PID namespace without other processes.
fn clean_in_namespace(at: &Path, arguments: &[&str]) -> Outcome {
    let mut command = tool("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    run(command
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(program("--bin", "cleanstats"))
        .args(arguments)
        .arg(at))
}

#[test]
fn a_clock_change_makes_no_process_dead() {
    let directory = public_directory();
    let at = directory.path();
    let path = at.join("a.mmstats");
    // As if the clock had been in 1970 at the start, like on machines without a battery.
    let original = Original::start(&path, 12.5, None);
    let outcome = clean(at, &["."]);
    let pid = original.0.id();
    assert_eq!(
        outcome.out,
        format!(
            "PID {pid} may be alive: a process has ./a.mmstats mapped to write to it, skipping.\nRemoved 0  -  1 alive\n"
        )
    );
    if is_root() {
        // Without permission to see its mappings, the verdict is unknown.
        let outcome = run(as_user(CLEANER, false).current_dir(at).arg("."));
        let why = "its PID was reused, or the clock was set: run this as root to find out";
        assert_eq!(
            outcome.out,
            format!(
                "PID {pid} cannot be judged ({why}), skipping ./a.mmstats\nRemoved 0  -  0 alive\n"
            )
        );
    }
    drop(original);
    assert_eq!(
        clean(at, &["."]).out,
        format!("PID {pid} not found. Deleting ./a.mmstats\nRemoved 1  -  0 alive\n")
    );
}

#[test]
fn readers_take_no_version_1_writer_for_dead_after_the_clock_was_set_forward() {
    let directory = public_directory();
    let path = directory.path().join("a.mmstats");
    let original = Original::start(&path, now() - 3600.0, is_root().then_some(SOMEBODY));
    let slurpstats = |user: Option<u32>, arguments: &[&str]| {
        let mut command = Command::new(program("--bin", "slurpstats"));
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        run(command.args(arguments).arg(&path)).out
    };
    assert!(slurpstats(None, &["--live"]).contains("sys.pid"));
    if is_root() {
        // Without permission to see its mappings, the verdict is unknown.
        let out = slurpstats(Some(CLEANER), &["--json"]);
        assert!(out.contains("\"liveness\":\"unknown\""), "{out}");
    }
    drop(original);
    let out = slurpstats(None, &["--json"]);
    assert!(out.contains("\"liveness\":\"dead\""), "{out}");
}

#[test]
fn a_version_1_file_of_another_namespace_is_alive_while_it_is_written() {
    let directory = directory();
    let path = directory.path().join("a.mmstats");
    let original = Original::start_as(NOBODYS_PID, &path, now(), None);
    let kept = clean(directory.path(), &["."]);
    assert!(kept.out.ends_with(" skipping.\nRemoved 0  -  1 alive\n") && path.exists(), "{kept:?}");
    drop(original);
    let gone = clean(directory.path(), &["."]);
    assert!(gone.out.ends_with("\nRemoved 1  -  0 alive\n") && !path.exists(), "{gone:?}");
}

#[test]
fn pending_files_stay_and_abandoned_ones_are_removed() {
    let directory = directory();
    let at = directory.path();
    let old = Duration::from_secs(3600);
    let live = std::process::id();
    for (name, content, age, is_left) in [
        (format!(".mmstats-{NOBODYS_PID}-0.tmp"), vec![], old, false),
        (format!(".mmstats-{NOBODYS_PID}-1.tmp"), vec![0; 4096], old, false),
        (format!(".mmstats-{NOBODYS_PID}-2.tmp"), original(NOBODYS_PID, None), old, false),
        (format!(".mmstats-{NOBODYS_PID}-3.tmp"), vec![0; 4096], Duration::ZERO, true),
        (format!(".mmstats-{NOBODYS_PID}-4.tmp"), b"somebody else's".to_vec(), old, true),
        (format!(".mmstats-{live}-0.tmp"), vec![0; 4096], Duration::ZERO, true),
        (".mmstats-x-0.tmp".to_owned(), vec![], old, true),
        (".mmstats-.tmp".to_owned(), vec![], old, true),
    ] {
        let path = at.join(&name);
        fs::write(&path, content).unwrap();
        set_modified(&path, age);
        let outcome = clean(at, &["."]);
        let reported = if is_left {
            "Removed 0  -  0 alive\n".to_owned()
        } else {
            format!("PID {NOBODYS_PID} not found. Deleting ./{name}\nRemoved 1  -  0 alive\n")
        };
        assert_eq!((outcome.out, outcome.status, path.exists()), (reported, 0, is_left), "{name}");
        let _ = fs::remove_file(path);
    }
}

#[test]
fn a_file_that_is_replaced_before_its_removal_stays() {
    let (directory, elsewhere) = (directory(), directory());
    let path = directory.path().join("a.mmstats");
    // Its final values exceed a pipe's capacity, so `cleanstats` waits for this test to read them.
    let long = VersionOne::default()
        .field("sys.pid", "I", NOBODYS_PID.to_ne_bytes())
        .field("note", "900000s", vec![b'x'; 900_000])
        .finish();
    fs::write(&path, long).unwrap();
    let (_program, live) = publisher(elsewhere.path(), "plain", None);
    let mut command = cleanstats();
    let mut child = without_environment(command.arg(&path).arg("--print-removed"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::with_capacity(64, child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, format!("PID {NOBODYS_PID} not found. Deleting {}\n", path.display()));
    fs::rename(live, &path).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(
        rest.ends_with(&format!(
            "\n{} has changed meanwhile, skipping.\nRemoved 0  -  0 alive\n",
            path.display()
        )),
        "{}",
        &rest[900_000..]
    );
    assert!(child.wait().unwrap().success() && path.exists());
}

#[test]
fn files_that_a_process_left_when_it_replaced_its_program_stay_until_it_ends() {
    let directory = directory();
    let mut command = Command::new(EXE);
    command.args(["exec", "sh", "-c", "echo now; read end"]);
    let (mut program, _) = start(directory.path(), &mut command);
    assert_eq!(clean(directory.path(), &["."]).out, "Removed 0  -  2 alive\n");
    program.go();
    program.expect("now");
    let outcome = clean(directory.path(), &["."]);
    let line = format!("PID {} is alive but no longer writes to ./publishes-", program.pid());
    assert_eq!(outcome.out.matches(&line).count(), 2, "{outcome:?}");
    assert!(outcome.out.ends_with("Removed 0  -  2 alive\n"), "{outcome:?}");
    program.kill();
    assert!(clean(directory.path(), &["."]).out.ends_with("Removed 2  -  0 alive\n"));
}

#[test]
fn a_process_with_another_start_time_is_alive_while_it_maps_its_file() {
    let directory = public_directory();
    let at = directory.path();
    let (mut program, path) = publisher(at, "plain", is_root().then_some(SOMEBODY));
    // Like a process that was restored in another time namespace: it maps the file as before, but
    // did not start at the time in it.
    let start = values(&path).count("sys.start");
    forge(&path, &path, "sys.start", &(start + 1).to_ne_bytes());
    let verdict = || Reader::new().read(&path).unwrap().verdict();
    assert_eq!(verdict().reason, Reason::Mapped);
    let kept = clean(at, &["."]);
    assert!(kept.out.ends_with("Removed 0  -  1 alive\n"), "{kept:?}");
    if is_root() {
        let outcome = run(as_user(CLEANER, false).current_dir(at).arg("."));
        assert!(outcome.out.contains(" cannot be judged (its PID was reused, or "));
    }
    program.kill();
    assert!(clean(at, &["."]).out.ends_with("Removed 1  -  0 alive\n"));
}

#[test]
fn a_process_that_seems_to_be_of_an_earlier_boot_is_alive_while_it_maps_its_file() {
    let directory = directory();
    let at = directory.path();
    let (mut program, path) = publisher(at, "plain", None);
    // Like a process in a container with its own boot ID, since whose start the clock was set.
    forge(&path, &path, "sys.boot_id", b"00000000-0000-4000-8000-000000000000");
    forge(&path, &path, "sys.pid_namespace", &1_u64.to_ne_bytes());
    forge(&path, &path, "sys.created", &1_f64.to_ne_bytes());
    assert_eq!(Reader::new().read(&path).unwrap().verdict().reason, Reason::OtherBoot);
    let kept = clean(at, &["."]);
    assert!(kept.out.ends_with("Removed 0  -  1 alive\n"), "{kept:?}");
    program.kill();
    assert!(clean(at, &["."]).out.ends_with("Removed 1  -  0 alive\n"));
}

#[test]
fn a_process_that_hides_its_mappings_from_its_own_user_keeps_its_files() {
    // Of no other test, as each of its processes may be the writer of any of its files.
    const USER: u32 = 65_532;
    if !is_root() {
        return;
    }
    let directory = public_directory();
    let path = directory.path().join("a.mmstats");
    let original = Original::start_hidden(NOBODYS_PID, &path, now(), USER);
    let clean = |arguments: &[&str]| {
        run(as_user(USER, false).args(arguments).arg(".").current_dir(directory.path())).out
    };
    let why = "its process may be one whose mappings are hidden: run this as root, or with \
               --assume-same-pid-namespace";
    let expected = format!(
        "PID {NOBODYS_PID} cannot be judged ({why}), skipping ./a.mmstats\n\
         Removed 0  -  0 alive\n"
    );
    assert_eq!(clean(&[]), expected);
    drop(original);
    // It ends when it notices that nobody writes to it any more.
    wait_until(|| clean(&[]).ends_with("Removed 1  -  0 alive\n"));
}

#[test]
fn a_live_process_that_proc_hides_is_unknown_and_keeps_its_files() {
    if !is_root() {
        return;
    }
    let directory = public_directory();
    let at = directory.path();
    for scene in ["plain", "version_1"] {
        let (program, path) = publisher(at, scene, Some(SOMEBODY));
        let outcome = run(as_user(CLEANER, true).current_dir(at).arg("."));
        let why = "/proc hides its process: run this as root or as the process's user";
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(
            outcome.out,
            format!(
                "PID {} cannot be judged ({why}), skipping ./{name}\nRemoved 0  -  0 alive\n",
                program.pid()
            )
        );
        // Root, and the user, see it.
        for user in [0, SOMEBODY] {
            let outcome = run(as_user(user, true).current_dir(at).arg("."));
            assert_eq!(outcome.out, "Removed 0  -  1 alive\n");
        }
        drop(program);
        let outcome = run(as_user(CLEANER, true).args(["--dry-run", "."]).current_dir(at));
        assert!(outcome.out.contains(" not found. Would delete "), "{outcome:?}");
        fs::remove_file(path).unwrap();
    }
}
