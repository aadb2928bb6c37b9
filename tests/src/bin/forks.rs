//! `forks v2|v1|v1exact SCENE`: a program that forks, and whose children publish too.
#![allow(unsafe_code)]

use mmstats_std::{
    Format, Options, PerThread, Publication, Published, Sampler, V1, V1Exact, V2, per_thread,
    publish,
};
use mmstats_tests::programs::{in_child, pause};
use mmstats_tests::repetitions;
use mmstats_tests::step_model::Steps;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

per_thread! {
    static TWO: Steps<V2> = Options::new();
    static ONE: Steps<V1> = Options::new();
    static EXACT: Steps<V1Exact> = Options::new();
}

type Stats<F> = &'static PerThread<Steps<F>>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [format, scene] = &arguments[..] else { panic!("FORMAT and SCENE, not {arguments:?}") };
    match format.as_str() {
        "v2" => play(scene, &TWO),
        "v1" => play(scene, &ONE),
        "v1exact" => play(scene, &EXACT),
        other => panic!("v2, v1 or v1exact, not {other:?}"),
    }
}

fn play<F: Format>(scene: &str, stats: Stats<F>) {
    match scene {
        "handles" => handles(stats, || ()),
        // SAFETY: ends the process at once.
        "handles_without_exit" => handles(stats, || unsafe { libc::_exit(0) }),
        "removing" => removing(stats),
        "republishing" => republishing::<F>(),
        "sampling" => sampling::<F>(),
        "threads" => threads(stats),
        "busy" => busy(stats),
        "first" => first(stats),
        "first_during_a_fork" => first_during_a_fork(stats),
        "nested" => nested(stats, 3),
        "untouched" => untouched(stats),
        other => panic!("no scene {other:?}"),
    }
}

fn own<F: Format>() -> Published<Steps<F>> {
    let own = publish::<Steps<F>>(&Options::new().file_name("own-{PID}.mmstats"))
        .expect("there is a directory");
    own.steps(5);
    own
}

/// A child goes on with its parent's handles, and makes stats of its own.
fn handles<F: Format>(stats: Stats<F>, end: impl FnOnce()) {
    let own = own::<F>();
    stats.with(|held| {
        held.steps(3);
        pause("forking");
        in_child(|| {
            held.step(1000);
            own.step(1000);
            assert!(matches!(own.publication(), Publication::Private(_)), "it is its parent's");
            stats.with(|stats| stats.step(1));
            held.step(1000);
            pause("child");
            end();
        });
        held.step(4);
        own.step(6);
    });
    pause("parent");
}

/// A child removes all that it can.
fn removing<F: Format>(stats: Stats<F>) {
    let own = own::<F>();
    stats.with(|stats| stats.steps(3));
    thread::spawn(move || stats.with(|stats| stats.steps(3))).join().expect("it does not panic");
    pause("forking");
    let mut own = Some(own);
    in_child(|| {
        stats.remove();
        let own = own.take().expect("it is there");
        own.remove();
        drop(own);
        stats.with(|stats| stats.step(1));
        stats.remove();
        pause("child");
    });
    pause("parent");
}

/// A child publishes its parent's model in a file of its own.
fn republishing<F: Format>() {
    let mut own = own::<F>();
    own.republish().expect("it does nothing here");
    pause("forking");
    in_child(|| {
        own.republish().expect("there is a directory");
        own.steps(7);
        assert!(matches!(own.publication(), Publication::File(_)), "it is the child's");
        pause("child");
    });
    pause("parent");
}

fn sampler<F: Format>(value: u64) -> Sampler {
    let options = Options::new().file_name("own-{PID}.mmstats");
    let sample = move |own: &Steps<F>| own.steps(value);
    Sampler::every(Duration::from_secs(3600), &options, sample).expect("there is a directory")
}

/// A child drops its parent's sampler, and starts its own.
fn sampling<F: Format>() {
    let mut parents = Some(sampler::<F>(5));
    pause("forking");
    in_child(|| {
        drop(parents.take());
        let _childs = sampler::<F>(7);
        pause("child");
    });
    pause("parent");
}

