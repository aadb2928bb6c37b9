//! Copies of a region, taken in passes that notice its writer.

use super::entry::{Storage, ValueLocation};
use super::snapshot::{Snapshot, read_u32, same_sequence};
use crate::format::MAGIC;
use crate::format::v2::{Header, IMMUTABLE_LAYOUT};
use crate::protocol::{ATTEMPTS, between_passes};
use crate::region::View;
use core::convert::Infallible;
use core::ops::Range;
use zerocopy::IntoBytes;

/// Where bytes come from: memory, a file, a debug probe.
pub trait Source {
    /// What can go wrong.
    type Error;

    /// Copies bytes from offset `at`, a multiple of 8, and tells how many there were; what is
    /// missing stays or becomes zero.
    ///
    /// If the bytes are live, aligned words as wide as the writer's must be copied whole. (Offset
    /// and buffer are equal modulo 8, so that the kernel's copy does.)
    ///
    /// # Errors
    /// If they cannot be had. The end of the bytes is no error.
    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, Self::Error>;

    /// Orders the copies before it and the copies behind it.
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

/// Room for copies of a region, each from the region's start: two for everything, one for what has
/// to be seen twice.
///
/// A sample is taken in passes, [`Source::fence`] between them:
/// 1. the header, into `header`;
/// 2. everything, into `pass1`: words and constants count as they are here, and of latches the
///    sequence;
/// 3. latched values, into `pass2`;
/// 4. the header and the sequences once more, into `pass3`.
#[derive(Debug)]
pub struct ReadBuffers<'b> {
    header: &'b mut [u64],
    pass1: &'b mut [u64],
    pass2: &'b mut [u64],
    pass3: &'b mut [u64],
}

/// Which parts of a region a sample needs, once its layout is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadPlan {
    /// From the first to the last value, in whole words of 8 bytes.
    pub start: usize,
    /// Where the last one ends.
    pub end: usize,
    /// Whether any of them is latched.
    pub latched: bool,
}

impl ReadPlan {
    /// The plan with one more field.
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

    /// A gap up to this before the values is read along with the header: that costs less than a
    /// second system call.
    const LARGE_GAP: usize = 16384;

    fn words(&self) -> Range<usize> {
        self.start / 8..self.end.div_ceil(8)
    }
}

/// Words of a header.
pub const HEADER_WORDS: usize = Header::SIZE.div_ceil(8);

impl<'b> ReadBuffers<'b> {
    /// Words of memory that images of a region of `length` bytes need.
    #[must_use]
    pub const fn words(length: usize) -> usize {
        HEADER_WORDS + 3 * length.div_ceil(8)
    }

    /// ReadBuffers in this memory, of a region as large as [`Self::words`] says. What it holds from an
    /// earlier sample counts as such.
    ///
    /// # Panics
    /// If it has not even [`Self::words`] of nothing.
    pub fn new(memory: &'b mut [u64]) -> Self {
        let (header, rest) = memory.split_at_mut(HEADER_WORDS);
        let third = rest.len() / 3;
        let (pass1, rest) = rest.split_at_mut(third);
        let (pass2, rest) = rest.split_at_mut(third);
        ReadBuffers { header, pass1, pass2, pass3: &mut rest[..third] }
    }

    /// Bytes that a region may have.
    #[must_use]
    pub fn capacity(&self) -> usize {
        8 * self.pass2.len()
    }

    /// First pass: the header. Tells how many bytes of it there were. What is being made anew at
    /// this time is not initialised.
    ///
    /// # Errors
    /// If the source fails.
    pub fn read_header<S: Source>(&mut self, source: &S) -> Result<usize, S::Error> {
        let mut there = source.read_at(0, self.header)?;
        // The generation of the first copy, the magic of the second and the rest of the third:
        // within a copy nothing is ordered, and in every other order the magic or `published` may
        // be of the region as it was, and the generation of what it is becoming.
        for _ in 0..2 {
            if !self.header().starts_with(&MAGIC)
                || self.header()[core::mem::offset_of!(Header, flags)] & IMMUTABLE_LAYOUT != 0
            {
                break;
            }
            let generation = self.generation();
            source.fence();
            there = source.read_at(0, self.header)?;
            if self.generation() != generation {
                self.header[0] = 0;
            }
        }
        Ok(there)
    }

    fn generation(&self) -> [u8; 4] {
        core::array::from_fn(|i| self.header()[Header::GENERATION + i])
    }

    /// What [`Self::read_header`] found.
    #[must_use]
    #[inline]
    pub fn header(&self) -> &[u8] {
        self.header.as_bytes()
    }

    /// Whether the header was this one, to the last bit, in the first pass.
    #[must_use]
    #[inline]
    pub fn header_is(&self, head: &[u64; HEADER_WORDS]) -> bool {
        *self.header == *head
    }

    /// The same in the first pass and in the last.
    #[must_use]
    #[inline]
    pub fn header_remained(&self, head: &[u64; HEADER_WORDS]) -> bool {
        self.header_is(head) && self.pass3.get(..HEADER_WORDS).is_some_and(|after| *after == *head)
    }

