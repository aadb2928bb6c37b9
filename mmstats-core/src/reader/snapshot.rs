//! Values out of copies of a region.

use super::entry::{Place, Storage};
use super::problem::ValueProblem;
use super::value::{self, Value};
use crate::format::MAGIC;
use crate::format::v2::Header;
use crate::kind::Type;

/// Values of a region at one time.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'b> {
    pub(super) head: &'b [u8],
    pub(super) before: &'b [u8],
    pub(super) now: &'b [u8],
    pub(super) after: &'b [u8],
}

impl<'b> Snapshot<'b> {
    /// Of bytes that nobody writes: a dump, a file whose writer is gone.
    #[must_use]
    pub fn of_dead(bytes: &'b [u8]) -> Self {
        Snapshot { head: bytes, before: bytes, now: bytes, after: bytes }
    }

    /// All that was read of the region.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.before
    }

    /// Whether a version 2 region was valid, and stayed the same region, from the first pass to the
    /// last. If it did not, nothing in here counts.
    #[must_use]
    #[inline]
    pub fn is_steady(&self) -> bool {
        let [Some(first), Some(last)] =
            [self.head, self.after].map(|image| image.first_chunk::<{ Header::SIZE }>())
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
    /// [`Images::latch`](super::Images::latch) has to read it again.
    #[must_use]
    pub fn is_contended(&self, place: &Place) -> bool {
        place.is_latched() && same_sequence(self.before, self.after, place).is_none()
    }

    /// A field's value.
    ///
    /// # Errors
    /// If it was being written all the time, or the bytes end before it.
    #[inline(always)]
    pub fn value(&self, place: &Place) -> Result<Value<'b>, ValueProblem> {
        // Most are words; the rest is not worth its code at each place of use.
        if place.storage == Storage::Word {
            let bytes = value::at(self.before, place.offset as usize, place.size as usize)?;
            return Ok(value::decode(bytes, place.ty, place.swapped));
        }
        self.other_value(place)
    }

    /// A field's value as a number, for those who add up many; `None` for texts and histograms, and
    /// for what cannot be shown.
    #[inline(always)]
    #[must_use]
    pub fn number(&self, place: &Place) -> Option<f64> {
        if place.storage == Storage::Word && !place.swapped {
            let bytes = self.before.get(place.offset as usize..)?;
            match place.ty {
                Type::U64 => return Some(u64::from_ne_bytes(*bytes.first_chunk()?) as f64),
                Type::F64 => return Some(f64::from_ne_bytes(*bytes.first_chunk()?)),
                Type::U32 => return Some(u32::from_ne_bytes(*bytes.first_chunk()?).into()),
                _ => {}
            }
        }
        self.other_value(place).ok()?.as_f64()
    }

    #[inline(never)]
    fn other_value(&self, place: &Place) -> Result<Value<'b>, ValueProblem> {
        let (offset, size) = (place.offset as usize, place.size as usize);
        let bytes = match place.storage {
            Storage::Word | Storage::Constant | Storage::PlacedConstant | Storage::Single => {
                value::at(self.before, offset, size)?
            }
            Storage::Latched => self.latched(place, size)?,
            Storage::Double => {
                let next_to_write = value::at(self.before, offset - 1, 1)?[0];
                let buffer = if next_to_write & 1 == 0 { 1 } else { 0 };
                value::at(self.before, offset + buffer * size, size)?
            }
            Storage::Histogram { .. } => return self.histogram(place),
        };
        Ok(value::decode(bytes, place.ty, place.swapped))
    }

    fn latched(&self, place: &Place, size: usize) -> Result<&'b [u8], ValueProblem> {
        value::at(self.now, place.sequence(), size_of::<u32>())?;
        let sequence =
            same_sequence(self.before, self.after, place).ok_or(ValueProblem::Contended)?;
        value::at(self.now, place.offset as usize + (sequence & 1) as usize * place.stride(), size)
    }

    fn histogram(&self, place: &Place) -> Result<Value<'b>, ValueProblem> {
        let sum = if place.is_latched() {
            self.latched(place, 8)?
        } else {
            value::at(self.before, place.offset as usize, 8)?
        };
        let Value::Unsigned(sum) = value::decode(sum, Type::U64, place.swapped) else {
            return Err(ValueProblem::CutOff);
        };
        value::distribution(place, sum, self.before)
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
pub(super) fn same_sequence(before: &[u8], after: &[u8], place: &Place) -> Option<u32> {
    let [first, last] =
        [before, after].map(|image| read_u32(image, place.sequence(), place.swapped));
    (first == last).then_some(first)
}
