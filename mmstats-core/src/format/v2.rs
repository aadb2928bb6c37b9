//! The header and the directory entry of version 2 as they lie in memory, in the writer's byte
//! order.
//!
//! The structs overlay *copies*, never live memory, whose writer may be running.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The first bytes of a region; the very first is the version.
pub const MAGIC: [u8; 8] = *b"\x02MMSTATS";

/// The magic as two words in this machine's byte order, as the writer stores it.
pub const MAGIC_WORDS: [u32; 2] = [
    u32::from_ne_bytes([MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3]]),
    u32::from_ne_bytes([MAGIC[4], MAGIC[5], MAGIC[6], MAGIC[7]]),
];

/// The value of [`Header::byte_order`] in the writer's byte order.
pub const BYTE_ORDER: u16 = 0x0102;

/// Flag bit 0: the directory is external, outside the region.
pub const EXTERNAL_DIRECTORY: u8 = 1;

/// Flag bit 1: the external directory is only in the program's ELF file.
pub const UNLOADED_DIRECTORY: u8 = 1 << 1;

/// Flag bit 4: the region is never initialised again in place.
pub const IMMUTABLE_LAYOUT: u8 = 1 << 4;

/// Flag bits that a reader refuses if it does not know them.
pub const INCOMPATIBLE_FLAGS: u8 = 0x0f;

/// The header of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`BYTE_ORDER`].
    pub byte_order: u16,
    /// Bytes that the writer stores in one instruction: 4 or 8.
    pub word: u8,
    /// [`EXTERNAL_DIRECTORY`], [`UNLOADED_DIRECTORY`] and [`IMMUTABLE_LAYOUT`].
    pub flags: u8,
    /// Length of the region in bytes.
    pub length: u32,
    /// Offset of the first entry; the address of an external directory.
    pub directory: u64,
    /// CRC-32 of the header's bytes before this one.
    pub check: u32,
    /// CRC-32 of the published entries.
    pub layout: u32,
    /// The number of times that the region was initialised.
    pub generation: u32,
    /// Bytes of directory that are valid.
    pub published: u32,
}

impl Header {
    /// Length of a header in bytes.
    pub const SIZE: usize = size_of::<Header>();
    /// Number of bytes that `check` covers.
    pub const CHECKED: usize = core::mem::offset_of!(Header, check);
    /// Offset of `layout`.
    pub const LAYOUT: usize = core::mem::offset_of!(Header, layout);
    /// Offset of `generation`.
    pub const GENERATION: usize = core::mem::offset_of!(Header, generation);
    /// Offset of `published`.
    pub const PUBLISHED: usize = core::mem::offset_of!(Header, published);

    /// Returns the header with the bytes of every number reversed.
    #[must_use]
    pub const fn swapped(self) -> Header {
        Header {
            byte_order: self.byte_order.swap_bytes(),
            length: self.length.swap_bytes(),
            directory: self.directory.swap_bytes(),
            check: self.check.swap_bytes(),
            layout: self.layout.swap_bytes(),
            generation: self.generation.swap_bytes(),
            published: self.published.swap_bytes(),
            ..self
        }
    }
}

/// The fixed part of a directory entry; the texts follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct EntryHeader {
    /// Length of the whole entry in bytes.
    pub length: u32,
    /// Offset of the value.
    pub value: u32,
    /// Length of one value in bytes.
    pub size: u32,
    /// A [`crate::Kind`].
    pub kind: u8,
    /// A [`crate::Type`]'s letter.
    pub ty: u8,
    /// An [`crate::Access`].
    pub access: u8,
    /// Power of ten by which the value is multiplied.
    pub scale: i8,
    /// Number by which the value is divided; 0 means 1.
    pub divisor: u32,
    /// Length of the label in bytes.
    pub label: u16,
    /// Length of the help text in bytes.
    pub help: u16,
    /// Length of the unit in bytes.
    pub unit: u8,
    /// A histogram's grouping power.
    pub grouping_power: u8,
    /// A histogram's maximum power.
    pub max_power: u8,
    /// An [`crate::Aggregation`] in the lowest three bits, and [`EntryHeader::KEPT`].
    pub flags: u8,
}

impl EntryHeader {
    /// Number of bytes before the texts.
    pub const SIZE: usize = size_of::<EntryHeader>();

    /// The bits of `flags` that hold the aggregation.
    pub const AGGREGATION: u8 = 0b111;

    /// The bit of `flags` that a kept field has.
    pub const KEPT: u8 = 1 << 3;

    /// The largest length of an entry: enough for the longest texts and a constant, while a sparse
    /// file cannot claim gigabytes with a few entries.
    pub const MAX_BYTES: usize = 1 << 18;

    /// Returns the entry header with the bytes of every number reversed.
    #[must_use]
    pub const fn swapped(self) -> EntryHeader {
        EntryHeader {
            length: self.length.swap_bytes(),
            value: self.value.swap_bytes(),
            size: self.size.swap_bytes(),
            divisor: self.divisor.swap_bytes(),
            label: self.label.swap_bytes(),
            help: self.help.swap_bytes(),
            ..self
        }
    }

    /// Returns the length of the texts in bytes.
    #[must_use]
    pub const fn texts(&self) -> usize {
        self.label as usize + self.unit as usize + self.help as usize
    }
}

const _: () = assert!(Header::SIZE == 40 && EntryHeader::SIZE == 28 && Header::CHECKED == 24);

/// Returns the CRC-32 (ISO-HDLC, as in zlib) of `bytes` after other bytes with the CRC `crc`; 0 if
/// there are no other bytes.
///
/// Computes bit by bit, in constants too, which needs only about 50 bytes of code on a device.
///
/// ```
/// assert_eq!(mmstats_core::format::crc32(0, b"123456789"), 0xCBF4_3926);
/// ```
#[must_use]
pub const fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    !crc32_state(!crc, bytes)
}

/// Returns the CRC register after `bytes`: the inverted CRC-32.
#[must_use]
pub(crate) const fn crc32_state(mut state: u32, bytes: &[u8]) -> u32 {
    let mut i = 0;
    while i < bytes.len() {
        state = shift((state ^ bytes[i] as u32) as usize, 8);
        i += 1;
    }
    state
}

/// Returns the CRC register after the bytes of a word, in this machine's byte order, and `zeros`
/// zero bytes.
#[must_use]
pub(crate) const fn crc32_after_word(state: u32, word: usize, zeros: usize) -> u32 {
    shift(state as usize ^ word.to_le(), 8 * (size_of::<usize>() + zeros))
}

/// Shifts bits out of a CRC register that holds those of a message in advance.
const fn shift(mut state: usize, bits: usize) -> u32 {
    let mut bit = 0;
    while bit < bits {
        state = (state >> 1) ^ (0xEDB8_8320 & (state & 1).wrapping_neg());
        bit += 1;
    }
    state as u32
}

/// Does what [`crc32`] does, at run time. On a device, speed matters little: it runs only when
/// fields are added or a layout is seen for the first time. A reader of large or damaged files uses
/// the feature `crc32fast`.
#[must_use]
pub(crate) fn checksum(crc: u32, bytes: &[u8]) -> u32 {
    cfg_if::cfg_if! {
        if #[cfg(feature = "crc32fast")] {
            let mut hasher = crc32fast::Hasher::new_with_initial(crc);
            hasher.update(bytes);
            hasher.finalize()
        } else {
            crc32(crc, bytes)
        }
    }
}
