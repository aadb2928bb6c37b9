//! An array is one of fields or models.
//~ E0277 is not a field

use mmstats_core::{Counter, model};

model! { struct Motor { steps: Counter, current: [Counter<u32>; 2] {phase} } }
#[cfg(good)]
model! { struct Good { slots: [Counter; 5] } }
#[cfg(not(good))]
model! { struct Bad { slots: [u64; 5] } }
