//! `fails SCENE`: a program that cannot publish, and counts all the same.
#![allow(unsafe_code)]

use mmstats_std::{
    Counter, Model, Options, PerThread, Publication, V1, V2, create_writer, per_thread, publish,
};
use mmstats_tests::files::{all_values, names};
use mmstats_tests::programs::{pause, say};
use mmstats_tests::step_model::Steps;
use std::io::Write;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

mmstats_std::model! {
    /// Has the label of an identity field, which every file has already.
    struct Collides {
        done: Counter,
        pid: Counter = "sys.pid",
    }

    /// Has a label longer than those that every file has.
    struct Wordy {
        done: Counter = "the.number.of.steps.that.were.made.by.this.program",
    }

    /// Has a label.
    struct Small {
        done: Counter,
    }
}

static X: [u8; 65_536] = [b'x'; 65_536];

const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("not UTF-8"),
    }
}

const LONG_PREFIX: &str = text(&X);
/// Not too long for the labels that every file has.
const NEARLY_LONG_PREFIX: &str = text(X.split_at(65_500).0);

per_thread! {
    static PLAIN: Steps = Options::new();
    static OTHER: Small = Options::new();
    static QUIET: Steps = Options::new().quiet();
    static LONG: Steps = Options::new().label_prefix(LONG_PREFIX);
    static WORDY: Wordy = Options::new().label_prefix(NEARLY_LONG_PREFIX);
    static WORDY_V1: Wordy<V1> = Options::new().label_prefix(NEARLY_LONG_PREFIX);
    static NUL: Small = Options::new().label_prefix("x\0y.");
    static COLLIDES: Collides = Options::new();
    static COLLIDES_V1: Collides<V1> = Options::new();
    static BAD_NAME: Small = Options::new().file_name("{HOST}.mmstats");
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("plain") => {
            show(&PLAIN, |stats| stats.step(1), |stats| stats.done.get());
            if let Err(error) = publish::<Steps>(&Options::new()) {
                say(&format!("publish: {error}"));
            }
        }
        Some("two") => {
            show(&PLAIN, |stats| stats.step(1), |stats| stats.done.get());
            show(&OTHER, |stats| stats.done.incr(), |stats| stats.done.get());
            pause("both");
        }
        Some("quiet") => show(&QUIET, |stats| stats.step(1), |stats| stats.done.get()),
        Some("long") => show(&LONG, |stats| stats.step(1), |stats| stats.done.get()),
        Some("wordy") => show(&WORDY, |stats| stats.done.incr(), |stats| stats.done.get()),
        Some("wordy_v1") => show(&WORDY_V1, |stats| stats.done.incr(), |stats| stats.done.get()),
        Some("nul") => show(&NUL, |stats| stats.done.incr(), |stats| stats.done.get()),
        Some("collides") => show(&COLLIDES, |stats| stats.done.incr(), |stats| stats.done.get()),
        Some("collides_v1") => {
            show(&COLLIDES_V1, |stats| stats.done.incr(), |stats| stats.done.get());
        }
        Some("bad_name") => show(&BAD_NAME, |stats| stats.done.incr(), |stats| stats.done.get()),
        Some("full") => full(),
        Some("interrupted") => interrupted(),
        Some("freed") => freed(),
        Some("lost") => lost(),
        Some("no_mappings") => no_mappings(),
        Some("remove_often") => remove_often(),
        other => panic!("no scene {other:?}"),
    }
}

/// Counts twice in each of three threads, and says where, and how far it came.
fn show<M: Model>(stats: &'static PerThread<M>, count: fn(&M), counted: fn(&M) -> u64) {
    let twice = move || {
        stats.with(count);
        stats.with(count);
        (stats.publication(), stats.with(counted))
    };
    for _ in 0..2 {
        let _ = thread::spawn(twice).join().expect("it does not panic");
    }
    let (publication, counted) = twice();
    match publication {
        Publication::File(path) => say(&format!("file: {}", path.display())),
        Publication::Private(error) => say(&format!("private: {error}")),
    }
    say(&format!("counted: {counted}"));
}

/// Fills a file system of 64 KiB with stats of 20 threads, then to its last byte with something
/// else, and goes on counting.
fn full() {
    let directory = std::env::var("MMSTATS_PATH").expect("it is set");
    let directory = Path::new(&directory);
    let all = Barrier::new(21);
    let step = |i| PLAIN.with(|stats| stats.step(i));
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                step(1);
                match PLAIN.publication() {
                    Publication::File(path) => say(&format!("file: {}", path.display())),
                    Publication::Private(error) => say(&format!("private: {error}")),
                }
                all.wait();
                all.wait();
                (2..=1000).for_each(step);
                assert_eq!(PLAIN.with(|stats| stats.done.get()), 1000);
                all.wait();
                all.wait();
            });
        }
        all.wait();
        let mut filler =
            std::fs::File::create(directory.join("filler")).expect("it can have an empty file");
        while filler.write(&[1]).is_ok_and(|written| written > 0) {}
        all.wait();
        all.wait();
        say(&format!(
            "left over: {:?}",
            names(directory).iter().filter(|name| name.starts_with('.')).collect::<Vec<_>>()
        ));
        say(&format!(
            "in files: {:?}",
            all_values(directory).iter().map(|values| values.count("done")).collect::<Vec<_>>()
        ));
        all.wait();
    });
}

