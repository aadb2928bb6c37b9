//! A writer: makes steps in one of many ways until its standard input is closed or it is killed,
//! and acknowledges each after it was made. At most four are in progress at a time.

use mmstats_std::{Format, Options, PerThread, V1, V2, per_thread};
use mmstats_tests::programs::{in_child, shared};
use mmstats_tests::step_model::Steps;
use std::env;
use std::io::{Read, stdin};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

per_thread! {
    static CHURN: Steps<V2> = Options::new().label_prefix("churn.").keep();
    static EXACT: Steps<V2> = Options::new().label_prefix("exact.").keep();
    static FULL: Steps<V2> = Options::new().label_prefix("full.").keep();
    static TRUNCATED: Steps<V2> = Options::new().label_prefix("truncated.").keep();
    static TEMPORARY: Steps<V2> = Options::new().label_prefix("temporary.");
    static OLD: Steps<V1> = Options::new().label_prefix("old.").keep();
}

/// The steps of a thread, of a fork with its parent, and of a program before it is replaced.
pub(crate) const STEPS_OF: [(&str, u64); 3] =
    [("threads", STEPS_OF_THREAD), ("forks", 1 + STEPS_OF_CHILD), ("execs", STEPS_OF_IMAGE)];
const STEPS_OF_THREAD: u64 = 5;
const STEPS_OF_CHILD: u64 = 20;
const STEPS_OF_IMAGE: u64 = 100;

/// Becomes `true` when the threads should end.
static STOP: AtomicBool = AtomicBool::new(false);

/// Runs a writer of a zone; `path` is the file in which it counts its steps.
pub(crate) fn run(zone: &str, scene: &str, path: &str) {
    match zone {
        "churn" => play(scene, &CHURN, path),
        "exact" => play(scene, &EXACT, path),
        "full" => play(scene, &FULL, path),
        "truncated" => play(scene, &TRUNCATED, path),
        "temporary" => play(scene, &TEMPORARY, path),
        "old" => play(scene, &OLD, path),
        other => panic!("no zone {other:?}"),
    }
}

fn play<F: Format>(scene: &str, stats: &'static PerThread<Steps<F>>, path: &str) {
    let acknowledged = shared(path);
    let steps = move |count: u64| {
        for i in 1..=count {
            stats.with(|stats| stats.step(i));
            acknowledged.fetch_add(1, Ordering::Release);
        }
    };
    let lanes = match scene {
        "threads" => lanes(4, move || join(spawn(move || steps(STEPS_OF_THREAD)))),
        "forks" => lanes(1, move || {
            steps(1);
            in_child(|| steps(STEPS_OF_CHILD));
            sleep(Duration::from_millis(50));
        }),
        "execs" => lanes(1, move || {
            steps(STEPS_OF_IMAGE);
            sleep(Duration::from_millis(100));
            let exe = env::current_exe().expect("it has a path");
            panic!("{}", Command::new(exe).args(env::args_os().skip(1)).exec());
        }),
        "steps" => lanes(1, move || steps(1)),
        // Leaves its file alone, which may be truncated then.
        "rests" => {
            steps(100);
            lanes(1, || ())
        }
        other => panic!("no scene {other:?}"),
    };
    // Until the end, as nothing is written.
    let _ = stdin().read(&mut [0]);
    STOP.store(true, Ordering::Relaxed);
    lanes.into_iter().for_each(join);
}

/// Starts threads that do something every 2 ms.
fn lanes(
    count: usize,
    body: impl Fn() + Copy + Send + 'static,
) -> Vec<std::thread::JoinHandle<()>> {
    let lane = move || {
        while !STOP.load(Ordering::Relaxed) {
            body();
            sleep(Duration::from_millis(2));
        }
    };
    (0..count).map(|_| spawn(lane)).collect()
}

fn join(thread: std::thread::JoinHandle<()>) {
    thread.join().expect("it does not panic");
}
