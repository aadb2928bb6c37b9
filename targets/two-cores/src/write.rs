//! What the writing core does.

use crate::{Pair, pair};
use core::hint::spin_loop;

/// Pairs that are written one after another, as fast as can be.
const BURST: u32 = 32;

/// Rounds of doing nothing between two bursts, about as long as a read takes: so that reads meet
/// writes, and yet come to an end.
const QUIET: u32 = 16;

/// Writes pair after pair, without end.
pub fn write(set: impl Fn(Pair)) -> ! {
    let mut n: u32 = 0;
    loop {
        for _ in 0..BURST {
            set(pair(n));
            n = n.wrapping_add(1);
        }
        for _ in 0..QUIET {
            spin_loop();
        }
    }
}
