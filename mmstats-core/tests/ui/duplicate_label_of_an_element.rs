//! So do those of an array's elements.
//~ E0080 two fields have the label slots{index="1"}

use mmstats_core::{Counter, model};

model! { struct Motor { steps: Counter, current: [Counter<u32>; 2] {phase} } }
#[cfg(good)]
model! { struct Good { slots: [Counter; 2], other: Counter = "slots{index=\"2\"}" } }
#[cfg(not(good))]
model! { struct Bad { slots: [Counter; 2], other: Counter = "slots{index=\"1\"}" } }
