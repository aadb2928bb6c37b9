//! Reads regions of both versions and trusts nothing: every offset, length and count is checked
//! against the bytes before it is used.
//!
//! Live bytes are never borrowed. A [`Source`] copies them into [`ReadBuffers`] by whole words, in
//! passes that detect a concurrent write (FORMAT.md, "Reading"). Everything else works on those
//! copies: [`Directory`] iterates over the entries, [`Snapshot`] has the values.
//!
//! ```
//! use mmstats_core::reader::{ReadBuffers, Value, read};
//! use mmstats_core::{Counter, StaticRegion, model};
//!
//! model! { struct Motor { steps: Counter<u32> } }
//! static REGION: StaticRegion<{ Motor::SIZE }> = StaticRegion::new();
//! let motor = Motor::publish(&REGION).unwrap();
//! motor.steps.add(7);
//!
//! // On another core, or wherever the memory can be read:
//! let mut memory = [0; ReadBuffers::words(Motor::SIZE)];
//! let mut buffers = ReadBuffers::new(&mut memory);
//! let (directory, snapshot) = read(&REGION.view(), &mut buffers).unwrap();
//! let entry = directory.entries().next().unwrap().unwrap();
//! assert_eq!(entry.label, b"steps");
//! assert_eq!(snapshot.value(&entry.location).unwrap(), Value::Unsigned(7));
//! ```

mod buffers;
mod directory;
mod entry;
mod error;
#[cfg(feature = "defmt")]
mod log;
mod read;
mod snapshot;
mod v1;
mod v2;
mod value;

pub use crate::bytes::ByteOrder;
pub use buffers::{HEADER_WORDS, ReadBuffers, ReadPlan, Source};
pub use directory::{Directory, Entries};
pub use entry::{Entry, Storage, ValueLocation};
pub use error::{EntryError, EntryErrorKind, FormatError, ReadError, ValueError};
pub use read::{read, read_external};
pub use snapshot::Snapshot;
pub use v2::header;
pub use value::{Distribution, Value, quantile};

/// Displays bytes as UTF-8, with U+FFFD for invalid sequences.
#[derive(Clone, Copy, Debug)]
pub struct Lossy<'b>(pub &'b [u8]);

impl core::fmt::Display for Lossy<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}
