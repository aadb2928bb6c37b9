//! The entries of a directory, and the locations of their values.

use crate::kind::{Aggregation, Kind, Type};

/// The description of a field in a directory. The texts are UTF-8 if the writer followed the
/// format; see [`Lossy`](super::Lossy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'b> {
    /// The label, with any dimensions.
    pub label: &'b [u8],
    /// The base unit; empty for a plain number.
    pub unit: &'b [u8],
    /// The help text.
    pub help: &'b [u8],
    /// The kind.
    pub kind: Kind,
    /// The power of ten: shown = stored × 10^scale / divisor.
    pub scale: i8,
    /// The divisor; never 0.
    pub divisor: u32,
    /// The aggregation over writers that the field asks for (version 2).
    pub aggregation: Aggregation,
    /// Whether the value survives its owner's end (version 2).
    pub kept: bool,
    /// The location of the value.
    pub location: ValueLocation,
}

/// How a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// In the directory, never changing (version 2).
    Constant,
    /// Among the values, never changing, because the directory is external (version 2).
    PlacedConstant,
    /// One word (version 2).
    Word,
    /// Latched: two buffers and a sequence (version 2).
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

/// The location and storage of a value, checked against the bounds of the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueLocation {
    /// Offset in the region.
    pub offset: u32,
    /// Bytes of the value; of a histogram, the whole block.
    pub size: u32,
    /// The type; of a histogram, that of its buckets.
    pub ty: Type,
    /// How it is stored.
    pub storage: Storage,
    /// Whether its byte order differs from that of this machine.
    pub swapped: bool,
    /// Bytes of the writer's word (version 2).
    pub word: u8,
}

impl ValueLocation {
    /// Returns `true` if reading it while its writer runs takes three passes.
    #[must_use]
    pub const fn is_latched(&self) -> bool {
        match self.storage {
            Storage::Latched => true,
            Storage::Histogram { .. } => self.word == 4,
            _ => false,
        }
    }

    /// Returns the bytes of one buffer of a latch.
    pub(super) const fn stride(&self) -> usize {
        self.latched_size().next_multiple_of(self.word as usize)
    }

    const fn latched_size(&self) -> usize {
        match self.storage {
            Storage::Histogram { .. } => size_of::<u64>(),
            _ => self.size as usize,
        }
    }

    /// Returns the offset of a latch's sequence.
    pub(super) const fn sequence(&self) -> usize {
        self.offset as usize + 2 * self.stride()
    }

    /// Returns the range of all bytes that are needed to read the value.
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
