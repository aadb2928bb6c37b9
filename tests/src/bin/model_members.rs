//! `model_members`: arrays and models in the stats of threads, of which the second goes on with the
//! first one's, and of the process.

use mmstats_std::{Counter, Gauge, Options, Shared, Text, V1, model, per_process, per_thread};
use mmstats_tests::programs::pause;
use std::thread;

model! {
    struct Lane {
        jobs: Counter,
        depth: Gauge<i32>,
    }
    struct Work in "work." {
        slots: [Counter; 3],
        state: [Text<8>; 2] => "idle",
        fault: [Text<8>; 2] as kept,
        lanes: [Lane; 2] = "lane" {lane},
        urgent: Lane,
    }
    struct Open {
        lanes: [Gauge<i64>; 2] = "open" {lane},
        all: Lane = "",
    }
}
per_thread! {
    static WORK: Work = Options::new().label_prefix("web.");
    static OLD: Work<V1> = Options::new().label_prefix("old.");
}
per_process! {
    static OPEN: Open<Shared> = Options::new().label_prefix("process.");
}

/// Counts in a thread. Twice, as each is slow the first time.
fn work(name: &'static str) {
    let count = |number: u64| {
        WORK.with(|work| {
            work.slots[2].add(number);
            work.lanes[1].jobs.incr();
            work.urgent.depth.add(1);
        });
        OLD.with(|work| work.slots[2].add(number));
        OPEN.lanes[1].add(1);
        OPEN.all.jobs.incr();
    };
    (1..=2).for_each(count);
    WORK.with(|work| {
        work.state[0].set(name);
        work.fault[1].set(name);
    });
    pause(name);
}

fn main() {
    for name in ["first", "second"] {
        thread::spawn(move || work(name)).join().expect("no panic");
    }
}
