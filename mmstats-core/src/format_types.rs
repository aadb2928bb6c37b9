//! The formats as types: the type parameter of fields, models and writers.

use crate::cell::shared::{NotShared, SharedBuckets, SharedLatch, WideSharedCell};
use crate::cell::{
    BucketCell, Buckets, DoubleBuffer, LatchText, NoBuckets, TextCell, V1Text, ValueCell,
};
use crate::format::{NATIVE_WORD, Version};
use crate::scalar::{Bucket, Scalar};
use core::fmt::Debug;
use core::marker::PhantomData;

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
    /// This format without [`Shared`].
    #[doc(hidden)]
    type Base: Format;
    /// The format of a field that was declared in this format, in a model of the format `G`.
    #[doc(hidden)]
    type In<G: Format>: Format;
    #[doc(hidden)]
    type SharedCell<T: Scalar>: ValueCell<T> + Sync;
    #[doc(hidden)]
    type SharedBuckets<T: Bucket, const P: u32, const N: u32>: BucketCell + Sync;
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

/// Fields that several contexts write at once: threads, interrupt handlers, cores. Their handles
/// are `Sync`, and every update is an atomic read-modify-write, which costs 17 to 20 times as much
/// as an update of a field with one writer, and more while others update it. The bytes are those of
/// the format `F`.
///
/// It is the format of a single field, or of all fields of a model. There are shared counters,
/// gauges, histograms, highest and lowest values, and constants; other fields in it are not `Sync`.
/// A target without compare-and-swap needs the feature `critical-section`. On a 32-bit machine, the
/// only updates of a shared field of 8 bytes are additions of integers. Version 1 has no shared
/// fields.
///
/// ```
/// use mmstats_core::{Counter, Gauge, Model, Shared, StaticRegion, model};
/// model! {
///     struct Motor {
///         steps: Counter<u32>,
///         faults: Counter<u32, Shared>, // of several interrupts
///     }
///     struct Requests { open: Gauge<i32>, served: Counter<u32> }
/// }
/// static MOTOR: StaticRegion<{ Motor::SIZE }> = StaticRegion::new();
/// let Motor { steps, faults } = Motor::publish(&MOTOR)?;
/// steps.incr();
///
/// static REQUESTS: StaticRegion<{ Requests::<Shared>::SIZE }> = StaticRegion::new();
/// let requests = Requests::<Shared>::publish(&REQUESTS)?;
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             requests.open.add(1);
///             faults.incr();
///             requests.served.incr();
///             requests.open.sub(1);
///         });
///     }
/// });
/// assert_eq!((faults.get(), requests.served.get(), requests.open.get()), (4, 4, 0));
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
#[derive(Debug)]
pub struct Shared<F = V2>(PhantomData<F>);

impl sealed::Sealed for V2 {}
impl Format for V2 {
    const VERSION: Version = Version::V2;
    const WORD: usize = NATIVE_WORD;
    type Cell<T: Scalar> = T::V2Cell;
    type Base = Self;
    type In<G: Format> = G;
    type SharedCell<T: Scalar> = T::SharedV2Cell;
    type SharedBuckets<T: Bucket, const P: u32, const N: u32> =
        SharedBuckets<T, WideSharedCell<u64>, P, N>;
    type Text<const N: usize> = LatchText<N, NATIVE_WORD>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = Buckets<T, P, N, NATIVE_WORD>;
}

impl sealed::Sealed for V2Narrow {}
impl Format for V2Narrow {
    const VERSION: Version = Version::V2;
    const WORD: usize = 4;
    type Cell<T: Scalar> = T::V2NarrowCell;
    type Base = Self;
    type In<G: Format> = G;
    type SharedCell<T: Scalar> = T::SharedNarrowCell;
    type SharedBuckets<T: Bucket, const P: u32, const N: u32> =
        SharedBuckets<T, SharedLatch<u64, 4>, P, N>;
    type Text<const N: usize> = LatchText<N, 4>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = Buckets<T, P, N, 4>;
}

impl sealed::Sealed for V1 {}
impl Format for V1 {
    const VERSION: Version = Version::V1;
    const WORD: usize = NATIVE_WORD;
    type Cell<T: Scalar> = T::V1Cell;
    type Base = Self;
    type In<G: Format> = G;
    type SharedCell<T: Scalar> = NotShared<T>;
    type SharedBuckets<T: Bucket, const P: u32, const N: u32> = NotShared<T>;
    type Text<const N: usize> = V1Text<N, 2>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = NoBuckets;
}

impl sealed::Sealed for V1Exact {}
impl Format for V1Exact {
    const VERSION: Version = Version::V1Exact;
    const WORD: usize = 1;
    type Cell<T: Scalar> = DoubleBuffer<T>;
    type Base = Self;
    type In<G: Format> = G;
    type SharedCell<T: Scalar> = NotShared<T>;
    type SharedBuckets<T: Bucket, const P: u32, const N: u32> = NotShared<T>;
    type Text<const N: usize> = V1Text<N, 1>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = NoBuckets;
}

impl<F: Format> sealed::Sealed for Shared<F> {}
impl<F: Format> Format for Shared<F> {
    const VERSION: Version = F::VERSION;
    const WORD: usize = F::WORD;
    type Cell<T: Scalar> = F::SharedCell<T>;
    type Base = F::Base;
    type In<G: Format> = Shared<G::Base>;
    type SharedCell<T: Scalar> = F::SharedCell<T>;
    type SharedBuckets<T: Bucket, const P: u32, const N: u32> = F::SharedBuckets<T, P, N>;
    type Text<const N: usize> = F::Text<N>;
    type Buckets<T: Bucket, const P: u32, const N: u32> = F::SharedBuckets<T, P, N>;
}