/// Creates files while signals arrive all the time.
fn interrupted() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: a C struct of integers; and a handler that does nothing, which system calls are not
    // started again afterwards.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()), 0);
        let often = libc::timeval { tv_sec: 0, tv_usec: 1000 };
        let timer = libc::itimerval { it_interval: often, it_value: often };
        assert_eq!(libc::syscall(libc::SYS_setitimer, libc::ITIMER_REAL, &raw const timer, 0), 0);
    }
    let options = Options::new().file_name("{MODEL}.mmstats");
    for _ in 0..300 {
        // So large that a signal comes now and then while its blocks are allocated.
        match create_writer::<V2>("large", 1 << 20, &options) {
            Ok((_, path)) => std::fs::remove_file(path).expect("it is there"),
            Err(error) => say(&format!("writer: {error}")),
        }
    }
    say("done");
}

/// Uses its stats on a full file system, and until there is a file once there is room again.
fn freed() {
    let directory = std::env::var("MMSTATS_PATH").expect("it is set");
    let filler = Path::new(&directory).join("filler");
    let mut file = std::fs::File::create(&filler).expect("it can have an empty file");
    while file.write(&[1; 4096]).is_ok_and(|written| written > 0) {}
    PLAIN.with(|stats| stats.step(1));
    say(&format!("{:?}", all_values(Path::new(&directory)).len()));
    std::fs::remove_file(filler).expect("it is there");
    drop(file);
    while all_values(Path::new(&directory)).is_empty() {
        PLAIN.with(|stats| stats.step(1));
        thread::sleep(std::time::Duration::from_millis(1));
    }
    let counted = PLAIN.with(|stats| stats.done.get());
    let published: Vec<_> =
        all_values(Path::new(&directory)).iter().map(|values| values.count("done")).collect();
    say(if published == [counted] && counted > 1 { "goes on" } else { "does not go on" });
}

/// Uses its stats before and after somebody else removes the file.
fn lost() {
    let step = || PLAIN.with(|stats| stats.step(1));
    let publication = || match PLAIN.publication() {
        Publication::File(path) => pause(&format!("file: {}", path.display())),
        Publication::Private(error) => pause(&format!("private: {error}")),
    };
    step();
    publication();
    step();
    publication();
    for _ in 0..2 {
        thread::spawn(step).join().expect("it does not panic");
        pause("ended");
    }
}

/// Uses its stats when the system refuses further mappings.
fn no_mappings() {
    // SAFETY: new memory, of which every second page is made read-only, so that each page is a
    // mapping of its own.
    unsafe {
        let (page, pages) = (4096, 1 << 18);
        let (flags, all) = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, libc::PROT_READ);
        let memory =
            libc::mmap(std::ptr::null_mut(), page * pages, all | libc::PROT_WRITE, flags, -1, 0);
        assert_ne!(memory, libc::MAP_FAILED);
        let refused = (0..pages)
            .step_by(2)
            .find(|i| libc::mprotect(memory.byte_add(i * page), page, all) != 0);
        assert!(refused.is_some(), "this system has no limit of mappings");
        // The last one may be had otherwise, as by merging.
        while libc::mmap(std::ptr::null_mut(), page, all, flags | libc::MAP_SHARED, -1, 0)
            != libc::MAP_FAILED
        {}
        PLAIN.with(|stats| stats.step(1));
        PLAIN.with(|stats| stats.step(2));
        let is_private = matches!(PLAIN.publication(), Publication::Private(_));
        say(&format!("{} {is_private}", PLAIN.with(|stats| stats.done.get())));
        libc::munmap(memory, page * pages);
    }
    thread::spawn(|| {
        PLAIN.with(|stats| stats.step(1));
        say(&format!("{}", matches!(PLAIN.publication(), Publication::File(_))));
    })
    .join()
    .expect("it does not panic");
}

/// Removes its stats again and again, and says how many mappings and KiB that costs.
fn remove_often() {
    let used = || {
        let count = |path: &str| std::fs::read_to_string(path).expect("/proc is mounted");
        let status = count("/proc/self/status");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
        let kib: i64 = kib.trim().trim_end_matches(" kB").parse().expect("a number");
        (i64::try_from(count("/proc/self/maps").lines().count()).expect("few"), kib)
    };
    let rounds = |rounds| {
        for _ in 0..rounds {
            PLAIN.with(|stats| stats.step(1));
            PLAIN.with(|outer| {
                PLAIN.remove();
                PLAIN.with(|stats| stats.step(1));
                outer.step(1);
            });
            PLAIN.with(|stats| assert_eq!(stats.done.get(), 1));
            PLAIN.remove();
        }
    };
    rounds(500);
    let before = used();
    rounds(2000);
    let after = used();
    say(&format!("mappings: {}", after.0 - before.0));
    say(&format!("memory: {}", after.1 - before.1));
}
