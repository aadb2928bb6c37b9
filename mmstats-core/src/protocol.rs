//! The protocols between a writer and its readers: the latch, and the seqlock of a region.
//!
//! Every memory ordering of the crate that orders anything is here (cells add only relaxed loads
//! and stores), and each names its partner. The functions work on borrowed atomics, so that
//! `tests/loom.rs` can run them under loom.

use crate::atomic::{AtomicU32, Ordering, fence, read_modify_write};
use crate::format::MAGIC_WORDS;

/// Attempts to read a latch before it is reported as contended. (Loom explores all interleavings of
/// each attempt.)
pub(crate) const ATTEMPTS: usize = if cfg!(loom) { 2 } else { 128 };

/// Writes a latched value: `write(buffer)` stores its words, relaxed, into buffer 0 or 1. Takes the
/// current sequence and returns the next.
#[inline(always)]
pub fn latch_write(sequence: &AtomicU32, last: u32, write: impl FnOnce(usize)) -> u32 {
    let next = last.wrapping_add(1);
    // Partner: `fence(Acquire)` in `latch_read`. A reader that copied one of the words below sees,
    // after its fence, at least the sequence stored by the write before this one, so it cannot take
    // the copy for that earlier value.
    #[cfg(not(mmstats_without_writer_fence))]
    fence(Ordering::Release);
    write((next & 1) as usize);
    // Partner: the Acquire load that begins `latch_read`: a reader that sees this sequence sees the
    // words of its buffer.
    sequence.store(next, Ordering::Release);
    next
}

/// Reads a latched value: `copy(buffer)` copies its words, relaxed, out of buffer 0 or 1. Returns
/// `None` if the writer was faster in every attempt.
#[inline(always)]
pub fn latch_read<R>(sequence: &AtomicU32, mut copy: impl FnMut(usize) -> R) -> Option<R> {
    for _ in 0..ATTEMPTS {
        // Partner: the Release store that ends `latch_write`.
        let before = sequence.load(Ordering::Acquire);
        let value = copy((before & 1) as usize);
        // Partner: `fence(Release)` in `latch_write`.
        fence(Ordering::Acquire);
        if sequence.load(Ordering::Relaxed) == before {
            return Some(value);
        }
    }
    None
}

/// Additions to a value that only one writer at a time can change, by writers that never wait.
///
/// A writer leaves what it adds here, and tries to become the holder. The holder applies what it
/// finds, also for the others. Sums are modulo 2^64, so the halves may be taken apart.
#[derive(Debug)]
pub struct PendingSum {
    low: AtomicU32,
    high: AtomicU32,
    /// 1 while a writer is the holder.
    held: AtomicU32,
}

impl PendingSum {
    /// Creates a sum of 0 without a holder.
    #[allow(clippy::new_without_default, reason = "a part of cells")]
    pub fn new() -> PendingSum {
        PendingSum { low: AtomicU32::new(0), high: AtomicU32::new(0), held: AtomicU32::new(0) }
    }

    /// Adds `n`. `apply(sum)` adds a sum to the value; two calls of it never overlap. If another
    /// writer is the holder, that one applies `n` before it leaves.
    #[inline]
    pub fn add(&self, n: u64, apply: impl Fn(u64)) {
        let low = fetch_add(&self.low, n as u32);
        let carry = low.checked_add(n as u32).is_none();
        let high = ((n >> 32) as u32).wrapping_add(carry.into());
        if high != 0 {
            fetch_add(&self.high, high);
        }
        // Partner: the other swap. A writer that finds a holder has added before that holder
        // leaves, which reads this 1 when it leaves, and so sees the addition.
        while swap(&self.held, 1, Ordering::AcqRel) == 0 {
            let low = swap(&self.low, 0, Ordering::Relaxed);
            let high = swap(&self.high, 0, Ordering::Relaxed);
            let sum = u64::from(high) << 32 | u64::from(low);
            if sum != 0 {
                apply(sum);
            }
            // Partner: the swap above: the next holder sees what `apply` did.
            swap(&self.held, 0, Ordering::AcqRel);
            if self.low.load(Ordering::Relaxed) == 0 && self.high.load(Ordering::Relaxed) == 0 {
                break;
            }
        }
    }
}

