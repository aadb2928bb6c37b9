//! Programs count without files: in isolated unit tests, or with `MMSTATS_PATH=none`.

use mmstats_std::{
    Average, Counter, Gauge, Histogram, Options, Publication, Text, model, per_thread,
};
use mmstats_tests::files::names;
use mmstats_tests::programs::{Program, command, directory};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread;

model! {
    struct Cache { hits: Counter, size: Gauge<u32> => 3 }
    struct Other { hits: Counter }
    struct Summed { hits: Counter, size: Gauge<u32>, sizes: Histogram<3, 20>, mean: Average, name: Text<8> }
}
per_thread! {
    static CACHE: Cache;
    static OTHER: Other;
    static SUMMED: Summed = Options::new().label_prefix("web.");
}

fn hits() -> u64 {
    CACHE.with(|cache| cache.hits.get())
}

#[test]
fn an_isolated_test_sees_its_own_counts_alone() {
    let outer = CACHE.isolated();
    CACHE.with(|cache| cache.hits.add(5));
    for _ in 0..100 {
        let _isolated = CACHE.isolated();
        assert_eq!((hits(), CACHE.with(|cache| cache.size.get())), (0, 3));
        // Enough uses for the fast path.
        (0..3).for_each(|_| CACHE.with(|cache| cache.hits.incr()));
        assert_eq!(hits(), 3);
        assert!(matches!(CACHE.publication(), Publication::Private(_)));
    }
    assert_eq!(hits(), 5, "the earlier ones are back");
    thread::spawn(|| {
        let _isolated = CACHE.isolated();
        assert_eq!(hits(), 0);
    })
    .join()
    .unwrap();
    drop(outer);
}

/// Threads count while others end, and their sums never decrease.
#[test]
fn sums_are_those_of_all_threads_at_any_time() {
    assert!(SUMMED.sums().unwrap().is_empty());
    let counts = |n| {
        SUMMED.with(|summed| {
            summed.hits.add(n);
            summed.size.set(2);
            summed.sizes.record(n);
            summed.mean.record(1.0);
        });
    };
    let is_done = AtomicBool::new(false);
    let ((count, counted), (end, ended)) = (channel(), channel::<()>());
    thread::scope(|scope| {
        scope.spawn(move || {
            counts(5);
            count.send(()).unwrap();
            ended.into_iter().for_each(drop);
        });
        counted.recv().unwrap();
        let reader = scope.spawn(|| {
            let (mut last, mut reads) = (0.0, 0);
            while !is_done.load(Relaxed) || reads < 10 {
                let sums = SUMMED.sums().unwrap();
                let hits = sums.get("hits").copied().unwrap_or(0.0);
                assert!(hits >= last, "{hits} after {last}");
                (last, reads) = (hits, reads + 1);
            }
        });
        for _ in 0..200 {
            thread::spawn(move || counts(1)).join().unwrap();
        }
        is_done.store(true, Relaxed);
        reader.join().unwrap();
        let _isolated = SUMMED.isolated();
        counts(100);
        // The gauges of threads that have ended are reset.
        let expected = [("hits", 205.0), ("size", 2.0), ("sizes", 201.0)];
        let expected = expected.map(|(label, sum)| (label.to_owned(), sum));
        assert_eq!(SUMMED.sums().unwrap(), BTreeMap::from(expected));
        drop(end);
    });
    SUMMED.remove();
}

#[test]
fn sums_need_no_files() {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "sums_are_those_of_all_threads_at_any_time"]);
    let output = test.env("MMSTATS_PATH", "none").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn isolation_may_end_in_any_order_and_within_a_use() {
    let _other = OTHER.isolated();
    let first = CACHE.isolated();
    CACHE.with(|cache| cache.hits.add(1));
    let second = CACHE.isolated();
    CACHE.with(|cache| cache.hits.add(2));
    drop(first);
    assert_eq!(hits(), 2);
    let third = CACHE.isolated();
    CACHE.with(|cache| {
        cache.hits.add(3);
        drop(third);
        // It stays as long as it is used.
        cache.hits.add(3);
        assert_eq!((cache.hits.get(), hits()), (6, 2));
    });
    OTHER.with(|other| assert_eq!(other.hits.get(), 0));
    drop(second);
}

#[test]
fn the_environment_switches_publishing_off() {
    for (program, arguments, paused) in [
        (env!("CARGO_BIN_EXE_shared_fields"), &["threads"][..], "counted"),
        (env!("CARGO_BIN_EXE_forks"), &["v2", "handles"], "forking"),
    ] {
        let directory = directory();
        let mut command = command(program, directory.path(), arguments);
        command.env("MMSTATS_PATH", "none").current_dir(directory.path());
        let mut program = Program::spawn(&mut command);
        program.expect(paused);
        assert_eq!(names(directory.path()), [""; 0]);
        let marked = |name: &String| name.contains(&format!("-{}-", program.pid()));
        assert!(!names("/dev/shm".as_ref()).iter().any(marked));
        let end = program.end();
        assert_eq!(end.errors, "", "no warning, as nothing failed");
    }
}
