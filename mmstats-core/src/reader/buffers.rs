//! Copies of a region, made in passes that detect a concurrent write.

use super::entry::{Storage, ValueLocation};
use super::snapshot::{Snapshot, read_u32, same_sequence};
use crate::format::MAGIC;
use crate::format::v2::{Header, IMMUTABLE_LAYOUT};
use crate::protocol::{ATTEMPTS, between_passes};
use crate::region::View;
use core::convert::Infallible;
use core::ops::Range;
use zerocopy::IntoBytes;

/// A source of a region's bytes: memory, a file, a debug probe.
pub trait Source {
    /// The error of a read.
    type Error;

    /// Copies bytes from offset `at`, a multiple of 8, and returns how many there were. Missing
    /// bytes keep their value in `to`, or become zero.
    ///
    /// If the bytes are live, each aligned word, as wide as the writer's, must be copied by one
    /// load. (Offset and address of `to` are equal modulo 8, so that the kernel does so.)
    ///
    /// # Errors
    /// If they cannot be read. The end of the bytes is no error.
    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, Self::Error>;

    /// Orders the reads before the fence and those after it.
    fn fence(&self) {
        between_passes();
    }
}

impl Source for View<'_> {
    type Error = Infallible;

    #[inline]
    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, Infallible> {
        Ok(View::read_at(self, at, to))
    }

    #[inline]
    fn fence(&self) {
        crate::protocol::between_copies();
    }
}

/// Buffers for copies of a region, each from the region's start.
///
/// A region is read in these steps, with a [`Source::fence`] between them:
/// 1. the header, into `header`;
/// 2. pass 1: everything, for words, constants and the sequences of latches;
/// 3. pass 2: latched values;
/// 4. pass 3: the header and the sequences again.
#[derive(Debug)]
pub struct ReadBuffers<'b> {
    header: &'b mut [u64],
    pass1: &'b mut [u64],
    pass2: &'b mut [u64],
    pass3: &'b mut [u64],
}

/// The part of a region that holds the values to be read, known from its layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadPlan {
    /// Offset of the first value, rounded down to a multiple of 8.
    pub start: usize,
    /// End of the last value.
    pub end: usize,
    /// Whether any value is latched.
    pub latched: bool,
}

impl ReadPlan {
    /// Adds a field to the plan.
    #[must_use]
    pub fn with(self, location: &ValueLocation) -> ReadPlan {
        if location.storage == Storage::Constant {
            return self;
        }
        let range = location.range();
        let start = if self.end == 0 { range.start } else { self.start.min(range.start) };
        ReadPlan {
            start: start & !7,
            end: self.end.max(range.end),
            latched: self.latched || location.is_latched(),
        }
    }

    /// The largest gap between header and values that one read covers, because that costs less than
    /// a second system call.
    const MAX_GAP_BYTES: usize = 16384;

    fn words(&self) -> Range<usize> {
        self.start / 8..self.end.div_ceil(8)
    }
}

/// The number of 8-byte words in a header.
pub const HEADER_WORDS: usize = Header::SIZE.div_ceil(8);

impl<'b> ReadBuffers<'b> {
    /// Returns the number of words of memory that a region of `length` bytes needs.
    #[must_use]
    pub const fn words(length: usize) -> usize {
        HEADER_WORDS + 3 * length.div_ceil(8)
    }

    /// Creates buffers in this memory, for a region of the length that was passed to
    /// [`Self::words`]. Bytes of an earlier read in this memory are kept.
    ///
    /// # Panics
    /// If the memory is smaller than [`Self::words`] of 0.
    pub fn new(memory: &'b mut [u64]) -> Self {
        let (header, rest) = memory.split_at_mut(HEADER_WORDS);
        let third = rest.len() / 3;
        let (pass1, rest) = rest.split_at_mut(third);
        let (pass2, rest) = rest.split_at_mut(third);
        ReadBuffers { header, pass1, pass2, pass3: &mut rest[..third] }
    }

    /// Returns the length in bytes of the largest region that fits.
    #[must_use]
    pub fn capacity(&self) -> usize {
        8 * self.pass2.len()
    }

