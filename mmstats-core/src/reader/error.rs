//! Errors of regions, entries and values.

use core::fmt::{self, Write as _};

/// Why a region cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FormatError {
    /// The bytes do not begin as a region does.
    NotStats {
        /// The first bytes.
        found: [u8; 8],
    },
    /// The version is later than this reader.
    UnknownVersion {
        /// The version.
        found: u8,
    },
    /// The region is not published yet, is being initialised, or was removed.
    Uninitialised,
    /// Bytes are missing.
    CutShort {
        /// Bytes that are there.
        length: usize,
        /// Bytes that are needed at least.
        needed: usize,
    },
    /// The header's CRC-32 is wrong.
    BadCheck {
        /// CRC-32 in the header.
        found: u32,
        /// CRC-32 of the bytes.
        computed: u32,
    },
    /// The header is invalid.
    BadHeader {
        /// The invalid member.
        what: &'static str,
        /// Its value.
        found: u64,
    },
    /// The directory is not in the region but in the program's flash.
    ExternalDirectory {
        /// The address.
        address: u64,
        /// Length in bytes.
        length: u32,
    },
    /// The directory is not in the region but only in the program's ELF file.
    UnloadedDirectory {
        /// The address in the ELF file's section `.mmstats`, not in memory.
        address: u64,
        /// Length in bytes.
        length: u32,
    },
    /// The given directory is not the external directory of this region.
    DirectoryMismatch {
        /// CRC-32 in the region's header.
        found: u32,
        /// CRC-32 of the given directory.
        computed: u32,
    },
    /// The region was initialised repeatedly while it was read.
    Contended,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::NotStats { .. } => f.write_str("not an mmstats file"),
            FormatError::UnknownVersion { found } => {
                write!(f, "unknown version {found} (1 or 2 expected)")
            }
            FormatError::Uninitialised => {
                f.write_str("not initialised: not published yet, or removed")
            }
            FormatError::CutShort { length: 0, .. } => f.write_str("empty (0 bytes)"),
            FormatError::CutShort { length, needed } => {
                write!(f, "cut short: {length} bytes (at least {needed} expected)")
            }
            FormatError::BadCheck { found, computed } => {
                write!(f, "damaged header: check {found:#010x} ({computed:#010x} expected)")
            }
            FormatError::BadHeader { what, found } => {
                write!(f, "invalid header: {what} is {found:#x}")
            }
            FormatError::ExternalDirectory { address, length } => {
                write!(
                    f,
                    "the directory is in the program's flash, {length} bytes at {address:#x}: its ELF file or flash is needed"
                )
            }
            FormatError::UnloadedDirectory { address, length } => {
                write!(
                    f,
                    "the directory is only in the program's ELF file, {length} bytes at {address:#x} of its section .mmstats: that file is needed"
                )
            }
            FormatError::DirectoryMismatch { found, computed } => {
                write!(
                    f,
                    "directory of another program: CRC {computed:#010x} ({found:#010x} expected)"
                )
            }
            FormatError::Contended => {
                f.write_str("contended: initialised repeatedly while it was read")
            }
        }
    }
}

impl core::error::Error for FormatError {}

/// Why [`read`](super::read) failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError<E> {
    /// The source failed.
    Source(E),
    /// The bytes are not a valid region.
    Format(FormatError),
    /// The region is larger than the buffers.
    TooLarge {
        /// Bytes of the region.
        length: usize,
        /// Bytes that fit the buffers.
        capacity: usize,
    },
}

impl<E> From<FormatError> for ReadError<E> {
    fn from(error: FormatError) -> Self {
        ReadError::Format(error)
    }
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Source(error) => error.fmt(f),
            ReadError::Format(error) => error.fmt(f),
            ReadError::TooLarge { length, capacity } => {
                write!(f, "region too large: {length} bytes (at most {capacity})")
            }
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for ReadError<E> {}

/// A fault in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryError<'b> {
    /// Offset of the entry.
    pub offset: usize,
    /// The label of the field; empty if it is unknown.
    pub label: &'b [u8],
    /// The fault.
    pub kind: EntryErrorKind<'b>,
}

