//! `overflows`: a thread records how far its stack was used, and why it ended. Then the program
//! waits.

use std::thread;

use mmstats_std::{Gauge, Highest, Options, Text, model, per_thread};
use mmstats_tests::programs::pause;

model! {
    /// The stack of a thread.
    struct Stack in "stack." {
        used: Highest<u32> [bytes] as kept,
        recent: Highest<u32> [bytes],
        depth: Gauge<u32>,
        fault: Text<32> as kept,
        state: Text<32>,
    }
}

per_thread! { static STACK: Stack = Options::new(); }

fn work(used: u32, depth: u32, state: &str) {
    STACK.with(|stack| {
        stack.used.record(used);
        stack.recent.record(used);
        stack.depth.set(depth);
        stack.state.set(state);
    });
}

fn main() {
    work(400, 2, "waiting");
    let overflowing = thread::spawn(|| {
        work(976, 5, "working");
        STACK.with(|stack| stack.fault.set("stack overflow"));
    });
    overflowing.join().expect("it ends");
    pause("ended");
}
