use super::MAX_REGION_BYTES;
use mmstats_core::reader::{FormatError, ReadError};
use std::fmt;
use std::io;

/// Why a file cannot be read. The message does not name the file: who asked knows it.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refuses.
    Io(io::Error),
    /// A directory, pipe, device or socket; opening those can have effects.
    NotAFile {
        /// What it is.
        found: &'static str,
    },
    /// Too large to be stats.
    TooLarge {
        /// Bytes.
        length: u64,
    },
    /// Its bytes are at fault.
    Format(FormatError),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        FileError::Io(error)
    }
}

impl From<rustix::io::Errno> for FileError {
    fn from(error: rustix::io::Errno) -> Self {
        FileError::Io(error.into())
    }
}

impl From<FormatError> for FileError {
    fn from(problem: FormatError) -> Self {
        FileError::Format(problem)
    }
}

impl From<ReadError<io::Error>> for FileError {
    fn from(error: ReadError<io::Error>) -> Self {
        match error {
            ReadError::Source(error) => FileError::Io(error),
            ReadError::Format(problem) => FileError::Format(problem),
            ReadError::TooLarge { length, .. } => FileError::TooLarge { length: length as u64 },
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io(error) => error.fmt(f),
            FileError::NotAFile { found } => write!(f, "is {found} (a regular file would be read)"),
            FileError::TooLarge { length } => {
                write!(f, "has {length} bytes ({MAX_REGION_BYTES} at most are read)")
            }
            FileError::Format(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FileError::Io(error) => Some(error),
            FileError::Format(problem) => Some(problem),
            FileError::NotAFile { .. } | FileError::TooLarge { .. } => None,
        }
    }
}
