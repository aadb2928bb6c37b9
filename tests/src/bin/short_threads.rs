//! `short_threads v2|v1|v1exact SCENE`: threads that count and end.

use mmstats_std::identity::tid;
use mmstats_std::{
    Counter, Format, Gauge, Options, PerThread, Publication, V1, V1Exact, V2, per_thread, publish,
};
use mmstats_tests::programs::{pause, say};
use mmstats_tests::step_model::Steps;
use std::cell::RefCell;
use std::thread;

mmstats_std::model! {
    /// Has an initial value from other stats, which are published only for that.
    struct Second {
        done: Counter,
        others: Gauge<u64> =>
            publish::<Steps>(&Options::new()).map_or(0, |others| others.fixed.get()),
    }
}

per_thread! {
    static SECOND: Second = Options::new().file_name("second.mmstats");
    static TWO: Steps<V2> = Options::new();
    static ANOTHER_TWO: Steps<V2> = Options::new();
    static ONE: Steps<V1> = Options::new();
    static ANOTHER_ONE: Steps<V1> = Options::new();
    static EXACT: Steps<V1Exact> = Options::new();
    static ANOTHER_EXACT: Steps<V1Exact> = Options::new();
}

type Stats<F> = &'static PerThread<Steps<F>>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [format, scene] = &arguments[..] else { panic!("FORMAT and SCENE, not {arguments:?}") };
    match format.as_str() {
        "v2" => play(scene, &TWO, &ANOTHER_TWO),
        "v1" => play(scene, &ONE, &ANOTHER_ONE),
        "v1exact" => play(scene, &EXACT, &ANOTHER_EXACT),
        other => panic!("v2, v1 or v1exact, not {other:?}"),
    }
}

fn play<F: Format>(scene: &str, stats: Stats<F>, others: Stats<F>) {
    match scene {
        "many" => many(stats),
        "turns" => turns(stats),
        "destructors" => destructors(stats),
        "statics" => statics(stats, others),
        "initial" => initial(),
        other => panic!("no scene {other:?}"),
    }
    pause("done");
}

/// Runs a thread to its end, including the destructors of thread-locals.
fn in_thread(body: impl FnOnce() + Send + 'static) {
    thread::spawn(body).join().expect("it does not panic");
}

/// 2000 threads, 8 at a time; thread `i` makes `i % 10 + 1` steps.
fn many<F: Format>(stats: Stats<F>) {
    let lane = move |lane: u64| {
        move || {
            (0..250).for_each(|i| {
                in_thread(move || stats.with(|stats| stats.steps((lane + 8 * i) % 10 + 1)));
            });
        }
    };
    let lanes: Vec<_> = (0..8).map(|i| thread::spawn(lane(i))).collect();
    lanes.into_iter().for_each(|lane| lane.join().expect("it does not panic"));
}

/// Two threads, one after the other, of three steps each.
fn turns<F: Format>(stats: Stats<F>) {
    for _ in 0..2 {
        in_thread(move || {
            stats.with(|stats| stats.steps(3));
            pause(&format!("running {}", tid()));
        });
        pause("ended");
    }
}

/// Counts when the thread ends.
struct AtEnd(Box<dyn Fn()>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0();
    }
}

thread_local! {
    static EARLY: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    static LATE: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
}

/// Two threads of one step, with destructors that make steps both before and after the stats' own.
fn destructors<F: Format>(stats: Stats<F>) {
    let count = move || {
        stats.with(|stats| stats.step(1));
        let is_over = matches!(stats.publication(), Publication::Private(_));
        say(if is_over { "after" } else { "before" });
        // Has no effect in either case.
        let _ = stats.flush(mmstats_std::Flush::Async);
    };
    for _ in 0..2 {
        in_thread(move || {
            EARLY.set(Some(AtEnd(Box::new(count))));
            stats.with(|stats| stats.step(1));
            LATE.set(Some(AtEnd(Box::new(count))));
        });
    }
}

/// Threads whose stats have an initial value from other stats.
fn initial() {
    for _ in 0..3 {
        in_thread(|| {
            SECOND.with(|stats| stats.done.incr());
            pause("running");
        });
        pause("ended");
    }
}

/// Threads that touch one of two statics, and at last one that touches both.
fn statics<F: Format>(stats: Stats<F>, others: Stats<F>) {
    in_thread(move || stats.with(|stats| stats.steps(1)));
    in_thread(move || others.with(|stats| stats.steps(20)));
    in_thread(move || {
        others.with(|stats| stats.steps(20));
        stats.with(|stats| stats.steps(1));
    });
}