/// Adds to a word, relaxed, and returns the number before.
#[allow(unused_variables, reason = "not called on a target without it")]
#[inline]
fn fetch_add(word: &AtomicU32, n: u32) -> u32 {
    read_modify_write!(word.fetch_add(n, Ordering::Relaxed))
}

/// Replaces a word, and returns the number before.
#[allow(unused_variables, reason = "not called on a target without it")]
#[inline]
fn swap(word: &AtomicU32, number: u32, order: Ordering) -> u32 {
    read_modify_write!(word.swap(number, order))
}

/// The seqlock of a whole region: the words of a version 2 header that say whether a region is
/// valid, and which generation it is.
#[derive(Debug)]
pub struct RegionSeqlock<'a> {
    /// The magic, as two words in the writer's order.
    pub magic: [&'a AtomicU32; 2],
    /// The number of times that the region was initialised.
    pub generation: &'a AtomicU32,
}

impl RegionSeqlock<'_> {
    /// Begins to initialise the region, before the writer touches anything else in it.
    pub fn write_begin(&self) {
        self.magic[0].store(0, Ordering::Relaxed);
        // Partner: the Acquire load of the generation in `read_begin`: a reader that sees the new
        // generation does not see the old magic.
        fence(Ordering::Release);
        let next = self.generation.load(Ordering::Relaxed).wrapping_add(1);
        self.generation.store(next, Ordering::Relaxed);
        // Partner: `fence(Acquire)` in `read_validate`: a reader that saw anything written from
        // here on sees the new generation there.
        #[cfg(not(mmstats_without_reinit_fence))]
        fence(Ordering::Release);
    }

    /// Ends it, after everything else has been written. The first word of the magic, stored last,
    /// makes the region valid.
    pub fn write_end(&self) {
        // Partners: the Acquire loads of the magic in `read_begin`.
        self.magic[1].store(MAGIC_WORDS[1], Ordering::Release);
        self.magic[0].store(MAGIC_WORDS[0], Ordering::Release);
    }

    /// Begins to read: returns the generation if the region is valid. Bytes that are read from here
    /// on count only if [`Self::read_validate`] returns `true`.
    pub fn read_begin(&self) -> Option<u32> {
        // Partner: the first `fence(Release)` in `write_begin`.
        let generation = self.generation.load(Ordering::Acquire);
        // Partners: the Release stores in `write_end`.
        let magic = [self.magic[0].load(Ordering::Acquire), self.magic[1].load(Ordering::Acquire)];
        (magic == MAGIC_WORDS).then_some(generation)
    }

    /// Returns `true` if everything read since [`Self::read_begin`] belongs to that generation.
    pub fn read_validate(&self, generation: u32) -> bool {
        // Partner: the second `fence(Release)` in `write_begin`.
        fence(Ordering::Acquire);
        self.generation.load(Ordering::Relaxed) == generation
            && self.magic[0].load(Ordering::Relaxed) == MAGIC_WORDS[0]
    }
}

/// Makes `length` bytes of directory valid, after the entries and their values have been written.
pub(crate) fn publish(layout: &AtomicU32, crc: u32, published: &AtomicU32, length: u32) {
    // Partner: the reader's fence between its copy of the header and its copy of the directory.
    // `layout` is first: a reader can detect that it is ahead of `published` (FORMAT.md, "Header").
    layout.store(crc, Ordering::Release);
    published.store(length, Ordering::Release);
}

/// Orders two passes of a reader that copies: the first sees no newer bytes than the second.
pub(crate) fn between_passes() {
    // A full fence, because a pass may be a system call or a debug probe, which are outside this
    // memory model.
    fence(Ordering::SeqCst);
}

/// Orders two copies of live memory by this program's own loads.
pub(crate) fn between_copies() {
    // Partners: the Release stores and fences in `latch_write`, `write_begin`, `write_end` and
    // `publish`. With the relaxed loads before it, it is an acquire load of all copied bytes.
    fence(Ordering::Acquire);
}
