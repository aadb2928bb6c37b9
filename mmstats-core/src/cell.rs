//! How values are stored: words, latches, version 1's double buffers, histogram buckets.
//!
//! One of the two files with `unsafe` (the other is `region.rs`). The invariant of every cell: it
//! owns a [`Slot`], whose bytes are in bounds, aligned as the cell's `ALIGN` asks, valid for as
//! long as the cell is used (as the region is) and written by nobody else. All loads and stores
//! here are relaxed atomics, ordered by `protocol.rs`. Cells are `Send` and not `Sync`, because
//! there is one writer.
#![allow(unsafe_code)]

use crate::atomic::{AtomicU8, AtomicU32, Ordering};
use crate::bytes::{Bits, ToBits, WordBits, join, little_endian, padded, split, tail};
use crate::format::{NATIVE_WORD, histogram};
use crate::kind::{Access, Type};
use crate::protocol::latch_write;
use crate::region::Slot;
use core::cell::Cell;
use core::fmt::Debug;
use core::marker::PhantomData;
use core::ptr::NonNull;

#[cfg(target_pointer_width = "64")]
use crate::atomic::AtomicU64;

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
}

/// One aligned word, loaded and stored whole.
#[doc(hidden)]
#[derive(Debug)]
pub struct Word<T: ToBits>(NonNull<<T::Bits as WordBits>::Atomic>)
where
    T::Bits: WordBits;

// SAFETY: the slot is this cell's alone, on whatever thread.
unsafe impl<T: ToBits> Send for Word<T> where T::Bits: WordBits {}

impl<T: ToBits> ValueCell<T> for Word<T>
where
    T::Bits: WordBits,
{
    const ACCESS: Access = Access::Word;
    const SIZE: usize = size_of::<T>();
    const ALIGN: usize = size_of::<T>();

    fn new(slot: Slot) -> Self {
        assert!(slot.len == Self::SIZE);
        Word(slot.at.cast())
    }

    #[inline(always)]
    fn get(&self) -> T {
        // SAFETY: the file's invariant.
        T::from_bits(T::Bits::load(unsafe { self.0.as_ref() }))
    }

    #[inline(always)]
    fn set(&self, value: T) {
        // SAFETY: the file's invariant.
        value.to_bits().store(unsafe { self.0.as_ref() });
    }
}

/// Stores 8 bytes in words of `WORD` bytes.
///
/// # Safety
/// `at` has 8 bytes that are valid and a multiple of `WORD`.
#[inline(always)]
unsafe fn store_8<const WORD: usize>(at: NonNull<u8>, bits: u64) {
    #[cfg(target_pointer_width = "64")]
    if WORD == 8 {
        // SAFETY: the caller's.
        unsafe { at.cast::<AtomicU64>().as_ref() }.store(bits, Ordering::Relaxed);
        return;
    }
    // SAFETY: the caller's; a multiple of 8 is one of 4.
    let halves = unsafe { at.cast::<[AtomicU32; 2]>().as_ref() };
    let [a, b] = split(bits);
    halves[0].store(a, Ordering::Relaxed);
    halves[1].store(b, Ordering::Relaxed);
}

/// Loads 8 bytes in words of `WORD` bytes.
///
/// # Safety
/// `at` has 8 bytes that are valid and a multiple of `WORD`.
#[inline(always)]
unsafe fn load_8<const WORD: usize>(at: NonNull<u8>) -> u64 {
    #[cfg(target_pointer_width = "64")]
    if WORD == 8 {
        // SAFETY: the caller's.
        return unsafe { at.cast::<AtomicU64>().as_ref() }.load(Ordering::Relaxed);
    }
    // SAFETY: the caller's; a multiple of 8 is one of 4.
    let halves = unsafe { at.cast::<[AtomicU32; 2]>().as_ref() };
    join([halves[0].load(Ordering::Relaxed), halves[1].load(Ordering::Relaxed)])
}

