//! A unit is a base unit's name in plural, or anything that is a `Unit`.
//~ E0425 second

use mmstats_core::{Gauge, model};

#[cfg(good)]
model! { struct Good { a: Gauge<u32> [seconds] } }
#[cfg(not(good))]
model! { struct Bad { a: Gauge<u32> [second] } }
