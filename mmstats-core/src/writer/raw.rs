//! The code that the writers of all formats share.

use super::entry::{EntryFields, EntryWriter, LABEL_PARTS, WriteEntry, v1_end, v1_next};
use crate::add_error::AddError;
use crate::allocator::{Permission, Place};
use crate::atomic::Ordering;
use crate::format::layout::{self, Cursor, FieldDef, ValueLayout};
use crate::format::v2::{BYTE_ORDER, EntryHeader, Header, IMMUTABLE_LAYOUT};
use crate::format::{MAGIC, Version, crc32};
use crate::protocol;
use crate::region::{Region, Slot};
use crate::text_buf::TextBuf;
use zerocopy::IntoBytes;

/// A writer whose format is no type parameter, so that its code exists once.
#[derive(Debug)]
pub(crate) struct RawWriter<'p> {
    region: Region,
    version: Version,
    write: WriteEntry,
    pub(super) cursor: Cursor,
    /// Where the visible entries end. Fields that are added below it are resumed.
    published: usize,
    /// CRC of the entries up to `cursor`.
    pub(super) crc: u32,
    /// Version 1: the label size of the first entry that is not visible yet.
    first_size: [u8; 2],
    /// Whether constants in the region stay.
    pub(super) keep_constants: bool,
    pub(super) prefix: &'p str,
    /// Further dimensions of all labels, without braces.
    pub(super) dimensions: &'p str,
}

impl<'p> RawWriter<'p> {
    #[inline(always)]
    pub(super) fn initialize(
        region: Region,
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
                write_header(&region, &header(length, word, flags, Header::SIZE as u64));
                region.seqlock().write_end();
            }
            Version::V1 | Version::V1Exact => {
                region.zero(0, needed);
                region.write(0, &[1]);
            }
        }
        let cursor = Cursor::new(version, length);
        Ok(Self::at(region, version, cursor, cursor.low))
    }

    #[inline(always)]
    fn at(region: Region, version: Version, cursor: Cursor, published: usize) -> Self {
        RawWriter {
            region,
            version,
            write: match version {
                Version::V2 => |entry, fields| entry.version_2(fields),
                Version::V1 | Version::V1Exact => |entry, fields| entry.version_1(fields),
            },
            cursor,
            published,
            crc: 0,
            first_size: [0; 2],
            keep_constants: false,
            prefix: "",
            dimensions: "",
        }
    }

    pub(super) fn resume(
        region: Region,
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
                (ours && published <= length - Header::SIZE).then(|| Header::SIZE + published)
            }
            Version::V1 | Version::V1Exact if length > layout::V1_END_BYTES => {
                region.equals(0, &[1]).then(|| v1_end(&region)).flatten()
            }
            _ => None,
        };
        match published {
            Some(published) => Ok(Self::at(region, version, cursor, published)),
            None => Err(AddError::LayoutDiffers),
        }
    }

    /// Returns `true` if the added fields are those that the region held, down to the last byte of
    /// the directory and its CRC.
    pub(crate) fn is_exactly_as_before(&self) -> bool {
        let checked = match self.version {
            Version::V2 => self.region.equals(Header::LAYOUT, &self.crc.to_ne_bytes()),
            Version::V1 | Version::V1Exact => true,
        };
        checked && self.cursor.low == self.published
    }

    /// Checks the texts of a definition made at run time.
    pub(crate) fn check(&self, definition: &FieldDef) -> Result<(), AddError> {
        let help = layout::help_length(definition.help);
        let unit = definition.unit.name;
        if help > layout::MAX_HELP_BYTES {
            return Err(AddError::TextTooLong { length: help });
        }
        if unit.len() > layout::MAX_UNIT_BYTES {
            return Err(AddError::TextTooLong { length: unit.len() });
        }
        if [self.prefix, self.dimensions, definition.prefix, definition.label, unit]
            .iter()
            .chain(definition.help)
            .any(|text| text.contains('\0'))
        {
            return Err(AddError::Nul);
        }
        for layout in definition.layouts {
            let parts = [self.prefix, definition.prefix, definition.label, layout.suffix];
            let length: usize = parts.iter().map(|part| part.len()).sum();
            if length == 0 {
                return Err(AddError::EmptyLabel);
            }
            let length = length + definition.dimensions_length(self.dimensions);
            if length > layout::MAX_LABEL_BYTES {
                return Err(AddError::LabelTooLong { length });
            }
            let entry = Cursor::whole_entry_length(definition, layout, length);
            if self.version == Version::V2 && entry > EntryHeader::MAX_BYTES {
                return Err(AddError::EntryTooLong { length: entry });
            }
        }
        Ok(())
    }

    /// Checks that no field up to the cursor has a label of this definition.
    pub(crate) fn check_label(&self, definition: &FieldDef) -> Result<(), AddError> {
        for layout in definition.layouts {
            let parts = self.label_parts(definition, layout);
            let length = parts.iter().map(|part| part.len()).sum();
            if self.holds(&parts, length) {
                let parts = [self.prefix, definition.prefix, definition.label, layout.suffix];
                return Err(AddError::DuplicateLabel { label: TextBuf::from_parts(&parts) });
            }
        }
        Ok(())
    }

    fn label_parts<'d>(
        &'d self,
        definition: &'d FieldDef,
        layout: &'d ValueLayout,
    ) -> [&'d [u8]; LABEL_PARTS] {
        let [label, suffix, own] = definition.label_parts(layout);
        let (prefix, more) = (self.prefix.as_bytes(), self.dimensions.as_bytes());
        let [own, before, after]: [&[u8]; 3] = match own {
            _ if more.is_empty() => [own, b"", b""],
            [inside @ .., _] => [inside, b",", b"}"],
            [] => [b"", b"{", b"}"],
        };
        [prefix, definition.prefix.as_bytes(), label, suffix, own, before, more, after]
    }

    /// Returns `true` if there is an entry with this label up to the cursor.
    fn holds(&self, parts: &[&[u8]], length: usize) -> bool {
        let mut at = Cursor::new(self.version, self.region.len()).low;
        while at < self.cursor.low {
            let label = match self.version {
                Version::V2 => at + EntryHeader::SIZE,
                Version::V1 | Version::V1Exact => at + 2,
            };
            if self.label_length(at) == Some(length) && self.ends_with(label + length, parts) {
                return true;
            }
            let next = match self.version {
                // After a fork, or if another program wrote here, these bytes may be no entry.
                Version::V2 => Some(self.region.word(at).load(Ordering::Relaxed) as usize)
                    .filter(|length| *length >= EntryHeader::SIZE && length % 4 == 0)
                    .map(|length| at + length),
                Version::V1 | Version::V1Exact => v1_next(&self.region, at),
            };
            let Some(next) = next else { return false };
            at = next;
        }
        false
    }

    fn label_length(&self, entry: usize) -> Option<usize> {
        let at = match self.version {
            Version::V2 => entry + core::mem::offset_of!(EntryHeader, label),
            Version::V1 | Version::V1Exact => entry,
        };
        Some(u16::from_ne_bytes([self.region.get(at)?, self.region.get(at + 1)?]) as usize)
    }

    fn ends_with(&self, mut end: usize, parts: &[&[u8]]) -> bool {
        parts.iter().rev().all(|part| {
            end -= part.len();
            self.region.equals(end, part)
        })
    }

    /// Returns `true` if the field that is added next is resumed.
    pub(super) fn resuming(&self) -> bool {
        self.cursor.low < self.published
    }

    /// Makes the entries up to the cursor visible.
    pub(super) fn publish(&mut self) {
        if self.resuming() {
            return;
        }
        match self.version {
            Version::V2 => {
                // Even if nothing was added: a writer that died between the two stores left
                // `layout` ahead.
                let length = (self.cursor.low - Header::SIZE) as u32;
                protocol::publish(
                    self.region.word(Header::LAYOUT),
                    self.crc,
                    self.region.word(Header::PUBLISHED),
                    length,
                );
            }
            // The first label size comes last. Those after it were written with their entries,
            // because a reader cannot reach them before the first is there.
            Version::V1 | Version::V1Exact if self.cursor.low > self.published => {
                self.region.zero(self.cursor.low, layout::V1_END_BYTES);
                protocol::between_passes();
                self.region.write(self.published + 1, &self.first_size[1..]);
                self.region.write(self.published, &self.first_size[..1]);
            }
            Version::V1 | Version::V1Exact => {}
        }
        self.published = self.cursor.low;
    }
}