/// A latched value of 8 bytes, in words of `WORD` bytes. The cell also has a copy of the value, so
/// that reading it back needs no load from the region. It has no copy of the sequence, which
/// measured slower.
#[doc(hidden)]
#[derive(Debug)]
pub struct Latch<T: ToBits, const WORD: usize = NATIVE_WORD> {
    base: NonNull<u8>,
    value: Cell<T>,
}

// SAFETY: the slot is this cell's alone, on whatever thread.
unsafe impl<T: ToBits, const WORD: usize> Send for Latch<T, WORD> {}

impl<T: ToBits, const WORD: usize> Latch<T, WORD> {
    #[inline(always)]
    fn sequence(&self) -> &AtomicU32 {
        // SAFETY: after two buffers of 8 bytes, a multiple of 4; the file's invariant.
        unsafe { self.base.add(16).cast::<AtomicU32>().as_ref() }
    }

    #[inline(always)]
    fn buffer(&self, index: usize) -> NonNull<u8> {
        // SAFETY: `index` is 0 or 1, so this is in the slot.
        unsafe { self.base.add(8 * index) }
    }
}

impl<T: ToBits<Bits = u64>, const WORD: usize> ValueCell<T> for Latch<T, WORD> {
    const ACCESS: Access = Access::Latched;
    const SIZE: usize = 20;
    const ALIGN: usize = WORD;

    fn new(slot: Slot) -> Self {
        assert!(slot.len == 20);
        let latch = Latch { base: slot.at, value: Cell::new(T::zero()) };
        let index = latch.sequence().load(Ordering::Relaxed) as usize & 1;
        // SAFETY: a buffer has 8 bytes and is aligned to `WORD`.
        latch.value.set(T::from_bits(unsafe { load_8::<WORD>(latch.buffer(index)) }));
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
            // SAFETY: a buffer has 8 bytes and is aligned to `WORD`.
            unsafe { store_8::<WORD>(self.buffer(buffer), value.to_bits()) };
        });
        self.value.set(value);
    }
}

/// Bytes at any address, for version 1.
#[derive(Debug)]
struct Bytes(NonNull<u8>);

impl Bytes {
    /// # Safety
    /// The byte at this offset is in the cell's slot.
    #[inline(always)]
    unsafe fn at(&self, offset: isize) -> &AtomicU8 {
        // SAFETY: the caller's, and the file's invariant; any address is aligned for a byte.
        unsafe { self.0.offset(offset).cast::<AtomicU8>().as_ref() }
    }

    /// # Safety
    /// The bytes from `to` on that are stored are in the cell's slot.
    #[inline(always)]
    unsafe fn store(&self, to: usize, bytes: &[u8]) {
        for (i, byte) in bytes.iter().enumerate() {
            // SAFETY: the caller's.
            unsafe { self.at((to + i) as isize) }.store(*byte, Ordering::Relaxed);
        }
    }

    /// # Safety
    /// The bytes from `from` on that are loaded are in the cell's slot.
    #[inline(always)]
    unsafe fn load(&self, from: usize, bytes: &mut [u8]) {
        for (i, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: the caller's.
            *byte = unsafe { self.at((from + i) as isize) }.load(Ordering::Relaxed);
        }
    }

    /// Writes version 1's double buffer: `write(index)` fills the buffer that readers do not read,
    /// then the index flips.
    #[inline(always)]
    fn flip(&self, write: impl FnOnce(usize)) {
        // SAFETY: a version 1 slot has the write buffer index before it.
        let index = unsafe { self.at(-1) };
        let next = index.load(Ordering::Relaxed) & 1;
        write(next as usize);
        // Release: a reader that sees the new index sees the bytes of its buffer. Readers in Python
        // have no partner for it; ours read one copy.
        index.store(next ^ 1, Ordering::Release);
    }

    /// Returns the index of the buffer that readers read.
    #[inline(always)]
    fn readable_index(&self) -> usize {
        // SAFETY: a version 1 slot has the write buffer index before it.
        (unsafe { self.at(-1) }.load(Ordering::Relaxed) & 1 ^ 1) as usize
    }
}

