//! A writer without its format as a type, so that its code is there once.

use super::Placer;
use super::entry::{Content, Entry, Write, v1_end, v1_next};
use super::error::{AddError, excerpt};
use crate::format::layout::{self, Cursor, FieldDef, ValueLayout};
use crate::format::v2::{BYTE_ORDER, EntryHeader, Header, SETTLED};
use crate::format::{MAGIC, Version, crc32};
use crate::protocol;
use crate::region::{RawRegion, Slot};
use zerocopy::IntoBytes;

/// A writer without its format as a type, so that its code is there once.
pub(super) struct Base<'p> {
    region: RawRegion,
    version: Version,
    write: Write,
    pub(super) cursor: Cursor,
    /// Where the visible entries end; what is added below this resumes.
    published: usize,
    /// CRC of the entries up to `cursor`.
    pub(super) layout: u32,
    /// Version 1: the first label size of what is not visible yet.
    first_size: [u8; 2],
    /// Whether constants that are there stay, whatever they would be now.
    pub(super) keep_constants: bool,
    pub(super) prefix: &'p str,
}

impl<'p> Base<'p> {
    #[inline(always)]
    pub(super) fn anew(
        region: RawRegion,
        version: Version,
        word: usize,
        flags: u8,
    ) -> Result<Base<'p>, AddError> {
        let length = region.len();
        let needed = match version {
            Version::Two => Header::SIZE,
            Version::One | Version::OneExact => 1 + layout::V1_END,
        };
        if length < needed {
            return Err(AddError::Full { length });
        }
        match version {
            Version::Two => {
                region.validity().begin_anew();
                let header = header(length, word, flags, Header::SIZE as u64);
                // The generation stands between them and is not touched.
                region.write(8, &header.as_bytes()[8..Header::GENERATION]);
                region.zero(Header::PUBLISHED, 4);
                region.validity().finish_anew();
            }
            Version::One | Version::OneExact => {
                region.zero(0, needed);
                region.write(0, &[1]);
            }
        }
        let cursor = Cursor::new(version, length);
        Ok(Base {
            region,
            version,
            write: write_of(version),
            cursor,
            published: cursor.low,
            layout: 0,
            first_size: [0; 2],
            keep_constants: false,
            prefix: "",
        })
    }

    pub(super) fn resume(
        region: RawRegion,
        version: Version,
        word: usize,
    ) -> Result<Base<'p>, AddError> {
        let length = region.len();
        let cursor = Cursor::new(version, length);
        let published = match version {
            Version::Two if length >= Header::SIZE => {
                let [flags] = region.read(core::mem::offset_of!(Header, flags));
                let header = header(length, word, flags & SETTLED, Header::SIZE as u64);
                let published = u32::from_ne_bytes(region.read(Header::PUBLISHED)) as usize;
                let ours = region.equals(0, &MAGIC)
                    && region.equals(MAGIC.len(), &header.as_bytes()[MAGIC.len()..Header::LAYOUT]);
                (ours && published <= length - Header::SIZE).then_some(Header::SIZE + published)
            }
            Version::One | Version::OneExact if length > layout::V1_END => {
                region.equals(0, &[1]).then(|| v1_end(&region)).flatten()
            }
            _ => None,
        };
        match published {
            Some(published) => Ok(Base {
                region,
                version,
                write: write_of(version),
                cursor,
                published,
                layout: 0,
                first_size: [0; 2],
                keep_constants: false,
                prefix: "",
            }),
            None => Err(AddError::LayoutDiffers),
        }
    }

    /// Whether what was added is what the region held, to the last byte of the directory and its
    /// check.
    pub(super) fn is_exactly_as_before(&self) -> bool {
        let checked = match self.version {
            Version::Two => self.region.equals(Header::LAYOUT, &self.layout.to_ne_bytes()),
            Version::One | Version::OneExact => true,
        };
        checked && self.cursor.low == self.published
    }

    /// Whether a description made at run time may be added.
    pub(super) fn check(&self, description: &FieldDef) -> Result<(), AddError> {
        let help = layout::help_length(description.help);
        let unit = description.unit.name;
        if help > layout::MAX_HELP {
            return Err(AddError::TextTooLong { length: help });
        }
        if unit.len() > layout::MAX_UNIT {
            return Err(AddError::TextTooLong { length: unit.len() });
        }
        if [self.prefix, description.prefix, description.label, unit]
            .iter()
            .chain(description.help)
            .any(|text| text.contains('\0'))
        {
            return Err(AddError::Nul);
        }
        for shape in description.shapes {
            let parts = [self.prefix, description.prefix, description.label, shape.suffix];
            let length = parts.iter().map(|part| part.len()).sum();
            if length == 0 {
                return Err(AddError::EmptyLabel);
            }
            if length > layout::MAX_LABEL {
                return Err(AddError::LabelTooLong { length });
            }
            if self.holds(&parts, length) {
                return Err(AddError::DuplicateLabel { label: excerpt(&parts) });
            }
        }
        Ok(())
    }

    /// Whether there is an entry with this label up to the cursor.
    fn holds(&self, parts: &[&str], length: usize) -> bool {
        let mut at = Cursor::new(self.version, self.region.len()).low;
        while at < self.cursor.low {
            let label = match self.version {
                Version::Two => at + EntryHeader::SIZE,
                Version::One | Version::OneExact => at + 2,
            };
            if self.label_length(at) == length && self.equals_parts(label, parts) {
                return true;
            }
            let next = match self.version {
                // In a forked child, or if somebody else wrote here, it need not be an entry any
                // more.
                Version::Two => Some(u32::from_ne_bytes(self.region.read(at)) as usize)
                    .filter(|length| *length >= EntryHeader::SIZE)
                    .map(|length| at + length),
                Version::One | Version::OneExact => v1_next(&self.region, at),
            };
            let Some(next) = next else { return false };
            at = next;
        }
        false
    }

    fn label_length(&self, entry: usize) -> usize {
        let at = match self.version {
            Version::Two => entry + core::mem::offset_of!(EntryHeader, label),
            Version::One | Version::OneExact => entry,
        };
        u16::from_ne_bytes(self.region.read(at)) as usize
    }

    fn equals_parts(&self, mut at: usize, parts: &[&str]) -> bool {
        parts.iter().all(|part| {
            let equal = self.region.equals(at, part.as_bytes());
            at += part.len();
            equal
        })
    }

    /// Whether what is added next was here before.
    pub(super) fn resuming(&self) -> bool {
        self.cursor.low < self.published
    }

    /// Makes the entries up to the cursor visible.
    pub(super) fn publish(&mut self) {
        if self.cursor.low < self.published {
            return;
        }
        match self.version {
            Version::Two => {
                // Also when all is as before: a writer that died between the two stores left
                // `layout` ahead.
                let length = (self.cursor.low - Header::SIZE) as u32;
                protocol::publish(
                    self.region.word(Header::LAYOUT),
                    self.layout,
                    self.region.word(Header::PUBLISHED),
                    length,
                );
                self.published = self.cursor.low;
            }
            Version::One | Version::OneExact if self.cursor.low > self.published => {
                self.publish_v1(self.published)
            }
            Version::One | Version::OneExact => {}
        }
    }

    /// The label sizes behind the first were written with their entries: a reader does not come to
    /// them before the first is there.
    fn publish_v1(&mut self, from: usize) {
        self.region.zero(self.cursor.low, layout::V1_END);
        protocol::between_passes();
        self.region.write(from + 1, &self.first_size[1..]);
        self.region.write(from, &self.first_size[..1]);
        self.published = self.cursor.low;
    }
}

