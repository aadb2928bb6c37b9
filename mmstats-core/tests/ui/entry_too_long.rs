//! Readers refuse entries over 256 KiB.
//~ E0080 a field's entry is longer than 262144 bytes

use mmstats_core::{ConstantText, model};

#[cfg(good)]
model! { struct Good { a: ConstantText<262115> = "a" } }
#[cfg(not(good))]
model! { struct Bad { a: ConstantText<262116> = "a" } }
