//! Files of every kind: exactly those of dead processes are removed.

use super::*;

/// Files of every kind.
struct Cases {
    directory: TempDir,
    elsewhere: TempDir,
    /// The files to remove.
    dead: Vec<PathBuf>,
    /// The files to keep.
    kept: Vec<PathBuf>,
    _running: Vec<Program>,
    _originals: Vec<Original>,
}

impl Cases {
    /// Creates files of the user who cleans, and of others.
    fn new(cleaner: Option<u32>, other: Option<u32>) -> Cases {
        let (directory, elsewhere) = (public_directory(), public_directory());
        let at = directory.path();
        let (mut dead, mut kept, mut running, mut originals) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for scene in ["plain", "version_1"] {
            for user in [cleaner, other] {
                let (program, path) = publisher(at, scene, user);
                running.push(program);
                kept.push(path);
                dead.push(left_file(at, scene, user));
            }
            let (program, path) =
                in_namespace(at, scene, &format!("namespace-alive-{scene}.mmstats"));
            running.push(program);
            kept.push(path);
            let (mut program, path) =
                in_namespace(at, scene, &format!("namespace-dead-{scene}.mmstats"));
            program.kill();
            kept.push(path);
            // A zombie: its parent, this process, does not wait for it.
            let (program, path) = publisher(at, scene, cleaner);
            kill_process(Pid::from_raw(program.pid() as i32).unwrap(), Signal::KILL).unwrap();
            wait_until(|| Reader::new().read(&path).unwrap().verdict().liveness == Liveness::Dead);
            running.push(program);
            dead.push(path);
        }
        for user in [cleaner, other] {
            let path = at.join(format!("original-{user:?}.mmstats"));
            originals.push(Original::start(&path, now(), user));
            kept.push(path);
        }
        let (recycled, live) = publisher(elsewhere.path(), "plain", cleaner);
        let start = values(&live).count("sys.start");
        let put = |list: &mut Vec<PathBuf>, name: &str, bytes: &[u8]| {
            let path = at.join(name);
            fs::write(&path, bytes).unwrap();
            list.push(path);
        };
        put(&mut dead, "original-dead.mmstats", &original(NOBODYS_PID, Some(now())));
        put(
            &mut dead,
            "original-recycled.mmstats",
            &original(recycled.pid(), Some(1_353_442_620.0)),
        );
        put(&mut kept, "original-same.mmstats", &original(recycled.pid(), Some(now())));
        let whole = fs::read(&live).unwrap();
        put(&mut kept, "cut.mmstats", &whole[..whole.len() / 2]);
        put(&mut kept, "original-cut.mmstats", &original(NOBODYS_PID, Some(now()))[..40]);
        put(&mut kept, "empty.mmstats", b"");
        put(&mut kept, "garbage.mmstats", b"nothing of ours");
        put(
            &mut kept,
            "without-pid.mmstats",
            &VersionOne::default().field("web.hits", "Q", [0; 8]).finish(),
        );
        put(&mut kept, "memory.mmstats", &[&whole[..], &[0; 4096]].concat());
        put(&mut kept, "other-name", &original(NOBODYS_PID, Some(now())));
        put(&mut kept, ".hidden.mmstats", &original(NOBODYS_PID, Some(now())));
        let forge = |list: &mut Vec<PathBuf>, name: &str, label: &str, value: &[u8]| {
            let path = at.join(name);
            forge(&live, &path, label, value);
            list.push(path);
        };
        forge(&mut dead, "recycled.mmstats", "sys.start", &(start - 1).to_ne_bytes());
        forge(&mut dead, "boot.mmstats", "sys.boot_id", b"00000000-0000-4000-8000-000000000000");
        forge(&mut kept, "same.mmstats", "sys.start", &start.to_ne_bytes());
        running.push(recycled);

        let target = elsewhere.path().join("target.mmstats");
        fs::write(&target, original(NOBODYS_PID, Some(now()))).unwrap();
        symlink(&target, at.join("link.mmstats")).unwrap();
        fs::create_dir(at.join("directory.mmstats")).unwrap();
        let status = Command::new("mkfifo").arg(at.join("pipe.mmstats")).status().unwrap();
        assert!(status.success());
        kept.extend([
            target,
            live,
            at.join("link.mmstats"),
            at.join("directory.mmstats"),
            at.join("pipe.mmstats"),
        ]);
        Cases { directory, elsewhere, dead, kept, _running: running, _originals: originals }
    }

