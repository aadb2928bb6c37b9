//! A writer without its format as a type, so that its code is there once.

use super::Allocator;
use super::entry::{EntryFields, EntryWriter, WriteEntry, v1_end, v1_next};
use super::error::{AddError, excerpt};
use crate::format::layout::{self, Cursor, FieldDef, ValueLayout};
use crate::format::v2::{BYTE_ORDER, EntryHeader, Header, IMMUTABLE_LAYOUT};
use crate::format::{MAGIC, Version, crc32};
use crate::protocol;
use crate::region::{RawRegion, Slot};
use zerocopy::IntoBytes;

/// A writer without its format as a type, so that its code is there once.
pub(super) struct RawWriter<'p> {
    region: RawRegion,
    version: Version,
    write: WriteEntry,
    pub(super) cursor: Cursor,
    /// Where the visible entries end; what is added below this resumes.
    published: usize,
    /// CRC of the entries up to `cursor`.
    pub(super) crc: u32,
    /// Version 1: the first label size of what is not visible yet.
    first_size: [u8; 2],
    /// Whether constants that are there stay, whatever they would be now.
    pub(super) keep_constants: bool,
    pub(super) prefix: &'p str,
}

impl<'p> RawWriter<'p> {
    #[inline(always)]
    pub(super) fn initialize(
        region: RawRegion,
        version: Version,
        word: usize,
        flags: u8,
    ) -> Result<RawWriter<'p>, AddError> {
        let length = region.len();
        let needed = match version {
            Version::V2 => Header::SIZE,
            Version::V1 | Version::V1Exact => 1 + layout::V1_END_BYTES,
        };
        if length < needed {
            return Err(AddError::Full { length });
        }
        match version {
            Version::V2 => {
                region.seqlock().write_begin();
                let header = header(length, word, flags, Header::SIZE as u64);
                // The generation stands between them and is not touched.
                region.write(8, &header.as_bytes()[8..Header::GENERATION]);
                region.zero(Header::PUBLISHED, 4);
                region.seqlock().write_end();
            }
            Version::V1 | Version::V1Exact => {
                region.zero(0, needed);
                region.write(0, &[1]);
            }
        }
        let cursor = Cursor::new(version, length);
        Ok(RawWriter {
            region,
            version,
            write: write_of(version),
            cursor,
            published: cursor.low,
            crc: 0,
            first_size: [0; 2],
            keep_constants: false,
            prefix: "",
        })
    }

    pub(super) fn resume(
        region: RawRegion,
        version: Version,
        word: usize,
    ) -> Result<RawWriter<'p>, AddError> {
        let length = region.len();
        let cursor = Cursor::new(version, length);
        let published = match version {
            Version::V2 if length >= Header::SIZE => {
                let [flags] = region.read(core::mem::offset_of!(Header, flags));
                let header = header(length, word, flags & IMMUTABLE_LAYOUT, Header::SIZE as u64);
                let published = u32::from_ne_bytes(region.read(Header::PUBLISHED)) as usize;
                let ours = region.equals(0, &MAGIC)
                    && region.equals(MAGIC.len(), &header.as_bytes()[MAGIC.len()..Header::LAYOUT]);
                (ours && published <= length - Header::SIZE).then_some(Header::SIZE + published)
            }
            Version::V1 | Version::V1Exact if length > layout::V1_END_BYTES => {
                region.equals(0, &[1]).then(|| v1_end(&region)).flatten()
            }
            _ => None,
        };
        match published {
            Some(published) => Ok(RawWriter {
                region,
                version,
                write: write_of(version),
                cursor,
                published,
                crc: 0,
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
            Version::V2 => self.region.equals(Header::LAYOUT, &self.crc.to_ne_bytes()),
            Version::V1 | Version::V1Exact => true,
        };
        checked && self.cursor.low == self.published
    }

    /// Whether a definition made at run time may be added.
    pub(super) fn check(&self, definition: &FieldDef) -> Result<(), AddError> {
        let help = layout::help_length(definition.help);
        let unit = definition.unit.name;
        if help > layout::MAX_HELP_BYTES {
            return Err(AddError::TextTooLong { length: help });
        }
        if unit.len() > layout::MAX_UNIT_BYTES {
            return Err(AddError::TextTooLong { length: unit.len() });
        }
        if [self.prefix, definition.prefix, definition.label, unit]
            .iter()
            .chain(definition.help)
            .any(|text| text.contains('\0'))
        {
            return Err(AddError::Nul);
        }
        for layout in definition.layouts {
            let parts = [self.prefix, definition.prefix, definition.label, layout.suffix];
            let length = parts.iter().map(|part| part.len()).sum();
            if length == 0 {
                return Err(AddError::EmptyLabel);
            }
            if length > layout::MAX_LABEL_BYTES {
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
                Version::V2 => at + EntryHeader::SIZE,
                Version::V1 | Version::V1Exact => at + 2,
            };
            if self.label_length(at) == length && self.equals_parts(label, parts) {
                return true;
            }
            let next = match self.version {
                // In a forked child, or if somebody else wrote here, it need not be an entry any
                // more.
                Version::V2 => Some(u32::from_ne_bytes(self.region.read(at)) as usize)
                    .filter(|length| *length >= EntryHeader::SIZE)
                    .map(|length| at + length),
                Version::V1 | Version::V1Exact => v1_next(&self.region, at),
            };
            let Some(next) = next else { return false };
            at = next;
        }
        false
    }

    fn label_length(&self, entry: usize) -> usize {
        let at = match self.version {
            Version::V2 => entry + core::mem::offset_of!(EntryHeader, label),
            Version::V1 | Version::V1Exact => entry,
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
            Version::V2 => {
                // Also when all is as before: a writer that died between the two stores left
                // `layout` ahead.
                let length = (self.cursor.low - Header::SIZE) as u32;
                protocol::publish(
                    self.region.word(Header::LAYOUT),
                    self.crc,
                    self.region.word(Header::PUBLISHED),
                    length,
                );
                self.published = self.cursor.low;
            }
            Version::V1 | Version::V1Exact if self.cursor.low > self.published => {
                self.publish_v1(self.published)
            }
            Version::V1 | Version::V1Exact => {}
        }
    }

    /// The label sizes behind the first were written with their entries: a reader does not come to
    /// them before the first is there.
    fn publish_v1(&mut self, from: usize) {
        self.region.zero(self.cursor.low, layout::V1_END_BYTES);
        protocol::between_passes();
        self.region.write(from + 1, &self.first_size[1..]);
        self.region.write(from, &self.first_size[..1]);
        self.published = self.cursor.low;
    }
}

