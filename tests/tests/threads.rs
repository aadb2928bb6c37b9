//! Thousands of short threads: there are never more files than concurrent threads, and no count is
//! lost.

use mmstats_tests::files::{Held, all_values, files, generation, names, only_file, total, values};
use mmstats_tests::programs::{Program, directory};
use mmstats_tests::step_model::{after_step, at_rest, sum_to};
use std::collections::BTreeMap;
use std::path::Path;

/// The number of concurrent threads in the scene `many`.
const LANES: usize = 8;
/// The steps of its 2000 threads: 1 to 10, 200 times.
const COUNT: u64 = 200 * 55;

fn start(format: &str, scene: &str, directory: &Path) -> Program {
    Program::start(env!("CARGO_BIN_EXE_short_threads"), directory, &[format, scene])
}

/// Ends a program, which removes its files.
fn end(program: Program, directory: &Path) {
    // It panics in its last `pause`, whose input is closed.
    assert!(!program.end().status.success());
    assert_eq!(names(directory), [""; 0]);
}

/// Runs `many`, scrapes as often as possible, and checks the results.
fn poll_many(format: &str, scrape: impl Fn(&Path) -> u64) {
    let directory = directory();
    let mut program = start(format, "many", directory.path());
    let (mut scrapes, mut before) = (0, 0);
    let mut generations = BTreeMap::new();
    while !program.has_said("done") {
        let now = scrape(directory.path());
        assert!(now >= before, "the sum went from {before} back to {now}");
        before = now;
        scrapes += 1;
        for path in files(directory.path()) {
            let generation = generation(&path);
            assert_eq!(
                *generations.entry(path).or_insert(generation),
                generation,
                "a file was reinitialised"
            );
        }
        assert!(generations.len() <= LANES, "too many files: {generations:?}");
    }
    assert!(scrapes > 10, "too few scrapes: {scrapes}");
    assert!(generations.keys().eq(&files(directory.path())), "names changed: {generations:?}");

    let parked = all_values(directory.path());
    for values in &parked {
        assert_eq!(values.count("sys.tid"), 0);
        for (label, expected) in at_rest() {
            assert_eq!(*values.get(label), expected, "{label} of a parked file");
        }
    }
    assert_eq!(total(directory.path(), "done"), COUNT);
    assert_eq!(total(directory.path(), "narrow"), COUNT);
    if format == "v2" {
        let steps = 200 * (1..=10).map(sum_to).sum::<u64>();
        for (label, unit) in [("sizes", 1), ("time.histogram", 1_000_000_000)] {
            let all = parked.iter().map(|values| match values.get(label) {
                Held::Spread { count, sum } => (*count, *sum),
                other => panic!("{label} is {other:?}"),
            });
            assert_eq!(
                all.reduce(|a, b| (a.0 + b.0, a.1 + b.1)),
                Some((COUNT, steps * unit)),
                "{label}"
            );
        }
    }
    end(program, directory.path());
}

#[test]
fn two_thousand_short_threads_share_eight_files_and_sums_never_go_backwards() {
    poll_many("v2", |directory| total(directory, "done"));
}

#[test]
fn two_thousand_short_threads_share_eight_files_and_sums_never_go_backwards_in_version_1() {
    poll_many("v1", |directory| total(directory, "done"));
}

#[test]
fn two_thousand_short_threads_share_eight_files_in_exact_version_1() {
    // A value can be torn while it is written, as in the original: sums are checked only at the
    // end.
    poll_many("v1exact", |_| 0);
}

/// Two threads, one after the other.
fn take_turns(format: &str) {
    let directory = directory();
    let mut program = start(format, "turns", directory.path());
    let mut paths = Vec::new();
    for turn in 1..=2 {
        let tid: u64 = program.expect("running").parse().unwrap();
        let path = only_file(directory.path());
        let running = values(&path);
        assert_eq!(running.count("sys.tid"), tid);
        for label in ["level", "small", "twice", "odd", "note", "mean", "recent", "time"] {
            assert_eq!(*running.get(label), after_step(label, 3), "{label} of turn {turn}");
        }
        program.go();

        program.expect("ended");
        let parked = values(&path);
        assert_eq!(parked.count("sys.tid"), 0);
        for (label, expected) in at_rest() {
            assert_eq!(*parked.get(label), expected, "{label} after turn {turn}");
        }
        assert_eq!(parked.count("done"), 3 * turn);
        assert_eq!(parked.count("narrow"), 3 * turn);
        for label in ["sizes", "time.histogram"].into_iter().filter(|_| format == "v2") {
            let Held::Spread { count, .. } = parked.get(label) else {
                panic!("{label} is not a histogram")
            };
            assert_eq!(*count, 3 * turn, "{label}");
        }
        paths.push((generation(&path), path));
        program.go();
    }
    assert_eq!(paths[0], paths[1]);
    program.expect("done");
    end(program, directory.path());
}

#[test]
fn the_next_thread_continues_counts_and_resets_gauges() {
    take_turns("v2");
}

#[test]
fn the_next_thread_continues_counts_and_resets_gauges_in_version_1() {
    take_turns("v1");
}

#[test]
fn the_next_thread_continues_counts_and_resets_gauges_in_exact_version_1() {
    take_turns("v1exact");
}

#[test]
fn destructors_that_run_after_the_regions_still_count() {
    for format in ["v2", "v1", "v1exact"] {
        let directory = directory();
        let mut program = start(format, "destructors", directory.path());
        let lines: Vec<String> = (0..4).map(|_| program.line()).collect();
        assert!(
            lines.iter().any(|line| line == "after"),
            "no destructor ran after the region's: {lines:?}"
        );
        program.expect("done");
        let values = values(&only_file(directory.path()));
        assert_eq!(values.count("done"), 6, "{format}");
        assert_eq!(values.count("sys.tid"), 0, "{format}");
        assert_eq!(*values.get("level"), Held::Number(0.0), "{format}");
        end(program, directory.path());
    }
}

#[test]
fn an_initial_value_can_come_from_other_stats() {
    let directory = directory();
    let mut program = start("v2", "initial", directory.path());
    let mut created = Vec::new();
    for turn in 1..=3 {
        program.expect("running");
        let running = values(&only_file(directory.path()));
        assert_eq!((running.count("done"), running.count("others")), (turn, 7));
        created.push(running.get("sys.created").clone());
        program.go();
        program.expect("ended");
        assert_eq!(values(&only_file(directory.path())).count("others"), 0);
        program.go();
    }
    assert!(created.iter().all(|time| *time == created[0]), "{created:?}");
    program.expect("done");
    end(program, directory.path());
}

#[test]
fn two_statics_of_one_model_never_share_a_file() {
    for format in ["v2", "v1", "v1exact"] {
        let directory = directory();
        let mut program = start(format, "statics", directory.path());
        program.expect("done");
        let mut done: Vec<u64> =
            all_values(directory.path()).iter().map(|values| values.count("done")).collect();
        done.sort_unstable();
        assert_eq!(done, [2, 40], "{format}");
        end(program, directory.path());
    }
}
