//! `defmt::Format` for entries, values and errors, so that a device can log them.
//! `targets/defmt-log` has a loop that logs all stats.

use super::{Distribution, Entry, EntryError, EntryErrorKind, Lossy, ReadError, Value};
use defmt::{Format, Formatter, write};

impl Format for Lossy<'_> {
    fn format(&self, f: Formatter<'_>) {
        for chunk in self.0.utf8_chunks() {
            write!(f, "{=str}", chunk.valid());
            if !chunk.invalid().is_empty() {
                write!(f, "{=char}", char::REPLACEMENT_CHARACTER);
            }
        }
    }
}

/// Label, kind and unit: `temperature (gauge, 1e-1 celsius)`, with a divisor after a slash: `angle
/// (gauge, 1/4096 ratio)`.
impl Format for Entry<'_> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "{} ({=str}", Lossy(self.label), self.kind.name());
        match (self.scale, self.divisor) {
            (0, 1) if self.unit.is_empty() => return write!(f, ")"),
            (0, 1) => write!(f, ", "),
            (0, divisor) => write!(f, ", 1/{=u32} ", divisor),
            (scale, 1) => write!(f, ", 1e{=i8} ", scale),
            (scale, divisor) => write!(f, ", 1e{=i8}/{=u32} ", scale, divisor),
        }
        write!(f, "{})", Lossy(self.unit));
    }
}

impl Format for Value<'_> {
    fn format(&self, f: Formatter<'_>) {
        match self {
            Value::Bool(value) => write!(f, "{=bool}", *value),
            Value::Unsigned(value) => write!(f, "{=u64}", *value),
            Value::Signed(value) => write!(f, "{=i64}", *value),
            Value::Float(value) => write!(f, "{=f64}", *value),
            Value::Text(value) => write!(f, "{}", Lossy(value)),
            Value::Histogram(value) => write!(f, "{}", value),
        }
    }
}

/// All buckets, because quantiles would cost a device too much: `count 3, sum 130, 40 to 47: 2, 48
/// to 55: 1`.
impl Format for Distribution<'_> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "count {=u64}, sum {=u64}", self.count(), self.sum);
        for (low, high, count) in self.buckets() {
            match high {
                Some(high) => write!(f, ", {=u64} to {=u64}: {=u64}", low, high, count),
                None => write!(f, ", {=u64} or more: {=u64}", low, count),
            }
        }
    }
}

impl<E: Format> Format for ReadError<E> {
    fn format(&self, f: Formatter<'_>) {
        match self {
            ReadError::Source(error) => write!(f, "{}", error),
            ReadError::Format(error) => write!(f, "{}", error),
            ReadError::TooLarge { length, capacity } => {
                write!(
                    f,
                    "TooLarge {{ length: {=usize}, capacity: {=usize} }}",
                    *length, *capacity
                );
            }
        }
    }
}

impl Format for EntryError<'_> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "\"{}\" at byte {=usize}: {}", Lossy(self.label), self.offset, self.kind);
    }
}

impl Format for EntryErrorKind<'_> {
    fn format(&self, f: Formatter<'_>) {
        match self {
            EntryErrorKind::CutShort { length } => {
                write!(f, "CutShort {{ length: {=usize} }}", *length);
            }
            EntryErrorKind::Length { found } => write!(f, "Length {{ found: {=u32} }}", *found),
            EntryErrorKind::EmptyLabel => write!(f, "EmptyLabel"),
            EntryErrorKind::Type { found } => write!(f, "Type {{ found: {} }}", Lossy(found)),
            EntryErrorKind::Access { found } => write!(f, "Access {{ found: {=u8} }}", *found),
            EntryErrorKind::WriteBuffer { found } => {
                write!(f, "WriteBuffer {{ found: {=u8} }}", *found);
            }
            EntryErrorKind::Size { found } => write!(f, "Size {{ found: {=u32} }}", *found),
            EntryErrorKind::ValueOffset { found } => {
                write!(f, "ValueOffset {{ found: {=u64:#x} }}", *found);
            }
            EntryErrorKind::Powers { grouping_power, max_power } => {
                write!(
                    f,
                    "Powers {{ grouping_power: {=u8}, max_power: {=u8} }}",
                    *grouping_power, *max_power
                );
            }
            EntryErrorKind::Published { found } => {
                write!(f, "Published {{ found: {=u32} }}", *found);
            }
            EntryErrorKind::Layout { found, computed } => {
                write!(f, "Layout {{ found: {=u32:#x}, computed: {=u32:#x} }}", *found, *computed);
            }
        }
    }
}
