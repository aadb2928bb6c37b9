//! Publishing with the directory in flash or only in the ELF file: the offsets of all values are
//! known at compile time, and no entry is written.

use super::raw::header;
use crate::add_error::AddError;
use crate::allocator::{Permission, Place};
use crate::atomic::Ordering;
use crate::format::flash::{FlashDirectory, UnloadedDirectory, value_below};
use crate::format::layout::{FieldDef, ValueLayout};
use crate::format::v2::{
    EXTERNAL_DIRECTORY, Header, UNLOADED_DIRECTORY, crc32_after_word, crc32_state,
};
use crate::format::{MAGIC, MAGIC_WORDS, NATIVE_WORD, Version};
use crate::format_types::Format;
use crate::model::{ElfFile, Flash, Mode, Model, Recovery};
use crate::region::{Region, Slot};
use core::mem::offset_of;
use zerocopy::transmute;

impl<M: Model> Mode<M> for Flash {
    const SIZE: Option<usize> = Some(M::SIZE_WITH_FLASH);

    #[inline]
    fn initialize(&self, region: Region) -> Result<M, AddError> {
        initialize_values(region, in_flash::<M>())
    }

    #[inline]
    fn recover(&self, region: Region) -> Result<(M, Recovery), AddError> {
        recover_values(region, in_flash::<M>())
    }
}

impl<M: Model> Mode<M> for ElfFile {
    const SIZE: Option<usize> = Some(M::SIZE_WITH_FLASH);

    #[inline]
    fn initialize(&self, region: Region) -> Result<M, AddError> {
        initialize_values(region, in_elf_file::<M>())
    }

    #[inline]
    fn recover(&self, region: Region) -> Result<(M, Recovery), AddError> {
        recover_values(region, in_elf_file::<M>())
    }
}

#[inline(always)]
fn in_flash<M: Model>() -> FlashHeader {
    const { assert_version_2::<M::Format>() };
    let start = const { FlashHeaderStart::in_flash(M::SIZE_WITH_FLASH) };
    FlashHeader::new(start, M::directory().into())
}

#[inline(always)]
fn in_elf_file<M: Model>() -> FlashHeader {
    const { assert_version_2::<M::Format>() };
    let start = const { FlashHeaderStart::in_elf_file(M::SIZE_WITH_FLASH) };
    FlashHeader::new(start, M::unloaded_directory().into())
}

#[inline(always)]
fn initialize_values<M: Model>(region: Region, header: FlashHeader) -> Result<M, AddError> {
    let mut allocator = FlashAllocator::initialize(region, header)?;
    let model = M::attach(&mut allocator)?;
    allocator.finish();
    Ok(model)
}

#[inline(always)]
fn recover_values<M: Model>(
    region: Region,
    header: FlashHeader,
) -> Result<(M, Recovery), AddError> {
    let mut allocator = FlashAllocator::recover(region, header)?;
    // A loop, so that the code that attaches exists once.
    loop {
        let resumed = allocator.resuming();
        match M::attach(&mut allocator) {
            Ok(model) => {
                allocator.finish();
                return Ok((model, if resumed { Recovery::Resumed } else { Recovery::Fresh }));
            }
            // A constant is another.
            Err(_) if resumed => allocator.reinitialize(&header),
            Err(error) => return Err(error),
        }
    }
}

const fn assert_version_2<F: Format>() {
    assert!(
        matches!(F::VERSION, Version::V2) && F::WORD == NATIVE_WORD,
        "only version 2 can have its directory in flash"
    );
}

/// Allocates values in a region whose directory is in flash.
///
/// Everything is inlined: in a region of known length, the compiler then computes the offset of
/// each value, and a handle takes the instructions that store its address.
#[derive(Debug)]
struct FlashAllocator {
    region: Region,
    /// The offset of the last value.
    high: usize,
    resuming: bool,
}

impl FlashAllocator {
    /// Initialises a region. It becomes valid with [`Self::finish`].
    #[inline(always)]
    fn initialize(region: Region, header: FlashHeader) -> Result<Self, AddError> {
        if region.len() < header.length {
            return Err(AddError::Full { length: region.len() });
        }
        let mut allocator = FlashAllocator { region, high: header.length, resuming: false };
        allocator.reinitialize(&header);
        Ok(allocator)
    }

    /// Resumes a region if this very program made it, and otherwise initialises it.
    #[inline(always)]
    fn recover(region: Region, header: FlashHeader) -> Result<Self, AddError> {
        if region.len() < header.length {
            return Err(AddError::Full { length: region.len() });
        }
        let mut allocator = FlashAllocator { region, high: header.length, resuming: true };
        if !header.is_in(&allocator.region) {
            allocator.reinitialize(&header);
        }
        Ok(allocator)
    }

    #[inline(always)]
    fn reinitialize(&mut self, header: &FlashHeader) {
        self.region.seqlock().write_begin();
        header.write(&self.region);
        self.region.zero_words(Header::SIZE, header.length);
        (self.high, self.resuming) = (header.length, false);
    }

    /// Makes the region valid, after all values have been placed. In a region that was resumed,
    /// this changes nothing.
    #[inline(always)]
    fn finish(&self) {
        self.region.seqlock().write_end();
    }
}

