//! Labels of models in a model count, too, and the error names the whole label.
//~ E0080 two fields have the label left.steps

use mmstats_core::{Counter, model};

model! { struct Motor { steps: Counter, current: [Counter<u32>; 2] {phase} } }
#[cfg(good)]
model! { struct Good { left: Motor, right: Motor, other: Counter = "left.step" } }
#[cfg(not(good))]
model! { struct Bad { left: Motor, right: Motor, other: Counter = "left.steps" } }
