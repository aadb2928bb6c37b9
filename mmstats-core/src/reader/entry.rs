//! A field as a directory tells of it.

use crate::kind::{Kind, Type};

/// A field as a directory tells of it. The texts are UTF-8 if the writer kept to the format; see
/// [`Lossy`](super::Lossy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'b> {
    /// Its name, with any dimensions.
    pub label: &'b [u8],
    /// Its base unit; empty for a plain number.
    pub unit: &'b [u8],
    /// What it tells, for people.
    pub help: &'b [u8],
    /// What its number means.
    pub kind: Kind,
    /// Shown = stored × 10^scale / divisor.
    pub scale: i8,
    /// Never 0.
    pub divisor: u32,
    /// Where and how its value lies.
    pub location: ValueLocation,
}

/// How a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In the directory, for good (version 2).
    Constant,
    /// Among the values, for good: the directory is outside (version 2).
    PlacedConstant,
    /// One word (version 2).
    Word,
    /// Behind a latch (version 2).
    Latched,
    /// A histogram's block (version 2).
    Histogram {
        /// Grouping power.
        grouping_power: u8,
        /// Maximum power.
        max_power: u8,
    },
    /// One plain value (version 1).
    Single,
    /// Two values and a one-bit index (version 1).
    Double,
}

/// Where and how a value lies; checked against the region, so that it can be read without further
/// ado.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueLocation {
    /// Offset in the region.
    pub offset: u32,
    /// Bytes of one value; of a histogram, the whole block.
    pub size: u32,
    /// The type; of a histogram, its buckets'.
    pub ty: Type,
    /// How it is stored.
    pub storage: Storage,
    /// Whether its bytes are in the other order than this machine's.
    pub swapped: bool,
    /// The writer's word in bytes (version 2).
    pub word: u8,
}

impl ValueLocation {
    /// Whether reading it while its writer runs takes three passes.
    #[must_use]
    pub const fn is_latched(&self) -> bool {
        match self.storage {
            Storage::Latched => true,
            Storage::Histogram { .. } => self.word == 4,
            _ => false,
        }
    }

    /// Bytes of one of a latch's buffers.
    pub(super) const fn stride(&self) -> usize {
        self.latched_size().next_multiple_of(self.word as usize)
    }

    const fn latched_size(&self) -> usize {
        match self.storage {
            Storage::Histogram { .. } => size_of::<u64>(),
            _ => self.size as usize,
        }
    }

    /// Where the latch's sequence is.
    pub(super) const fn sequence(&self) -> usize {
        self.offset as usize + 2 * self.stride()
    }

    /// All bytes of it, and of what it takes to read it.
    #[must_use]
    pub const fn range(&self) -> core::ops::Range<usize> {
        let start = self.offset as usize;
        let size = self.size as usize;
        match self.storage {
            Storage::Constant
            | Storage::PlacedConstant
            | Storage::Word
            | Storage::Histogram { .. } => start..start + size,
            Storage::Latched => start..self.sequence() + size_of::<u32>(),
            Storage::Single => start - 1..start + size,
            Storage::Double => start - 1..start + 2 * size,
        }
    }
}
