//! How values are stored: words, latches, version 1's double buffers, histogram buckets.
//!
//! Together with [`shared`] and `region.rs`, this file has the crate's `unsafe` code that accesses
//! memory. The invariant of every cell: it owns a [`Slot`], whose bytes are in bounds, aligned as
//! the cell's `ALIGN` asks, valid for as long as the cell is used (as the region is) and written by
//! nobody else. All loads and stores here are relaxed atomics, ordered by `protocol.rs`. Cells are
//! `Send` and not `Sync`, because there is one writer.
#![allow(unsafe_code)]

pub(crate) mod shared;

use crate::atomic::{AtomicU8, AtomicU32, Ordering};
use crate::bytes::{ToBits, WordBits, join, little_endian, padded, split, tail};
use crate::format::{NATIVE_WORD, histogram};
use crate::kind::{Access, Type};
use crate::protocol::latch_write;
use crate::region::Slot;
use crate::scalar::Number;
use core::cell::Cell;
use core::fmt::Debug;
use core::marker::PhantomData;
use core::ptr::NonNull;
use zerocopy::IntoBytes;

cfg_if::cfg_if! {
    if #[cfg(target_pointer_width = "64")] {
        /// A value of 8 bytes in version 2.
        pub(crate) type WideCell<T> = Word<T>;
        /// A value of 8 bytes in padded version 1.
        pub(crate) type WideV1Cell<T> = Word<T>;
    } else {
        /// A value of 8 bytes in version 2.
        pub(crate) type WideCell<T> = Latch<T, 4>;
        /// A value of 8 bytes in padded version 1.
        pub(crate) type WideV1Cell<T> = DoubleBuffer<T>;
    }
}

/// The bytes of a cell's slot.
#[derive(Debug)]
struct Base(NonNull<u8>);

// SAFETY: the slot is its cell's alone, on whatever thread.
unsafe impl Send for Base {}

impl Base {
    /// # Safety
    /// The slot has an aligned word of these bits at this offset.
    #[inline(always)]
    unsafe fn word<B: WordBits>(&self, at: usize) -> &B::Atomic {
        // SAFETY: the caller's.
        let word = unsafe { self.0.add(at).cast::<B::Atomic>() };
        // SAFETY: the caller's, and the file's invariant.
        unsafe { word.as_ref() }
    }

    /// Stores the low `WORD` bytes of `bits` as one word.
    ///
    /// # Safety
    /// The slot has an aligned word of `WORD` bytes at this offset.
    #[inline(always)]
    unsafe fn store_word<const WORD: usize>(&self, at: usize, bits: u64) {
        #[cfg(target_pointer_width = "64")]
        if WORD == 8 {
            // SAFETY: the caller's.
            return bits.store(unsafe { self.word::<u64>(at) });
        }
        // SAFETY: the caller's.
        (bits as u32).store(unsafe { self.word::<u32>(at) });
    }

    /// Returns version 1's write buffer index.
    ///
    /// # Safety
    /// The slot is one of version 1, which has the index before it.
    #[inline(always)]
    unsafe fn index(&self) -> &AtomicU8 {
        // SAFETY: the caller's, and the file's invariant; any address is aligned for a byte.
        unsafe { self.0.sub(1).cast::<AtomicU8>().as_ref() }
    }

    /// Writes a value of version 1: into the only buffer, or into the one of two that readers do
    /// not read, and then flips the index.
    ///
    /// # Safety
    /// The slot is one of version 1 and has `BUFFERS` buffers of `bytes.len()`.
    #[inline(always)]
    unsafe fn write_v1<const BUFFERS: usize>(&self, bytes: &[u8]) {
        // SAFETY: the caller's.
        let index = unsafe { self.index() };
        let next = if BUFFERS == 2 { index.load(Ordering::Relaxed) & 1 } else { 0 };
        for (i, byte) in bytes.iter().enumerate() {
            // SAFETY: in the buffer.
            byte.store(unsafe { self.word::<u8>(next as usize * bytes.len() + i) });
        }
        if BUFFERS == 2 {
            // Release: a reader that sees the new index sees the bytes of its buffer. Readers in
            // Python have no partner for it; ours read one copy.
            index.store(next ^ 1, Ordering::Release);
        }
    }

