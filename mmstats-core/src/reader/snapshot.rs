//! Values out of copies of a region.

use super::entry::{Storage, ValueLocation};
use super::error::ValueError;
use super::value::{self, Value};
use crate::format::MAGIC;
use crate::format::v2::Header;
use crate::kind::Type;

/// Values of a region at one time.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'b> {
    pub(super) header: &'b [u8],
    pub(super) pass1: &'b [u8],
    pub(super) pass2: &'b [u8],
    pub(super) pass3: &'b [u8],
}

impl<'b> Snapshot<'b> {
    /// Of bytes that nobody writes: a dump, a file whose writer is gone.
    #[must_use]
    pub fn from_static_bytes(bytes: &'b [u8]) -> Self {
        Snapshot { header: bytes, pass1: bytes, pass2: bytes, pass3: bytes }
    }

    /// All that was read of the region.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.pass1
    }

    /// Whether a version 2 region was valid, and stayed the same region, from the first pass to the
    /// last. If it did not, nothing in here counts.
    #[must_use]
    #[inline]
    pub fn is_consistent(&self) -> bool {
        let [Some(first), Some(last)] =
            [self.header, self.pass3].map(|image| image.first_chunk::<{ Header::SIZE }>())
        else {
            return false;
        };
        // Magic to check, and the generation. `layout` and `published`, between and behind them,
        // may grow.
        first.starts_with(&MAGIC)
            && first[..Header::LAYOUT] == last[..Header::LAYOUT]
            && first[Header::GENERATION..Header::PUBLISHED]
                == last[Header::GENERATION..Header::PUBLISHED]
    }

    /// Whether a latched value was written between the passes, so that
    /// [`ReadBuffers::latch`](super::ReadBuffers::latch) has to read it again.
    #[must_use]
    pub fn is_contended(&self, location: &ValueLocation) -> bool {
        location.is_latched() && same_sequence(self.pass1, self.pass3, location).is_none()
    }

    /// A field's value.
    ///
    /// # Errors
    /// If it was being written all the time, or the bytes end before it.
    #[inline(always)]
    pub fn value(&self, location: &ValueLocation) -> Result<Value<'b>, ValueError> {
        // Most are words; the rest is not worth its code at each place of use.
        if location.storage == Storage::Word {
            let bytes = value::at(self.pass1, location.offset as usize, location.size as usize)?;
            return Ok(value::decode(bytes, location.ty, location.swapped));
        }
        self.other_value(location)
    }

    /// A field's value as a number, for those who add up many; `None` for texts and histograms, and
    /// for what cannot be shown.
    #[inline(always)]
    #[must_use]
    pub fn number(&self, location: &ValueLocation) -> Option<f64> {
        if location.storage == Storage::Word && !location.swapped {
            let bytes = self.pass1.get(location.offset as usize..)?;
            match location.ty {
                Type::U64 => return Some(u64::from_ne_bytes(*bytes.first_chunk()?) as f64),
                Type::F64 => return Some(f64::from_ne_bytes(*bytes.first_chunk()?)),
                Type::U32 => return Some(u32::from_ne_bytes(*bytes.first_chunk()?).into()),
                _ => {}
            }
        }
        self.other_value(location).ok()?.as_f64()
    }

    #[inline(never)]
    fn other_value(&self, location: &ValueLocation) -> Result<Value<'b>, ValueError> {
        let (offset, size) = (location.offset as usize, location.size as usize);
        let bytes = match location.storage {
            Storage::Word | Storage::Constant | Storage::PlacedConstant | Storage::Single => {
                value::at(self.pass1, offset, size)?
            }
            Storage::Latched => self.latched(location, size)?,
            Storage::Double => {
                let next_to_write = value::at(self.pass1, offset - 1, 1)?[0];
                let buffer = if next_to_write & 1 == 0 { 1 } else { 0 };
                value::at(self.pass1, offset + buffer * size, size)?
            }
            Storage::Histogram { .. } => return self.histogram(location),
        };
        Ok(value::decode(bytes, location.ty, location.swapped))
    }

    fn latched(&self, location: &ValueLocation, size: usize) -> Result<&'b [u8], ValueError> {
        value::at(self.pass2, location.sequence(), size_of::<u32>())?;
        let sequence =
            same_sequence(self.pass1, self.pass3, location).ok_or(ValueError::Contended)?;
        value::at(
            self.pass2,
            location.offset as usize + (sequence & 1) as usize * location.stride(),
            size,
        )
    }

    fn histogram(&self, location: &ValueLocation) -> Result<Value<'b>, ValueError> {
        let sum = if location.is_latched() {
            self.latched(location, 8)?
        } else {
            value::at(self.pass1, location.offset as usize, 8)?
        };
        let Value::Unsigned(sum) = value::decode(sum, Type::U64, location.swapped) else {
            return Err(ValueError::CutOff);
        };
        value::distribution(location, sum, self.pass1)
    }
}

#[inline]
pub(super) fn read_u32(image: &[u8], at: usize, swapped: bool) -> u32 {
    let bytes =
        image.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
    let number = u32::from_ne_bytes(bytes);
    if swapped { number.swap_bytes() } else { number }
}

#[inline]
pub(super) fn same_sequence(before: &[u8], after: &[u8], location: &ValueLocation) -> Option<u32> {
    let [first, last] =
        [before, after].map(|image| read_u32(image, location.sequence(), location.swapped));
    (first == last).then_some(first)
}
