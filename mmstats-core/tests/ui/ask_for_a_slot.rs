//! Only fields get slots: one of another layout could be misaligned for a cell.
//~ E0061 this method takes 4 arguments but 3 arguments were supplied

use mmstats_core::__private::Allocator;
use mmstats_core::format::layout::FieldDef;

/// Asks for a slot of the layout of another field.
pub fn ask<A: Allocator>(allocator: &mut A, definition: &FieldDef<'_>) {
    let metadata = A::metadata(definition);
    let _ = (allocator.resuming(), metadata);
    #[cfg(not(good))]
    let _ = allocator.place(metadata, &definition.layouts[0], None);
}