/// A kind of fault in an entry. No further entry can be found after [`Length`](Self::Length),
/// [`CutShort`](Self::CutShort), and in version 1 all but [`ValueOffset`](Self::ValueOffset).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryErrorKind<'b> {
    /// The bytes end inside the entry.
    CutShort {
        /// Bytes that are there.
        length: usize,
    },
    /// The length of the entry is invalid.
    Length {
        /// The length.
        found: u32,
    },
    /// The label is empty.
    EmptyLabel,
    /// The type is unknown.
    Type {
        /// The type.
        found: &'b [u8],
    },
    /// The access is unknown.
    Access {
        /// The access.
        found: u8,
    },
    /// The write buffer index is invalid.
    WriteBuffer {
        /// The index.
        found: u8,
    },
    /// The size does not match the type and access.
    Size {
        /// The size.
        found: u32,
    },
    /// The value is cut off, misaligned or outside the space for values.
    ValueOffset {
        /// The offset.
        found: u64,
    },
    /// The powers of a histogram are invalid.
    Powers {
        /// Grouping power.
        grouping_power: u8,
        /// Maximum power.
        max_power: u8,
    },
    /// The length of the published directory is invalid.
    Published {
        /// Length in bytes.
        found: u32,
    },
    /// The directory's CRC-32 is wrong.
    Layout {
        /// CRC-32 in the header.
        found: u32,
        /// CRC-32 of the bytes.
        computed: u32,
    },
}

/// The beginning of a text: in damaged bytes, a label may be as long as all of them.
struct Quoted<'b>(&'b [u8]);

impl Quoted<'_> {
    const MAX_CHARACTERS: usize = 100;
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.utf8_chunks().flat_map(|chunk| {
            let replacement = (!chunk.invalid().is_empty()).then_some('\u{fffd}');
            chunk.valid().chars().chain(replacement)
        });
        characters
            .by_ref()
            .take(Self::MAX_CHARACTERS)
            .try_for_each(|character| f.write_char(character))?;
        if characters.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

impl fmt::Display for EntryError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.label.is_empty() {
            write!(f, "at byte {}: ", self.offset)?;
        } else {
            write!(f, "field \"{}\" at byte {}: ", Quoted(self.label), self.offset)?;
        }
        match self.kind {
            EntryErrorKind::CutShort { length } => write!(f, "cut short at {length} bytes"),
            EntryErrorKind::Length { found } => write!(f, "invalid entry length: {found} bytes"),
            EntryErrorKind::EmptyLabel => f.write_str("empty label"),
            EntryErrorKind::Type { found } => {
                write!(f, "unknown type \"{}\"", Quoted(found))
            }
            EntryErrorKind::Access { found } => {
                write!(f, "unknown access {found} (0, 1 or 2 expected)")
            }
            EntryErrorKind::WriteBuffer { found } => {
                write!(f, "invalid write buffer index {found} (0, 1 or 255 expected)")
            }
            EntryErrorKind::Size { found } => write!(f, "invalid value size: {found} bytes"),
            EntryErrorKind::ValueOffset { found } => {
                write!(f, "value at {found:#x} is cut off or misplaced")
            }
            EntryErrorKind::Powers { grouping_power, max_power } => {
                write!(f, "invalid histogram powers {grouping_power} and {max_power}")
            }
            EntryErrorKind::Published { found } => {
                write!(f, "invalid directory length: {found} bytes")
            }
            EntryErrorKind::Layout { found, computed } => {
                write!(f, "damaged directory: CRC {found:#010x} ({computed:#010x} expected)")
            }
        }
    }
}

impl core::error::Error for EntryError<'_> {}

/// Why a value cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ValueError {
    /// The value was written repeatedly while it was read.
    Contended,
    /// The bytes end before the value.
    CutOff,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueError::Contended => "contended: written repeatedly while it was read",
            ValueError::CutOff => "cut off",
        })
    }
}

impl core::error::Error for ValueError {}
