//! Why a file cannot be read.

use mmstats_core::reader::{FormatError, ReadError};
use std::fmt;
use std::io;

/// The length of the largest region that is read, in bytes. Longer files are no stats, or an attack
/// on the reader's memory.
pub const MAX_REGION_BYTES: usize = 64 << 20;

/// The maximum number of fields of a file or region that are read. A description in memory takes
/// more than ten times the bytes of the shortest fields in a file, so the length alone does not
/// bound it. If there are more fields, the first are read, and [`Layout::errors`] says so.
///
/// [`Layout::errors`]: super::Layout::errors
pub const MAX_FIELDS: usize = 250_000;

/// An error while a file is read. The message does not name the file, which the caller knows.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system reports an error.
    Io(io::Error),
    /// It is not a regular file. Others are not opened, as that can block or have side effects.
    NotAFile {
        /// Its type, with an article.
        found: &'static str,
    },
    /// It is larger than [`MAX_REGION_BYTES`].
    TooLarge {
        /// Its length in bytes.
        length: u64,
    },
    /// Its bytes are not valid.
    Format(FormatError),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        FileError::Io(error)
    }
}

impl From<FormatError> for FileError {
    fn from(error: FormatError) -> Self {
        FileError::Format(error)
    }
}

impl From<ReadError<io::Error>> for FileError {
    fn from(error: ReadError<io::Error>) -> Self {
        match error {
            ReadError::Source(error) => FileError::Io(error),
            ReadError::Format(error) => FileError::Format(error),
            ReadError::TooLarge { length, .. } => FileError::TooLarge { length: length as u64 },
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io(error) => error.fmt(f),
            FileError::NotAFile { found } => write!(f, "is {found} (a regular file expected)"),
            FileError::TooLarge { length } => {
                write!(f, "has {length} bytes (at most {MAX_REGION_BYTES} expected)")
            }
            FileError::Format(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FileError::Io(error) => Some(error),
            FileError::Format(error) => Some(error),
            FileError::NotAFile { .. } | FileError::TooLarge { .. } => None,
        }
    }
}
