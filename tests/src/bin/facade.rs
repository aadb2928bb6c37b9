//! `facade SCENE`: a program that counts by the crate `metrics` alone, and is published by
//! `mmstats_std::recorder`.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use mmstats_std::{Options, Publication, recorder};
use mmstats_tests::files::files;
use mmstats_tests::programs::{in_child, pause, say};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::cell::RefCell;
use std::thread;
use std::time::Duration;

const THREADS: u64 = 8;
const ROUNDS: u64 = 10_000;

fn main() {
    let scene = std::env::args().nth(1).expect("a scene");
    let options = Options::new().label_prefix("web.");
    recorder::builder().options(options).max_series(100).install().expect("the first recorder");
    match scene.as_str() {
        "threads" => threads(),
        "turns" => turns(),
        "absolute" => absolute(),
        "mixed" => mixed(),
        "labels" => labels(),
        "invalid" => invalid(),
        "kinds" => kinds(),
        "clashes" => clashes(),
        "cut" => cut(),
        "no descriptors" => no_descriptors(),
        "full" => full(),
        "described" => described(),
        "values" => values(),
        "extremes" => extremes(),
        "twice" => twice(),
        "fork" => fork(),
        "destructors" => destructors(),
        "lost" => lost(),
        other => panic!("no scene {other:?}"),
    }
}

fn in_thread(body: impl FnOnce() + Send + 'static) {
    thread::spawn(body).join().expect("it does not panic");
}

fn in_threads(body: impl Fn(u64) + Copy + Send + 'static) {
    let threads: Vec<_> = (0..THREADS).map(|i| thread::spawn(move || body(i))).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
}

/// All threads share handles, and use macros as well.
fn threads() {
    let handles = (counter!("served"), gauge!("open"), histogram!("size_bytes"));
    let handles: &'static (Counter, Gauge, Histogram) = Box::leak(Box::new(handles));
    in_threads(|thread| {
        let (served, open, size) = handles.clone();
        for round in 0..ROUNDS {
            served.increment(1);
            counter!("calls", "thread" => (thread % 2).to_string()).increment(2);
            open.increment(1.5);
            gauge!("open").decrement(0.5);
            size.record((round % 8) as f64);
        }
        gauge!("last").set(7);
        open.decrement(ROUNDS as f64 - 1.0);
    });
    pause("counted");
}

/// Threads that run one after the other, through one handle.
fn turns() {
    let served = counter!("served");
    for _ in 0..20 {
        let served = served.clone();
        in_thread(move || {
            served.increment(1);
            histogram!("size_bytes").record(10);
        });
    }
    pause("counted");
}

/// Threads mirror a counter that is kept elsewhere.
fn absolute() {
    let mirrored = counter!("mirrored");
    mirrored.absolute(5);
    in_threads(|thread| {
        for round in 0..ROUNDS {
            counter!("mirrored").absolute(round * THREADS + thread);
            counter!("mirrored").absolute(3);
        }
    });
    mirrored.absolute(100);
    pause("mirrored");
    mirrored.increment(1);
    in_thread(move || mirrored.increment(2));
    counter!("mirrored").absolute(80_000);
    pause("incremented");
    counter!("mirrored").absolute(80_010);
    pause("raised");
}

/// A counter that is incremented before it is set.
fn mixed() {
    counter!("mixed").increment(5);
    counter!("mixed").absolute(10);
    counter!("mixed").increment(1);
    pause("counted");
}

fn labels() {
    counter!("requests").increment(1);
    counter!("requests", "method" => "GET").increment(2);
    counter!("requests", "method" => "PUT").increment(3);
    counter!("requests", "method" => "GET", "code" => "200").increment(4);
    counter!("requests", "code" => "200", "method" => "GET").increment(5);
    counter!("requests", "method" => "a \"b\"\\\n}").increment(6);
    pause("counted");
}

fn invalid() {
    let long = "x".repeat(70_000);
    for name in ["", "a\0b", "{}"] {
        counter!(name).increment(1);
    }
    counter!(long.clone()).increment(1);
    counter!("a", "b c" => "1", "" => "\0").increment(1);
    counter!("b", "x" => "1", "x" => "2").increment(1);
    gauge!("c", "x" => long.clone()).increment(1);
    histogram!(long).record(1);
    describe_counter!("d", "help\0 with a NUL ".repeat(1000));
    counter!("d").increment(1);
    pause("counted");
}

