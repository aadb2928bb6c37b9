//! A unit belongs to fields.
//~ E0080 `left`: a model has no unit, only its fields have

use mmstats_core::{Counter, model};

model! { struct Motor { steps: Counter, current: [Counter<u32>; 2] {phase} } }
#[cfg(good)]
model! { struct Good { left: Motor } }
#[cfg(not(good))]
model! { struct Bad { left: Motor [seconds] } }