/// Starts a thread that counts, and runs until the result is dropped.
fn staying<F: Format>(stats: Stats<F>) -> Staying {
    let (ready, is_ready) = channel();
    let (stay, end) = channel();
    let thread = thread::spawn(move || {
        stats.with(|stats| stats.steps(3));
        ready.send(()).expect("it is awaited");
        let _ = end.recv();
    });
    is_ready.recv().expect("it counts");
    Staying { stay: Some(stay), thread: Some(thread) }
}

struct Staying {
    stay: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Staying {
    fn drop(&mut self) {
        self.stay.take();
        let _ = self.thread.take().expect("it is dropped once").join();
    }
}

/// A program with three running threads and two files that nobody owns forks, in its main thread
/// and in another.
fn threads<F: Format>(stats: Stats<F>) {
    let mut running: Vec<_> = (0..5).map(|_| staying(stats)).collect();
    running.truncate(3);
    let family = move || {
        pause("forking");
        in_child(|| drop((staying(stats), staying(stats), pause("child"))));
        pause("parent");
    };
    family();
    thread::spawn(move || {
        // This thread adopts one of the two files.
        stats.with(|_| ());
        family();
    })
    .join()
    .expect("it does not panic");
}

/// Many forks while threads begin and end all the time.
fn busy<F: Format>(stats: Stats<F>) {
    static ENOUGH: AtomicBool = AtomicBool::new(false);
    let count = move || stats.with(|stats| stats.step(1));
    let churn = move || {
        while !ENOUGH.load(Ordering::Relaxed) {
            thread::spawn(count).join().expect("it does not panic");
        }
    };
    let churns: Vec<_> = (0..3).map(|_| thread::spawn(churn)).collect();
    for _ in 0..repetitions(300) {
        in_child(|| {
            // SAFETY: a signal that ends the child if it hangs.
            unsafe { libc::alarm(20) };
            // No threads here: to start one, Rust takes that lock too.
            count();
            stats.remove();
            count();
            drop(own::<F>());
        });
    }
    ENOUGH.store(true, Ordering::Relaxed);
    churns.into_iter().for_each(|churn| churn.join().expect("it does not panic"));
    pause("parent");
}

/// A fork while other threads publish for the first time.
fn first<F: Format>(stats: Stats<F>) {
    static GO: AtomicBool = AtomicBool::new(false);
    let count = move || stats.with(|stats| stats.step(1));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            thread::spawn(move || {
                while !GO.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
                count();
            })
        })
        .collect();
    pause("ready");
    GO.store(true, Ordering::Relaxed);
    // From no time at all to that of a first use.
    let turns = RandomState::new().hash_one(0) % 20_000;
    (0..turns).for_each(|_| std::hint::spin_loop());
    in_child(|| {
        // SAFETY: a signal that ends the child if it hangs.
        unsafe { libc::alarm(20) };
        count();
    });
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    pause("parent");
}

/// A fork that has begun when another thread publishes for the first time, as happens in a program
/// whose libraries have fork handlers too.
fn first_during_a_fork<F: Format>(stats: Stats<F>) {
    static PREPARE: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();
    extern "C" fn prepare() {
        PREPARE.get().expect("it is set")();
    }
    let count = move || stats.with(|stats| stats.steps(3));
    let prepare_once = move || {
        static IS_DONE: AtomicBool = AtomicBool::new(false);
        if !IS_DONE.swap(true, Ordering::Relaxed) {
            thread::spawn(count).join().expect("it does not panic");
            pause("forking");
        }
    };
    assert!(PREPARE.set(Box::new(prepare_once)).is_ok());
    // SAFETY: a function of this program.
    unsafe { libc::pthread_atfork(Some(prepare), None, None) };
    in_child(|| {
        stats.with(|stats| stats.step(1));
        pause("child");
    });
    pause("parent");
}

/// Children of children, each with a step more than its parent.
fn nested<F: Format>(stats: Stats<F>, generations: u64) {
    stats.with(|stats| stats.steps(4 - generations));
    let deeper = generations.checked_sub(1).filter(|left| *left > 0);
    match deeper {
        Some(left) => in_child(|| nested(stats, left)),
        None => pause("deepest"),
    }
}

/// A fork before anything is published.
fn untouched<F: Format>(stats: Stats<F>) {
    in_child(|| {
        stats.with(|stats| stats.step(1));
        pause("child");
    });
    stats.with(|stats| stats.steps(2));
    pause("parent");
}
