//! The writing core.

use crate::{Pair, pair};
use core::hint::spin_loop;

/// Pairs written without a pause.
const BURST: u32 = 32;

/// Idle loops between two bursts, about as long as a read takes, so that reads meet writes and
/// still succeed.
const PAUSE_LOOPS: u32 = 16;

/// Writes pairs forever.
pub fn write(set: impl Fn(Pair)) -> ! {
    let mut n: u32 = 0;
    loop {
        for _ in 0..BURST {
            set(pair(n));
            n = n.wrapping_add(1);
        }
        for _ in 0..PAUSE_LOOPS {
            spin_loop();
        }
    }
}
