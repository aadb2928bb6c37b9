//! Publishing with the directory in flash: values are placed, no entry is written.

use super::raw::{header, write_header};
use crate::add_error::AddError;
use crate::allocator::{Permission, Place};
use crate::format::flash::{FlashDirectory, value_below};
use crate::format::layout::{FieldDef, ValueLayout};
use crate::format::v2::{EXTERNAL_DIRECTORY, Header};
use crate::format::{MAGIC, NATIVE_WORD};
use crate::region::{Region, Slot};
use core::ops::Range;
use zerocopy::IntoBytes;

/// Allocates values in a region whose directory is in flash.
#[derive(Debug)]
pub(crate) struct FlashAllocator {
    region: Region,
    /// The offset of the last value.
    high: usize,
    resuming: bool,
}

impl FlashAllocator {
    /// Initialises a region of `length` bytes. It becomes valid with [`Self::finish`].
    pub(crate) fn initialize(
        region: Region,
        length: usize,
        directory: FlashDirectory,
    ) -> Result<Self, AddError> {
        if region.len() < length {
            return Err(AddError::Full { length: region.len() });
        }
        write_header(&region, &flash_header(length, directory));
        Ok(FlashAllocator { region, high: length, resuming: false })
    }

    /// Resumes a region of `length` bytes if this very program made it.
    pub(crate) fn resume(region: Region, length: usize, directory: FlashDirectory) -> Option<Self> {
        let header = flash_header(length, directory);
        let equals = |range: Range<usize>| region.equals(range.start, &header.as_bytes()[range]);
        let same = region.len() >= length
            && region.equals(0, &MAGIC)
            && equals(MAGIC.len()..Header::GENERATION)
            && equals(Header::PUBLISHED..Header::SIZE);
        same.then_some(FlashAllocator { region, high: length, resuming: true })
    }

    /// Makes the region valid, after all values have been placed.
    pub(crate) fn finish(&self) {
        self.region.seqlock().write_end();
    }

    /// Not inlined, because it is the same code for all fields.
    #[inline(never)]
    fn allocate(&mut self, size: usize, align: usize) -> Slot {
        // The region's size was computed by the same rule at compile time, so the value fits.
        self.high = value_below(self.high, size, align).unwrap_or(Header::SIZE);
        if !self.resuming {
            self.region.zero(self.high, size);
        }
        self.region.slot(self.high, size, align)
    }
}

impl Place for FlashAllocator {
    type Metadata<'d> = ();

    fn metadata<'d>(_: &'d FieldDef<'d>) {}

    fn resuming(&self) -> bool {
        self.resuming
    }

    #[inline(always)]
    fn place(
        &mut self,
        (): (),
        layout: &ValueLayout,
        constant: Option<&mut [u8]>,
        _: Permission,
    ) -> Result<Slot, AddError> {
        let slot = self.allocate(layout.size, layout.align);
        match constant {
            Some(constant) if !self.resuming => self.region.write(self.high, constant),
            Some(constant) if !self.region.equals(self.high, constant) => {
                return Err(AddError::LayoutDiffers);
            }
            _ => {}
        }
        Ok(slot)
    }
}

fn flash_header(length: usize, directory: FlashDirectory) -> Header {
    let mut header =
        header(length, NATIVE_WORD, EXTERNAL_DIRECTORY, directory.entries.as_ptr().addr() as u64);
    header.layout = directory.check;
    header.published = directory.entries.len() as u32;
    header
}
