//! Copies of a region that notice its writer.

use super::directory::Directory;
use super::entry::{Place, Storage};
use super::problem::{Problem, ReadError, ValueProblem};
use super::value::{self, Value};
use crate::format::v2::Header;
use crate::protocol::{ATTEMPTS, between_passes};
use crate::region::View;
use core::convert::Infallible;
use core::ops::Range;
use zerocopy::IntoBytes;

/// Where bytes come from: memory, a file, a debug probe.
pub trait Source {
    /// What can go wrong.
    type Error;

    /// Copies bytes from offset `at`, a multiple of 8, and tells how many there were; what is missing stays or becomes zero.
    ///
    /// If the bytes are live, aligned words as wide as the writer's must be copied whole. (Offset and buffer are equal modulo 8, so that the kernel's copy does.)
    ///
    /// # Errors
    /// If they cannot be had. The end of the bytes is no error.
    fn copy(&self, at: usize, to: &mut [u64]) -> Result<usize, Self::Error>;

    /// Orders the copies before it and the copies behind it.
    fn order(&self) {
        between_passes();
    }
}

impl Source for View<'_> {
    type Error = Infallible;

    #[inline]
    fn copy(&self, at: usize, to: &mut [u64]) -> Result<usize, Infallible> {
        Ok(View::copy(self, at, to))
    }

    #[inline]
    fn order(&self) {
        crate::protocol::between_copies();
    }
}

/// Room for three copies of a region, each from the region's start: before, now, and after.
#[derive(Debug)]
pub struct Images<'b> {
    before: &'b mut [u64],
    now: &'b mut [u64],
    after: &'b mut [u64],
}

/// Which parts of a region a sample needs, once its layout is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// From the first to the last value, in whole words of 8 bytes.
    pub start: usize,
    /// Where they end.
    pub end: usize,
    /// Whether any of them is latched.
    pub latched: bool,
}

impl Plan {
    /// The plan with one more field.
    #[must_use]
    pub fn with(self, place: &Place) -> Plan {
        if place.storage == Storage::Constant {
            return self;
        }
        let range = place.range();
        let (start, end) = (range.start & !7, range.end.next_multiple_of(8));
        let empty = self.end == 0;
        Plan { start: if empty { start } else { self.start.min(start) }, end: self.end.max(end), latched: self.latched || place.is_latched() }
    }
}

const HEADER: usize = Header::SIZE.div_ceil(8);

impl<'b> Images<'b> {
    /// Images in this memory: each has a third of it.
    pub fn new(memory: &'b mut [u64]) -> Self {
        let third = memory.len() / 3;
        let (before, rest) = memory.split_at_mut(third);
        let (now, rest) = rest.split_at_mut(third);
        Images { before, now, after: &mut rest[..third] }
    }

    /// Bytes that a region may have.
    #[must_use]
    pub fn room(&self) -> usize {
        8 * self.now.len()
    }

    /// Samples a version 2 region whose layout is known, for [`Self::snapshot`]. Parts outside the plan keep what they hold.
    ///
    /// # Errors
    /// If the source fails.
    #[inline]
    pub fn sample<S: Source>(&mut self, source: &S, plan: &Plan) -> Result<(), S::Error> {
        let end = plan.end / 8;
        let range = plan.start.min(plan.end) / 8..end.min(self.now.len());
        if !plan.latched {
            source.copy(0, &mut self.before[..HEADER])?;
            source.order();
            copy(source, self.now, range)?;
            source.order();
            source.copy(0, &mut self.after[..HEADER])?;
            return Ok(());
        }
        for (i, image) in [&mut *self.before, &mut *self.now, &mut *self.after].into_iter().enumerate() {
            if i > 0 {
                source.order();
            }
            // A small gap is read along: one copy is cheaper than two.
            if range.start <= 512 {
                copy(source, image, 0..range.end.max(HEADER))?;
            } else {
                copy(source, image, 0..HEADER)?;
                copy(source, image, range.clone())?;
            }
        }
        Ok(())
    }

    /// Samples words in one go and each latch by itself, for memory that can be looked at again and again; like [`Self::sample`] otherwise.
    ///
    /// # Errors
    /// If the source fails.
    #[inline]
    pub fn sample_each<'p, S: Source>(&mut self, source: &S, plan: &Plan, latched: impl Iterator<Item = &'p Place>) -> Result<(), S::Error> {
        self.sample(source, &Plan { latched: false, ..*plan })?;
        for place in latched {
            self.latch(source, place, ATTEMPTS)?;
        }
        // What the latches gave counts only if the region is still the same.
        source.order();
        source.copy(0, &mut self.after[..HEADER])?;
        Ok(())
    }

    /// Copies the whole region in three passes.
    fn whole<S: Source>(&mut self, source: &S, words: usize) -> Result<usize, S::Error> {
        copy(source, self.before, 0..words)?;
        source.order();
        copy(source, self.now, 0..words)?;
        source.order();
        copy(source, self.after, 0..words)
    }

    /// Reads one latch again, up to so many times, until its writer leaves it alone for long enough; tells whether it did.
    ///
    /// # Errors
    /// If the source fails.
    pub fn latch<S: Source>(&mut self, source: &S, place: &Place, attempts: usize) -> Result<bool, S::Error> {
        let sequence = place.sequence() / 8;
        let stride = place.stride();
        for _ in 0..attempts {
            copy(source, self.before, sequence..sequence + 1)?;
            source.order();
            let good = read_u32(self.before.as_bytes(), place.sequence(), place.swapped) as usize & 1;
            let buffer = place.offset as usize + good * stride;
            copy(source, self.now, buffer / 8..(buffer + stride).div_ceil(8))?;
            source.order();
            copy(source, self.after, sequence..sequence + 1)?;
            if same_sequence(self.before.as_bytes(), self.after.as_bytes(), place).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the images hold.
    #[must_use]
    #[inline]
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { before: self.before.as_bytes(), now: self.now.as_bytes(), after: self.after.as_bytes() }
    }
}

