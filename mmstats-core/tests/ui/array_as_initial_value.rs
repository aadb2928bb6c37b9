//! The initial value is that of each element.
//~ E0308 mismatched types

use mmstats_core::{Counter, model};

model! { struct Motor { steps: Counter, current: [Counter<u32>; 2] {phase} } }
#[cfg(good)]
model! { struct Good { slots: [Counter; 2] => 3 } }
#[cfg(not(good))]
model! { struct Bad { slots: [Counter; 2] => [3, 4] } }
