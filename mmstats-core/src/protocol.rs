//! How a writer and its readers agree: the latch, and making a region anew.
//!
//! Every memory ordering of the crate that orders anything stands here (cells add only relaxed
//! loads and stores), and each names its partner. The functions work on borrowed atomics, so that
//! loom can run them; `tests/loom.rs` does.

use crate::atomic::{AtomicU32, Ordering, fence};
use crate::format::MAGIC_WORDS;

/// How often a reader tries a latch before it gives up and says so. (Loom follows each try down all
/// its ways.)
pub(crate) const ATTEMPTS: usize = if cfg!(loom) { 2 } else { 128 };

/// Writes a latched value: `write(buffer)` stores its words, relaxed, into buffer 0 or 1. `last` is
/// what the sequence is, and what comes back is what it becomes.
#[inline(always)]
pub fn latch_write(sequence: &AtomicU32, last: u32, write: impl FnOnce(usize)) -> u32 {
    let next = last.wrapping_add(1);
    // Partner: `fence(Acquire)` in `latch_read`. A reader that copied one of the words below sees,
    // after its fence, at least the sequence stored by the write before this one, so it cannot take
    // the copy for that earlier value.
    #[cfg(not(mmstats_without_writer_fence))]
    fence(Ordering::Release);
    write((next & 1) as usize);
    // Partner: the Acquire load that begins `latch_read`: who sees this sequence sees the words it
    // stands for.
    sequence.store(next, Ordering::Release);
    next
}

/// Reads a latched value: `copy(buffer)` copies its words, relaxed, out of buffer 0 or 1. `None` if
/// the writer was always faster.
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

/// The words of a version 2 header that say whether, and since when, a region is valid.
pub struct RegionSeqlock<'a> {
    /// The magic, as two words in the writer's order.
    pub magic: [&'a AtomicU32; 2],
    /// Counts how often the region was made anew.
    pub generation: &'a AtomicU32,
}

impl RegionSeqlock<'_> {
    /// Before a writer touches anything else of a region that is to be made anew.
    pub fn write_begin(&self) {
        self.magic[0].store(0, Ordering::Relaxed);
        // Partner: the Acquire load of the generation in `read_begin`: who sees the new
        // generation sees no old magic.
        fence(Ordering::Release);
        let next = self.generation.load(Ordering::Relaxed).wrapping_add(1);
        self.generation.store(next, Ordering::Relaxed);
        // Partner: `fence(Acquire)` in `read_validate`: who saw anything that is written from here on
        // sees the new generation there.
        #[cfg(not(mmstats_without_reinit_fence))]
        fence(Ordering::Release);
    }

    /// When all else is in place. The first word is last: with it the region is valid.
    pub fn write_end(&self) {
        // Partners: the Acquire loads of the magic in `read_begin`.
        self.magic[1].store(MAGIC_WORDS[1], Ordering::Release);
        self.magic[0].store(MAGIC_WORDS[0], Ordering::Release);
    }

    /// The generation, if the region is valid. What is read from here on counts only if
    /// [`Self::read_validate`] agrees.
    pub fn read_begin(&self) -> Option<u32> {
        // Partner: the first `fence(Release)` in `write_begin`.
        let generation = self.generation.load(Ordering::Acquire);
        // Partners: the Release stores in `write_end`.
        let magic = [self.magic[0].load(Ordering::Acquire), self.magic[1].load(Ordering::Acquire)];
        (magic == MAGIC_WORDS).then_some(generation)
    }

    /// Whether everything read since [`Self::read_begin`] belongs to that generation.
    pub fn read_validate(&self, generation: u32) -> bool {
        // Partner: the second `fence(Release)` in `write_begin`.
        fence(Ordering::Acquire);
        self.generation.load(Ordering::Relaxed) == generation
            && self.magic[0].load(Ordering::Relaxed) == MAGIC_WORDS[0]
    }
}

/// Makes `words` of directory valid after what they describe has been written.
pub(crate) fn publish(layout: &AtomicU32, crc: u32, published: &AtomicU32, length: u32) {
    // Partner: the reader's fence between its copy of the header and its copy of the directory.
    // `layout` goes first: a reader that finds it ahead of `published` can tell (FORMAT.md,
    // "Header").
    layout.store(crc, Ordering::Release);
    published.store(length, Ordering::Release);
}

/// Between two passes of a reader that copies: what the first pass saw is older than what the next
/// sees.
pub(crate) fn between_passes() {
    // A full fence, because a pass may be a system call or a debug probe, which this memory model
    // does not speak of.
    fence(Ordering::SeqCst);
}

/// Between two copies of live memory by this program's own loads.
pub(crate) fn between_copies() {
    // Partners: the Release stores and fences in `latch_write`, `write_begin`, `write_end` and
    // `publish`. It stands behind relaxed loads, which together are an acquire load of all that was
    // copied.
    fence(Ordering::Acquire);
}
