//! `faults process|child`: publishes in every way, or in a forked child, each time between the
//! lines `begin` and `end`, and checks that it counts, and that the directory has the files that
//! were reported. For tests in which one of the system calls between these lines fails.

use mmstats_std::{
    Counter, Flush, Options, PerThread, Publication, PublishError, V2, create_writer, per_thread,
    publish,
};
use mmstats_tests::files::{names, values};
use mmstats_tests::programs::{in_child, say};
use mmstats_tests::step_model::Steps;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use rustix::process::{PTracer, set_ptracer};
use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

type Stats = &'static PerThread<Steps>;

per_thread! {
    static STATS: Steps = Options::new().mode(0o440);
    static ADOPTED: Steps = Options::new();
    static LOST: Steps = Options::new();
    static LATER: Steps = Options::new();
}

fn main() {
    // So that the heap does not grow during an operation.
    drop(vec![0_u8; 100_000]);
    match std::env::args().nth(1).as_deref() {
        Some("process") => publish_in_every_way(),
        Some("child") => publish_in_a_child(),
        other => panic!("process or child, not {other:?}"),
    }
}

fn publish_in_every_way() {
    check("first use", files(), || step(&STATS), || done(&STATS));
    during(|| STATS.remove());
    left();

    let others = files();
    step(&STATS);
    remove_other_than(&others);
    check("replace", others, || STATS.publication(), || done(&STATS));
    STATS.remove();

    let others = files();
    in_thread(&ADOPTED);
    check("adopt", others, || step(&ADOPTED), || done(&ADOPTED));
    ADOPTED.remove();

    let others = files();
    in_thread(&LOST);
    remove_other_than(&others);
    check("adopt a lost one", others, || step(&LOST), || done(&LOST));
    LOST.remove();

    let mut own = None;
    let publish = || match publish::<Steps>(&Options::new().file_name("own.mmstats")) {
        Ok(published) => own.insert(published).publication(),
        Err(error) => private(error),
    };
    check("publish", files(), publish, || 0);
    if let Some(own) = own {
        let flushed = during(|| own.flush(Flush::Sync));
        say(&format!("flush: {}", flushed.is_ok()));
        during(|| drop(own));
    }
    left();

    let counter = OnceCell::<Counter>::new();
    let options = Options::new().file_name("own.mmstats");
    let create = || match create_writer::<V2>("plugins", 4096, &options) {
        Ok((mut writer, path)) => {
            let _ = counter.set(writer.add(Counter::builder("done")).expect("there is room"));
            Publication::File(path)
        }
        Err(error) => private(error),
    };
    let others = files();
    check("create a writer", others.clone(), create, || counter.get().map_or(0, Counter::get));
    remove_other_than(&others);

    step(&STATS);
    say("begin");
}

/// A child publishes, whose parent has files with and without an owner.
fn publish_in_a_child() {
    step(&STATS);
    in_thread(&ADOPTED);
    let parents = files();
    let stdin = std::io::stdin();
    in_child(|| {
        // The tracer is no ancestor. This fails where any process of the user may trace.
        let _ = set_ptracer(PTracer::Any);
        say(&std::process::id().to_string());
        // Not a `read`, which the tracer might count or not.
        let mut input = [PollFd::new(&stdin, PollFlags::IN)];
        assert_eq!(retry_on_intr(|| poll(&mut input, None)), Ok(1));
        check("first use in a child", files(), || step(&STATS), || done(&STATS));
        during(|| STATS.remove());
        check("adopt nothing in a child", files(), || step(&ADOPTED), || done(&ADOPTED));
        say("begin");
    });
    assert!(parents.iter().all(|name| files().contains(name)), "{parents:?}");
    assert_eq!(done(&STATS), 2, "the parent's own count");
}

fn private(error: PublishError) -> Publication {
    Publication::Private(Arc::new(error))
}

fn step(stats: Stats) -> Publication {
    stats.with(|stats| stats.step(1));
    stats.publication()
}

fn done(stats: Stats) -> u64 {
    stats.with(|stats| stats.step(1));
    stats.with(|stats| stats.done.get())
}

/// Counts in a thread that ends and leaves its file to the next.
fn in_thread(stats: Stats) {
    let publication = thread::spawn(move || step(stats)).join().expect("it does not panic");
    assert!(matches!(publication, Publication::File(_)), "{publication:?}");
}

fn directory() -> PathBuf {
    std::env::var_os("MMSTATS_PATH").expect("it is set").into()
}

fn files() -> Vec<String> {
    names(&directory())
}

fn remove_other_than(others: &[String]) {
    for name in files().iter().filter(|name| !others.contains(name)) {
        fs::remove_file(directory().join(name)).expect("it is there");
    }
}

fn during<R>(operation: impl FnOnce() -> R) -> R {
    say("begin");
    let result = operation();
    say("end");
    result
}

/// Checks that `operation` returns a file that holds `count`, or leaves none beside `others`.
fn check(
    name: &str,
    others: Vec<String>,
    mut operation: impl FnMut() -> Publication,
    count: impl FnOnce() -> u64,
) {
    let mut expected = others;
    let mut publication = during(&mut operation);
    if matches!(&publication, Publication::File(path) if !path.exists()) {
        // A file counts as present while the check for it fails.
        publication = operation();
    }
    let counted = count();
    match publication {
        Publication::File(path) => {
            assert_eq!(values(&path).count("done"), counted, "{name}");
            say(&format!("{name}: file"));
            let name = path.file_name().expect("it has a name").to_str().expect("UTF-8");
            expected.push(name.to_owned());
            expected.sort();
        }
        Publication::Private(error) => {
            say(&format!("{name}: private: {error}"));
        }
    }
    assert_eq!(files(), expected, "{name}");
    left();
}

/// Says how many descriptors and mappings are in use, and checks that a new thread publishes.
fn left() {
    let descriptors = fs::read_dir("/proc/self/fd").expect("/proc is mounted").count();
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    let directory = directory();
    let mapped = maps.matches(directory.to_str().expect("UTF-8")).count();
    say(&format!("uses {descriptors} {mapped}"));
    in_thread(&LATER);
}
