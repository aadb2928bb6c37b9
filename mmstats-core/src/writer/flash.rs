//! Publishing with the directory in flash: values are placement, no entry is written.

use super::Allocator;
use super::error::AddError;
use super::raw::header;
use crate::format::flash::{FlashDirectory, value_below};
use crate::format::layout::{FieldDef, ValueLayout};
use crate::format::v2::{EXTERNAL_DIRECTORY, Header};
use crate::format::{MAGIC, NATIVE_WORD};
use crate::region::{RawRegion, Slot};
use core::ops::Range;
use zerocopy::IntoBytes;

/// A region in the making whose directory is in flash.
pub(crate) struct FlashAllocator {
    region: RawRegion,
    /// Where the last value went.
    high: usize,
    resuming: bool,
}

impl FlashAllocator {
    /// Begins a region of `length` bytes anew. Until [`Self::finish`] it is not valid.
    pub(crate) fn initialize(
        region: RawRegion,
        length: usize,
        directory: FlashDirectory,
    ) -> Result<Self, AddError> {
        if region.len() < length {
            return Err(AddError::Full { length: region.len() });
        }
        region.seqlock().write_begin();
        let header = flash_header(length, directory);
        // The generation stands between them and is not touched.
        region.write(8, &header.as_bytes()[8..Header::GENERATION]);
        region.write(Header::PUBLISHED, &header.as_bytes()[Header::PUBLISHED..]);
        Ok(FlashAllocator { region, high: length, resuming: false })
    }

    /// Goes on with a region of `length` bytes if it is as this very program would make it.
    pub(crate) fn resume(
        region: RawRegion,
        length: usize,
        directory: FlashDirectory,
    ) -> Option<Self> {
        let header = flash_header(length, directory);
        let equals = |range: Range<usize>| region.equals(range.start, &header.as_bytes()[range]);
        let same = region.len() >= length
            && region.equals(0, &MAGIC)
            && equals(MAGIC.len()..Header::GENERATION)
            && equals(Header::PUBLISHED..Header::SIZE);
        same.then_some(FlashAllocator { region, high: length, resuming: true })
    }

    /// All values are in place.
    pub(crate) fn finish(&self) {
        self.region.seqlock().write_end();
    }

    /// Out of line: it is the same for all fields.
    #[inline(never)]
    fn take(&mut self, room: usize, align: usize) -> Slot {
        // Region and directory are laid out by the same rule at compile time, so there is room.
        self.high = value_below(self.high, room, align).unwrap_or(Header::SIZE);
        if !self.resuming {
            self.region.zero(self.high, room);
        }
        self.region.slot(self.high, room, align)
    }
}

impl Allocator for FlashAllocator {
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
    ) -> Result<Slot, AddError> {
        let slot = self.take(layout.size, layout.align);
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
