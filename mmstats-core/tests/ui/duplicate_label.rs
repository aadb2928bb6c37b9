//! Two fields of one label do not compile, and the error names it.
//~ E0080 two fields have the label twice

use mmstats_core::{Counter, model};

#[cfg(good)]
model! { struct Once { a: Counter = "twice", b: Counter = "once" } }
#[cfg(not(good))]
model! { struct Twice { a: Counter = "twice", b: Counter = "twice" } }