impl Allocator for RawWriter<'_> {
    type Metadata<'d> = &'d FieldDef<'d>;

    fn metadata<'d>(definition: &'d FieldDef<'d>) -> &'d FieldDef<'d> {
        definition
    }

    fn resuming(&self) -> bool {
        RawWriter::resuming(self)
    }

    /// Writes its entry, too. It appears with `publish`.
    #[inline(never)]
    fn place(
        &mut self,
        definition: &FieldDef<'_>,
        layout: &ValueLayout,
        mut constant: Option<&mut [u8]>,
    ) -> Result<Slot, AddError> {
        let resuming = self.resuming();
        let full = AddError::Full { length: self.region.len() };
        let placement = self.cursor.place(definition, layout, self.prefix.len()).ok_or(full)?;
        let in_entry = constant.is_some() && self.version == Version::V2;
        let (room, align) = if in_entry { (0, 1) } else { (layout.size, layout.align) };
        if !resuming {
            self.region.zero(placement.value, room);
        }
        let label = [self.prefix, definition.prefix, definition.label, layout.suffix];
        if let (Some(constant), true, true) =
            (constant.as_deref_mut(), resuming, self.keep_constants)
        {
            for (i, byte) in constant.iter_mut().enumerate() {
                *byte = self.region.get(placement.value + i).ok_or(AddError::LayoutDiffers)?;
            }
        }
        let constant = constant.as_deref();
        let mut entry = EntryWriter {
            region: &self.region,
            at: placement.entry,
            crc: self.crc,
            compare: resuming,
        };
        let hide = !resuming && placement.entry == self.published;
        let size = (self.write)(
            &mut entry,
            &EntryFields { label, definition, layout, placement: &placement, constant, hide },
        )?;
        self.crc = entry.crc;
        if hide {
            self.first_size = size;
        }
        if resuming && self.cursor.low > self.published {
            return Err(AddError::LayoutDiffers);
        }
        Ok(self.region.slot(placement.value, room, align))
    }
}

#[inline(always)]
fn write_of(version: Version) -> WriteEntry {
    match version {
        Version::V2 => |entry, content| entry.version_2(content),
        Version::V1 | Version::V1Exact => |entry, content| entry.version_1(content),
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
