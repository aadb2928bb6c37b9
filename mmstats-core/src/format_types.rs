//! The formats as types: the type parameter of fields, models and writers.

use crate::cell::{
    BucketCell, Buckets, DoubleBuffer, LatchText, NoBuckets, TextCell, V1Text, ValueCell,
};
use crate::format::{NATIVE_WORD, Version};
use crate::scalar::{Bucket, Scalar};
use core::fmt::Debug;

mod sealed {
    pub trait Sealed {}
}

/// The format in which a field is published: [`V2`] (the default), [`V1`] or [`V1Exact`].
///
/// The compiler makes the choice; no handle branches on it.
pub trait Format: sealed::Sealed + Sized + Debug + 'static {
    /// The version.
    const VERSION: Version;
    /// Bytes that one store covers.
    const WORD: usize;
    #[doc(hidden)]
    type Cell<T: Scalar>: ValueCell<T>;
    #[doc(hidden)]
    type Text<const N: usize>: TextCell<N>;
    #[doc(hidden)]
    type Buckets<T: Bucket, const P: u32, const N: u32>: BucketCell;
}

/// Version 2: self-describing, never torn. The default.
#[derive(Debug)]
pub enum V2 {}
/// Version 2 as a 32-bit machine writes it, on any machine: values of 8 bytes are latched. For
/// tests, and for readers with narrow loads.
#[derive(Debug)]
pub enum V2Narrow {}
/// Version 1, for fleets that still run the Python tools. Types are padded, so that values are
/// aligned and updated in place.
#[derive(Debug)]
pub enum V1 {}
/// Version 1, byte for byte as Python writes it. Slower: values are unaligned, so every write is a
/// copy and a flip of the write buffer index.
#[derive(Debug)]
pub enum V1Exact {}

impl sealed::Sealed for V2 {}
impl Format for V2 {
    const VERSION: Version = Version::V2;
    const WORD: usize = NATIVE_WORD;
    type Cell<T: Scalar> = T::V2Cell;
    type Text<const N: usize> = LatchText<N, NATIVE_WORD>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = Buckets<T, P, N, NATIVE_WORD>;
}

impl sealed::Sealed for V2Narrow {}
impl Format for V2Narrow {
    const VERSION: Version = Version::V2;
    const WORD: usize = 4;
    type Cell<T: Scalar> = T::V2NarrowCell;
    type Text<const N: usize> = LatchText<N, 4>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = Buckets<T, P, N, 4>;
}

impl sealed::Sealed for V1 {}
impl Format for V1 {
    const VERSION: Version = Version::V1;
    const WORD: usize = NATIVE_WORD;
    type Cell<T: Scalar> = T::V1Cell;
    type Text<const N: usize> = V1Text<N, 2>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = NoBuckets;
}

impl sealed::Sealed for V1Exact {}
impl Format for V1Exact {
    const VERSION: Version = Version::V1Exact;
    const WORD: usize = 1;
    type Cell<T: Scalar> = DoubleBuffer<T>;
    type Text<const N: usize> = V1Text<N, 1>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = NoBuckets;
}