    /// Reads the header and returns how many bytes there were. A region that is being initialised
    /// appears as uninitialised.
    ///
    /// # Errors
    /// If the source fails.
    pub fn read_header<S: Source>(&mut self, source: &S) -> Result<usize, S::Error> {
        let mut available = source.read_at(0, self.header)?;
        // Takes the generation from the first copy, the magic from the second and the rest from
        // the third. Within a copy nothing is ordered, so in any other order the magic or
        // `published` could be that of the old generation although the generation is the new one.
        for _ in 0..2 {
            if !self.header().starts_with(&MAGIC)
                || self.header()[core::mem::offset_of!(Header, flags)] & IMMUTABLE_LAYOUT != 0
            {
                break;
            }
            let generation = self.generation();
            source.fence();
            available = source.read_at(0, self.header)?;
            if self.generation() != generation {
                self.header[0] = 0;
            }
        }
        Ok(available)
    }

    fn generation(&self) -> [u8; 4] {
        core::array::from_fn(|i| self.header()[Header::GENERATION + i])
    }

    /// Returns the header that [`Self::read_header`] read.
    #[must_use]
    #[inline]
    pub fn header(&self) -> &[u8] {
        self.header.as_bytes()
    }

    /// Returns `true` if the header was exactly this one before pass 1.
    #[must_use]
    #[inline]
    pub fn header_is(&self, expected: &[u64; HEADER_WORDS]) -> bool {
        *self.header == *expected
    }

    /// Returns `true` if the header was exactly this one before pass 1 and in pass 3.
    #[must_use]
    #[inline]
    pub fn header_remained(&self, expected: &[u64; HEADER_WORDS]) -> bool {
        self.header_is(expected)
            && self.pass3.get(..HEADER_WORDS).is_some_and(|after| *after == *expected)
    }

    /// Makes pass 1 over a region whose layout is not known yet: reads `length` bytes, or as many
    /// as there are.
    ///
    /// # Errors
    /// If the source fails.
    pub fn read_all<S: Source>(&mut self, source: &S, length: usize) -> Result<&[u8], S::Error> {
        source.fence();
        let available = copy(source, self.pass1, 0..length.div_ceil(8))?;
        Ok(&self.pass1.as_bytes()[..available.min(length)])
    }

