//! The header and directory of version 2.

use super::entry::{Entry, Storage, ValueLocation};
use super::error::{EntryError, EntryErrorKind, FormatError};
use crate::bytes::ByteOrder;
use crate::format::v2::{
    BYTE_ORDER, EXTERNAL_DIRECTORY, EntryHeader, Header, INCOMPATIBLE_FLAGS, UNLOADED_DIRECTORY,
    checksum,
};
use crate::format::{MAGIC, histogram};
use crate::kind::{Access, Aggregation, Kind, Type};
use zerocopy::{FromBytes, TryFromBytes};

/// Reads the header of a version 2 region, in this machine's byte order, and the order that it was
/// in. It needs [`Header::SIZE`] bytes; a scan for regions calls it.
///
/// # Errors
/// If there is no valid header.
pub fn header(bytes: &[u8]) -> Result<(Header, ByteOrder), FormatError> {
    let Ok((header, _)) = Header::read_from_prefix(bytes) else {
        return Err(FormatError::CutShort { length: bytes.len(), needed: Header::SIZE });
    };
    if header.magic != MAGIC {
        return Err(FormatError::Uninitialised);
    }
    let invalid = |what, found| Err(FormatError::BadHeader { what, found });
    let (header, order) = match header.byte_order {
        BYTE_ORDER => (header, ByteOrder::NATIVE),
        other if other == BYTE_ORDER.swap_bytes() => (header.swapped(), ByteOrder::NATIVE.other()),
        other => return invalid("byte order", other.into()),
    };
    let computed = checksum(0, &bytes[..Header::CHECKED]);
    if header.check != computed {
        return Err(FormatError::BadCheck { found: header.check, computed });
    }
    let known = match header.flags & EXTERNAL_DIRECTORY {
        0 => 0,
        _ => EXTERNAL_DIRECTORY | UNLOADED_DIRECTORY,
    };
    if header.flags & INCOMPATIBLE_FLAGS & !known != 0 {
        return invalid("flags", header.flags.into());
    }
    if header.word != 4 && header.word != 8 {
        return invalid("word", header.word.into());
    }
    if header.flags & EXTERNAL_DIRECTORY != 0 {
        return match header.directory % 4 {
            0 => Ok((header, order)),
            _ => invalid("directory address", header.directory),
        };
    }
    let offsets = Header::SIZE as u64..=u64::from(header.length);
    if header.directory % 4 != 0 || !offsets.contains(&header.directory) {
        return invalid("directory offset", header.directory);
    }
    Ok((header, order))
}

/// Checks that these are the entries of a region's external directory.
pub(super) fn check_external(header: &Header, entries: &[u8]) -> Result<(), FormatError> {
    let needed = header.published as usize;
    if entries.len() < needed {
        let (address, length) = (header.directory, header.published);
        return Err(match header.flags & UNLOADED_DIRECTORY {
            0 => FormatError::ExternalDirectory { address, length },
            _ => FormatError::UnloadedDirectory { address, length },
        });
    }
    let (found, computed) = (header.layout, checksum(0, &entries[..needed]));
    if found != computed { Err(FormatError::DirectoryMismatch { found, computed }) } else { Ok(()) }
}

/// Returns the published entries, as far as they lie in the region and in the bytes.
pub(super) fn entries<'b>(bytes: &'b [u8], header: &Header) -> &'b [u8] {
    let end = bytes.len().min(header.length as usize);
    let start = end.min(header.directory as usize);
    let available = (end - start) & !3;
    &bytes[start..start + available.min(header.published as usize & !3)]
}

#[derive(Clone, Debug)]
enum Step {
    Published,
    Layout,
    Entries,
}

/// The walk over the entries.
#[derive(Clone, Debug)]
pub(super) struct Walk<'b> {
    /// The bytes that hold the entries, from `at` to `end`: the region or its external directory.
    bytes: &'b [u8],
    /// The number of bytes of the region that are available.
    available: usize,
    header: Header,
    order: ByteOrder,
    at: usize,
    end: usize,
    step: Step,
}