/// A value of version 1 as Python lays it out: unaligned, and in two buffers unless it is one byte.
#[doc(hidden)]
#[derive(Debug)]
pub struct DoubleBuffer<T> {
    bytes: Bytes,
    _value: PhantomData<Cell<T>>,
}

// SAFETY: the slot is this cell's alone, on whatever thread.
unsafe impl<T: ToBits> Send for DoubleBuffer<T> {}

impl<T: ToBits> DoubleBuffer<T> {
    const WIDTH: usize = size_of::<T::Bits>();
}

impl<T: ToBits> ValueCell<T> for DoubleBuffer<T> {
    const ACCESS: Access = if Self::WIDTH == 1 { Access::Word } else { Access::Latched };
    const SIZE: usize = if Self::WIDTH == 1 { 1 } else { 2 * Self::WIDTH };
    const ALIGN: usize = 1;

    fn new(slot: Slot) -> Self {
        assert!(slot.len == Self::SIZE);
        DoubleBuffer { bytes: Bytes(slot.at), _value: PhantomData }
    }

    #[inline(always)]
    fn get(&self) -> T {
        let buffer = if Self::WIDTH == 1 { 0 } else { self.bytes.readable_index() };
        let mut bytes = <T::Bits as Bits>::Bytes::default();
        // SAFETY: a buffer has that many bytes, and there are two unless that is one.
        unsafe { self.bytes.load(buffer * Self::WIDTH, bytes.as_mut()) };
        T::from_bits(T::Bits::from_ne_bytes(bytes))
    }

    #[inline]
    fn set(&self, value: T) {
        let bytes = value.to_bits().to_ne_bytes();
        if Self::WIDTH == 1 {
            // SAFETY: the slot has that one byte.
            unsafe { self.bytes.store(0, bytes.as_ref()) };
        } else {
            // SAFETY: there are two buffers of that many bytes.
            self.bytes
                .flip(|buffer| unsafe { self.bytes.store(buffer * Self::WIDTH, bytes.as_ref()) });
        }
    }
}

/// The cell of a field's text, as its format stores it.
#[doc(hidden)]
pub trait TextCell: Sized + Send + Debug {
    const ACCESS: Access;
    const SIZE: usize;
    const ALIGN: usize;
    fn new(slot: Slot) -> Self;
    /// Stores as many bytes as fit.
    fn set(&self, bytes: &[u8]);
    /// Copies the stored bytes, with NULs and whatever follows them.
    fn get(&self, bytes: &mut [u8]);
}

/// A latched text, in words of `WORD` bytes. The cell has a copy of the sequence, so that a write
/// only stores.
#[doc(hidden)]
#[derive(Debug)]
pub struct LatchText<const N: usize, const WORD: usize> {
    base: NonNull<u8>,
    last: Cell<u32>,
}

// SAFETY: the slot is this cell's alone, on whatever thread.
unsafe impl<const N: usize, const WORD: usize> Send for LatchText<N, WORD> {}

impl<const N: usize, const WORD: usize> LatchText<N, WORD> {
    const STRIDE: usize = N.next_multiple_of(WORD);

    #[inline(always)]
    fn sequence(&self) -> &AtomicU32 {
        // SAFETY: after two buffers, a multiple of 4; the file's invariant.
        unsafe { self.base.add(2 * Self::STRIDE).cast::<AtomicU32>().as_ref() }
    }
}

/// Stores a word whose bytes are `word`'s, least significant first.
///
/// # Safety
/// `to` is a multiple of `WORD` and valid for that many bytes.
#[inline(always)]
unsafe fn store_word<const WORD: usize>(to: NonNull<u8>, word: u64) {
    #[cfg(target_pointer_width = "64")]
    if WORD == 8 {
        // SAFETY: the caller's, and the file's invariant.
        unsafe { to.cast::<AtomicU64>().as_ref() }.store(word.to_le(), Ordering::Relaxed);
        return;
    }
    // SAFETY: the caller's, and the file's invariant.
    unsafe { to.cast::<AtomicU32>().as_ref() }.store((word as u32).to_le(), Ordering::Relaxed);
}