    /// Second pass over a region whose layout is not known yet: all `length` bytes, or as many as
    /// there are.
    ///
    /// # Errors
    /// If the source fails.
    pub fn read_all<S: Source>(&mut self, source: &S, length: usize) -> Result<&[u8], S::Error> {
        source.fence();
        let there = copy(source, self.pass1, 0..length.div_ceil(8))?;
        Ok(&self.pass1.as_bytes()[..there.min(length)])
    }

    /// What [`Self::read_all`] or [`Self::read_single_pass`] found.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.pass1.as_bytes()
    }

    /// The passes behind [`Self::read_all`]; tells whether the bytes were all there.
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
            if plan.start <= ReadPlan::LARGE_GAP {
                return self.last(source, 0..plan.words().end, plan);
            }
            if !self.last(source, plan.words(), plan)? {
                return Ok(false);
            }
        }
        let head = copy(source, self.pass3, 0..HEADER_WORDS)?;
        Ok(head == Header::SIZE)
    }

    fn last<S: Source>(
        &mut self,
        source: &S,
        words: Range<usize>,
        plan: &ReadPlan,
    ) -> Result<bool, S::Error> {
        let start = words.start * 8;
        Ok(copy(source, self.pass3, words)? + start >= plan.end)
    }

    /// The only pass over a region that says it is settled, and has a known layout without latched
    /// fields; tells whether the bytes were all there.
    ///
    /// # Errors
    /// If the source fails.
    #[inline]
    pub fn read_single_pass<S: Source>(
        &mut self,
        source: &S,
        plan: &ReadPlan,
    ) -> Result<bool, S::Error> {
        if plan.start > ReadPlan::LARGE_GAP || self.pass1.len() < HEADER_WORDS {
            source.read_at(0, self.header)?;
            return Ok(copy(source, self.pass1, plan.words())? + plan.start >= plan.end);
        }
        let there = copy(source, self.pass1, 0..plan.words().end.max(HEADER_WORDS))?;
        self.header.copy_from_slice(&self.pass1[..HEADER_WORDS]);
        Ok(there >= plan.end)
    }

    /// All passes over a region whose layout is known; tells whether the bytes were all there.
    /// Parts outside the plan keep what they held.
    ///
    /// # Errors
    /// If the source fails.
    #[inline]
    pub fn sample<S: Source>(&mut self, source: &S, plan: &ReadPlan) -> Result<bool, S::Error> {
        if plan.latched && plan.start <= ReadPlan::LARGE_GAP && self.pass1.len() >= HEADER_WORDS {
            // Words may be as old as the sequences, so header and words can be one copy.
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

    /// The same, but each latch by itself, again and again if need be: for memory that can be
    /// looked at in no time. What stays contended says so in its value.
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
        let there = copy(source, self.pass1, plan.words())? + plan.start >= plan.end;
        for location in latched {
            self.read_latch(source, location, ATTEMPTS)?;
        }
        source.fence();
        Ok(copy(source, self.pass3, 0..HEADER_WORDS)? == Header::SIZE && there)
    }

    /// Reads one latch again, up to so many times, until its writer leaves it alone for long
    /// enough; tells whether it did.
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
            let good =
                read_u32(self.pass1.as_bytes(), location.sequence(), location.swapped) as usize & 1;
            let buffer = location.offset as usize + good * stride;
            copy(source, self.pass2, buffer / 8..(buffer + stride).div_ceil(8))?;
            source.fence();
            copy(source, self.pass3, sequence..sequence + 1)?;
            if same_sequence(self.pass1.as_bytes(), self.pass3.as_bytes(), location).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The header once more, after latches were read again: whether the region was still valid, and
    /// the same.
    ///
    /// # Errors
    /// If the source fails.
    pub fn recheck_header<S: Source>(&mut self, source: &S) -> Result<bool, S::Error> {
        source.fence();
        copy(source, self.pass3, 0..HEADER_WORDS)?;
        Ok(self.snapshot().is_consistent())
    }

    /// What the images hold, for as long as their memory.
    #[must_use]
    #[inline]
    pub fn into_snapshot(self) -> Snapshot<'b> {
        let ReadBuffers { header, pass1, pass2, pass3 } = self;
        Snapshot {
            header: header.as_bytes(),
            pass1: pass1.as_bytes(),
            pass2: pass2.as_bytes(),
            pass3: pass3.as_bytes(),
        }
    }

    /// What the images hold.
    #[must_use]
    #[inline]
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            header: self.header.as_bytes(),
            pass1: self.pass1.as_bytes(),
            pass2: self.pass2.as_bytes(),
            pass3: self.pass3.as_bytes(),
        }
    }
}

#[inline]
fn copy<S: Source>(source: &S, image: &mut [u64], words: Range<usize>) -> Result<usize, S::Error> {
    let words = words.start..words.end.min(image.len());
    let at = words.start * 8;
    image.get_mut(words).map_or(Ok(0), |to| source.read_at(at, to))
}
