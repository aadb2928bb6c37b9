//! Two cores share memory: one publishes a pair of numbers that belong together, and the other
//! reads it like any reader of the memory.
//!
//! Core 1 writes the pairs (0, !0), (1, !1), (2, !2) … in bursts, as fast as it can. Core 0 counts
//! reads that are *torn* (numbers that do not belong together) and reads that *went back* (an older
//! pair than the one before).
//!
//! | program | how the pair is kept |
//! |---|---|
//! | `two-cores` | as the halves of one latched value |
//! | `two-cores-unprotected` | as two separate values: here reads are torn, which proves that they would be detected above |
//!
//! In `two-cores-shared`, both cores update the same shared fields.
#![no_std]

mod compare;
mod cores;
mod handover;
mod reader;
mod write;

pub use compare::compare;
pub use cores::start_the_other;
pub use handover::Handover;
pub use write::write;

/// Two numbers that belong together: the second is the complement of the first.
pub type Pair = [u32; 2];

/// Returns the pair with this number.
#[must_use]
pub const fn pair(n: u32) -> Pair {
    [n, !n]
}
