//! Memory: bytes at addresses, in an image, a core or a running target.

use std::fmt;
use std::io;
use std::ops::Range;
use std::time::Duration;

/// Bytes at addresses.
pub trait Memory {
    /// Copies the bytes from `address` on into `to` and returns their number, which is smaller than
    /// `to` only where the memory ends.
    ///
    /// Aligned words of 4 bytes are copied whole, even if they are being written.
    ///
    /// # Errors
    /// If the bytes cannot be read.
    fn read(&mut self, address: u64, to: &mut [u8]) -> Result<usize, MemoryError>;

    /// Returns the addresses that have bytes, in ascending order and not adjacent; empty if they
    /// are unknown, as with most targets.
    fn ranges(&self) -> Vec<Range<u64>>;

    /// Returns whether the memory changes while it is read.
    fn run_state(&self) -> RunState;

    /// Ends reading; a halted target runs on. Dropping does the same and ignores errors.
    ///
    /// # Errors
    /// If the target may still be halted.
    fn close(self: Box<Self>) -> Result<CloseReport, MemoryError>;
}

/// Whether memory changes while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It does not change: its writer is halted or gone.
    Stopped,
    /// Its writer may change it at any time.
    Running {
        /// The size of words that are read whole, in bytes.
        word: u8,
    },
}

/// How reading affected the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseReport {
    /// How long the target was halted, if it was.
    pub halted: Option<Duration>,
}

/// Why memory cannot be read. The message does not name the source, which the caller knows.
#[derive(Debug)]
#[non_exhaustive]
pub enum MemoryError {
    /// The operating system reports an error, or the connection is lost.
    Io(io::Error),
    /// Nothing at this address can be read.
    Unreadable {
        /// The address.
        address: u64,
        /// The reason that the source gives.
        why: String,
    },
    /// The source is of another kind than expected, or violates its protocol.
    Source(String),
    /// The source did not answer in time.
    Timeout {
        /// The request.
        asked: String,
        /// The time that the answer may take.
        waited: Duration,
    },
    /// A signal asked the program to end.
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
