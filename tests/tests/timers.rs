//! Timers measure each task by itself, however tasks interleave and wherever they continue.

use mmstats_core::{Clock, Timer};
use mmstats_std::{Monotonic, ProcessorClock, model, per_thread};
use mmstats_tests::programs::{Program, directory};
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

#[test]
fn the_processors_counter_measures_what_the_operating_system_does() {
    ProcessorClock::now();
    let outer = Monotonic::now();
    let start = ProcessorClock::now();
    let inner = Monotonic::now();
    thread::sleep(Duration::from_millis(20));
    let inner = Monotonic::nanoseconds_since(inner);
    let measured = ProcessorClock::nanoseconds_since(start);
    let outer = Monotonic::nanoseconds_since(outer);
    // The error of the calibration is far smaller.
    let (least, most) = (inner / 100 * 95, outer / 100 * 105);
    assert!((least..=most).contains(&measured), "{inner} <= {measured} <= {outer}");
}

#[test]
fn a_child_that_was_forked_during_a_calibration_measures_time() {
    let directory = directory();
    let exe = env!("CARGO_BIN_EXE_shared_fields");
    // Calibrations take some milliseconds.
    for microseconds in ["0", "100", "300", "1000", "3000"] {
        let scene = ["calibrating", microseconds];
        let mut program = Program::start(exe, directory.path(), &scene);
        program.expect("child");
        program.go();
        program.expect("parent");
        program.go();
        assert!(program.end().status.success());
    }
}
