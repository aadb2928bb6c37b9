//! `one_count CALLS`: calls a function that counts one, in a thread that has done so before.

use mmstats_std::{Options, per_thread};
use mmstats_tests::step_model::Steps;

per_thread! { static STATS: Steps = Options::new(); }

fn main() {
    let calls: u64 =
        std::env::args().nth(1).and_then(|calls| calls.parse().ok()).expect("a number of calls");
    STATS.with(|_| ());
    (0..calls).for_each(|_| count());
    assert_eq!(STATS.with(|stats| stats.done.get()), calls);
}

#[inline(never)]
fn count() {
    STATS.with(|stats| stats.done.incr());
}
