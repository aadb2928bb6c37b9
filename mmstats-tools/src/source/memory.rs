//! Bytes at addresses: an image, a core, a target that runs.

use std::fmt;
use std::io;
use std::ops::Range;
use std::time::Duration;

/// Bytes at addresses.
pub trait Memory {
    /// Copies the bytes from `address` on into `to`, and tells how many there are: fewer than asked
    /// for only where the memory ends.
    ///
    /// Of memory that is being written, aligned words of 4 bytes are copied whole.
    ///
    /// # Errors
    /// If they cannot be had.
    fn read(&mut self, address: u64, to: &mut [u8]) -> Result<usize, MemoryError>;

    /// Where there are bytes, in ascending order and apart; empty if it cannot tell, as most
    /// targets cannot.
    fn ranges(&self) -> Vec<Range<u64>>;

    /// How it changes while it is read.
    fn motion(&self) -> Motion;

    /// Ends reading: a target that was halted runs on. Dropping does the same, and tells nothing.
    ///
    /// # Errors
    /// If the target could not be told to run on.
    fn close(self: Box<Self>) -> Result<Closed, MemoryError>;
}

/// How memory changes while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// Not at all: nobody writes it any more, or its writer is halted meanwhile.
    Still,
    /// Whenever its writer likes; words of so many bytes are read whole.
    Live {
        /// Bytes.
        word: u8,
    },
}

/// What reading took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// For how long the target stood still, if it did.
    pub halted: Option<Duration>,
}

/// Why bytes cannot be had. The message does not name the source: who asked knows it.
#[derive(Debug)]
#[non_exhaustive]
pub enum MemoryError {
    /// The operating system refuses, or the connection is gone.
    Io(io::Error),
    /// There is nothing at this address, or it may not be read.
    Unreadable {
        /// The address.
        address: u64,
        /// What the source says.
        why: String,
    },
    /// The source is not what it should be, or says what it must not.
    Source(String),
    /// Nothing came for so long.
    Timeout {
        /// What was asked.
        asked: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The user has ended the program (Ctrl-C), or another did.
    Interrupted,
}

impl From<io::Error> for MemoryError {
    fn from(error: io::Error) -> Self {
        MemoryError::Io(error)
    }
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryError::Io(error) => error.fmt(f),
            MemoryError::Unreadable { address, why } => {
                write!(f, "{address:#x} cannot be read: {why}")
            }
            MemoryError::Source(what) => f.write_str(what),
            MemoryError::Timeout { asked, waited } => {
                write!(f, "no answer to {asked} within {} s", waited.as_secs_f32())
            }
            MemoryError::Interrupted => write!(f, "interrupted"),
        }
    }
}

impl std::error::Error for MemoryError {}
