//! The two versions of the format: their structures and layouts.
//!
//! [`v2`] has the structures of version 2; [`layout`] decides where entries and values go in both
//! versions. `FORMAT.md` beside this crate's sources describes the bytes.

mod dimensions;
pub mod flash;
pub mod histogram;
pub mod layout;
#[doc(hidden)]
pub mod members;
pub mod v2;

pub use v2::{MAGIC, MAGIC_WORDS, crc32};

/// A version of the format, and how it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Version {
    /// Version 1 with padded types, so that values are aligned.
    V1,
    /// Version 1, byte for byte as Python writes it.
    V1Exact,
    /// Version 2.
    V2,
}

impl Version {
    /// Returns the number in the region's first byte.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Version::V1 | Version::V1Exact => 1,
            Version::V2 => 2,
        }
    }
}

/// Bytes that this machine stores at once, as version 2 counts them.
pub const NATIVE_WORD: usize = if cfg!(target_pointer_width = "64") { 8 } else { 4 };