/// One name for all kinds.
fn kinds() {
    for _ in 0..2 {
        counter!("name", "x" => "1").increment(1);
        gauge!("name", "x" => "1").increment(2);
        histogram!("name", "x" => "1").record(1);
        gauge!("name").increment(3);
    }
    pause("counted");
}

/// Names that would be those of metrics of other kinds.
fn clashes() {
    for _ in 0..2 {
        counter!("jobs").increment(1);
        histogram!("jobs").record(1);
        counter!("jobs.histogram").increment(2);
        counter!("a{b}").increment(3);
        gauge!("a_b_").increment(4);
    }
    pause("counted");
}

/// Many keys that end in one label.
fn cut() {
    let long = "x".repeat(100_000);
    let update = |i: u64| counter!("a", "x" => format!("{long}{i}")).increment(1);
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("it can be read");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is there");
        let kib = line.split_ascii_whitespace().nth(1).expect("a number");
        kib.parse::<u64>().expect("a number")
    };
    update(0);
    let before = resident();
    (1..1000).for_each(update);
    say(if resident() < before + 50_000 { "bounded" } else { "kept" });
    pause("counted");
}

/// Updates a gauge that can have no file at first.
fn no_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..limit }).expect("it is less");
    let (open, mirrored) = (gauge!("open"), counter!("mirrored"));
    open.set(1.0);
    mirrored.absolute(1);
    setrlimit(Resource::Nofile, limit).expect("the hard limit stays");
    let directory = std::env::var("MMSTATS_PATH").expect("it is set");
    while files(directory.as_ref()).is_empty() {
        open.increment(1.0);
        thread::sleep(Duration::from_millis(1));
    }
    open.set(7.0);
    mirrored.absolute(8);
    pause("counted");
}

/// More series than the metric may have.
fn full() {
    for _ in 0..2 {
        for i in 0..150_u64 {
            counter!("routes", "route" => i.to_string()).increment(i);
            gauge!("open", "route" => i.to_string()).increment(1);
        }
        counter!("routes").increment(1);
    }
    in_child(|| {
        counter!("new").increment(1);
        counter!("routes", "route" => "new").increment(1);
        counter!("routes", "route" => "99").increment(1);
        counter!("routes").increment(1);
        pause("child");
    });
    pause("counted");
}

fn described() {
    describe_counter!("before", Unit::Bytes, "Described before.");
    counter!("before").increment(1);

    let registered = counter!("registered");
    describe_counter!("registered", Unit::Seconds, "Described after it was registered.");
    registered.increment(1);
    let open = gauge!("open");
    describe_gauge!("open", Unit::Percent, "An earlier description.");
    describe_gauge!("open", Unit::Milliseconds, "The last one.");
    // One name, another kind.
    describe_histogram!("open", Unit::Bytes, "Of another kind.");
    open.set(250);

    let late = histogram!("late");
    late.record(3);
    describe_histogram!("late", Unit::Seconds, "Described after its update.");
    late.record(4);
    pause("described");
    in_thread(move || {
        late.record(5);
        pause("updated by another thread");
    });
}

/// Values in all units, whose sums are exact.
fn values() {
    let units = [
        Unit::Count,
        Unit::Percent,
        Unit::Seconds,
        Unit::Milliseconds,
        Unit::Microseconds,
        Unit::Nanoseconds,
        Unit::Tebibytes,
        Unit::Gibibytes,
        Unit::Mebibytes,
        Unit::Kibibytes,
        Unit::Bytes,
        Unit::TerabitsPerSecond,
        Unit::GigabitsPerSecond,
        Unit::MegabitsPerSecond,
        Unit::KilobitsPerSecond,
        Unit::BitsPerSecond,
        Unit::CountPerSecond,
    ];
    for unit in units {
        describe_histogram!(unit.as_str(), unit, "");
        for value in [0, 2, 40] {
            histogram!(unit.as_str()).record(value);
        }
        describe_gauge!(format!("gauge.{}", unit.as_str()), unit, "");
        gauge!(format!("gauge.{}", unit.as_str())).set(1.5);
    }
    histogram!("none").record(1.5);
    histogram!("latency_seconds").record(Duration::from_nanos(1500));
    histogram!("size.bytes").record(1500);
    pause("recorded");
}

