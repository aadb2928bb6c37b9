//! So have those of a model and of the models in it.
//~ E0080 `motor`: two dimensions of a label have the same name

use mmstats_core::{Counter, model};

model! { struct Motor { steps: Counter, current: [Counter<u32>; 2] {phase} } }
#[cfg(good)]
model! { struct Good { motor: [Motor; 2] } }
#[cfg(not(good))]
model! { struct Bad { motor: [Motor; 2] {phase} } }