impl<const N: usize, const WORD: usize> TextCell for LatchText<N, WORD> {
    const ACCESS: Access = Access::Latched;
    const SIZE: usize = 2 * Self::STRIDE + 4;
    const ALIGN: usize = WORD;

    fn new(slot: Slot) -> Self {
        assert!(slot.len == Self::SIZE);
        let text = LatchText { base: slot.at, last: Cell::new(0) };
        text.last.set(text.sequence().load(Ordering::Relaxed));
        text
    }

    #[inline]
    fn set(&self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(N)];
        let base = self.base;
        let next = latch_write(self.sequence(), self.last.get(), |buffer| {
            let store = |at: usize, word: u64| {
                debug_assert!(at < Self::STRIDE);
                // SAFETY: every `at` below is a multiple of `WORD` and less than the stride: within
                // the slot's buffers.
                let to = unsafe { base.add(buffer * Self::STRIDE + at) };
                // SAFETY: the same.
                unsafe { store_word::<WORD>(to, word) };
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

    fn get(&self, bytes: &mut [u8]) {
        let index = self.last.get() as usize & 1;
        for (i, byte) in bytes.iter_mut().enumerate().take(N) {
            // SAFETY: byte i of a buffer, for i below N.
            let at = unsafe { self.base.add(index * Self::STRIDE + i) };
            // SAFETY: the file's invariant.
            *byte = unsafe { at.cast::<AtomicU8>().as_ref() }.load(Ordering::Relaxed);
        }
    }
}

/// A text in version 1's double buffer.
#[doc(hidden)]
#[derive(Debug)]
pub struct DoubleBufferText<const N: usize>(Bytes, PhantomData<Cell<u8>>);

// SAFETY: the slot is this cell's alone, on whatever thread.
unsafe impl<const N: usize> Send for DoubleBufferText<N> {}

impl<const N: usize> TextCell for DoubleBufferText<N> {
    const ACCESS: Access = Access::Latched;
    const SIZE: usize = 2 * N;
    const ALIGN: usize = 1;

    fn new(slot: Slot) -> Self {
        assert!(slot.len == Self::SIZE);
        DoubleBufferText(Bytes(slot.at), PhantomData)
    }

    #[inline]
    fn set(&self, bytes: &[u8]) {
        // SAFETY: there are two buffers of N bytes.
        self.0.flip(|buffer| unsafe { self.0.store(buffer * N, &padded::<N>(bytes)) });
    }

    fn get(&self, bytes: &mut [u8]) {
        let n = bytes.len().min(N);
        // SAFETY: a buffer has N bytes.
        unsafe { self.0.load(self.0.readable_index() * N, &mut bytes[..n]) };
    }
}

/// A text of version 1 as Python writes it: in one buffer.
#[doc(hidden)]
#[derive(Debug)]
pub struct UnbufferedText<const N: usize>(Bytes, PhantomData<Cell<u8>>);

// SAFETY: the slot is this cell's alone, on whatever thread.
unsafe impl<const N: usize> Send for UnbufferedText<N> {}

impl<const N: usize> TextCell for UnbufferedText<N> {
    const ACCESS: Access = Access::Word;
    const SIZE: usize = N;
    const ALIGN: usize = 1;

    fn new(slot: Slot) -> Self {
        assert!(slot.len == Self::SIZE);
        UnbufferedText(Bytes(slot.at), PhantomData)
    }

    #[inline]
    fn set(&self, bytes: &[u8]) {
        // SAFETY: the slot has N bytes.
        unsafe { self.0.store(0, &padded::<N>(bytes)) };
    }

    fn get(&self, bytes: &mut [u8]) {
        let n = bytes.len().min(N);
        // SAFETY: the slot has N bytes.
        unsafe { self.0.load(0, &mut bytes[..n]) };
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
    fn new(slot: Slot) -> Self;
    /// Returns the cell of a format without histograms.
    fn without_storage() -> Option<Self>;
    /// Adds one to the value's bucket, then the value to the sum.
    fn record(&self, value: u64);
}

/// A sum and buckets, in words of `WORD` bytes: if that is 4, buckets are `u32` whatever `T` is,
/// and the sum is latched.
#[doc(hidden)]
#[derive(Debug)]
pub struct Buckets<T, const P: u32, const N: u32, const WORD: usize> {
    base: NonNull<u8>,
    _bucket: PhantomData<Cell<T>>,
}

// SAFETY: the slot is this cell's alone, on whatever thread.
unsafe impl<T: ToBits, const P: u32, const N: u32, const WORD: usize> Send
    for Buckets<T, P, N, WORD>
{
}

impl<T: Bucket, const P: u32, const N: u32, const WORD: usize> Buckets<T, P, N, WORD> {
    /// Bytes of one bucket.
    const WIDTH: usize = if WORD == 4 { 4 } else { size_of::<T>() };
    /// Bytes of the sum before them.
    const SUM: usize = if WORD == 4 { 20 } else { 8 };

    /// # Safety
    /// The block has a word of these bits at this offset.
    #[inline(always)]
    unsafe fn word<B: WordBits>(&self, at: usize) -> &B::Atomic {
        // SAFETY: the caller's.
        let word = unsafe { self.base.add(at).cast::<B::Atomic>() };
        // SAFETY: the caller's, and the file's invariant.
        unsafe { word.as_ref() }
    }

    /// Adds one to the bucket at an offset, then `value` to the sum.
    ///
    /// # Safety
    /// The block has a word of these bits at this offset, and begins with a word of 8 bytes.
    #[cfg(target_pointer_width = "64")]
    #[inline(always)]
    unsafe fn add<B: WordBits>(&self, at: usize, one_more: impl FnOnce(B) -> B, value: u64) {
        // SAFETY: the caller's.
        let (bucket, sum) = unsafe { (self.word::<B>(at), self.word::<u64>(0)) };
        one_more(B::load(bucket)).store(bucket);
        u64::load(sum).wrapping_add(value).store(sum);
    }
}

impl<T: Bucket, const P: u32, const N: u32, const WORD: usize> BucketCell
    for Buckets<T, P, N, WORD>
{
    const TYPE: Option<Type> = Some(if WORD == 4 { Type::U32 } else { T::TYPE });
    const SIZE: usize = Self::SUM + histogram::count(P, N) * Self::WIDTH;

    fn new(slot: Slot) -> Self {
        assert!(slot.len == Self::SIZE);
        Buckets { base: slot.at, _bucket: PhantomData }
    }

    fn without_storage() -> Option<Self> {
        None
    }

    #[inline(always)]
    fn record(&self, value: u64) {
        // Below `count(P, N)`, so the bucket is in the block.
        let at = Self::SUM + histogram::bucket_of(P, N, value) * Self::WIDTH;
        #[cfg(target_pointer_width = "64")]
        if WORD == 8 {
            if Self::WIDTH == 8 {
                // SAFETY: in the block, and a multiple of 8 as the sum's width and the bucket's
                // are.
                unsafe { self.add::<u64>(at, |count| count.wrapping_add(1), value) };
            } else {
                // SAFETY: in the block, and a multiple of 4.
                unsafe { self.add::<u32>(at, |count| count.wrapping_add(1), value) };
            }
            return;
        }
        // SAFETY: in the block, and a multiple of 4.
        let bucket = unsafe { self.word::<u32>(at) };
        u32::load(bucket).wrapping_add(1).store(bucket);
        let sum = Latch::<u64, 4>::new(Slot { at: self.base, len: 20 });
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

    fn new(_: Slot) -> Self {
        NoBuckets(PhantomData)
    }

    fn without_storage() -> Option<Self> {
        Some(NoBuckets(PhantomData))
    }

    #[inline(always)]
    fn record(&self, _: u64) {}
}