impl Place for FlashAllocator {
    type Metadata<'d> = ();

    fn metadata<'d>(_: &'d FieldDef<'d>) {}

    #[inline(always)]
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
        // The region's size was computed by the same rule at compile time, so the value fits.
        self.high = value_below(self.high, layout.size, layout.align).unwrap_or(Header::SIZE);
        match constant {
            Some(constant) if !self.resuming => self.region.write(self.high, constant),
            Some(constant) if !self.region.equals(self.high, constant) => {
                return Err(AddError::LayoutDiffers);
            }
            _ => {}
        }
        Ok(self.region.slot(self.high, layout.size, layout.align))
    }
}

/// A directory outside of the region.
#[derive(Clone, Copy, Debug)]
struct ExternalDirectory {
    address: usize,
    length: u32,
    check: u32,
}

impl From<FlashDirectory> for ExternalDirectory {
    #[inline(always)]
    fn from(FlashDirectory { entries, check }: FlashDirectory) -> Self {
        ExternalDirectory { address: entries.as_ptr().addr(), length: entries.len() as u32, check }
    }
}

impl From<UnloadedDirectory> for ExternalDirectory {
    #[inline(always)]
    fn from(UnloadedDirectory { address, length, check }: UnloadedDirectory) -> Self {
        ExternalDirectory { address, length, check }
    }
}

/// The header of a region whose directory is in flash.
#[derive(Clone, Copy, Debug)]
struct FlashHeader {
    length: usize,
    /// All words but the magic, which comes last, and the generation, which stays.
    words: [u32; 7],
}

impl FlashHeader {
    /// Bytes before and after an address in a field of 8 bytes.
    const ZEROS_BEFORE: usize =
        if cfg!(target_endian = "big") { 8 - size_of::<usize>() } else { 0 };
    const ZEROS_AFTER: usize = 8 - size_of::<usize>() - Self::ZEROS_BEFORE;

    /// Creates the header of a region of `length` bytes. All is known at compile time, but the
    /// address of the directory.
    #[inline(always)]
    fn new(start: FlashHeaderStart, directory: ExternalDirectory) -> Self {
        let ExternalDirectory { address, length, check } = directory;
        let halves: [u32; 2] = transmute!(address as u64);
        FlashHeader {
            length: start.length,
            words: [
                start.words[0],
                start.words[1],
                halves[0],
                halves[1],
                !crc32_after_word(start.crc, address, Self::ZEROS_AFTER),
                check,
                length,
            ],
        }
    }

    #[inline(always)]
    fn write(&self, region: &Region) {
        self.for_each_word(|at, word| region.word(at).store(word, Ordering::Relaxed));
    }

    #[inline(always)]
    fn is_in(&self, region: &Region) -> bool {
        let load = |at| region.word(at).load(Ordering::Relaxed);
        let mut difference = 0;
        self.for_each_word(|at, word| difference |= load(at) ^ word);
        // Last and in this order: some machines have constants beside the code in the order of
        // their use, and a header that begins there would look like a region to a scan of flash.
        difference |= load(4) ^ MAGIC_WORDS[1];
        difference |= load(0) ^ MAGIC_WORDS[0];
        difference == 0
    }

    /// Calls `f` with offset and content of each word. No loop, as the words are then constants in
    /// the instructions.
    #[inline(always)]
    fn for_each_word(&self, mut f: impl FnMut(usize, u32)) {
        let [middle @ .., check, layout, published] = self.words;
        f(8, middle[0]);
        f(12, middle[1]);
        f(16, middle[2]);
        f(20, middle[3]);
        f(Header::CHECKED, check);
        f(Header::LAYOUT, layout);
        f(Header::PUBLISHED, published);
    }
}

/// The part of the header that is known at compile time.
#[derive(Clone, Copy, Debug)]
struct FlashHeaderStart {
    length: usize,
    /// The words between the magic and the address. The magic is not stored, because with it these
    /// bytes would look like a region to a scan of memory.
    words: [u32; 2],
    /// The CRC register before the address.
    crc: u32,
}

impl FlashHeaderStart {
    /// Creates the start of the header of a region of `length` bytes, whose directory is in flash.
    const fn in_flash(length: usize) -> Self {
        Self::new(length, EXTERNAL_DIRECTORY)
    }

    /// Creates the start of the header of a region whose directory is in the ELF file.
    const fn in_elf_file(length: usize) -> Self {
        Self::new(length, EXTERNAL_DIRECTORY | UNLOADED_DIRECTORY)
    }

    const fn new(length: usize, flags: u8) -> Self {
        let header = header(length, NATIVE_WORD, flags, 0);
        let bytes: [u8; Header::SIZE] = transmute!(Header { magic: MAGIC, ..header });
        let words: [u32; Header::SIZE / 4] = transmute!(bytes);
        let (before, _) = bytes.split_at(offset_of!(Header, directory) + FlashHeader::ZEROS_BEFORE);
        FlashHeaderStart { length, words: [words[2], words[3]], crc: crc32_state(!0, before) }
    }
}