    /// Reads a value of version 1 from the buffer that readers read.
    ///
    /// # Safety
    /// As for [`Self::write_v1`].
    #[inline(always)]
    unsafe fn read_v1<const BUFFERS: usize>(&self, bytes: &mut [u8]) {
        // SAFETY: the caller's.
        let index = unsafe { self.index() };
        let buffer = if BUFFERS == 2 { index.load(Ordering::Relaxed) & 1 ^ 1 } else { 0 };
        let start = usize::from(buffer) * bytes.len();
        for (i, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: in the buffer.
            *byte = u8::load(unsafe { self.word::<u8>(start + i) });
        }
    }
}

/// The cell of a field's number, as its format stores it.
#[doc(hidden)]
pub trait ValueCell<T>: Sized + Send + Debug {
    const ACCESS: Access;
    /// Bytes among the values.
    const SIZE: usize;
    const ALIGN: usize;
    fn new(slot: Slot) -> Self;
    fn get(&self) -> T;
    fn set(&self, value: T);

    /// Sets the value while nobody else uses the cell.
    #[inline(always)]
    fn init(&self, value: T) {
        self.set(value);
    }

    /// Adds `n`; integers wrap.
    #[inline(always)]
    fn add(&self, n: T)
    where
        T: Number,
    {
        self.set(self.get().plus(n));
    }

    /// Subtracts `n`; integers wrap.
    #[inline(always)]
    fn sub(&self, n: T)
    where
        T: Number,
    {
        self.set(self.get().minus(n));
    }

    /// Sets the value that `change` returns, if it returns one.
    #[inline(always)]
    fn update(&self, change: impl Fn(T) -> Option<T>) {
        if let Some(value) = change(self.get()) {
            self.set(value);
        }
    }
}

/// One aligned word, loaded and stored whole.
#[doc(hidden)]
#[derive(Debug)]
pub struct Word<T>(Base, PhantomData<T>);

impl<T: ToBits> Word<T>
where
    T::Bits: WordBits,
{
    #[inline(always)]
    fn atomic(&self) -> &<T::Bits as WordBits>::Atomic {
        // SAFETY: the slot is one aligned word.
        unsafe { self.0.word::<T::Bits>(0) }
    }
}

impl<T: ToBits> ValueCell<T> for Word<T>
where
    T::Bits: WordBits,
{
    const ACCESS: Access = Access::Word;
    const SIZE: usize = size_of::<T>();
    const ALIGN: usize = size_of::<T>();

    #[inline(always)]
    fn new(slot: Slot) -> Self {
        assert!(slot.len == Self::SIZE);
        Word(Base(slot.at), PhantomData)
    }

    #[inline(always)]
    fn get(&self) -> T {
        T::from_bits(T::Bits::load(self.atomic()))
    }

    #[inline(always)]
    fn set(&self, value: T) {
        value.to_bits().store(self.atomic());
    }
}

/// A latched value of 8 bytes, in words of `WORD` bytes. The cell also has a copy of the value, so
/// that reading it back needs no load from the region. It has no copy of the sequence, which
/// measured slower.
#[doc(hidden)]
#[derive(Debug)]
pub struct Latch<T: ToBits, const WORD: usize = NATIVE_WORD> {
    base: Base,
    value: Cell<T>,
}

impl<T: ToBits, const WORD: usize> Latch<T, WORD> {
    #[inline(always)]
    fn sequence(&self) -> &AtomicU32 {
        // SAFETY: after two buffers of 8 bytes, a multiple of 4.
        unsafe { self.base.word::<u32>(16) }
    }
}

