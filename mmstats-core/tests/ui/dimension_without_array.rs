//! Braces name the dimensions of an array.
//~ E0080 `steps`: it has another number of dimensions than names in braces

use mmstats_core::{Counter, model};

model! { struct Motor { steps: Counter, current: [Counter<u32>; 2] {phase} } }
#[cfg(good)]
model! { struct Good { steps: [Counter; 1] {axis} } }
#[cfg(not(good))]
model! { struct Bad { steps: Counter {axis} } }
