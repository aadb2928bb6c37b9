//! Writes entries byte by byte, and finds those of version 1 again.

use crate::add_error::AddError;
use crate::format::layout::{FieldDef, Placement, ValueLayout};
use crate::format::v2::checksum;
use crate::kind::{Access, Type};
use crate::region::Region;
use zerocopy::IntoBytes;

/// The write buffer index that means a single value.
const SINGLE: u8 = 0xff;

/// Writes an entry byte by byte; in a region that is resumed, compares it with the bytes there.
pub(super) struct EntryWriter<'b> {
    pub(super) region: &'b Region,
    pub(super) at: usize,
    pub(super) crc: u32,
    pub(super) compare: bool,
}

/// The number of parts of which a label is put together.
pub(super) const LABEL_PARTS: usize = 8;

/// The contents of an entry.
pub(super) struct EntryFields<'c> {
    pub(super) label: [&'c [u8]; LABEL_PARTS],
    pub(super) definition: &'c FieldDef<'c>,
    pub(super) layout: &'c ValueLayout,
    pub(super) placement: &'c Placement,
    pub(super) constant: Option<&'c [u8]>,
    /// Version 1: whether the label's size is written later.
    pub(super) hide: bool,
}

/// Writes an entry and returns the size of its label as version 1 stores it. A pointer, so that
/// only the code of used versions is linked.
pub(super) type WriteEntry =
    fn(&mut EntryWriter<'_>, &EntryFields<'_>) -> Result<[u8; 2], AddError>;

impl EntryWriter<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), AddError> {
        if !self.compare {
            self.region.write(self.at, bytes);
        } else if !self.region.equals(self.at, bytes) {
            return Err(AddError::LayoutDiffers);
        }
        self.at += bytes.len();
        self.crc = checksum(self.crc, bytes);
        Ok(())
    }

    fn put_all(&mut self, texts: &[&[u8]]) -> Result<(), AddError> {
        texts.iter().try_for_each(|text| self.put(text))
    }

    pub(super) fn version_2(&mut self, fields: &EntryFields<'_>) -> Result<[u8; 2], AddError> {
        let EntryFields { label, definition, layout, placement, constant, .. } = *fields;
        let length = label.iter().map(|part| part.len()).sum();
        let value = placement.value - if constant.is_some() { placement.entry } else { 0 };
        let head = definition.entry_header(layout, length, placement.length, value);
        self.put(head.as_bytes())?;
        self.put_all(&label)?;
        self.put(definition.unit_of(layout).name.as_bytes())?;
        for (i, line) in definition.help.iter().enumerate() {
            if i > 0 {
                self.put(b"\n")?;
            }
            self.put(line.as_bytes())?;
        }
        self.put(constant.unwrap_or_default())?;
        while self.at < placement.entry + placement.length {
            self.put(&[0])?;
        }
        Ok([0; 2])
    }

    pub(super) fn version_1(&mut self, fields: &EntryFields<'_>) -> Result<[u8; 2], AddError> {
        let EntryFields { label, layout, placement, constant, hide, .. } = *fields;
        let size = (label.iter().map(|part| part.len()).sum::<usize>() as u16).to_ne_bytes();
        self.put(if hide { &[0, 0] } else { &size })?;
        self.put_all(&label)?;
        let index = placement.value - 1;
        self.put(&((index - self.at - 2) as u16).to_ne_bytes())?;
        if layout.ty == Type::Text {
            self.put_decimal(layout.value_size)?;
        }
        self.put(&[layout.ty.letter()])?;
        while self.at < index {
            self.put(b" ")?;
        }
        match layout.access {
            // The index of a resumed field stays: it selects the current value.
            Access::Latched if self.compare => {}
            Access::Latched => self.put(&[0])?,
            Access::Word | Access::Constant => self.put(&[SINGLE])?,
        }
        if let Some(value) = constant {
            self.at = placement.value;
            self.put(value)?;
        }
        Ok(size)
    }

    fn put_decimal(&mut self, number: usize) -> Result<(), AddError> {
        let mut place = 10_usize.pow(number.checked_ilog10().unwrap_or(0));
        while place > 0 {
            self.put(&[b'0' + (number / place % 10) as u8])?;
            place /= 10;
        }
        Ok(())
    }
}

/// Returns the end of the entries; `None` if an entry is invalid.
pub(super) fn v1_end(region: &Region) -> Option<usize> {
    let mut at = 1;
    while v1_number(region, at)? > 0 {
        at = v1_next(region, at)?;
    }
    Some(at)
}

/// Returns the offset of the next entry. The bytes are untrusted: they come from the run before.
pub(super) fn v1_next(region: &Region, entry: usize) -> Option<usize> {
    let ty = entry + 2 + v1_number(region, entry)?;
    let index = ty + 2 + v1_number(region, ty)?;
    let (mut count, mut size) = (0_usize, None);
    for at in ty + 2..index {
        match region.get(at)? {
            digit @ b'0'..=b'9' => {
                count = count.checked_mul(10)?.checked_add((digit - b'0') as usize)?;
            }
            b's' => size = Some(count),
            letter => {
                size = size
                    .or(Type::from_letter(letter).and_then(Type::size).map(|bytes| bytes as usize));
            }
        }
    }
    let values = match region.get(index)? {
        SINGLE => size?,
        0 | 1 => size?.checked_mul(2)?,
        _ => return None,
    };
    (index + 1).checked_add(values)
}

fn v1_number(region: &Region, at: usize) -> Option<usize> {
    Some(u16::from_ne_bytes([region.get(at)?, region.get(at + 1)?]) as usize)
}
