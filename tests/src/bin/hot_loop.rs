//! `hot_loop STEPS`: a thread that makes STEPS steps in version 2 and a tenth of them in version
//! 1, and as many of a field that all threads share, between two lines that it writes.

use mmstats_std::{
    Counter, Format, Options, PerThread, Shared, V1, V2, model, per_process, per_thread,
};
use mmstats_tests::programs::{pause, say};
use mmstats_tests::step_model::Steps;
use std::thread;
use std::time::Instant;

model! { struct Process { steps: Counter } }
per_process! {
    static PROCESS: Process<Shared> = Options::new().file_name("process.mmstats");
}
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
        PROCESS.steps.incr();
        say("before");
        // A system call, so that the test can verify that it would see one.
        thread::yield_now();
        say("begin");
        run(&TWO, steps);
        run(&ONE, steps / 10);
        (0..steps).for_each(|_| PROCESS.steps.incr());
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
