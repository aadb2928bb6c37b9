//! Why a region cannot be read, in words.

use std::fmt;

use mmstats_core::reader::FormatError;
use mmstats_std::read::MAX_REGION_BYTES;

use super::memory::MemoryError;

/// Why a region cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum RegionError {
    /// Its memory cannot.
    Memory(MemoryError),
    /// Its bytes are at fault.
    Format(FormatError),
    /// There are only zeros.
    Zeros,
    /// Its header is there in part.
    HalfInitialised,
    /// It begins like version 1 and holds no field, as many bytes do that are no stats.
    NoFields,
    /// It is too large to be stats.
    TooLarge {
        /// Bytes.
        length: usize,
    },
    /// It has words that this source does not read whole.
    Narrow {
        /// Bytes of its words.
        word: u8,
        /// Bytes that are read whole.
        load: u8,
    },
    /// Its directory is outside of it, and is not what the same memory has there.
    NotThere {
        /// CRC-32 in the region's header.
        found: u32,
        /// CRC-32 of what is there.
        computed: u32,
    },
    /// It is not of the program whose ELF file was given.
    OtherFirmware {
        /// The ELF file.
        name: String,
        /// What differs.
        problem: FormatError,
    },
}

impl From<MemoryError> for RegionError {
    fn from(error: MemoryError) -> Self {
        RegionError::Memory(error)
    }
}

impl From<FormatError> for RegionError {
    fn from(problem: FormatError) -> Self {
        RegionError::Format(problem)
    }
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionError::Memory(error) => error.fmt(f),
            RegionError::Format(problem @ FormatError::ExternalDirectory { .. }) => {
                write!(f, "{problem} (see --elf)")
            }
            RegionError::Format(problem) => problem.fmt(f),
            RegionError::Zeros => {
                write!(f, "only zeros: not published yet, or nothing that can be read there")
            }
            RegionError::HalfInitialised => write!(
                f,
                "half-initialised: being published or made anew, or its program stopped while it did so"
            ),
            RegionError::NoFields => {
                write!(f, "no stats: it begins like version 1 (01), and no field follows")
            }
            RegionError::TooLarge { length } => {
                write!(f, "has {length} bytes ({MAX_REGION_BYTES} at most are read)")
            }
            RegionError::Narrow { word, load } => {
                write!(
                    f,
                    "its words have {word} bytes, of which {load} are read at once: while its program runs, they could be torn (read it halted, or dump it)"
                )
            }
            RegionError::NotThere { found, computed } => {
                write!(
                    f,
                    "its directory is in the program's flash, and this memory has something else there (its check is {found:#010x}, not {computed:#010x}): \
                     see --elf, or, for a raw image, --load-address"
                )
            }
            RegionError::OtherFirmware {
                name,
                problem: FormatError::DirectoryMismatch { found, computed },
            } => {
                write!(
                    f,
                    "of another firmware than {name}: its directory has the check {found:#010x}, the one in {name} {computed:#010x}"
                )
            }
            RegionError::OtherFirmware {
                name,
                problem: FormatError::ExternalDirectory { address, length },
            } => {
                write!(
                    f,
                    "of another firmware than {name}, which does not have the {length} bytes of its directory at {address:#x}"
                )
            }
            RegionError::OtherFirmware { name, problem } => {
                write!(f, "of another firmware than {name}: {problem}")
            }
        }
    }
}

impl std::error::Error for RegionError {}
