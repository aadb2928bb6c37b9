//! Cells that several contexts write: threads, interrupt handlers, cores.
//!
//! The bytes are those of the cells in [`super`]. Every change is one atomic read-modify-write of
//! the region, or is made by one writer at a time, for the others as well. So these cells are
//! `Sync`. Their invariant is that of [`super`], except that all users of a cell may write its
//! slot.
#![allow(unsafe_code)]

use super::{Base, Bucket, BucketCell, Latch, ValueCell, Word};
use crate::atomic::{AtomicU32, HAS_READ_MODIFY_WRITE};
use crate::bytes::{ToBits, WordBits};
use crate::format::histogram;
use crate::kind::{Access, Type};
use crate::protocol::{PendingSum, latch_read};
use crate::region::Slot;
use crate::scalar::Number;
use core::fmt::Debug;
use core::marker::PhantomData;

cfg_if::cfg_if! {
    if #[cfg(target_pointer_width = "64")] {
        /// A shared value of 8 bytes in version 2.
        pub(crate) type WideSharedCell<T> = SharedWord<T>;
    } else {
        /// A shared value of 8 bytes in version 2.
        pub(crate) type WideSharedCell<T> = SharedLatch<T, 4>;
    }
}

/// Fails to compile for a target that has no atomic read-modify-writes, and so needs the feature
/// `critical-section`. The condition depends on `T`, so that it fails only where a cell is used.
#[allow(clippy::assertions_on_constants, reason = "the constant depends on the target")]
const fn assert_can_be_shared<T>() {
    assert!(
        HAS_READ_MODIFY_WRITE || size_of::<T>() > 8,
        "shared fields need compare-and-swap, or the feature `critical-section` of mmstats-core"
    );
}

/// One aligned word.
#[doc(hidden)]
#[derive(Debug)]
pub struct SharedWord<T>(Word<T>);

// SAFETY: the word is only accessed by atomics.
unsafe impl<T: Send> Sync for SharedWord<T> {}

impl<T: ToBits> ValueCell<T> for SharedWord<T>
where
    T::Bits: WordBits,
{
    const ACCESS: Access = Word::<T>::ACCESS;
    const SIZE: usize = Word::<T>::SIZE;
    const ALIGN: usize = Word::<T>::ALIGN;

    #[inline(always)]
    fn new(slot: Slot) -> Self {
        const { assert_can_be_shared::<T>() }
        SharedWord(Word::new(slot))
    }

    #[inline(always)]
    fn get(&self) -> T {
        self.0.get()
    }

    #[inline(always)]
    fn set(&self, value: T) {
        self.0.set(value);
    }

    #[inline(always)]
    fn add(&self, n: T)
    where
        T: Number,
    {
        if T::IS_INTEGER {
            n.to_bits().fetch_add(self.0.atomic());
        } else {
            self.update(|value| Some(value.plus(n)));
        }
    }

    #[inline(always)]
    fn sub(&self, n: T)
    where
        T: Number,
    {
        if T::IS_INTEGER {
            n.to_bits().fetch_sub(self.0.atomic());
        } else {
            self.update(|value| Some(value.minus(n)));
        }
    }

    #[inline(always)]
    fn update(&self, change: impl Fn(T) -> Option<T>) {
        T::Bits::fetch_update(self.0.atomic(), |bits| change(T::from_bits(bits)).map(T::to_bits));
    }
}

/// A latched value of 8 bytes, in words of `WORD` bytes. Its only updates are additions: one that
/// finds another in progress is left to the writer of that one.
#[doc(hidden)]
#[derive(Debug)]
pub struct SharedLatch<T, const WORD: usize> {
    base: Base,
    pending: PendingSum,
    _value: PhantomData<T>,
}

// SAFETY: the latch is written by one user at a time, the holder of `pending`, and read by atomics
// of the size in which it is written.
unsafe impl<T: Send, const WORD: usize> Sync for SharedLatch<T, WORD> {}

impl<T, const WORD: usize> SharedLatch<T, WORD> {
    /// Changes the latch. The caller is its only writer.
    #[inline]
    fn write(&self, change: impl FnOnce(u64) -> u64) {
        let latch = Latch::<u64, WORD>::new(Slot { at: self.base.0, len: 20 });
        latch.set(change(latch.get()));
    }

    fn sequence(&self) -> &AtomicU32 {
        // SAFETY: after two buffers of 8 bytes, a multiple of 4.
        unsafe { self.base.word::<u32>(16) }
    }

    /// Reads a buffer by words of the size in which it is written.
    fn copy(&self, buffer: usize) -> u64 {
        #[cfg(target_pointer_width = "64")]
        if WORD == 8 {
            // SAFETY: the slot has two buffers of 8 bytes, aligned to 8.
            return u64::load(unsafe { self.base.word::<u64>(8 * buffer) });
        }
        crate::bytes::join([0, 4].map(|half| {
            // SAFETY: the slot has two buffers of 8 bytes, aligned to 4.
            u32::load(unsafe { self.base.word::<u32>(8 * buffer + half) })
        }))
    }
}

impl<T: ToBits<Bits = u64>, const WORD: usize> ValueCell<T> for SharedLatch<T, WORD> {
    const ACCESS: Access = Access::Latched;
    const SIZE: usize = 20;
    const ALIGN: usize = WORD;

