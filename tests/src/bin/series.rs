//! `series SCENE`: threads and forked children that add fields at run time.

use mmstats_std::{
    Counter, Family, Gauge, Handle, Options, Publication, Registry, Timer, per_thread,
};
use mmstats_tests::programs::{in_child, pause, say};
use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

static WEB: Registry = Registry::new("web").options(Options::new().label_prefix("web."));
static QUIET: Registry =
    Registry::new("quiet").options(Options::new().file_name("quiet-{TID}.mmstats").quiet());

per_thread! {
    static REQUESTS: Family<Counter, 2> = Family::new("http.requests", ["route", "status"])
        .help("Requests answered.")
        .max_series(100_000)
        .registry(&WEB);
    static OPEN: Family<Gauge<i64>, 1> = Family::new("open", ["route"]).registry(&WEB);
    static PEAK: Family<Gauge<i64>, 1> = Family::new("peak", ["route"]).kept().registry(&WEB);
    static FEW: Family<Counter, 2> = Family::new("few", ["a", "b"]).max_series(3).registry(&WEB);
    static NONE: Family<Counter, 1> = Family::new("none", ["a"]).max_series(0).registry(&QUIET);
    static LATENCY: Family<Timer, 1> = Family::new("latency", ["route"]).registry(&WEB);
    // Of the default registry.
    static PLAIN: Family<Counter, 1> = Family::new("plain", ["value"]);
}

fn main() {
    let scene = std::env::args().nth(1).expect("a scene");
    match scene.as_str() {
        "threads" => threads(),
        "turns" => turns(),
        "grows" => grows(),
        "fork" => fork(),
        "overflow" => overflow(),
        "odd" => odd(),
        "fields" => fields(),
        "held" => held(),
        "lost" => lost(),
        "removes" => removes(),
        "refused" => refused(),
        "freed" => freed(),
        "timers" => timers(),
        other => panic!("no scene {other:?}"),
    }
}

fn in_thread(body: impl FnOnce() + Send + 'static) {
    thread::spawn(body).join().expect("it does not panic");
}

/// 400 threads, 4 at a time, each with 50 of 100 series, through both ways to count.
fn threads() {
    let lanes: Vec<_> = (0..4)
        .map(|lane| {
            thread::spawn(move || {
                for i in 0..100 {
                    in_thread(move || {
                        for series in 0..50 {
                            let route = format!("/route/{}", (lane + i + 2 * series) % 100);
                            REQUESTS.with([&route, "200"], Counter::incr);
                            REQUESTS.series([&route, "404"]).add(2);
                        }
                    });
                }
            })
        })
        .collect();
    lanes.into_iter().for_each(|lane| lane.join().expect("it does not panic"));
    pause("done");
}

/// Two threads, one after the other.
fn turns() {
    for _ in 0..2 {
        in_thread(|| {
            REQUESTS.with(["/", "200"], |requests| requests.add(3));
            OPEN.with(["/"], |open| open.add(2));
            PEAK.with(["/"], |peak| peak.add(2));
            let field = WEB.field(Counter::<u32>::builder("plugins"), &[("name", "a")]);
            field.expect("a valid field").incr();
            let limit = Gauge::<i32>::builder("limit").kept();
            WEB.field(limit, &[]).expect("a valid field").add(5);
            pause("running");
        });
        pause("ended");
    }
}

/// So many series that several regions are needed.
fn grows() {
    let count = || {
        for i in 0..5000_u64 {
            let route = format!("/{i}");
            REQUESTS.with([&route, "200"], |requests| requests.add(i));
            REQUESTS.with([&route, "200"], |requests| assert_eq!(requests.get() % i.max(1), 0));
        }
    };
    in_thread(move || {
        count();
        pause("grown");
    });
    in_thread(move || {
        count();
        pause("adopted");
    });
}

/// A child has series of its own, and its parent's handles have no effect there.
fn fork() {
    let kept = REQUESTS.series(["/", "200"]);
    kept.add(3);
    in_thread(|| REQUESTS.with(["/parked", "200"], |requests| requests.add(7)));
    REQUESTS.with(["/", "200"], |outer| {
        in_child(|| {
            kept.add(1000);
            outer.add(1000);
            REQUESTS.with(["/", "200"], Counter::incr);
            REQUESTS.with(["/child", "200"], Counter::incr);
            pause("child");
        });
    });
    kept.add(4);
    pause("parent");
}

/// More values than the family publishes.
fn overflow() {
    for _ in 0..2 {
        for i in 0..10_u64 {
            FEW.with([&i.to_string(), "x"], |few| few.add(i));
        }
    }
    FEW.with(["_other", "_other"], |few| few.add(1000));
    NONE.with(["any"], Counter::incr);
    NONE.with(["other"], Counter::incr);
    assert_eq!(NONE.series(["_other"]).get(), 2);
    pause("counted");
}

