//! The formats: which there are, and what lies where.
//!
//! [`v2`] has the structures of version 2, [`layout`] decides where entries and values go in both
//! versions. The bytes themselves are described in `FORMAT.md` beside this crate's sources.

pub mod flash;
pub mod histogram;
pub mod layout;
pub mod v2;

pub use v2::{MAGIC, MAGIC_WORDS, crc32};

use crate::cell::{
    BucketCell, Buckets, DoubleBuffer, DoubleBufferText, LatchText, NoBuckets, TextCell,
    UnbufferedText, ValueCell,
};
use crate::region::{RawRegion, Region};
use crate::scalar::{Bucket, Scalar};
use core::marker::PhantomData;

/// A format's number, and how it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Version {
    /// Version 1 with types padded so that values are aligned.
    V1,
    /// Version 1 to the byte as Python writes it.
    V1Exact,
    /// Version 2.
    V2,
}

impl Version {
    /// The number in the region's first byte.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Version::V1 | Version::V1Exact => 1,
            Version::V2 => 2,
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Which format a field is published in, and for how long its memory lives.
///
/// The compiler makes the choice: no handle branches on it. Write [`V2`] (the default), [`V1`],
/// [`V1Exact`] or [`Borrowed`].
pub trait Format: sealed::Sealed + Sized {
    /// The format.
    const VERSION: Version;
    /// Bytes that one store covers.
    const WORD: usize;
    /// What fields are laid into.
    type Region;
    #[doc(hidden)]
    type Cell<T: Scalar>: ValueCell<T>;
    #[doc(hidden)]
    type Text<const N: usize>: TextCell;
    #[doc(hidden)]
    type Buckets<T: Bucket, const P: u32, const N: u32>: BucketCell;
    #[doc(hidden)]
    fn open(region: Self::Region) -> RawRegion;
}

/// Bytes that this machine stores at once, as version 2 counts them.
pub const NATIVE_WORD: usize = if cfg!(target_pointer_width = "64") { 8 } else { 4 };

/// Version 2: self-describing, never torn. The default.
pub enum V2 {}
/// Version 2 as a 32-bit machine writes it, on any machine: values of 8 bytes are latched. For
/// tests, and for readers with narrow loads.
pub enum V2Narrow {}
/// Version 1 for fleets that still run the Python tools; types are padded, so that values are
/// aligned and updated in place.
pub enum V1 {}
/// Version 1 to the byte as Python writes it. Slower: values are unaligned, so every write is a
/// copy and a flip.
pub enum V1Exact {}
/// Another format in memory that is only borrowed for `'r`; the handles cannot outlive it.
pub struct Borrowed<'r, F = V2>(PhantomData<(&'r mut (), F)>);

impl sealed::Sealed for V2 {}
impl sealed::Sealed for V2Narrow {}
impl sealed::Sealed for V1 {}
impl sealed::Sealed for V1Exact {}
impl<F: sealed::Sealed> sealed::Sealed for Borrowed<'_, F> {}

impl Format for V2 {
    const VERSION: Version = Version::V2;
    const WORD: usize = NATIVE_WORD;
    type Region = Region<'static>;
    type Cell<T: Scalar> = T::V2Cell;
    type Text<const N: usize> = LatchText<N, NATIVE_WORD>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = Buckets<T, P, N, NATIVE_WORD>;
    fn open(region: Region<'static>) -> RawRegion {
        region.into_raw()
    }
}

impl Format for V2Narrow {
    const VERSION: Version = Version::V2;
    const WORD: usize = 4;
    type Region = Region<'static>;
    type Cell<T: Scalar> = T::V2NarrowCell;
    type Text<const N: usize> = LatchText<N, 4>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = Buckets<T, P, N, 4>;
    fn open(region: Region<'static>) -> RawRegion {
        region.into_raw()
    }
}

impl Format for V1 {
    const VERSION: Version = Version::V1;
    const WORD: usize = NATIVE_WORD;
    type Region = Region<'static>;
    type Cell<T: Scalar> = T::V1Cell;
    type Text<const N: usize> = DoubleBufferText<N>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = NoBuckets;
    fn open(region: Region<'static>) -> RawRegion {
        region.into_raw()
    }
}

impl Format for V1Exact {
    const VERSION: Version = Version::V1Exact;
    const WORD: usize = 1;
    type Region = Region<'static>;
    type Cell<T: Scalar> = DoubleBuffer<T>;
    type Text<const N: usize> = UnbufferedText<N>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = NoBuckets;
    fn open(region: Region<'static>) -> RawRegion {
        region.into_raw()
    }
}

impl<'r, F: Format<Region = Region<'static>>> Format for Borrowed<'r, F> {
    const VERSION: Version = F::VERSION;
    const WORD: usize = F::WORD;
    type Region = Region<'r>;
    type Cell<T: Scalar> = F::Cell<T>;
    type Text<const N: usize> = F::Text<N>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = F::Buckets<T, P, N>;
    fn open(region: Region<'r>) -> RawRegion {
        // The handles carry `'r` in their type, as part of their format.
        region.into_raw()
    }
}