impl<T: ToBits<Bits = u64>, const WORD: usize> ValueCell<T> for Latch<T, WORD> {
    const ACCESS: Access = Access::Latched;
    const SIZE: usize = 20;
    const ALIGN: usize = WORD;

    #[inline(always)]
    fn new(slot: Slot) -> Self {
        assert!(slot.len == 20);
        let latch = Latch { base: Base(slot.at), value: Cell::new(T::zero()) };
        let buffer = 8 * (latch.sequence().load(Ordering::Relaxed) as usize & 1);
        let half =
            // SAFETY: the slot has two buffers of 8 bytes, aligned to 4. This thread's stores, of
            // whatever size, happened before.
            |offset| u32::load(unsafe { latch.base.word::<u32>(buffer + offset) });
        latch.value.set(T::from_bits(join([half(0), half(4)])));
        latch
    }

    #[inline(always)]
    fn get(&self) -> T {
        self.value.get()
    }

    #[inline(always)]
    fn set(&self, value: T) {
        let sequence = self.sequence();
        // Relaxed: only this writer stores it.
        let last = sequence.load(Ordering::Relaxed);
        latch_write(sequence, last, |buffer| {
            // SAFETY: the slot has two buffers of 8 bytes.
            let buffer = Base(unsafe { self.base.0.add(8 * buffer) });
            if WORD == 8 {
                // SAFETY: a buffer has 8 bytes and is aligned to `WORD`.
                return unsafe { buffer.store_word::<8>(0, value.to_bits()) };
            }
            for (i, half) in split(value.to_bits()).into_iter().enumerate() {
                // SAFETY: the same.
                unsafe { buffer.store_word::<4>(4 * i, half.into()) };
            }
        });
        self.value.set(value);
    }
}

/// A value of version 1 as Python lays it out: unaligned, and in two buffers unless it is one byte.
#[doc(hidden)]
#[derive(Debug)]
pub struct DoubleBuffer<T>(Base, PhantomData<T>);

impl<T: ToBits> ValueCell<T> for DoubleBuffer<T> {
    const ACCESS: Access = if size_of::<T>() == 1 { Access::Word } else { Access::Latched };
    const SIZE: usize = if size_of::<T>() == 1 { 1 } else { 2 * size_of::<T>() };
    const ALIGN: usize = 1;

    #[inline(always)]
    fn new(slot: Slot) -> Self {
        assert!(slot.len == Self::SIZE);
        DoubleBuffer(Base(slot.at), PhantomData)
    }

    #[inline(always)]
    fn get(&self) -> T {
        let mut bits = T::Bits::default();
        let bytes = bits.as_mut_bytes();
        // SAFETY: the slot's size is that of one or two buffers.
        unsafe {
            if Self::SIZE == 1 { self.0.read_v1::<1>(bytes) } else { self.0.read_v1::<2>(bytes) }
        }
        T::from_bits(bits)
    }

    #[inline]
    fn set(&self, value: T) {
        let bits = value.to_bits();
        let bytes = bits.as_bytes();
        // SAFETY: the slot's size is that of one or two buffers.
        unsafe {
            if Self::SIZE == 1 { self.0.write_v1::<1>(bytes) } else { self.0.write_v1::<2>(bytes) }
        }
    }
}

/// The cell of a field's text of `N` bytes, as its format stores it.
#[doc(hidden)]
pub trait TextCell<const N: usize>: Sized + Send + Debug {
    const ACCESS: Access;
    const SIZE: usize;
    const ALIGN: usize;
    fn new(slot: Slot) -> Self;
    /// Stores as many bytes as fit.
    fn set(&self, bytes: &[u8]);
    /// Returns the stored bytes, with NULs and whatever follows them.
    fn get(&self) -> [u8; N];
}

/// A latched text, in words of `WORD` bytes. The cell has a copy of the sequence, so that a write
/// only stores.
#[doc(hidden)]
#[derive(Debug)]
pub struct LatchText<const N: usize, const WORD: usize> {
    base: Base,
    last: Cell<u32>,
}

