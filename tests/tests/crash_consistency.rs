//! A program that is killed between any two instructions leaves consistent files: each value is the
//! last that was written, or the one that was being written.

use mmstats_std::liveness::Liveness;
use mmstats_std::read::Reader;
use mmstats_tests::files::{Held, Values, all_values, names, only_file, values};
use mmstats_tests::programs::{Program, directory};
use mmstats_tests::repetitions;
use mmstats_tests::step_model::after_step;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running program that makes steps.
struct Victim {
    program: Program,
    directory: TempDir,
    acknowledged: PathBuf,
}

impl Victim {
    fn start(format: &str, scene: &str) -> Victim {
        let directory = directory();
        let acknowledged = directory.path().join("acknowledged");
        fs::write(&acknowledged, [0; 8]).unwrap();
        let arguments = [format, scene, acknowledged.to_str().unwrap()];
        let program =
            Program::start(env!("CARGO_BIN_EXE_steps_until_killed"), directory.path(), &arguments);
        Victim { program, directory, acknowledged }
    }

    fn acknowledged(&self) -> u64 {
        u64::from_ne_bytes(fs::read(&self.acknowledged).unwrap().try_into().unwrap())
    }

    fn wait_for_a_step(&self) {
        let begun = Instant::now();
        while self.acknowledged() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "timeout waiting for a step");
            thread::yield_now();
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Returns a random time below `limit`.
fn some_time(limit: Duration) -> Duration {
    limit.mul_f64(RandomState::new().hash_one(0) as f64 / u64::MAX as f64)
}

/// Checks that each field has its value after step `last` or the next one; returns `true` if both
/// occur.
fn is_between(values: &Values, last: u64) -> bool {
    let is_as_after = |(label, held): (&String, &Held), i| {
        // A writer killed between bucket and sum leaves the sum one record short.
        let is_behind = || match (held, after_step(label, i - 1)) {
            (Held::Spread { count, sum }, Held::Spread { sum: before, .. }) => {
                *count == i && *sum == before
            }
            _ => false,
        };
        *held == after_step(label, i) || is_behind()
    };
    let mut own = values.0.iter().filter(|(label, _)| !label.starts_with("sys."));
    for (label, held) in own.clone() {
        assert!(
            [last, last + 1].iter().any(|i| is_as_after((label, held), *i)),
            "{label} is {held:?} after step {last}"
        );
    }
    own.clone().any(|field| !is_as_after(field, last))
        && own.any(|field| !is_as_after(field, last + 1))
}

fn kill_while_it_writes(format: &str, fields: usize) {
    let mut between = 0;
    let kills = repetitions(200);
    for _ in 0..kills {
        let mut victim = Victim::start(format, "steps");
        victim.wait_for_a_step();
        thread::sleep(some_time(Duration::from_millis(20)));
        victim.program.kill();

        let file = only_file(victim.path());
        let values = values(&file);
        between += u32::from(is_between(&values, victim.acknowledged()));
        assert_eq!(values.0.len(), fields, "{:?}", values.0.keys());
        assert_eq!(Reader::new().read(&file).unwrap().verdict().liveness, Liveness::Dead);
    }
    assert!(between > kills / 10, "only {between} were killed within a step: too few");
}

#[test]
fn two_hundred_kills_of_a_busy_writer_leave_whole_values() {
    kill_while_it_writes("v2", 14 + 8);
}

#[test]
fn two_hundred_kills_of_a_busy_writer_leave_whole_values_in_version_1() {
    kill_while_it_writes("v1", 12 + 8);
}

/// Kills a program whose threads constantly create, adopt and park their files.
fn kill_while_threads_come_and_go(format: &str) {
    let (mut none, mut some) = (0, 0);
    let kills = repetitions(100);
    let mut first_step = Duration::ZERO;
    for i in 0..kills {
        let mut victim = Victim::start(format, "threads");
        if i % 2 == 0 {
            let begun = Instant::now();
            victim.wait_for_a_step();
            first_step = begun.elapsed();
            thread::sleep(some_time(Duration::from_millis(5)));
        } else {
            thread::sleep(some_time(4 * first_step));
        }
        victim.program.kill();

        let last = victim.acknowledged();
        let found = all_values(victim.path());
        let done: u64 = found.iter().map(|values| values.count("done")).sum();
        assert!((last..=last + 4).contains(&done), "{done} steps of {last}, or at most four more");
        assert!(found.len() <= 4, "{:?}", names(victim.path()));
        for name in names(victim.path()).iter().filter(|name| *name != "acknowledged") {
            assert!(
                name.ends_with(".mmstats") != name.starts_with(".mmstats-"),
                "{name} is neither a whole file nor one in the making"
            );
        }
        if found.is_empty() {
            none += 1;
        } else {
            some += 1;
        }
    }
    assert!(some > kills / 2, "{none} kills before the first file, {some} after it: too few");
}

#[test]
fn a_hundred_kills_of_short_threads_leave_whole_files_or_none() {
    kill_while_threads_come_and_go("v2");
}

#[test]
fn a_hundred_kills_of_short_threads_leave_whole_files_or_none_in_version_1() {
    kill_while_threads_come_and_go("v1");
}
