//! `steps_until_killed v2|v1 SCENE ACKNOWLEDGED`: makes steps until it is killed, and acknowledges
//! each in a file that it shares with the test.

use mmstats_std::{Format, Options, PerThread, V1, V2, per_thread};
use mmstats_tests::programs::shared;
use mmstats_tests::step_model::Steps;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

per_thread! {
    static TWO: Steps<V2> = Options::new();
    static ONE: Steps<V1> = Options::new();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [format, scene, path] = &arguments[..] else {
        panic!("FORMAT, SCENE and FILE, not {arguments:?}")
    };
    let acknowledged = shared(path);
    match format.as_str() {
        "v2" => play(scene, &TWO, acknowledged),
        "v1" => play(scene, &ONE, acknowledged),
        other => panic!("v2 or v1, not {other:?}"),
    }
}

fn play<F: Format>(
    scene: &str,
    stats: &'static PerThread<Steps<F>>,
    acknowledged: &'static AtomicU64,
) {
    match scene {
        "steps" => stats.with(|stats| {
            for i in 1.. {
                stats.step(i);
                acknowledged.store(i, Ordering::Release);
            }
        }),
        "threads" => {
            let one_step = move || {
                stats.with(|stats| stats.step(1));
                acknowledged.fetch_add(1, Ordering::Release);
            };
            let lane = move || loop {
                thread::spawn(one_step).join().expect("it does not panic");
            };
            let lanes: Vec<_> = (0..4).map(|_| thread::spawn(lane)).collect();
            lanes.into_iter().for_each(|lane| lane.join().expect("it does not panic"));
        }
        other => panic!("no scene {other:?}"),
    }
}
