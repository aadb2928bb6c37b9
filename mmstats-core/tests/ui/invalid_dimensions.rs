//! A label whose braces hold no dimensions does not compile, and the error shows what they hold.
//~ E0080 expected dimensions as in a{name="value"}, found http{method=GET}

use mmstats_core::{Counter, model};

#[cfg(good)]
model! { struct Good { a: Counter = "http{method=\"GET\"}" } }
#[cfg(not(good))]
model! { struct Bad { a: Counter = "http{method=GET}" } }
