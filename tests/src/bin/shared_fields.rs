//! `shared_fields SCENE`: threads and forked children that change the fields of one process.

use mmstats_std::{
    Clock, Counter, Flag, Gauge, Highest, Histogram, Lowest, Options, ProcessorClock, Publication,
    Shared, model, per_process, per_thread,
};
use mmstats_tests::programs::{in_child, pause};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

model! {
    struct Requests {
        open: Gauge<i64>,
        load: Gauge<f64>,
        served: Counter,
        is_ready: Flag,
        peak: Highest<i32>,
        best: Lowest<u64>,
        size: Histogram<2, 40, u64> [bytes],
        created_by: Gauge<u32> => 7,
    }
    struct Threads {
        served: Counter,
    }
}
per_process! {
    static REQUESTS: Requests<Shared> = Options::new().label_prefix("web.");
}
per_thread! {
    static THREADS: Threads = Options::new().label_prefix("thread.");
}

const THREADS_AT_ONCE: i32 = 4;
const ROUNDS: u64 = 10_000;

fn main() {
    let scene = std::env::args().nth(1).expect("a scene");
    match scene.as_str() {
        "threads" => threads(),
        "fork" => fork(),
        "lost" => lost(),
        "refused" => refused(),
        "calibrating" => calibrating(),
        other => panic!("no scene {other:?}"),
    }
}

/// Every thread raises the gauge, and another one lowers it.
fn threads() {
    let started: Vec<_> = (0..THREADS_AT_ONCE)
        .map(|number| {
            thread::spawn(move || {
                for round in 0..ROUNDS {
                    REQUESTS.open.add(1);
                    REQUESTS.load.add(0.5);
                    REQUESTS.served.incr();
                    REQUESTS.is_ready.set(true);
                    REQUESTS.peak.record(number);
                    REQUESTS.best.record(round + 3);
                    REQUESTS.size.record(round % 8);
                }
            })
        })
        .collect();
    started.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    thread::spawn(|| REQUESTS.open.sub(i64::from(THREADS_AT_ONCE) * ROUNDS as i64 - 5))
        .join()
        .expect("it does not panic");
    THREADS.with(|threads| threads.served.incr());
    pause("counted");
}

/// A child that was forked while other threads used the fields has its own.
fn fork() {
    REQUESTS.served.add(3);
    let busy: Vec<_> = (0..2)
        .map(|_| {
            thread::spawn(|| {
                for _ in 0..ROUNDS {
                    REQUESTS.load.add(1.0);
                    let _ = REQUESTS.publication();
                }
            })
        })
        .collect();
    in_child(|| {
        REQUESTS.served.incr();
        REQUESTS.open.add(1);
        pause("child");
    });
    busy.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    REQUESTS.served.add(4);
    pause("parent");
    REQUESTS.remove();
    pause("removed");
    REQUESTS.served.incr();
    assert!(matches!(REQUESTS.publication(), Publication::Private(_)), "it was removed");
    assert_eq!(REQUESTS.served.get(), 8);
}

/// Somebody else removes the file.
fn lost() {
    REQUESTS.served.add(3);
    pause("published");
    REQUESTS.served.add(4);
    assert!(matches!(REQUESTS.publication(), Publication::File(_)), "a new file");
    REQUESTS.served.add(5);
    pause("published again");
}

/// There is no directory at first.
fn refused() {
    REQUESTS.served.add(3);
    assert!(matches!(REQUESTS.publication(), Publication::Private(_)), "there is no directory");
    thread::spawn(|| REQUESTS.served.add(4)).join().expect("it does not panic");
    pause("refused");
}

/// A child is forked some time after another thread has begun to calibrate the processor's clock.
fn calibrating() {
    let microseconds = std::env::args().nth(2).expect("a time in microseconds");
    let delay = Duration::from_micros(microseconds.parse().expect("a number"));
    let begun = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            begun.wait();
            ProcessorClock::now();
        });
        begun.wait();
        thread::sleep(delay);
        in_child(|| {
            measure();
            pause("child");
        });
    });
    measure();
    pause("parent");
}

fn measure() {
    let start = ProcessorClock::now();
    thread::sleep(Duration::from_millis(2));
    assert!(ProcessorClock::nanoseconds_since(start) >= 1_000_000);
}