impl<'b> Walk<'b> {
    /// Walks the entries in the region's bytes, or an external directory that has been checked.
    pub(super) fn new(
        region: &'b [u8],
        header: Header,
        order: ByteOrder,
        external: Option<&'b [u8]>,
    ) -> Self {
        let (bytes, at, length, step) = match external {
            None => {
                let length = entries(region, &header).len();
                (region, header.directory as usize, length, Step::Published)
            }
            Some(entries) => (entries, 0, entries.len(), Step::Entries),
        };
        Walk { bytes, available: region.len(), header, order, at, end: at + length, step }
    }

    pub(super) fn next(&mut self) -> Option<Result<Entry<'b>, EntryError<'b>>> {
        let error = |offset, kind| Some(Err(EntryError { offset, label: b"", kind }));
        if matches!(self.step, Step::Published) {
            self.step = Step::Layout;
            let found = self.header.published;
            if self.end - self.header.directory as usize != found as usize {
                let kind = if self.is_published_valid() {
                    EntryErrorKind::CutShort { length: self.bytes.len() }
                } else {
                    EntryErrorKind::Published { found }
                };
                return error(Header::PUBLISHED, kind);
            }
        }
        if matches!(self.step, Step::Layout) {
            self.step = Step::Entries;
            let found = self.header.layout;
            // Not by `at`: the directory may begin after the end of the bytes.
            let computed = checksum(0, entries(self.bytes, &self.header));
            if computed != found && !self.is_ahead(computed) {
                return error(Header::LAYOUT, EntryErrorKind::Layout { found, computed });
            }
        }
        (self.at < self.end).then(|| self.entry())
    }

    /// Returns `true` if the directory, which is not external, ends within the region.
    fn is_published_valid(&self) -> bool {
        let Header { directory, published, length, .. } = self.header;
        directory + u64::from(published) <= u64::from(length) && published % 4 == 0
    }

    /// Returns `true` if `layout` is the CRC after some more entries, which the writer has not
    /// published yet.
    fn is_ahead(&self, mut crc: u32) -> bool {
        let region = &self.bytes[..self.bytes.len().min(self.header.length as usize)];
        let mut at = self.end;
        while let Some(length) = region
            .get(at..)
            .and_then(|rest| self.head(rest))
            .and_then(|head| whole(&head, region.len() - at))
        {
            crc = checksum(crc, &region[at..at + length]);
            if crc == self.header.layout {
                return true;
            }
            at += length;
        }
        false
    }

    fn head(&self, bytes: &[u8]) -> Option<EntryHeader> {
        let (head, _) = EntryHeader::read_from_prefix(bytes).ok()?;
        Some(if self.order.is_swapped() { head.swapped() } else { head })
    }

    fn entry(&mut self) -> Result<Entry<'b>, EntryError<'b>> {
        let offset = self.at;
        let bytes = &self.bytes[offset..self.end];
        let head = self.head(bytes);
        let Some((head, length)) = head.and_then(|head| Some((head, whole(&head, bytes.len())?)))
        else {
            let kind = head.map_or(EntryErrorKind::CutShort { length: self.end }, |head| {
                EntryErrorKind::Length { found: head.length }
            });
            self.at = self.end;
            return Err(EntryError { offset, label: b"", kind });
        };
        self.at += length;
        let (label, texts) = bytes[EntryHeader::SIZE..length].split_at(head.label.into());
        let (unit, texts) = texts.split_at(head.unit.into());
        let (help, _) = texts.split_at(head.help.into());
        let error = |kind| EntryError { offset, label, kind };
        if label.is_empty() {
            return Err(error(EntryErrorKind::EmptyLabel));
        }
        let location = self.location(&head, offset).map_err(error)?;
        let kind = Kind::from_number(head.kind);
        Ok(Entry {
            label,
            unit,
            help,
            kind,
            scale: head.scale,
            divisor: head.divisor.max(1),
            aggregation: Aggregation::from_number(head.flags & EntryHeader::AGGREGATION),
            kept: head.flags & EntryHeader::KEPT != 0,
            location,
        })
    }

