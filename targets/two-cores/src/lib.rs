//! Two cores share memory: one publishes a pair of numbers that belong together, the other one
//! reads it meanwhile, as anybody does who sees the memory.
//!
//! Core 1 writes the pairs (0, !0), (1, !1), (2, !2) … in bursts, as fast as it can. Core 0 looks
//! for reads that are *torn*, numbers that do not belong together, and for reads that *went back*,
//! an older pair than the one before.
//!
//! | program | how the pair is kept |
//! |---|---|
//! | `two-cores` | as the halves of one latched value |
//! | `two-cores-unprotected` | as two values, which nothing holds together: here reads are torn, so they would be seen above too |
#![no_std]

mod compare;
mod cores;
mod reader;
mod write;

pub use compare::compare;
pub use cores::start_the_other;
pub use write::write;

/// Two numbers that belong together: the second is the complement of the first.
pub type Pair = [u32; 2];

/// The pair with this number.
#[must_use]
pub const fn pair(n: u32) -> Pair {
    [n, !n]
}
