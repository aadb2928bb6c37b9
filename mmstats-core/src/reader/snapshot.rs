//! Values from copies of a region.

use super::entry::{Storage, ValueLocation};
use super::error::ValueError;
use super::value::{self, Value};
use crate::format::MAGIC;
use crate::format::v2::Header;
use crate::kind::Type;
use zerocopy::IntoBytes;

/// The values of a region at one time.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'b> {
    pub(super) header: &'b [u8],
    pub(super) pass1: &'b [u8],
    pub(super) pass2: &'b [u8],
    pub(super) pass3: &'b [u8],
}

impl<'b> Snapshot<'b> {
    #[inline]
    pub(super) fn new(copies: [&'b [u64]; 4]) -> Self {
        let [header, pass1, pass2, pass3] = copies.map(IntoBytes::as_bytes);
        Snapshot { header, pass1, pass2, pass3 }
    }

    /// Creates a snapshot of bytes that are not written any more: a dump, a file whose writer has
    /// ended.
    #[must_use]
    pub fn from_static_bytes(bytes: &'b [u8]) -> Self {
        Snapshot { header: bytes, pass1: bytes, pass2: bytes, pass3: bytes }
    }

    /// Returns all bytes that were read of the region.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.pass1
    }

    /// Returns `true` if a version 2 region was valid and of the same generation from the first
    /// pass to the last. Otherwise the snapshot must be discarded.
    #[must_use]
    #[inline]
    pub fn is_consistent(&self) -> bool {
        let [Some(first), Some(last)] =
            [self.header, self.pass3].map(|pass| pass.first_chunk::<{ Header::SIZE }>())
        else {
            return false;
        };
        // From the magic to the check, and the generation. `layout` and `published` change when
        // fields are added.
        first.starts_with(&MAGIC)
            && first[..Header::LAYOUT] == last[..Header::LAYOUT]
            && first[Header::GENERATION..Header::PUBLISHED]
                == last[Header::GENERATION..Header::PUBLISHED]
    }

    /// Returns `true` if a latched value was written between the passes, so that
    /// [`ReadBuffers::read_latch`](super::ReadBuffers::read_latch) has to read it again.
    #[must_use]
    pub fn is_contended(&self, location: &ValueLocation) -> bool {
        location.is_latched() && same_sequence(self.pass1, self.pass3, location).is_none()
    }

    /// Returns the value of a field.
    ///
    /// # Errors
    /// If it was being written, or the bytes end before it.
    #[inline(always)]
    pub fn value(&self, location: &ValueLocation) -> Result<Value<'b>, ValueError> {
        // Inlined for words, the common case; the rest is not, to keep callers small.
        if location.storage == Storage::Word {
            let bytes =
                value::bytes_at(self.pass1, location.offset as usize, location.size as usize)?;
            return Ok(value::decode(bytes, location.ty, location.swapped));
        }
        self.other_value(location)
    }

    /// Returns the value of a field as a number, fast enough for many; `None` for texts, histograms
    /// and errors.
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
                value::bytes_at(self.pass1, offset, size)?
            }
            Storage::Latched => self.latched(location, size)?,
            Storage::Double => {
                let next_to_write = value::bytes_at(self.pass1, offset - 1, 1)?[0];
                let buffer = if next_to_write & 1 == 0 { 1 } else { 0 };
                value::bytes_at(self.pass1, offset + buffer * size, size)?
            }
            Storage::Histogram { .. } => return self.histogram(location),
        };
        Ok(value::decode(bytes, location.ty, location.swapped))
    }

    fn latched(&self, location: &ValueLocation, size: usize) -> Result<&'b [u8], ValueError> {
        value::bytes_at(self.pass2, location.sequence(), size_of::<u32>())?;
        let sequence =
            same_sequence(self.pass1, self.pass3, location).ok_or(ValueError::Contended)?;
        value::bytes_at(
            self.pass2,
            location.offset as usize + (sequence & 1) as usize * location.stride(),
            size,
        )
    }

    fn histogram(&self, location: &ValueLocation) -> Result<Value<'b>, ValueError> {
        let sum = if location.is_latched() {
            self.latched(location, 8)?
        } else {
            value::bytes_at(self.pass1, location.offset as usize, 8)?
        };
        let Value::Unsigned(sum) = value::decode(sum, Type::U64, location.swapped) else {
            return Err(ValueError::CutOff);
        };
        value::distribution(location, sum, self.pass1)
    }
}

#[inline]
pub(super) fn read_u32(copy: &[u8], at: usize, swapped: bool) -> u32 {
    let bytes =
        copy.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
    let number = u32::from_ne_bytes(bytes);
    if swapped { number.swap_bytes() } else { number }
}

#[inline]
pub(super) fn same_sequence(first: &[u8], last: &[u8], location: &ValueLocation) -> Option<u32> {
    let [first, last] =
        [first, last].map(|pass| read_u32(pass, location.sequence(), location.swapped));
    (first == last).then_some(first)
}
