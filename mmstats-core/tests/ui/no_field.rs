//! A type that is no field does not compile, and the error lists the fields.
//~ E0277 is not a field

use mmstats_core::{Counter, model};

#[cfg(good)]
model! { struct Lanes { first: Counter, second: Counter } }
#[cfg(not(good))]
model! { struct Lanes { lanes: Vec<Counter> } }