/// Values that are not easily part of a label.
fn odd() {
    let long = "x".repeat(60_000);
    let longer = "x".repeat(66_000);
    let quotes = "\"".repeat(40_000);
    for value in ["", "a\"b", "a\\", "a\nb", "\\\"\n", "{a=\"b\"}", ",", " ü€😀\u{fffd}\t", &long]
    {
        PLAIN.with([value], Counter::incr);
        PLAIN.with([value], Counter::incr);
    }
    for value in ["a\0b", "\0", &longer, &quotes] {
        PLAIN.with([value], Counter::incr);
    }
    pause("counted");
}

/// Fields that belong to no family.
fn fields() {
    let field = |label, dimensions: &[_]| WEB.field(Counter::<u64>::builder(label), dimensions);
    let name = String::from("a \"b\"");
    let calls = field("calls", &[("name", &name), ("kind", "x")]).expect("a valid field");
    calls.add(2);
    field("calls", &[("name", &name), ("kind", "x")]).expect("the same field").incr();
    assert_eq!(calls.get(), 3);
    field("calls", &[("name", &name)]).expect("another field").incr();
    field("calls", &[]).expect("another field").incr();
    let error = |label, dimensions: &[_]| say(&field(label, dimensions).unwrap_err().to_string());
    error("calls", &[("a b", "1")]);
    error("calls", &[("a", "1"), ("a", "2")]);
    error("calls", &[("a", "\0")]);
    say(&QUIET.field(Counter::<u64>::builder(""), &[]).unwrap_err().to_string());
    error(&"x".repeat(70_000), &[]);
    say(&WEB.field(Gauge::<i32>::builder("calls"), &[]).unwrap_err().to_string());
    pause("added");
}

thread_local! {
    static HELD: RefCell<Option<Handle<Counter>>> = const { RefCell::new(None) };
    static DERIVED: Handle<Counter> = REQUESTS.series(["/derived", "200"]);
}

/// Threads that keep handles in thread-local variables, which are dropped before or after the
/// thread's fields are released.
fn held() {
    for _ in 0..20 {
        in_thread(|| {
            DERIVED.with(|derived| derived.incr());
            REQUESTS.with(["/", "200"], Counter::incr);
        });
        in_thread(|| {
            // The variable is initialised before the thread's fields.
            HELD.set(None);
            HELD.set(Some(REQUESTS.series(["/held", "200"])));
            HELD.with_borrow(|held| held.as_ref().expect("it is set").incr());
        });
    }
    pause("counted");
}

/// Somebody else removes the files.
fn lost() {
    for i in 0..100 {
        REQUESTS.with([&i.to_string(), "200"], |requests| requests.add(2));
    }
    pause("published");
    assert!(WEB.publications().iter().all(|one| matches!(one, Publication::File(_))));
    REQUESTS.with(["0", "200"], Counter::incr);
    pause("published again");
}

/// Files that the program removes itself, again and again.
fn removes() {
    let kept = REQUESTS.series(["/", "200"]);
    for _ in 0..200 {
        REQUESTS.with(["/", "200"], |outer| {
            WEB.remove();
            outer.incr();
            REQUESTS.with(["/", "200"], Counter::incr);
        });
    }
    kept.add(5);
    assert_eq!(kept.get(), 6);
    pause("left");
    WEB.remove();
    pause("removed");
}

/// There is no directory at first.
fn refused() {
    REQUESTS.with(["/", "200"], |requests| requests.add(3));
    in_thread(|| REQUESTS.with(["/", "200"], Counter::incr));
    let [Publication::Private(_)] = &WEB.publications()[..] else { panic!("no directory") };
    std::fs::create_dir(std::env::var("MMSTATS_PATH").expect("it is set")).expect("it is missing");
    let [Publication::File(_)] = &WEB.publications()[..] else { panic!("there is a directory") };
    pause("published");
}

/// A file system without space at first.
fn freed() {
    let directory = std::env::var("MMSTATS_PATH").expect("it is set");
    let path = Path::new(&directory).join("filler");
    let mut filler = std::fs::File::create(&path).expect("it can have an empty file");
    // The first file, and no other one.
    REQUESTS.with(["/", "200"], Counter::incr);
    while filler.write(&[1]).is_ok_and(|written| written > 0) {}
    let count = || {
        for i in 0..200 {
            REQUESTS.with([&format!("/{i}"), "200"], Counter::incr);
        }
    };
    count();
    let files = || {
        let found = WEB.publications();
        found.iter().filter(|one| matches!(one, Publication::File(_))).count()
    };
    say(&format!("{} of {}", files(), WEB.publications().len()));
    drop(filler);
    std::fs::remove_file(path).expect("it is there");
    // Without `publications`, which would try at once.
    thread::sleep(Duration::from_millis(1500));
    count();
    let total = mmstats_tests::files::all_values(Path::new(&directory))
        .iter()
        .flat_map(|values| values.0.keys().filter(|label| label.starts_with("web.http")))
        .count();
    say(&format!("{total} published"));
}

/// A field with two values.
fn timers() {
    LATENCY.with(["/"], |latency| latency.record(Duration::from_secs(3)));
    pause("recorded");
}