#[inline]
fn copy<S: Source>(source: &S, image: &mut [u64], words: Range<usize>) -> Result<usize, S::Error> {
    let words = words.start..words.end.min(image.len());
    let at = words.start * 8;
    image.get_mut(words).map_or(Ok(0), |to| source.copy(at, to))
}

fn read_u32(image: &[u8], at: usize, swapped: bool) -> u32 {
    let bytes = image.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
    let number = u32::from_ne_bytes(bytes);
    if swapped { number.swap_bytes() } else { number }
}

fn same_sequence(before: &[u8], after: &[u8], place: &Place) -> Option<u32> {
    let [first, last] = [before, after].map(|image| read_u32(image, place.sequence(), place.swapped));
    (first == last).then_some(first)
}

/// Values of a region at one time.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'b> {
    before: &'b [u8],
    now: &'b [u8],
    after: &'b [u8],
}

impl<'b> Snapshot<'b> {
    /// Of bytes that nobody writes: a dump, a file whose writer is gone.
    #[must_use]
    pub fn of_dead(bytes: &'b [u8]) -> Self {
        Snapshot { before: bytes, now: bytes, after: bytes }
    }

    /// All that was read of the region.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.now
    }

    /// Whether a version 2 region was valid, and stayed the same region, from before to after. If it did not, nothing in here counts.
    #[must_use]
    #[inline]
    pub fn is_steady(&self) -> bool {
        // Magic to check; then the generation. `layout` and `published` between and behind them may grow.
        self.before[..Header::LAYOUT] == self.after[..Header::LAYOUT]
            && self.before[Header::GENERATION..Header::PUBLISHED] == self.after[Header::GENERATION..Header::PUBLISHED]
            && self.before.starts_with(&crate::format::MAGIC)
    }

    /// The header as it was before all else.
    #[must_use]
    #[inline]
    pub fn header(&self) -> &'b [u8] {
        &self.before[..Header::SIZE.min(self.before.len())]
    }

    /// A field's value.
    ///
    /// # Errors
    /// If it was being written all the time, or the bytes end before it.
    #[inline]
    pub fn value(&self, place: &Place) -> Result<Value<'b>, ValueProblem> {
        let (offset, size) = (place.offset as usize, place.size as usize);
        let bytes = match place.storage {
            Storage::Word | Storage::Constant | Storage::Single => value::at(self.now, offset, size)?,
            Storage::Latched => self.latched(place, size)?,
            Storage::Double => {
                let next_to_write = value::at(self.now, offset - 1, 1)?[0];
                let buffer = if next_to_write & 1 == 0 { 1 } else { 0 };
                value::at(self.now, offset + buffer * size, size)?
            }
            Storage::Histogram { .. } => return self.histogram(place),
        };
        Ok(value::decode(bytes, place.ty, place.swapped))
    }

    fn latched(&self, place: &Place, size: usize) -> Result<&'b [u8], ValueProblem> {
        value::at(self.now, place.sequence(), 4)?;
        let sequence = same_sequence(self.before, self.after, place).ok_or(ValueProblem::Contended)?;
        value::at(self.now, place.offset as usize + (sequence & 1) as usize * place.stride(), size)
    }

    fn histogram(&self, place: &Place) -> Result<Value<'b>, ValueProblem> {
        let sum = if place.is_latched() { self.latched(place, 8)? } else { value::at(self.now, place.offset as usize, 8)? };
        let Value::Unsigned(sum) = value::decode(sum, crate::kind::Type::U64, place.swapped) else { return Err(ValueProblem::CutOff) };
        value::distribution(place, sum, self.now)
    }
}

/// How often a region is read that is made anew meanwhile.
const TRIES: usize = 8;

/// Reads a whole region once, of any version.
///
/// # Errors
/// If the source fails, the bytes are not stats, or the images are too small for them.
pub fn read<'i, S: Source>(source: &S, images: &'i mut Images<'_>) -> Result<(Directory<'i>, Snapshot<'i>), ReadError<S::Error>> {
    let length = read_images(source, images)?;
    let snapshot = images.snapshot();
    let [before, now, after] = [snapshot.before, snapshot.now, snapshot.after].map(|image| &image[..length.min(image.len())]);
    let directory = Directory::open_with(now, before, None)?;
    Ok((directory, Snapshot { before, now, after }))
}

/// Fills the images with a steady copy, and tells how many bytes of it there are.
fn read_images<S: Source>(source: &S, images: &mut Images<'_>) -> Result<usize, ReadError<S::Error>> {
    let room = images.room();
    let head = HEADER.min(images.now.len());
    for _ in 0..TRIES {
        let length = source.copy(0, &mut images.before[..head]).map_err(ReadError::Source)?;
        let first = &images.before.as_bytes()[..length.min(8 * head)];
        let directory = Directory::open_with(first, first, None)?;
        let Some(header) = directory.header().copied() else {
            source.order();
            let length = source.copy(0, images.now).map_err(ReadError::Source)?;
            images.before.copy_from_slice(images.now);
            images.after.copy_from_slice(images.now);
            return Ok(length);
        };
        let needed = header.length as usize;
        if needed > room {
            return Err(ReadError::TooLarge { length: needed, room });
        }
        source.order();
        let length = images.whole(source, needed.div_ceil(8)).map_err(ReadError::Source)?;
        if length < Header::SIZE || images.snapshot().is_steady() {
            return Ok(length.min(needed));
        }
    }
    Err(ReadError::Problem(Problem::Contended))
}
