//! Programs count without files: in isolated unit tests, or with `MMSTATS_PATH=none`.

use mmstats_std::{Counter, Gauge, Publication, model, per_thread};
use mmstats_tests::files::names;
use mmstats_tests::programs::{Program, command, directory};
use std::thread;

model! {
    struct Cache { hits: Counter, size: Gauge<u32> => 3 }
    struct Other { hits: Counter }
}
per_thread! {
    static CACHE: Cache;
    static OTHER: Other;
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
