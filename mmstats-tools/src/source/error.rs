//! Errors of reading a region.

use std::fmt;

use mmstats_core::reader::FormatError;
use mmstats_std::read::MAX_REGION_BYTES;

use super::memory::MemoryError;

/// Why a region cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum RegionError {
    /// The memory cannot be read.
    Memory(MemoryError),
    /// The bytes are not a valid region.
    Format(FormatError),
    /// All bytes of the header are zero.
    Zeros,
    /// The header is incomplete.
    HalfInitialised,
    /// It begins like version 1 but has no fields, which is common in other data.
    NoFields,
    /// It is larger than any region.
    TooLarge {
        /// The size in bytes.
        length: usize,
    },
    /// The source does not read its words whole.
    Narrow {
        /// The size of its words in bytes.
        word: u8,
        /// The size of words that are read whole, in bytes.
        load: u8,
    },
    /// The memory does not have its external directory.
    NotThere {
        /// The CRC-32 in the region's header.
        found: u32,
        /// The CRC-32 of the bytes at the directory's address.
        computed: u32,
    },
    /// It was published by another program than that of the ELF file.
    OtherFirmware {
        /// The ELF file's name.
        name: String,
        /// The difference.
        error: FormatError,
    },
}

impl From<MemoryError> for RegionError {
    fn from(error: MemoryError) -> Self {
        RegionError::Memory(error)
    }
}

impl From<FormatError> for RegionError {
    fn from(error: FormatError) -> Self {
        RegionError::Format(error)
    }
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionError::Memory(error) => error.fmt(f),
            RegionError::Format(
                error @ (FormatError::ExternalDirectory { .. }
                | FormatError::UnloadedDirectory { .. }),
            ) => {
                write!(f, "{error} (see --elf)")
            }
            RegionError::Format(error) => error.fmt(f),
            RegionError::Zeros => {
                write!(f, "only zeros: not published yet, or not readable")
            }
            RegionError::HalfInitialised => {
                write!(f, "half-initialised: its publication is in progress, or was interrupted")
            }
            RegionError::NoFields => {
                write!(f, "not an mmstats file: it begins like version 1 (01) but has no fields")
            }
            RegionError::TooLarge { length } => {
                write!(f, "too large: {length} bytes (at most {MAX_REGION_BYTES} expected)")
            }
            RegionError::Narrow { word, load } => {
                write!(
                    f,
                    "words of {word} bytes are read in parts of {load} and may be torn while the program runs (halt it, or dump its memory)"
                )
            }
            RegionError::NotThere { found, computed } => {
                write!(
                    f,
                    "external directory not in this memory: checksum {computed:#010x} ({found:#010x} expected): \
                     pass --elf, or --load-address for a raw image"
                )
            }
            RegionError::OtherFirmware {
                name,
                error: FormatError::DirectoryMismatch { found, computed },
            } => {
                write!(
                    f,
                    "from other firmware than {name}: directory checksum {found:#010x} ({name} has {computed:#010x})"
                )
            }
            RegionError::OtherFirmware {
                name,
                error: FormatError::ExternalDirectory { address, length },
            } => {
                write!(
                    f,
                    "from other firmware than {name}, which does not have the {length} bytes of its directory at {address:#x}"
                )
            }
            RegionError::OtherFirmware {
                name,
                error: FormatError::UnloadedDirectory { address, length },
            } => {
                write!(
                    f,
                    "from other firmware than {name}, whose section .mmstats does not have the {length} bytes of its directory at {address:#x}"
                )
            }
            RegionError::OtherFirmware { name, error } => {
                write!(f, "from other firmware than {name}: {error}")
            }
        }
    }
}

impl std::error::Error for RegionError {}