/// Values that no histogram can hold.
fn extremes() {
    for value in [-1.0, -0.0, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::NAN] {
        histogram!("low").record(value);
    }
    for value in [f64::INFINITY, f64::MAX, 1e10] {
        histogram!("high").record(value);
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0] {
        gauge!("gauge").set(value);
        gauge!("gauge").increment(value);
    }
    histogram!("many").record_many(2, 1000);
    pause("recorded");
}

fn twice() {
    say(&recorder::install().unwrap_err().to_string());
    say(&recorder::builder().build().unwrap_err().to_string());
    let invalid = Options::new().label_prefix("\0");
    say(&recorder::builder().options(invalid).build().unwrap_err().to_string());
    counter!("still").increment(1);
    pause("counted");
}

/// A child uses its parent's handles, descriptions and series, and has its own values.
fn fork() {
    describe_histogram!("latency", Unit::Milliseconds, "Of the parent.");
    let (served, open, latency, mirrored) =
        (counter!("served"), gauge!("open"), histogram!("latency"), counter!("mirrored"));
    served.increment(3);
    open.set(3);
    mirrored.absolute(3);
    latency.record(3);
    let early = counter!("early");
    let busy: Vec<_> = (0..2)
        .map(|_| {
            thread::spawn(|| {
                for i in 0..3000 {
                    counter!("busy", "i" => (i % 50).to_string()).increment(1);
                    gauge!("busy.gauge", "i" => (i % 50).to_string()).increment(1);
                    describe_counter!("busy", i.to_string());
                }
            })
        })
        .collect();
    for _ in 0..20 {
        in_child(|| {
            counter!("busy", "i" => "1").increment(1);
            counter!("busy", "i" => "new").increment(1);
            gauge!("busy.gauge", "i" => "new").increment(1);
        });
    }
    busy.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    in_child(|| {
        served.increment(1);
        counter!("served").increment(1);
        counter!("new", "of" => "child").increment(7);
        early.increment(8);
        gauge!("open").increment(1);
        open.increment(1);
        mirrored.absolute(2);
        latency.record(1);
        let inherited = served.clone();
        in_thread(move || inherited.increment(1));
        pause("child");
    });
    served.increment(4);
    open.increment(4);
    mirrored.absolute(7);
    pause("parent");
}

struct InDestructor(Vec<Box<dyn Fn()>>);

impl Drop for InDestructor {
    fn drop(&mut self) {
        self.0.iter().for_each(|update| update());
    }
}

thread_local! {
    static EARLY: RefCell<InDestructor> = const { RefCell::new(InDestructor(Vec::new())) };
    static LATE: RefCell<InDestructor> = const { RefCell::new(InDestructor(Vec::new())) };
}

fn updates() -> Vec<Box<dyn Fn()>> {
    let (served, open, size) = (counter!("served"), gauge!("open"), histogram!("size"));
    vec![
        Box::new(move || served.increment(1)),
        Box::new(move || open.increment(1)),
        Box::new(move || size.record(1)),
        Box::new(|| counter!("macro").increment(1)),
        Box::new(|| counter!("mirrored").absolute(9)),
    ]
}

/// Thread-local variables that are dropped before and after the thread's fields are released.
fn destructors() {
    for _ in 0..20 {
        in_thread(|| {
            LATE.with_borrow_mut(|late| late.0 = updates());
            counter!("served").increment(1);
            EARLY.with_borrow_mut(|early| early.0 = updates());
        });
    }
    // A thread whose only updates are in a destructor.
    in_thread(|| LATE.with_borrow_mut(|late| late.0 = updates()));
    pause("counted");
}

/// Somebody else removes the files.
fn lost() {
    assert!(recorder::publications().is_empty());
    let update = || {
        counter!("served").increment(1);
        gauge!("open").increment(1);
    };
    update();
    pause("published");
    update();
    assert!(recorder::publications().iter().all(|one| matches!(one, Publication::File(_))));
    assert_eq!(recorder::publications().len(), 2);
    update();
    pause("published again");
}