    fn check(&self, outcome: &Outcome) {
        let is_there = |path: &&PathBuf| path.symlink_metadata().is_ok();
        let left: Vec<_> = self.dead.iter().filter(is_there).collect();
        let lost: Vec<_> = self.kept.iter().filter(|path| !is_there(path)).collect();
        assert!(left.is_empty() && lost.is_empty(), "left: {left:?}; lost: {lost:?}; {outcome:#?}");
        let all = self.kept.iter().filter(|path| path.starts_with(self.directory.path())).count();
        assert_eq!(names(self.directory.path()).len(), all, "{outcome:#?}");
        assert_eq!(names(self.elsewhere.path()).len(), 2);
        for path in &self.dead {
            assert!(
                outcome.out.contains(&format!(" Deleting {}\n", path.display())),
                "{} of {outcome:#?}",
                path.display()
            );
        }
    }
}

#[test]
fn exactly_the_files_of_dead_processes_are_removed() {
    let trial = if rustix::process::geteuid().is_root() {
        Cases::new(None, Some(SOMEBODY))
    } else {
        Cases::new(None, None)
    };
    let outcome = run(cleanstats().arg(trial.directory.path()));
    trial.check(&outcome);
    // The same name, another name of the same process, two equal processes, and the original's
    // fields.
    let alive = 4 + 2 + 2;
    assert!(
        outcome.out.ends_with(&format!("\nRemoved {}  -  {alive} alive\n", trial.dead.len())),
        "{outcome:#?}"
    );
    assert_eq!((outcome.err.as_str(), outcome.status), ("", 0), "{outcome:#?}");
    let again = run(cleanstats().arg(trial.directory.path()));
    assert!(again.out.ends_with(&format!("\nRemoved 0  -  {alive} alive\n")), "{again:#?}");
}

#[test]
fn exactly_the_files_of_dead_processes_are_removed_for_a_user_too() {
    if !is_root() {
        return;
    }
    let mut trial = Cases::new(Some(CLEANER), Some(SOMEBODY));
    let unreadable = trial.directory.path().join("unreadable.mmstats");
    fs::write(&unreadable, original(NOBODYS_PID, Some(now()))).unwrap();
    fs::set_permissions(&unreadable, Permissions::from_mode(0o000)).unwrap();
    trial.kept.push(unreadable.clone());
    let outcome = run(as_user(CLEANER, false).arg(trial.directory.path()));
    trial.check(&outcome);
    assert!(
        outcome.out.contains(&format!("Permission denied: {}\n", unreadable.display())),
        "{outcome:#?}"
    );
    assert_eq!(
        outcome.out.matches(" is alive but owned by another user, skipping.\n").count(),
        3,
        "{outcome:#?}"
    );
    assert_eq!((outcome.err.as_str(), outcome.status), ("", 1), "{outcome:#?}");
}

#[test]
fn another_users_directory_keeps_all_files() {
    if !is_root() {
        return;
    }
    let directory = directory();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let path = directory.path().join("a.mmstats");
    fs::write(&path, original(NOBODYS_PID, None)).unwrap();
    let outcome = run(cleanstats().arg(directory.path()).uid(CLEANER).gid(CLEANER));
    let reported = format!(
        "PID {NOBODYS_PID} not found. Deleting {0}\nCould not remove {0}: Permission denied (os error 13)\nRemoved 0  -  0 alive\n",
        path.display()
    );
    assert_eq!((outcome.out, outcome.err.as_str(), outcome.status), (reported, "", 1));
    assert!(path.exists());
}
