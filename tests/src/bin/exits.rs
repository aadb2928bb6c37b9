//! `exits HOW`: a program that publishes in files that are to be kept and others that are not, and
//! ends.
#![allow(unsafe_code)]

use mmstats_std::{Options, Published, V2, per_thread, publish};
use mmstats_tests::programs::{pause, say};
use mmstats_tests::step_model::Steps;
use std::cell::RefCell;
use std::process::exit;
use std::thread;
use std::time::Duration;

per_thread! {
    static GONE: Steps<V2> = Options::new();
    static KEPT: Steps<V2> = Options::new().file_name("kept-{TID}.mmstats").keep();
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("return") => drop(everywhere()),
        Some("exit") => {
            let _own = everywhere();
            exit(3);
        }
        Some("exit_in_thread") => {
            let _own = everywhere();
            thread::spawn(|| {
                touch();
                exit(3);
            });
            thread::sleep(Duration::MAX);
        }
        Some("panic") => {
            let _own = everywhere();
            panic!("as the test wants it");
        }
        Some("abort") => {
            let _own = everywhere();
            std::process::abort();
        }
        Some("busy") => busy(),
        Some("late") => late(),
        Some("remove") => remove(),
        Some("remove_late") => remove_late(),
        other => panic!("no way to end: {other:?}"),
    }
}

fn touch() {
    GONE.with(|stats| stats.step(1));
    KEPT.with(|stats| stats.step(1));
}

/// Publishes for the main thread, a running one, one that has ended, and no thread.
fn everywhere() -> [Published<Steps>; 2] {
    touch();
    thread::spawn(touch).join().expect("it does not panic");
    let own = publish(&Options::new().file_name("own.mmstats")).expect("there is a directory");
    let kept = publish(&Options::new().file_name("kept-own.mmstats").keep())
        .expect("there is a directory");
    thread::spawn(|| {
        touch();
        say("running");
        thread::sleep(Duration::MAX);
    });
    pause("ready");
    [own, kept]
}

/// Exits, which takes some time, while other threads begin and end.
fn busy() {
    extern "C" fn linger() {
        thread::sleep(Duration::from_millis(3));
    }
    // SAFETY: a function of this program. What is registered first runs last.
    unsafe { libc::atexit(linger) };
    for _ in 0..4 {
        thread::spawn(|| {
            loop {
                // They are not joined, so that some are at their beginning when the process exits.
                let _ = thread::Builder::new().spawn(|| GONE.with(|stats| stats.step(1)));
                thread::yield_now();
            }
        });
    }
    GONE.with(|stats| stats.step(1));
    thread::sleep(Duration::from_millis(3));
    exit(0);
}

/// Is called when the thread ends.
struct AtEnd(fn());

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0();
    }
}

thread_local! { static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) }; }

/// Publishes when the process is already exiting, and the thread's own files have been given back.
fn late() {
    thread::spawn(|| {
        AT_END.set(Some(AtEnd(|| {
            touch();
            std::mem::forget(publish::<Steps>(&Options::new()));
        })));
        GONE.with(|stats| stats.step(1));
        pause("ready");
        exit(0);
    });
    thread::sleep(Duration::MAX);
}

/// Removes files when the thread's own have been given back.
fn remove_late() {
    let thread = thread::spawn(|| {
        AT_END.set(Some(AtEnd(|| GONE.remove())));
        touch();
    });
    thread.join().expect("it does not panic");
    pause("joined");
}

/// Removes one file after another.
fn remove() {
    touch();
    thread::spawn(touch).join().expect("it does not panic");
    let (end, is_over) = std::sync::mpsc::channel::<()>();
    let sibling = thread::spawn(move || {
        touch();
        say("running");
        let _ = is_over.recv();
        touch();
    });
    pause("touched");
    GONE.remove();
    pause("removed");
    GONE.remove();
    pause("removed");
    touch();
    pause("touched");
    GONE.with(|stats| {
        stats.step(2);
        GONE.remove();
        stats.step(3);
        GONE.with(|stats| stats.step(1));
        stats.step(4);
    });
    pause("touched");
    KEPT.remove();
    pause("removed");
    drop(end);
    sibling.join().expect("it does not panic");
    pause("joined");
}
