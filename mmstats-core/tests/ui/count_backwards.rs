//! A counter counts events: it is unsigned, and has 32 bits at least.
//~ E0277 `i64` cannot be the type of a counter

use mmstats_core::{Counter, Gauge, model};

#[cfg(good)]
model! { struct Good { a: Counter<u64>, b: Gauge<i64> } }
#[cfg(not(good))]
model! { struct Bad { a: Counter<i64>, b: Gauge<i64> } }
