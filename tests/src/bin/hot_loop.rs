//! `hot_loop STEPS`: a thread that makes STEPS steps in version 2 and a tenth of them in version
//! 1, between two lines that it writes.

use mmstats_std::{Format, Options, PerThread, V1, V2, per_thread};
use mmstats_tests::programs::{pause, say};
use mmstats_tests::step_model::Steps;
use std::thread;
use std::time::Instant;

per_thread! {
    static TWO: Steps<V2> = Options::new().file_name("two.mmstats");
    static ONE: Steps<V1> = Options::new().file_name("one.mmstats");
}

fn main() {
    let steps =
        std::env::args().nth(1).and_then(|steps| steps.parse().ok()).expect("a number of steps");
    let work = move || {
        run(&TWO, 1);
        run(&ONE, 1);
        say("before");
        // A system call, so that the test can verify that it would see one.
        thread::yield_now();
        say("begin");
        run(&TWO, steps);
        run(&ONE, steps / 10);
        pause("end");
    };
    thread::spawn(work).join().expect("it does not panic");
}

fn run<F: Format>(stats: &'static PerThread<Steps<F>>, steps: u64) {
    for i in 1..=steps {
        stats.with(|stats| {
            stats.step(i);
            // By the clock, in each way that there is.
            stats.time.start().stop();
            stats.time.time(|| ());
            stats.time.record_since(Instant::now());
        });
    }
}
