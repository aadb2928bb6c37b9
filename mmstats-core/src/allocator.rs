//! Allocates places for values, one after another.

use crate::add_error::AddError;
use crate::format::layout::{FieldDef, ValueLayout};
use crate::region::Slot;

/// Allocates places for values in a region. Sealed: cells trust the slots that it returns.
#[doc(hidden)]
pub trait Allocator: Place {}

impl<A: Place> Allocator for A {}

/// A permission to ask for a slot, which only [`SlotIter`] gives: a slot of a layout that is not
/// the cell's own could be misaligned.
#[derive(Debug)]
pub struct Permission(());

/// The methods of an [`Allocator`]. The trait is not exported, so nothing else implements it.
pub trait Place {
    /// The part of a field's definition that it needs besides the layouts of its values: nothing
    /// where no entry is written.
    type Metadata<'d>: Copy;
    fn metadata<'d>(definition: &'d FieldDef<'d>) -> Self::Metadata<'d>;
    /// Returns `true` if the next value is resumed: totals stay, everything else starts again.
    fn resuming(&self) -> bool;
    /// Allocates a place for a value and prepares it. A constant is written, or read if an earlier
    /// one is to stay.
    fn place(
        &mut self,
        metadata: Self::Metadata<'_>,
        layout: &ValueLayout,
        constant: Option<&mut [u8]>,
        permission: Permission,
    ) -> Result<Slot, AddError>;
}

/// The places of a field's values, in the order of its layouts.
#[doc(hidden)]
#[derive(Debug)]
pub struct SlotIter<'w, A: Allocator> {
    allocator: &'w mut A,
    metadata: A::Metadata<'w>,
    /// The field's own, so that places are as its cells expect.
    layouts: &'static [ValueLayout],
    kept: bool,
}

impl<'w, A: Allocator> SlotIter<'w, A> {
    #[inline(always)]
    pub(crate) fn new(
        allocator: &'w mut A,
        definition: &'w FieldDef<'w>,
        layouts: &'static [ValueLayout],
        kept: bool,
    ) -> Self {
        SlotIter { allocator, metadata: A::metadata(definition), layouts, kept }
    }

    /// Returns `true` if the field is resumed: its totals stay, everything else starts again.
    pub(crate) fn resuming(&self) -> bool {
        self.allocator.resuming()
    }

    /// Returns `true` if the field is resumed and its value stays although it is no total.
    pub(crate) fn keeping(&self) -> bool {
        self.kept && self.resuming()
    }

    /// Returns the slot of the next value.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Slot, AddError> {
        self.next_layout(None)
    }

    /// Writes the next value, a constant, or reads it if an earlier one is to stay.
    pub(crate) fn constant(&mut self, value: &mut [u8]) -> Result<(), AddError> {
        self.next_layout(Some(value)).map(|_| ())
    }

    #[inline(always)]
    fn next_layout(&mut self, constant: Option<&mut [u8]>) -> Result<Slot, AddError> {
        let (layout, rest) =
            self.layouts.split_first().expect("a field asks for as many slots as it has layouts");
        self.layouts = rest;
        self.allocator.place(self.metadata, layout, constant, Permission(()))
    }
}