    /// Returns the bytes that [`Self::read_all`] or [`Self::read_single_pass`] read.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.pass1.as_bytes()
    }

    /// Makes passes 2 and 3; returns `true` if no bytes were missing.
    ///
    /// # Errors
    /// If the source fails.
    #[inline]
    pub fn verify<S: Source>(&mut self, source: &S, plan: &ReadPlan) -> Result<bool, S::Error> {
        source.fence();
        if plan.latched {
            if copy(source, self.pass2, plan.words())? + plan.start < plan.end {
                return Ok(false);
            }
            source.fence();
            if plan.start <= ReadPlan::MAX_GAP_BYTES {
                return self.read_pass3(source, 0..plan.words().end, plan);
            }
            if !self.read_pass3(source, plan.words(), plan)? {
                return Ok(false);
            }
        }
        let length = copy(source, self.pass3, 0..HEADER_WORDS)?;
        Ok(length == Header::SIZE)
    }

    /// Makes pass 3 over these words; returns `true` if no bytes were missing.
    fn read_pass3<S: Source>(
        &mut self,
        source: &S,
        words: Range<usize>,
        plan: &ReadPlan,
    ) -> Result<bool, S::Error> {
        let start = words.start * 8;
        Ok(copy(source, self.pass3, words)? + start >= plan.end)
    }

    /// Reads a region in one pass, which is enough if its layout is immutable, known, and without
    /// latched fields; returns `true` if no bytes were missing.
    ///
    /// # Errors
    /// If the source fails.
    #[inline]
    pub fn read_single_pass<S: Source>(
        &mut self,
        source: &S,
        plan: &ReadPlan,
    ) -> Result<bool, S::Error> {
        if plan.start > ReadPlan::MAX_GAP_BYTES || self.pass1.len() < HEADER_WORDS {
            source.read_at(0, self.header)?;
            return Ok(copy(source, self.pass1, plan.words())? + plan.start >= plan.end);
        }
        let available = copy(source, self.pass1, 0..plan.words().end.max(HEADER_WORDS))?;
        self.header.copy_from_slice(&self.pass1[..HEADER_WORDS]);
        Ok(available >= plan.end)
    }

    /// Makes all passes over a region whose layout is known; returns `true` if no bytes were
    /// missing. Parts outside the plan keep their bytes.
    ///
    /// # Errors
    /// If the source fails.
    #[inline]
    pub fn sample<S: Source>(&mut self, source: &S, plan: &ReadPlan) -> Result<bool, S::Error> {
        if plan.latched && plan.start <= ReadPlan::MAX_GAP_BYTES && self.pass1.len() >= HEADER_WORDS
        {
            // Words need not be newer than the sequences, so one copy can hold header and words.
            if copy(source, self.pass1, 0..plan.words().end)? < plan.end {
                return Ok(false);
            }
            self.header.copy_from_slice(&self.pass1[..HEADER_WORDS]);
        } else {
            source.read_at(0, self.header)?;
            source.fence();
            if copy(source, self.pass1, plan.words())? + plan.start < plan.end {
                return Ok(false);
            }
        }
        self.verify(source, plan)
    }

    /// Makes all passes, and reads each latch by itself in repeated attempts: for memory that is
    /// fast to read. Returns `true` if no bytes were missing. The value of a latch that stays
    /// contended is an error.
    ///
    /// # Errors
    /// If the source fails.
    #[inline]
    pub fn sample_each_latch<'p, S: Source>(
        &mut self,
        source: &S,
        plan: &ReadPlan,
        latched: impl Iterator<Item = &'p ValueLocation>,
    ) -> Result<bool, S::Error> {
        source.read_at(0, self.header)?;
        source.fence();
        let is_complete = copy(source, self.pass1, plan.words())? + plan.start >= plan.end;
        for location in latched {
            self.read_latch(source, location, ATTEMPTS)?;
        }
        source.fence();
        Ok(copy(source, self.pass3, 0..HEADER_WORDS)? == Header::SIZE && is_complete)
    }

    /// Reads one latch again, up to `attempts` times; returns `true` if no write interfered with
    /// one of them.
    ///
    /// # Errors
    /// If the source fails.
    pub fn read_latch<S: Source>(
        &mut self,
        source: &S,
        location: &ValueLocation,
        attempts: usize,
    ) -> Result<bool, S::Error> {
        let sequence = location.sequence() / 8;
        let stride = location.stride();
        for _ in 0..attempts {
            copy(source, self.pass1, sequence..sequence + 1)?;
            source.fence();
            let index =
                read_u32(self.pass1.as_bytes(), location.sequence(), location.swapped) as usize & 1;
            let buffer = location.offset as usize + index * stride;
            copy(source, self.pass2, buffer / 8..(buffer + stride).div_ceil(8))?;
            source.fence();
            copy(source, self.pass3, sequence..sequence + 1)?;
            if same_sequence(self.pass1.as_bytes(), self.pass3.as_bytes(), location).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the header once more after [`Self::read_latch`]; returns `true` if the region is still
    /// valid and of the same generation.
    ///
    /// # Errors
    /// If the source fails.
    pub fn recheck_header<S: Source>(&mut self, source: &S) -> Result<bool, S::Error> {
        source.fence();
        copy(source, self.pass3, 0..HEADER_WORDS)?;
        Ok(self.snapshot().is_consistent())
    }

    /// Returns a snapshot of what was read, which lives as long as the memory.
    #[must_use]
    #[inline]
    pub fn into_snapshot(self) -> Snapshot<'b> {
        Snapshot::new([self.header, self.pass1, self.pass2, self.pass3])
    }

    /// Returns a snapshot of what was read.
    #[must_use]
    #[inline]
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new([self.header, self.pass1, self.pass2, self.pass3])
    }
}

#[inline]
fn copy<S: Source>(source: &S, pass: &mut [u64], words: Range<usize>) -> Result<usize, S::Error> {
    let words = words.start..words.end.min(pass.len());
    let at = words.start * 8;
    pass.get_mut(words).map_or(Ok(0), |to| source.read_at(at, to))
}
