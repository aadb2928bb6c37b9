//! So do initial values.
//~ E0308 NoInitialValue

use mmstats_core::{Counter, model};

model! { struct Motor { steps: Counter, current: [Counter<u32>; 2] {phase} } }
#[cfg(good)]
model! { struct Good { left: Motor } }
#[cfg(not(good))]
model! { struct Bad { left: Motor => 3 } }
