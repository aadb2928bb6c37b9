//! Timers measure each task by itself, however tasks interleave and wherever they continue.

use mmstats_core::{Clock, Timer};
use mmstats_std::{model, per_thread};
use std::cell::Cell;
use std::thread;
use std::time::Duration;

/// A clock that the test of each thread sets.
struct SetClock;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

impl Clock for SetClock {
    type Instant = u64;
    fn now() -> u64 {
        NOW.get()
    }
    fn nanoseconds_since(start: u64) -> u64 {
        NOW.get() - start
    }
}

model! {
    struct Tasks { latency: Timer<SetClock> }
}
per_thread! { static TASKS: Tasks; }

fn last() -> Option<Duration> {
    TASKS.with(|tasks| tasks.latency.last())
}

#[test]
fn interleaved_tasks_are_measured_each_by_itself() {
    let _isolated = TASKS.isolated();
    let first = TASKS.start_timer(|tasks| &tasks.latency);
    NOW.set(50);
    let second = SetClock::now();
    NOW.set(100);
    assert_eq!(first.stop(), Duration::from_nanos(100));
    NOW.set(110);
    let third = TASKS.with(|tasks| tasks.latency.record_since(second));
    assert_eq!(third, Duration::from_nanos(60));
    assert_eq!(TASKS.with(|tasks| tasks.latency.get()), 80e-9);
}

#[test]
fn a_timer_may_end_in_another_thread_which_records_it() {
    let _isolated = TASKS.isolated();
    let timing = TASKS.start_timer(|tasks| &tasks.latency);
    thread::spawn(move || {
        let _isolated = TASKS.isolated();
        NOW.set(7);
        drop(timing);
        assert_eq!(last(), Some(Duration::from_nanos(7)));
    })
    .join()
    .unwrap();
    assert_eq!(last(), None);
}

#[test]
fn a_discarded_timer_records_nothing() {
    let _isolated = TASKS.isolated();
    TASKS.start_timer(|tasks| &tasks.latency).discard();
    TASKS.with(|tasks| tasks.latency.start().discard());
    assert_eq!(last(), None);
}