    #[inline(always)]
    fn new(slot: Slot) -> Self {
        const { assert_can_be_shared::<T>() }
        assert!(slot.len == 20);
        SharedLatch { base: Base(slot.at), pending: PendingSum::new(), _value: PhantomData }
    }

    fn get(&self) -> T {
        // Another attempt is needed only if somebody has just written.
        loop {
            if let Some(bits) = latch_read(self.sequence(), |buffer| self.copy(buffer)) {
                return T::from_bits(bits);
            }
        }
    }

    fn init(&self, value: T) {
        self.write(|_| value.to_bits());
    }

    fn set(&self, _: T) {
        // The condition depends on `T`, so that compiling fails only in a program that calls this.
        const { assert!(size_of::<T>() != 8, "{}", ONLY_ADDED) }
    }

    #[inline]
    fn add(&self, n: T)
    where
        T: Number,
    {
        const { assert!(T::IS_INTEGER, "{}", ONLY_ADDED) }
        self.pending.add(n.to_bits(), |sum| self.write(|value| value.wrapping_add(sum)));
    }

    #[inline]
    fn sub(&self, n: T)
    where
        T: Number,
    {
        self.add(T::from_bits(n.to_bits().wrapping_neg()));
    }

    fn update(&self, _: impl Fn(T) -> Option<T>) {
        const { assert!(size_of::<T>() != 8, "{}", ONLY_ADDED) }
    }
}

/// The error of a program that would have to write 8 bytes at once.
const ONLY_ADDED: &str = "unsupported update of a shared field of 8 bytes on this machine (adding \
                          or subtracting integers expected)";

/// A sum in the cell `S`, and buckets after it.
#[doc(hidden)]
#[derive(Debug)]
pub struct SharedBuckets<T, S, const P: u32, const N: u32> {
    base: Base,
    sum: S,
    _bucket: PhantomData<T>,
}

// SAFETY: the buckets are only accessed by atomics.
unsafe impl<T: Send, S: Sync, const P: u32, const N: u32> Sync for SharedBuckets<T, S, P, N> {}

impl<T: Bucket, S: ValueCell<u64>, const P: u32, const N: u32> SharedBuckets<T, S, P, N> {
    /// Bytes of one bucket: 4, whatever `T` is, beside a latched sum.
    const WIDTH: usize = if S::SIZE == 8 { size_of::<T>() } else { 4 };
}

impl<T: Bucket, S: ValueCell<u64>, const P: u32, const N: u32> BucketCell
    for SharedBuckets<T, S, P, N>
{
    const TYPE: Option<Type> = Some(if Self::WIDTH == 4 { Type::U32 } else { T::TYPE });
    const SIZE: usize = S::SIZE + histogram::count(P, N) * Self::WIDTH;

    #[inline(always)]
    fn new<E>(slot: impl FnOnce() -> Result<Slot, E>) -> Result<Self, E> {
        let slot = slot()?;
        assert!(slot.len == Self::SIZE);
        let sum = S::new(Slot { at: slot.at, len: S::SIZE });
        Ok(SharedBuckets { base: Base(slot.at), sum, _bucket: PhantomData })
    }

    #[inline(always)]
    fn record(&self, value: u64) {
        // Below `count(P, N)`, so the bucket is in the block.
        let at = S::SIZE + histogram::bucket_of(P, N, value) * Self::WIDTH;
        cfg_if::cfg_if! {
            if #[cfg(target_pointer_width = "64")] {
                if Self::WIDTH == 8 {
                    // SAFETY: in the block, and a multiple of 8, as the widths of the sum and
                    // of a bucket are.
                    1_u64.fetch_add(unsafe { self.base.word::<u64>(at) });
                } else {
                    // SAFETY: in the block, and a multiple of 4.
                    1_u32.fetch_add(unsafe { self.base.word::<u32>(at) });
                }
            } else {
                // SAFETY: in the block, and a multiple of 4.
                1_u32.fetch_add(unsafe { self.base.word::<u32>(at) });
            }
        }
        self.sum.add(value);
    }
}

/// The cell of a shared value or histogram in version 1, which has neither: using it does not
/// compile.
#[doc(hidden)]
#[derive(Debug)]
pub struct NotShared<T>(PhantomData<T>);

impl<T: ToBits> ValueCell<T> for NotShared<T> {
    const ACCESS: Access = Access::Word;
    const SIZE: usize = size_of::<T>();
    const ALIGN: usize = 1;

    #[inline(always)]
    fn new(_: Slot) -> Self {
        // The condition depends on `T`, so that compiling fails only in a program that uses this.
        const { assert!(size_of::<T>() > 8, "version 1 has no shared fields") }
        NotShared(PhantomData)
    }

    fn get(&self) -> T {
        T::zero()
    }

    fn set(&self, _: T) {}
}

impl<T: Bucket> BucketCell for NotShared<T> {
    const TYPE: Option<Type> = None;
    const SIZE: usize = 0;

    #[inline(always)]
    fn new<E>(_: impl FnOnce() -> Result<Slot, E>) -> Result<Self, E> {
        Ok(NotShared(PhantomData))
    }

    fn record(&self, _: u64) {}
}
