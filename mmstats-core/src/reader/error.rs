//! What can be wrong with bytes, in words.

use core::fmt::{self, Write as _};

/// Why a region cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FormatError {
    /// Not one of ours.
    NotStats {
        /// How it begins.
        found: [u8; 8],
    },
    /// Of a version made after this reader.
    UnknownVersion {
        /// The version.
        found: u8,
    },
    /// Made but not published, being made anew, or removed.
    Uninitialised,
    /// Less than there should be.
    CutShort {
        /// Bytes there are.
        length: usize,
        /// Bytes there should be, at least.
        needed: usize,
    },
    /// The header's check does not hold.
    BadCheck {
        /// CRC-32 in the header.
        found: u32,
        /// CRC-32 of what is there.
        computed: u32,
    },
    /// Not a header as version 2 has it.
    BadHeader {
        /// The member that is wrong.
        what: &'static str,
        /// What it is.
        found: u64,
    },
    /// The directory is not in the region but at this address of the program.
    ExternalDirectory {
        /// The address.
        address: u64,
        /// Bytes.
        length: u32,
    },
    /// The directory that was given is not the one that the region has outside.
    DirectoryMismatch {
        /// CRC-32 in the region's header.
        found: u32,
        /// CRC-32 of what was given.
        computed: u32,
    },
    /// Made anew again and again while it was read.
    Contended,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::NotStats { found } => {
                write!(f, "not mmstats: it begins with")?;
                found.iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
                write!(f, " (01 or 02 4d 4d 53 54 41 54 53 would be)")
            }
            FormatError::UnknownVersion { found } => {
                write!(f, "version {found} is not known (1 and 2 are)")
            }
            FormatError::Uninitialised => {
                write!(f, "not initialised: not published yet, or removed")
            }
            FormatError::CutShort { length: 0, .. } => write!(f, "empty (0 bytes)"),
            FormatError::CutShort { length, needed } => {
                write!(f, "cut short: {length} bytes (at least {needed} are needed)")
            }
            FormatError::BadCheck { found, computed } => write!(
                f,
                "damaged: the header's check is {found:#010x}, its bytes give {computed:#010x}"
            ),
            FormatError::BadHeader { what, found } => write!(f, "damaged: {what} is {found:#x}"),
            FormatError::ExternalDirectory { address, length } => {
                write!(
                    f,
                    "the directory is in the program's flash, {length} bytes at {address:#x}: the program's ELF file, or its flash, is needed"
                )
            }
            FormatError::DirectoryMismatch { found, computed } => {
                write!(
                    f,
                    "of another program: its directory has the check {found:#010x}, the program's bytes give {computed:#010x}"
                )
            }
            FormatError::Contended => {
                write!(f, "contended: made anew again and again while it was read")
            }
        }
    }
}

impl core::error::Error for FormatError {}

/// Why [`read`](super::read) failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError<E> {
    /// The source did.
    Source(E),
    /// The bytes are at fault.
    Format(FormatError),
    /// The images are too small.
    TooLarge {
        /// Bytes of the region.
        length: usize,
        /// Bytes of an image.
        capacity: usize,
    },
}

impl<E> From<FormatError> for ReadError<E> {
    fn from(problem: FormatError) -> Self {
        ReadError::Format(problem)
    }
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Source(error) => error.fmt(f),
            ReadError::Format(problem) => problem.fmt(f),
            ReadError::TooLarge { length, capacity } => {
                write!(f, "the region has {length} bytes ({capacity} at most can be read)")
            }
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for ReadError<E> {}

/// What is wrong with a part of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryError<'b> {
    /// Where it stands.
    pub offset: usize,
    /// The label of the field, if it is known.
    pub label: &'b [u8],
    /// What is wrong.
    pub kind: EntryErrorKind<'b>,
}

/// What is wrong with an entry. Behind [`Length`](Self::Length), [`CutShort`](Self::CutShort), and
/// in version 1 all but [`ValueLocation`](Self::ValueLocation), no entry can be found any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryErrorKind<'b> {
    /// The bytes end inside it.
    CutShort {
        /// Bytes there are.
        length: usize,
    },
    /// Its length is impossible.
    Length {
        /// The length.
        found: u32,
    },
    /// It has no label.
    EmptyLabel,
    /// A type that is not known.
    Type {
        /// The type.
        found: &'b [u8],
    },
    /// An access that is not known.
    Access {
        /// Its number.
        found: u8,
    },
    /// A write buffer index that is none.
    WriteBuffer {
        /// The index.
        found: u8,
    },
    /// The size is none that a value of this type and access can have.
    Size {
        /// The size.
        found: u32,
    },
    /// The value is not where a value can be, or cut off.
    ValueOffset {
        /// Where it is said to be.
        found: u64,
    },
    /// A histogram with impossible powers.
    Powers {
        /// Grouping power.
        grouping_power: u8,
        /// Maximum power.
        max_power: u8,
    },
    /// More directory is said to be published than can be.
    Published {
        /// Bytes.
        found: u32,
    },
    /// The directory is not what its CRC-32 says.
    Layout {
        /// CRC-32 in the header.
        found: u32,
        /// CRC-32 of what is there.
        computed: u32,
    },
}

/// What the bytes say, as much of it as tells what it is: where they are damaged, it may be all of
/// them.
struct Quoted<'b>(&'b [u8]);

impl Quoted<'_> {
    /// Characters.
    const MOST: usize = 100;
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.utf8_chunks().flat_map(|chunk| {
            let replacement = (!chunk.invalid().is_empty()).then_some('\u{fffd}');
            chunk.valid().chars().chain(replacement)
        });
        characters.by_ref().take(Self::MOST).try_for_each(|character| f.write_char(character))?;
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
            EntryErrorKind::Length { found } => write!(f, "an entry of {found} bytes cannot be"),
            EntryErrorKind::EmptyLabel => write!(f, "an empty label"),
            EntryErrorKind::Type { found } => {
                write!(f, "the type \"{}\" is not known", Quoted(found))
            }
            EntryErrorKind::Access { found } => {
                write!(f, "the access {found} is not known (0, 1 and 2 are)")
            }
            EntryErrorKind::WriteBuffer { found } => {
                write!(f, "the write buffer {found} is not known (0, 1 and 255 are)")
            }
            EntryErrorKind::Size { found } => write!(f, "a value of {found} bytes cannot be"),
            EntryErrorKind::ValueOffset { found } => {
                write!(f, "a value at {found:#x} cannot be, or is cut off")
            }
            EntryErrorKind::Powers { grouping_power, max_power } => {
                write!(f, "a histogram of powers {grouping_power} and {max_power} cannot be")
            }
            EntryErrorKind::Published { found } => {
                write!(f, "{found} bytes of directory cannot be")
            }
            EntryErrorKind::Layout { found, computed } => {
                write!(
                    f,
                    "damaged: the directory's check is {found:#010x}, its bytes give {computed:#010x}"
                )
            }
        }
    }
}

impl core::error::Error for EntryError<'_> {}

/// Why a value cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ValueError {
    /// It was written again and again while it was read.
    Contended,
    /// The bytes end before it.
    CutOff,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueError::Contended => "contended: written again and again while it was read",
            ValueError::CutOff => "cut off",
        })
    }
}

impl core::error::Error for ValueError {}