impl<const N: usize, const WORD: usize> LatchText<N, WORD> {
    const STRIDE: usize = N.next_multiple_of(WORD);

    #[inline(always)]
    fn sequence(&self) -> &AtomicU32 {
        // SAFETY: after two buffers, a multiple of 4.
        unsafe { self.base.word::<u32>(2 * Self::STRIDE) }
    }
}

impl<const N: usize, const WORD: usize> TextCell<N> for LatchText<N, WORD> {
    const ACCESS: Access = Access::Latched;
    const SIZE: usize = 2 * Self::STRIDE + 4;
    const ALIGN: usize = WORD;

    #[inline(always)]
    fn new(slot: Slot) -> Self {
        assert!(slot.len == Self::SIZE);
        let text = LatchText { base: Base(slot.at), last: Cell::new(0) };
        text.last.set(text.sequence().load(Ordering::Relaxed));
        text
    }

    #[inline]
    fn set(&self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(N)];
        // A copy, so that it is loaded once.
        let base = self.base.0;
        let next = latch_write(self.sequence(), self.last.get(), |buffer| {
            let store = |at: usize, word: u64| {
                debug_assert!(at < Self::STRIDE);
                // SAFETY: every `at` below is a multiple of `WORD` and less than the stride: within
                // the slot's buffers.
                let to = Base(unsafe { base.add(buffer * Self::STRIDE + at) });
                let word = if WORD == 8 { word.to_le() } else { (word as u32).to_le().into() };
                // SAFETY: the same.
                unsafe { to.store_word::<WORD>(0, word) };
            };
            if let (Some(full), 0) = (bytes.first_chunk::<N>(), N % WORD) {
                // The common case of a text of full size, in a loop of known length.
                for (i, word) in full.chunks_exact(WORD).enumerate() {
                    store(
                        i * WORD,
                        little_endian(word.first_chunk::<WORD>().copied().unwrap_or([0; WORD])),
                    );
                }
                return;
            }
            let mut at = 0;
            for word in bytes.chunks_exact(WORD) {
                store(at, little_endian(word.first_chunk::<WORD>().copied().unwrap_or([0; WORD])));
                at += WORD;
            }
            // The end of the text, or just a NUL, which fits because the text is shorter than the
            // stride. Bytes of an earlier text after that NUL mean nothing.
            store(at, tail::<WORD>(bytes, bytes.len() - at));
        });
        self.last.set(next);
    }

    fn get(&self) -> [u8; N] {
        let buffer = (self.last.get() as usize & 1) * Self::STRIDE;
        // SAFETY: byte i of a buffer, for i below N.
        core::array::from_fn(|i| u8::load(unsafe { self.base.word::<u8>(buffer + i) }))
    }
}

/// A text of version 1: in two buffers, or in one as Python writes it.
#[doc(hidden)]
#[derive(Debug)]
pub struct V1Text<const N: usize, const BUFFERS: usize>(Base);

impl<const N: usize, const BUFFERS: usize> TextCell<N> for V1Text<N, BUFFERS> {
    const ACCESS: Access = if BUFFERS == 2 { Access::Latched } else { Access::Word };
    const SIZE: usize = BUFFERS * N;
    const ALIGN: usize = 1;

    #[inline(always)]
    fn new(slot: Slot) -> Self {
        assert!(slot.len == Self::SIZE);
        V1Text(Base(slot.at))
    }

    #[inline]
    fn set(&self, bytes: &[u8]) {
        // SAFETY: the slot has `BUFFERS` buffers of N bytes.
        unsafe { self.0.write_v1::<BUFFERS>(&padded::<N>(bytes)) };
    }

    fn get(&self) -> [u8; N] {
        let mut bytes = [0; N];
        // SAFETY: the slot has `BUFFERS` buffers of N bytes.
        unsafe { self.0.read_v1::<BUFFERS>(&mut bytes) };
        bytes
    }
}

