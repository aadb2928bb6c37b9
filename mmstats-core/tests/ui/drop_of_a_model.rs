//! A model has no `Drop`, which could keep a handle whose memory is used again.
//~ E0119 AModelCannotImplementDrop

use mmstats_core::{Counter, model};

model! { pub struct Inner { hits: Counter } }

#[cfg(not(good))]
impl<F: mmstats_core::Format> Drop for Inner<F> {
    fn drop(&mut self) {}
}
