//! Parses the fields of version 1, one after another.

use super::entry::{Entry, Storage, ValueLocation};
use super::error::{EntryError, EntryErrorKind};
use crate::bytes::ByteOrder;
use crate::kind::{Aggregation, Kind, Type};

/// The maximum number of bytes that a [`ValueLocation`] can address.
const MAX_BYTES: usize = u32::MAX as usize;

/// An iterator over the fields.
#[derive(Clone, Debug)]
pub(super) struct Walk<'b> {
    bytes: &'b [u8],
    at: usize,
    order: ByteOrder,
}

impl<'b> Walk<'b> {
    pub(super) fn new(bytes: &'b [u8], order: ByteOrder) -> Self {
        Walk { bytes: &bytes[..bytes.len().min(MAX_BYTES)], at: 1, order }
    }

    pub(super) fn next(&mut self) -> Option<Result<Entry<'b>, EntryError<'b>>> {
        let entry = self.at;
        // The fields also end where the bytes end instead of a label size.
        let label_size = self.read_u16(entry)?;
        if label_size == 0 {
            return None;
        }
        let mut label = &[][..];
        let field = self.parse_field(entry, label_size, &mut label);
        match &field {
            Ok(field) => self.at = field.location.range().end,
            Err(_) => self.at = self.bytes.len(),
        }
        Some(field.map_err(|kind| EntryError { offset: entry, label, kind }))
    }

    fn parse_field(
        &self,
        entry: usize,
        label_size: usize,
        label: &mut &'b [u8],
    ) -> Result<Entry<'b>, EntryErrorKind<'b>> {
        let cut_short = EntryErrorKind::CutShort { length: self.bytes.len() };
        *label = self.bytes.get(entry + 2..entry + 2 + label_size).ok_or(cut_short)?;
        let at = entry + 2 + label_size;
        let type_size = self.read_u16(at).ok_or(cut_short)?;
        let code = self.bytes.get(at + 2..at + 2 + type_size).ok_or(cut_short)?;
        let (ty, size, order) =
            parse_type(code, self.order).ok_or(EntryErrorKind::Type { found: code })?;
        let index = at + 2 + type_size;
        let storage = match self.bytes.get(index).ok_or(cut_short)? {
            0xff => Storage::Single,
            0 | 1 => Storage::Double,
            other => return Err(EntryErrorKind::WriteBuffer { found: *other }),
        };
        let location = ValueLocation {
            offset: index as u32 + 1,
            size,
            ty,
            storage,
            swapped: order.is_swapped(),
            word: 1,
        };
        if (index + 1) as u64 + 2 * u64::from(size) > MAX_BYTES as u64
            || location.range().end > self.bytes.len()
        {
            return Err(cut_short);
        }
        Ok(Entry {
            label,
            unit: b"",
            help: b"",
            kind: Kind::Untyped,
            scale: 0,
            divisor: 1,
            aggregation: Aggregation::Unspecified,
            kept: false,
            location,
        })
    }

    fn read_u16(&self, at: usize) -> Option<usize> {
        let bytes = [*self.bytes.get(at)?, *self.bytes.get(at + 1)?];
        Some(usize::from(match self.order {
            ByteOrder::Little => u16::from_le_bytes(bytes),
            ByteOrder::Big => u16::from_be_bytes(bytes),
        }))
    }
}

/// Guesses the byte order: the one in which all fields are valid, or else more of them; if both are
/// equal, that of this machine.
pub(super) fn guess_order(bytes: &[u8]) -> ByteOrder {
    let walk = |order| {
        let mut walk = Walk::new(bytes, order);
        let (mut fields, mut all_valid) = (0_usize, true);
        while let Some(field) = walk.next() {
            all_valid &= field.is_ok();
            fields += usize::from(field.is_ok());
        }
        (all_valid, fields)
    };
    let (native, other) = (ByteOrder::NATIVE, ByteOrder::NATIVE.other());
    let own = walk(native);
    if own.0 || own >= walk(other) { native } else { other }
}

/// Parses a `struct` format of one value (FORMAT.md, "Types"): its type, size and byte order.
fn parse_type(code: &[u8], native: ByteOrder) -> Option<(Type, u32, ByteOrder)> {
    let (order, standard_size, rest) = match code {
        [b'@', rest @ ..] => (native, false, rest),
        [b'=', rest @ ..] => (native, true, rest),
        [b'<', rest @ ..] => (ByteOrder::Little, true, rest),
        [b'>' | b'!', rest @ ..] => (ByteOrder::Big, true, rest),
        rest => (native, false, rest),
    };
    let rest = trim(rest);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let count = match digits {
        0 => None,
        _ => Some(core::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?),
    };
    let [letter] = rest[digits..] else { return None };
    let (ty, size) = match (letter, standard_size) {
        (b's', _) => (Type::Text, count.unwrap_or(1)),
        (b'p', _) => (Type::Pascal, count.unwrap_or(1)),
        _ if count.is_some_and(|count| count != 1) => return None,
        (b'c', _) => (Type::Text, 1),
        (b'e', _) => (Type::F16, 2),
        (b'l', true) => (Type::I32, 4),
        (b'L', true) => (Type::U32, 4),
        (b'l' | b'n', false) => (Type::I64, 8),
        (b'L' | b'N', false) => (Type::U64, 8),
        _ => {
            let ty = Type::from_letter(letter)?;
            (ty, ty.size()?)
        }
    };
    Some((ty, size, order))
}

/// Strips the white space at both ends.
fn trim(code: &[u8]) -> &[u8] {
    // As in C, with the vertical tab.
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = code.iter().take_while(|byte| is_space(byte)).count();
    let end = code.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &code[start..end]
}