/// The width in which a histogram counts: `u32` or `u64`.
pub trait Bucket: ToBits {
    #[doc(hidden)]
    const TYPE: Type;
}
impl Bucket for u32 {
    const TYPE: Type = Type::U32;
}
impl Bucket for u64 {
    const TYPE: Type = Type::U64;
}

/// The cell of a histogram's block of values.
#[doc(hidden)]
pub trait BucketCell: Sized + Send + Debug {
    /// The type of the buckets; `None` if the format has no histograms.
    const TYPE: Option<Type>;
    /// Bytes of the block.
    const SIZE: usize;
    /// Creates the cell in the next slot, if it needs one.
    fn new<E>(slot: impl FnOnce() -> Result<Slot, E>) -> Result<Self, E>;
    /// Adds one to the value's bucket, then the value to the sum.
    fn record(&self, value: u64);
}

/// A sum and buckets, in words of `WORD` bytes: if that is 4, buckets are `u32` whatever `T` is,
/// and the sum is latched.
#[doc(hidden)]
#[derive(Debug)]
pub struct Buckets<T, const P: u32, const N: u32, const WORD: usize> {
    base: Base,
    _bucket: PhantomData<T>,
}

impl<T: Bucket, const P: u32, const N: u32, const WORD: usize> Buckets<T, P, N, WORD> {
    /// Bytes of one bucket.
    const WIDTH: usize = if WORD == 4 { 4 } else { size_of::<T>() };
    /// Bytes of the sum before them.
    const SUM: usize = if WORD == 4 { 20 } else { 8 };
}

impl<T: Bucket, const P: u32, const N: u32, const WORD: usize> BucketCell
    for Buckets<T, P, N, WORD>
{
    const TYPE: Option<Type> = Some(if WORD == 4 { Type::U32 } else { T::TYPE });
    const SIZE: usize = Self::SUM + histogram::count(P, N) * Self::WIDTH;

    #[inline(always)]
    fn new<E>(slot: impl FnOnce() -> Result<Slot, E>) -> Result<Self, E> {
        let slot = slot()?;
        assert!(slot.len == Self::SIZE);
        Ok(Buckets { base: Base(slot.at), _bucket: PhantomData })
    }

    #[inline(always)]
    fn record(&self, value: u64) {
        // Below `count(P, N)`, so the bucket is in the block.
        let at = Self::SUM + histogram::bucket_of(P, N, value) * Self::WIDTH;
        #[cfg(target_pointer_width = "64")]
        if WORD == 8 {
            if Self::WIDTH == 8 {
                // SAFETY: in the block, and a multiple of 8 as the widths of sum and bucket are.
                let bucket = unsafe { self.base.word::<u64>(at) };
                u64::load(bucket).wrapping_add(1).store(bucket);
            } else {
                // SAFETY: in the block, and a multiple of 4.
                let bucket = unsafe { self.base.word::<u32>(at) };
                u32::load(bucket).wrapping_add(1).store(bucket);
            }
            // SAFETY: the block begins with a word of 8 bytes.
            let sum = unsafe { self.base.word::<u64>(0) };
            return u64::load(sum).wrapping_add(value).store(sum);
        }
        // SAFETY: in the block, and a multiple of 4.
        let bucket = unsafe { self.base.word::<u32>(at) };
        u32::load(bucket).wrapping_add(1).store(bucket);
        let sum = Latch::<u64, 4>::new(Slot { at: self.base.0, len: 20 });
        sum.set(sum.get().wrapping_add(value));
    }
}

/// Records nothing, because version 1 has no histograms.
#[doc(hidden)]
#[derive(Debug)]
pub struct NoBuckets(PhantomData<Cell<()>>);

impl BucketCell for NoBuckets {
    const TYPE: Option<Type> = None;
    const SIZE: usize = 0;

    #[inline(always)]
    fn new<E>(_: impl FnOnce() -> Result<Slot, E>) -> Result<Self, E> {
        Ok(NoBuckets(PhantomData))
    }

    #[inline(always)]
    fn record(&self, _: u64) {}
}
