//! A user who can write to a shared directory can neither make readers see the files of others, nor
//! hide them.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mmstats_tests::cli::{VersionOne, program, run};
use mmstats_tests::images::Dir;
use mmstats_tests::programs::directory;
use mmstats_tools::options::SourceOptions;
use mmstats_tools::scraper::{Scrape, Scraper};
use mmstats_tools::source::Sources;
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// A PID that no process has: above the maximum of Linux.
const DEAD: u32 = 1 << 23;

/// A directory of a user, and a link that alternates with it.
struct Swapped {
    files: tempfile::TempDir,
    secret: PathBuf,
}

impl Swapped {
    fn new() -> Swapped {
        let files = directory();
        let at = |name: &str| files.path().join(name);
        for name in ["top", "top/user", "secret"] {
            fs::create_dir(at(name)).unwrap();
        }
        let file = |label: &str| {
            let pid = VersionOne::default().field("sys.pid", "I", DEAD.to_ne_bytes());
            pid.field(label, "B", [1]).finish()
        };
        fs::write(at("top/user/a.mmstats"), file("harmless")).unwrap();
        let secret = at("secret/a.mmstats");
        fs::write(&secret, file("secret_label")).unwrap();
        fs::write(at(&format!("secret/.mmstats-{DEAD}-1.tmp")), file("unfinished")).unwrap();
        symlink(at("secret"), at("link")).unwrap();
        Swapped { files, secret }
    }

    /// Runs `job` while the directory and the link are exchanged.
    fn during_exchanges(&self, job: impl FnOnce(&Path)) {
        let [user, link] = ["top/user", "link"].map(|name| self.files.path().join(name));
        let is_over = AtomicBool::new(false);
        let result = thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    renameat_with(CWD, &user, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                }
            });
            let top = self.files.path().join("top");
            let result = panic::catch_unwind(AssertUnwindSafe(|| job(&top)));
            is_over.store(true, Ordering::Relaxed);
            result
        });
        result.unwrap_or_else(|panic| panic::resume_unwind(panic));
    }
}

/// Returns a command that finds files by a pattern.
fn finding(tool: &str, variable: &str, pattern: PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new(program("--bin", tool));
    command.args(arguments).env(variable, pattern);
    command
}

#[test]
fn a_directory_that_alternates_with_a_link_reveals_nothing() {
    let swapped = Swapped::new();
    swapped.during_exchanges(|top| {
        let mut seen = 0;
        for round in 0..200 {
            let arguments = [&["--json"][..], &["--prometheus"]][round % 2];
            for (variable, pattern) in [
                ("MMSTATS_GLOB", "*/a.mmstats"),
                ("MMSTATS_GLOB", "*/*"),
                ("MMSTATS_PATH", "{CMD}"),
            ] {
                let outcome =
                    run(&mut finding("slurpstats", variable, top.join(pattern), arguments));
                seen += usize::from(outcome.out.contains("harmless"));
                let text = outcome.out + &outcome.err;
                assert!(!text.contains("secret_label"), "{variable} {pattern}: {text}");
            }
        }
        assert!(seen > 10, "{seen} scrapes saw the file");
    });
}

#[test]
fn cleanstats_removes_nothing_through_a_directory_that_alternates_with_a_link() {
    let swapped = Swapped::new();
    swapped.during_exchanges(|top| {
        for _ in 0..200 {
            for (variable, pattern) in [("MMSTATS_GLOB", "*/*.mmstats"), ("MMSTATS_PATH", "{CMD}")]
            {
                let _ = run(&mut finding("cleanstats", variable, top.join(pattern), &[]));
            }
        }
    });
    assert!(swapped.secret.exists());
    assert_eq!(fs::read_dir(swapped.secret.parent().unwrap()).unwrap().count(), 2);
    let places = ["top/user", "link"].map(|name| swapped.files.path().join(name));
    let user = places.iter().find(|place| !place.is_symlink()).unwrap();
    assert!(!user.join("a.mmstats").exists(), "the user's own dead file is removed");
}

/// Returns a file with this many fields, the first of which has this label.
fn fields(first: &str, count: usize) -> Vec<u8> {
    (1..count)
        .fold(VersionOne::default().field(first, "B", [1]), |file, at| {
            file.field(format!("{:04x}", at as u16), "B", [1])
        })
        .finish()
}

fn labels(scrape: &Scrape) -> Vec<&str> {
    let first = scrape.samples.iter().map(|sample| sample.fields[0].label.as_str());
    let mut labels: Vec<_> = first.collect();
    labels.sort_unstable();
    labels
}

#[test]
fn the_files_of_one_user_cannot_hide_those_of_another() {
    const HOSTILE: u32 = 65_533;
    const VICTIM: u32 = 65_534;
    let dir = Dir::default();
    let add = |name: &str, owner, count| {
        let path = dir.file(format!("{name}.mmstats"), &fields(name, count));
        chown(&path, Some(owner), None).unwrap();
    };
    for i in 0..4 {
        add(&format!("a{i}"), HOSTILE, 200_000);
    }
    add("victim", VICTIM, 150_000);
    add("z", HOSTILE, 1000);
    let sources = Sources::new(SourceOptions::default()).unwrap();
    let mut scraper = Scraper::new(vec![dir.path().to_owned()], sources);
    for _ in 0..2 {
        let scrape = scraper.scrape();
        assert_eq!(labels(&scrape), ["a0", "victim", "z"]);
        let errors: Vec<_> = scrape.errors.iter().map(|error| error.what.as_str()).collect();
        let refused = "not read: 200000 more fields (at most 500000 in all expected)";
        assert_eq!(errors, [refused; 3]);
    }
    // What others leave of their shares is for everyone.
    fs::remove_file(dir.path().join("victim.mmstats")).unwrap();
    add("victim", VICTIM, 10);
    for _ in 0..2 {
        assert_eq!(labels(&scraper.scrape()), ["a0", "a1", "victim", "z"]);
    }
}
