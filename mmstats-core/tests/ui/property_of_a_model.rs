//! So do properties.
//~ E0080 `left`: a model has no properties, only its fields have

use mmstats_core::{Counter, model};

model! { struct Motor { steps: Counter, current: [Counter<u32>; 2] {phase} } }
#[cfg(good)]
model! { struct Good { left: [Motor; 2] } }
#[cfg(not(good))]
model! { struct Bad { left: [Motor; 2] as kept } }
