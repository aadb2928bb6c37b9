//! A field needs a label.
//~ E0080 a field has an empty label

use mmstats_core::{Counter, model};

#[cfg(good)]
model! { struct Good { a: Counter = "a" } }
#[cfg(not(good))]
model! { struct Bad { a: Counter = "" } }
