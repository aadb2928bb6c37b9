//! Two dimensions have different names.
//~ E0080 `grid`: two dimensions of a label have the same name

use mmstats_core::{Counter, model};

model! { struct Motor { steps: Counter, current: [Counter<u32>; 2] {phase} } }
#[cfg(good)]
model! { struct Good { grid: [[Counter; 2]; 3] {row, column} } }
#[cfg(not(good))]
model! { struct Bad { grid: [[Counter; 2]; 3] } }