    /// Returns the checked location of the value.
    fn location(
        &self,
        head: &EntryHeader,
        entry: usize,
    ) -> Result<ValueLocation, EntryErrorKind<'b>> {
        let letter = &self.bytes[entry + core::mem::offset_of!(EntryHeader, ty)..][..1];
        let ty = Type::from_letter(head.ty).ok_or(EntryErrorKind::Type { found: letter })?;
        let bad_size = EntryErrorKind::Size { found: head.size };
        let bad_access = EntryErrorKind::Access { found: head.access };
        let access = Access::try_read_from_bytes(&[head.access]).map_err(|_| bad_access)?;
        let is_external = self.header.flags & EXTERNAL_DIRECTORY != 0;
        let storage = match (Kind::from_number(head.kind), access) {
            (Kind::Histogram, Access::Word) => Storage::Histogram {
                grouping_power: head.grouping_power,
                max_power: head.max_power,
            },
            (Kind::Histogram, _) => return Err(bad_access),
            (_, Access::Constant) if is_external => Storage::PlacedConstant,
            (_, Access::Constant) => Storage::Constant,
            (_, Access::Word) => Storage::Word,
            (_, Access::Latched) => Storage::Latched,
        };
        let word = u32::from(self.header.word);
        let align = match storage {
            Storage::Histogram { grouping_power, max_power } => {
                let (sum, width) = match (ty, word) {
                    (Type::U32, 4) => (20, 4),
                    (Type::U32, 8) => (8, 4),
                    (Type::U64, 8) => (8, 8),
                    _ => return Err(EntryErrorKind::Type { found: letter }),
                };
                let (p, n) = (u32::from(grouping_power), u32::from(max_power));
                if !histogram::valid(p, n) {
                    return Err(EntryErrorKind::Powers { grouping_power, max_power });
                }
                if histogram::count(p, n) as u64 * width + sum != u64::from(head.size) {
                    return Err(bad_size);
                }
                word
            }
            _ if ty.size().is_some_and(|size| size != head.size) => return Err(bad_size),
            Storage::Word if ty == Type::Text || head.size > word => return Err(bad_size),
            Storage::Word => head.size,
            Storage::Latched => word,
            _ => 1,
        };
        let mut offset = u64::from(head.value);
        let (floor, end) = if storage == Storage::Constant {
            offset += entry as u64;
            (
                (entry + EntryHeader::SIZE + head.texts()) as u64,
                entry as u64 + u64::from(head.length),
            )
        } else {
            (Header::SIZE as u64, u64::from(self.header.length).min(self.available as u64))
        };
        let bad_offset = EntryErrorKind::ValueOffset { found: offset };
        if offset < floor || offset > end || offset % u64::from(align) != 0 {
            return Err(bad_offset);
        }
        // No overflow: both are below 2^32, and a latch has at most twice the size and 20 bytes.
        let size = if storage == Storage::Latched {
            2 * u64::from(head.size).next_multiple_of(word.into()) + 4
        } else {
            head.size.into()
        };
        // An external directory has an address instead of an offset.
        let overlaps = storage != Storage::Constant && !is_external && {
            // If `published` is invalid, the directory extends at least up to this entry.
            let directory_end = if self.is_published_valid() {
                self.header.directory + u64::from(self.header.published)
            } else {
                entry as u64 + u64::from(head.length)
            };
            offset < directory_end && offset + size > self.header.directory
        };
        if offset + size > end || overlaps {
            return Err(bad_offset);
        }
        Ok(ValueLocation {
            offset: offset as u32,
            size: head.size,
            ty,
            storage,
            swapped: self.order.is_swapped(),
            word: self.header.word,
        })
    }
}

/// Returns the length of an entry, if it is valid and at most `available`.
fn whole(head: &EntryHeader, available: usize) -> Option<usize> {
    let length = head.length as usize;
    let max = available.min(EntryHeader::MAX_BYTES);
    (length % 4 == 0 && length >= EntryHeader::SIZE + head.texts() && length <= max)
        .then_some(length)
}
