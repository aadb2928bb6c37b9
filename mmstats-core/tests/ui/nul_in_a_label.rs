//! A NUL ends a text.
//~ E0080 a label contains a NUL

use mmstats_core::{Counter, model};

#[cfg(good)]
model! { struct Good { a: Counter = "a0b" } }
#[cfg(not(good))]
model! { struct Bad { a: Counter = "a\0b" } }
