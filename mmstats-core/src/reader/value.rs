//! Values, decoded from copies of a region.

use super::entry::{Storage, ValueLocation};
use super::error::ValueError;
use crate::format::histogram;
use crate::kind::Type;

/// Reads a number at the beginning of some bytes, in this machine's byte order or the other one; 0
/// if they are too few.
macro_rules! number {
    ($type:ty, $bytes:expr, $swapped:expr) => {{
        let number = $bytes.first_chunk().copied().map_or(0, <$type>::from_ne_bytes);
        if $swapped { number.swap_bytes() } else { number }
    }};
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'b> {
    /// True or false.
    Bool(bool),
    /// An unsigned integer of any width.
    Unsigned(u64),
    /// A signed integer of any width.
    Signed(i64),
    /// A floating-point number of any width.
    Float(f64),
    /// Text, which contains NULs only if its type is [`Pascal`](Type::Pascal); UTF-8 if the writer
    /// followed the format, see [`Lossy`](super::Lossy).
    Text(&'b [u8]),
    /// A distribution.
    Histogram(Distribution<'b>),
}

impl Value<'_> {
    /// Returns the value as a number; `None` for texts and distributions.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        Some(match *self {
            Value::Bool(value) => f64::from(u8::from(value)),
            Value::Unsigned(value) => value as f64,
            Value::Signed(value) => value as f64,
            Value::Float(value) => value,
            Value::Text(_) | Value::Histogram(_) => return None,
        })
    }
}

/// The values recorded by a histogram. Its count is the sum of its buckets; its sum may lack the
/// record in progress.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution<'b> {
    /// The sum of all recorded values, wrapping.
    pub sum: u64,
    grouping_power: u32,
    max_power: u32,
    ty: Type,
    swapped: bool,
    buckets: &'b [u8],
}

impl<'b> Distribution<'b> {
    /// Returns the grouping power: there are `2^grouping_power` buckets for each doubling.
    #[must_use]
    pub fn grouping_power(&self) -> u32 {
        self.grouping_power
    }

    /// Returns the maximum power: values of `2^max_power` and more share the last bucket.
    #[must_use]
    pub fn max_power(&self) -> u32 {
        self.max_power
    }

    /// Returns the number of recorded values; `u64::MAX` if there are more.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts().fold(0, u64::saturating_add)
    }

    /// Returns the buckets that are not empty: smallest value, largest value (`None` for the last
    /// bucket, which has no bound) and count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, Option<u64>, u64)> + Clone + 'b {
        let (p, n) = (self.grouping_power, self.max_power);
        self.counts().enumerate().filter(|(_, count)| *count > 0).map(move |(i, count)| {
            let (low, high) = histogram::bounds(p, n, i);
            (low, high, count)
        })
    }

    /// Returns the value below which a fraction of the recorded values lies, as [`quantile`] does.
    #[must_use]
    pub fn quantile(&self, fraction: f64) -> Option<u64> {
        quantile(self.buckets(), fraction)
    }

    fn counts(&self) -> impl Iterator<Item = u64> + Clone + 'b {
        let (ty, swapped) = (self.ty, self.swapped);
        let width = if ty == Type::U64 { 8 } else { 4 };
        self.buckets.chunks_exact(width).map(move |bytes| match ty {
            Type::U64 => number!(u64, bytes, swapped),
            _ => number!(u32, bytes, swapped).into(),
        })
    }
}

/// Returns the value below which a fraction of all values lies, from ascending buckets as
/// [`Distribution::buckets`] returns them: the middle of its bucket, or the lower bound of the last
/// one. `None` if there are no values.
#[must_use]
pub fn quantile(
    buckets: impl Iterator<Item = (u64, Option<u64>, u64)> + Clone,
    fraction: f64,
) -> Option<u64> {
    // Floats, because the sum of counts in damaged buckets may overflow an integer.
    let total: f64 = buckets.clone().map(|(_, _, count)| count as f64).sum();
    let rank = fraction.clamp(0.0, 1.0) * total;
    let mut below = 0.0;
    let mut last = None;
    for (low, high, count) in buckets {
        below += count as f64;
        last = Some(high.map_or(low, |high| low + (high - low) / 2));
        if below >= rank {
            break;
        }
    }
    last
}

/// Returns `size` bytes at an offset of a copy.
#[inline(always)]
pub(super) fn bytes_at(copy: &[u8], offset: usize, size: usize) -> Result<&[u8], ValueError> {
    copy.get(offset..).and_then(|rest| rest.get(..size)).ok_or(ValueError::CutOff)
}

/// Decodes the bytes of a value.
#[inline(always)]
pub(super) fn decode(bytes: &[u8], ty: Type, swapped: bool) -> Value<'_> {
    match ty {
        Type::U64 => Value::Unsigned(number!(u64, bytes, swapped)),
        Type::U32 => Value::Unsigned(number!(u32, bytes, swapped).into()),
        Type::F64 => Value::Float(f64::from_bits(number!(u64, bytes, swapped))),
        Type::I64 => Value::Signed(number!(i64, bytes, swapped)),
        Type::I32 => Value::Signed(number!(i32, bytes, swapped).into()),
        Type::U16 => Value::Unsigned(number!(u16, bytes, swapped).into()),
        Type::I16 => Value::Signed(number!(i16, bytes, swapped).into()),
        Type::U8 => Value::Unsigned(number!(u8, bytes, swapped).into()),
        Type::I8 => Value::Signed(number!(i8, bytes, swapped).into()),
        Type::Bool => Value::Bool(number!(u8, bytes, swapped) != 0),
        Type::F32 => Value::Float(f32::from_bits(number!(u32, bytes, swapped)).into()),
        Type::F16 => Value::Float(half(number!(u16, bytes, swapped))),
        Type::Text => Value::Text(bytes.split(|byte| *byte == 0).next().unwrap_or_default()),
        Type::Pascal => {
            let (length, text) = bytes.split_first().unwrap_or((&0, &[]));
            Value::Text(&text[..text.len().min(usize::from(*length))])
        }
    }
}

/// Decodes the block of a histogram.
pub(super) fn distribution<'b>(
    location: &ValueLocation,
    sum: u64,
    copy: &'b [u8],
) -> Result<Value<'b>, ValueError> {
    let Storage::Histogram { grouping_power, max_power } = location.storage else {
        return Err(ValueError::CutOff);
    };
    let block = bytes_at(copy, location.offset as usize, location.size as usize)?;
    // The sum is first; if it is wider than a word, it has two buffers and a sequence.
    let buckets = block.get(if location.word == 4 { 20 } else { 8 }..).ok_or(ValueError::CutOff)?;
    Ok(Value::Histogram(Distribution {
        sum,
        grouping_power: grouping_power.into(),
        max_power: max_power.into(),
        ty: location.ty,
        swapped: location.swapped,
        buckets,
    }))
}

/// Decodes IEEE 754 half precision.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (bits >> 10 & 0x1f, f64::from(bits & 0x3ff));
    let power = |exponent: i32| f64::from_bits(((1023 + exponent) as u64) << 52);
    sign * match exponent {
        0 => fraction * power(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * power(i32::from(exponent) - 25),
    }
}
