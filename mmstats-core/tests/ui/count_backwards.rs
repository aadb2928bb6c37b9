//! A counter counts events: it is unsigned, and has 32 bits at least.
//~ E0277 `i64: Count` is not satisfied

use mmstats_core::{Counter, Gauge, model};

#[cfg(good)]
model! { struct Good { a: Counter<u64>, b: Gauge<i64> } }
#[cfg(not(good))]
model! { struct Bad { a: Counter<i64>, b: Gauge<i64> } }