impl Place for RawWriter<'_> {
    type Metadata<'d> = &'d FieldDef<'d>;

    fn metadata<'d>(definition: &'d FieldDef<'d>) -> &'d FieldDef<'d> {
        definition
    }

    fn resuming(&self) -> bool {
        RawWriter::resuming(self)
    }

    /// Also writes the entry, which `publish` makes visible.
    #[inline(never)]
    fn place(
        &mut self,
        definition: &FieldDef<'_>,
        layout: &ValueLayout,
        mut constant: Option<&mut [u8]>,
        _: Permission,
    ) -> Result<Slot, AddError> {
        let resuming = self.resuming();
        let full = AddError::Full { length: self.region.len() };
        let more = self.prefix.len() + definition.dimensions_length(self.dimensions);
        let placement = self.cursor.place(definition, layout, more).ok_or(full)?;
        let in_entry = constant.is_some() && self.version == Version::V2;
        let (size, align) = if in_entry { (0, 1) } else { (layout.size, layout.align) };
        if !resuming {
            self.region.zero(placement.value, size);
        }
        let label = self.label_parts(definition, layout);
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
        let label_size = (self.write)(
            &mut entry,
            &EntryFields { label, definition, layout, placement: &placement, constant, hide },
        )?;
        self.crc = entry.crc;
        if hide {
            self.first_size = label_size;
        }
        if resuming && self.cursor.low > self.published {
            return Err(AddError::LayoutDiffers);
        }
        Ok(self.region.slot(placement.value, size, align))
    }
}

/// Begins to initialise a region with this header.
fn write_header(region: &Region, header: &Header) {
    region.seqlock().write_begin();
    // The magic comes last, and the generation lies between the two parts and must stay.
    region.write(MAGIC.len(), &header.as_bytes()[MAGIC.len()..Header::GENERATION]);
    region.write(Header::PUBLISHED, &header.as_bytes()[Header::PUBLISHED..]);
}

/// Returns the constant part of the header of a region made by this program. The magic is missing,
/// because a complete header left on the stack would look like a region to a scan of memory.
pub(super) const fn header(length: usize, word: usize, flags: u8, directory: u64) -> Header {
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
    let bytes: [u8; Header::SIZE] = zerocopy::transmute!(header);
    let (checked, _) = bytes.split_at(Header::CHECKED);
    header.check = crc32(crc32(0, &MAGIC), checked.split_at(MAGIC.len()).1);
    header
}