impl Placer for Base<'_> {
    type About<'d> = &'d FieldDef<'d>;

    fn about<'d>(description: &'d FieldDef<'d>) -> &'d FieldDef<'d> {
        description
    }

    fn resuming(&self) -> bool {
        Base::resuming(self)
    }

    /// Writes its entry, too. It appears with `publish`.
    #[inline(never)]
    fn place(
        &mut self,
        description: &FieldDef<'_>,
        shape: &ValueLayout,
        mut constant: Option<&mut [u8]>,
    ) -> Result<Slot, AddError> {
        let resuming = self.resuming();
        let full = AddError::Full { length: self.region.len() };
        let placed = self.cursor.place(description, shape, self.prefix.len()).ok_or(full)?;
        let in_entry = constant.is_some() && self.version == Version::Two;
        let (room, align) = if in_entry { (0, 1) } else { (shape.room, shape.align) };
        if !resuming {
            self.region.zero(placed.value, room);
        }
        let label = [self.prefix, description.prefix, description.label, shape.suffix];
        if let (Some(constant), true, true) =
            (constant.as_deref_mut(), resuming, self.keep_constants)
        {
            for (i, byte) in constant.iter_mut().enumerate() {
                *byte = self.region.get(placed.value + i).ok_or(AddError::LayoutDiffers)?;
            }
        }
        let constant = constant.as_deref();
        let mut entry =
            Entry { region: &self.region, at: placed.entry, crc: self.layout, compare: resuming };
        let hide = !resuming && placed.entry == self.published;
        let size = (self.write)(
            &mut entry,
            &Content { label, description, shape, placed: &placed, constant, hide },
        )?;
        self.layout = entry.crc;
        if hide {
            self.first_size = size;
        }
        if resuming && self.cursor.low > self.published {
            return Err(AddError::LayoutDiffers);
        }
        Ok(self.region.slot(placed.value, room, align))
    }
}

#[inline(always)]
fn write_of(version: Version) -> Write {
    match version {
        Version::Two => |entry, content| entry.version_2(content),
        Version::One | Version::OneExact => |entry, content| entry.version_1(content),
    }
}

/// The header of a region made by this program, but for what changes, and without its magic: a
/// whole one that stays behind on the stack would look like a region to those who scan memory.
pub(super) fn header(length: usize, word: usize, flags: u8, directory: u64) -> Header {
    let mut header = Header {
        magic: [0; 8],
        byte_order: BYTE_ORDER,
        word: word as u8,
        flags,
        length: length as u32,
        directory,
        check: 0,
        layout: 0,
        generation: 0,
        published: 0,
    };
    header.check = crc32(crc32(0, &MAGIC), &header.as_bytes()[MAGIC.len()..Header::CHECKED]);
    header
}
