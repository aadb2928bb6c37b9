//! No allocator but the crate's own hands out slots, which cells trust.
//~ E0277 is not satisfied

use mmstats_core::__private::Allocator;

/// Could change what a field asks for.
#[derive(Debug)]
pub struct Wrapped<A>(pub A);

#[cfg(not(good))]
impl<A: Allocator> Allocator for Wrapped<A> {}
