//! A directory that is parsed once and shared by all files with the same one.

use super::error::MAX_FIELDS;
use super::identity::IdentityFields;
use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::{EXTERNAL_DIRECTORY, EntryHeader, Header, IMMUTABLE_LAYOUT};
use mmstats_core::reader::{
    ByteOrder, Directory, Entry, EntryErrorKind, FormatError, Lossy, ReadPlan, Snapshot, Storage,
    Value, ValueError, ValueLocation,
};
use mmstats_core::{Aggregation, Kind, Type};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use zerocopy::FromBytes;

/// A field, as its file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name, with any dimensions.
    pub label: String,
    /// The base unit; empty for a plain number.
    pub unit: String,
    /// The help text.
    pub help: String,
    /// The meaning of the value.
    pub kind: Kind,
    /// The displayed value is the stored value × 10^`scale` / `divisor`.
    pub scale: i8,
    /// See `scale`; never 0.
    pub divisor: u32,
    /// How readers combine the values of several writers.
    pub aggregation: Aggregation,
    /// Whether the value survives the end of its thread, and counts after it.
    pub kept: bool,
    /// Where the value is in the region.
    pub location: ValueLocation,
}

impl Field {
    /// Creates a field of one word, without unit, help and scale, for a value that is not in a
    /// region: recorded, or computed.
    #[must_use]
    pub fn new(label: impl Into<String>, kind: Kind, ty: Type) -> Field {
        let size = ty.size().unwrap_or(0);
        let storage = Storage::Word;
        let location = ValueLocation { offset: 0, size, ty, storage, swapped: false, word: 8 };
        let (unit, help) = (String::new(), String::new());
        Field {
            label: label.into(),
            unit,
            help,
            kind,
            scale: 0,
            divisor: 1,
            aggregation: Aggregation::Unspecified,
            kept: false,
            location,
        }
    }
}

impl From<&Entry<'_>> for Field {
    fn from(entry: &Entry<'_>) -> Field {
        let text = |bytes| Lossy(bytes).to_string();
        Field {
            label: text(entry.label),
            unit: text(entry.unit),
            help: text(entry.help),
            kind: entry.kind,
            scale: entry.scale,
            divisor: entry.divisor,
            aggregation: entry.aggregation,
            kept: entry.kept,
            location: entry.location,
        }
    }
}

/// The maximum number of invalid fields in a file that are reported one by one.
const MAX_ERRORS: usize = 1000;

/// The fields of a file and their locations.
#[derive(Debug, PartialEq)]
pub struct Layout {
    /// The version of the format: 1 or 2.
    pub version: u8,
    /// The writer's byte order. Version 1 does not state it: there it is a guess.
    pub byte_order: ByteOrder,
    /// The valid fields, in the file's order; at most [`MAX_FIELDS`].
    pub fields: Arc<[Field]>,
    /// A message for each invalid field, or for the first of very many.
    pub errors: Vec<String>,
    /// The locations of `fields` once more, contiguous for speed: a sample needs nothing else.
    pub(super) locations: Vec<ValueLocation>,
    pub(super) plan: ReadPlan,
    /// The locations of the latched fields.
    pub(super) latched: Vec<ValueLocation>,
    /// The flags of version 2's header.
    flags: u8,
    /// Whether no bytes of the region were missing.
    is_complete: bool,
    /// Whether entries are left out: after an invalid length, or above [`MAX_FIELDS`].
    pub(super) ends_early: bool,
    pub(super) identity: IdentityFields,
    /// The start of a region of this layout: in version 2, its header and directory.
    image: Box<[u8]>,
    /// The parts of `image` that are equal in every region of this layout.
    fixed: Vec<Range<usize>>,
}

impl Layout {
    fn new(directory: &Directory<'_>, bytes: &[u8]) -> Layout {
        let (mut fields, mut errors) = (Vec::new(), Vec::new());
        let mut unreported = 0_usize;
        // Entries after an invalid length are not found.
        let mut walked = usize::MAX;
        for entry in directory.entries() {
            match entry {
                Ok(entry) if fields.len() == MAX_FIELDS => {
                    errors.push(format!("more than {MAX_FIELDS} fields; the others are not read"));
                    // In version 2, the label is after the entry's header.
                    walked = entry.label.as_ptr().addr().wrapping_sub(bytes.as_ptr().addr());
                    break;
                }
                Ok(entry) => fields.push(Field::from(&entry)),
                Err(error) => {
                    if errors.len() < MAX_ERRORS {
                        errors.push(error.to_string());
                    } else {
                        unreported += 1;
                    }
                    if matches!(error.kind, EntryErrorKind::Length { .. }) {
                        walked = error.offset + EntryHeader::SIZE;
                    }
                }
            }
        }
        if unreported > 0 {
            errors.push(format!("{unreported} more invalid fields"));
        }
        let fields: Arc<[Field]> = fields.into();
        let locations: Vec<_> = fields.iter().map(|field| field.location).collect();
        let flags = directory.header().map_or(0, |header| header.flags);
        let fixed = match directory.header() {
            Some(header) => fixed_in_version_2(header, walked),
            None => fixed_in_version_1(&locations),
        };
        let end = fixed.iter().map(|range| range.end).max().unwrap_or(0);
        Layout {
            version: directory.version(),
            byte_order: directory.byte_order(),
            errors,
            plan: locations.iter().fold(ReadPlan::default(), ReadPlan::with),
            latched: locations.iter().filter(|at| at.is_latched()).copied().collect(),
            locations,
            flags,
            is_complete: directory
                .header()
                .is_none_or(|header| header.length as usize <= bytes.len()),
            ends_early: walked != usize::MAX,
            identity: IdentityFields::find(fields.iter().map(|field| field.label.as_str())),
            fields,
            image: bytes[..end.min(bytes.len())].into(),
            fixed,
        }
    }

    /// Returns `true` if a region with these bytes has this layout.
    #[inline]
    pub(super) fn matches(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.end()
            && self.fixed.iter().all(|range| {
                self.image
                    .get(range.clone())
                    .is_some_and(|fixed| bytes.get(range.clone()) == Some(fixed))
            })
            && (self.version != 1 || self.has_valid_indices(bytes))
    }

    /// Returns `true` if the buffer index before each double-buffered value is 0 or 1. Before a
    /// single value there is another byte.
    fn has_valid_indices(&self, bytes: &[u8]) -> bool {
        self.locations.iter().all(|location| {
            location.storage != Storage::Double || bytes[location.offset as usize - 1] < 2
        })
    }

    /// Returns `true` if one pass reads all values: none is latched, and the region is never
    /// reinitialised.
    pub(super) fn single_pass_suffices(&self) -> bool {
        self.flags & IMMUTABLE_LAYOUT != 0 && !self.plan.latched
    }

    /// Returns the value of a constant, which is the same in every region of this layout.
    pub(super) fn constant(&self, location: &ValueLocation) -> Result<Value<'_>, ValueError> {
        Snapshot::from_static_bytes(&self.image).value(location)
    }

    /// Returns `true` if other files may share this layout, with its errors: it follows from the
    /// bytes that they have in common.
    fn is_shareable(&self) -> bool {
        self.flags & EXTERNAL_DIRECTORY == 0
            && (self.errors.is_empty() || self.ends_early && self.is_complete)
            && self.fixed.iter().all(|range| range.end <= self.image.len())
    }

    /// Returns the memory that it takes, about: the texts of the fields are copies of the image's.
    fn size(&self) -> usize {
        let field = size_of::<Field>() + size_of::<ValueLocation>();
        2 * self.image.len()
            + self.fields.len() * field
            + self.fixed.len() * size_of::<Range<usize>>()
    }

    /// Returns how many bytes of a region have to be read.
    pub(super) fn end(&self) -> usize {
        self.image.len().max(self.plan.end)
    }

    /// Returns the positions of the fields that identify the process.
    #[must_use]
    pub fn identity(&self) -> &IdentityFields {
        &self.identity
    }

    /// Returns the length of the region in bytes; `None` in version 1, which does not state it.
    #[must_use]
    pub fn region_length(&self) -> Option<u32> {
        if self.version == 1 {
            return None;
        }
        let (header, _) = Header::read_from_prefix(&self.image).ok()?;
        Some(if self.byte_order == ByteOrder::NATIVE {
            header.length
        } else {
            header.length.swap_bytes()
        })
    }

    /// Returns the index of the field with this label, with or without a prefix; see
    /// [`IdentityFields::find_label`].
    #[must_use]
    pub fn find(&self, label: &str) -> Option<usize> {
        self.identity.find_label(self.fields.iter().map(|field| field.label.as_str()), label)
    }
}

/// Returns the bytes that regions of a layout of version 2 share: the header without the
/// generation, and the entries, of which only those before `walked` were found.
fn fixed_in_version_2(header: &Header, walked: usize) -> Vec<Range<usize>> {
    let mut ranges = vec![0..Header::GENERATION, Header::PUBLISHED..Header::SIZE];
    if header.flags & EXTERNAL_DIRECTORY == 0 {
        let start = header.directory as usize;
        let end = start.saturating_add(header.published as usize).min(header.length as usize);
        ranges.push(start..end.min(walked));
    }
    ranges
}

/// Returns the bytes that regions of a layout of version 1 share: all except the values and the
/// buffer index before each double-buffered value.
fn fixed_in_version_1(locations: &[ValueLocation]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for location in locations {
        let values = location.offset as usize;
        ranges.push(start..if location.storage == Storage::Double { values - 1 } else { values });
        start = location.range().end;
    }
    // The label size of 0 that ends the fields.
    ranges.push(start..start.max(1) + 2);
    ranges
}

/// A cache of layouts.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    /// The layout of the previous file: the next file is likely to have the same.
    last: Option<Arc<Layout>>,
    all: HashMap<Key, Vec<Arc<Layout>>>,
    count: usize,
    /// How many of them were in use when the others were removed.
    used: usize,
    /// Their size.
    bytes: usize,
}

/// The members `check`, `layout` and `published` of version 2's header, which differ between most
/// layouts. All layouts of version 1 have the same key.
type Key = [u32; 3];

/// The maximum number of cached layouts.
const MAX_LAYOUTS: usize = 4096;

/// How many layouts that no open file has are cached at most, if no more are in use. Each process
/// has one of its own, with its PID, which would stay after it has ended.
const MAX_UNUSED_LAYOUTS: usize = 256;

/// The maximum number of layouts of one key that are compared, the latest first: parsing a
/// directory takes no longer.
const MAX_CANDIDATES: usize = 16;

/// The maximum size of cached layouts.
const MAX_LAYOUT_BYTES: usize = 64 << 20;

impl Layouts {
    /// Returns the layout of a region with these bytes, if it is in the cache.
    pub(super) fn cached(&mut self, bytes: &[u8]) -> Option<&Arc<Layout>> {
        if !self.last.as_ref().is_some_and(|last| last.matches(bytes)) {
            let mut candidates = self.all.get(&key(bytes))?.iter().rev().take(MAX_CANDIDATES);
            let found = candidates.find(|layout| layout.matches(bytes))?;
            self.last = Some(found.clone());
        }
        self.last.as_ref()
    }

    /// Returns the layout of a region with these bytes, from the cache or by parsing.
    ///
    /// `header` is the start of the region, read before `bytes`; `external` are the entries of an
    /// external directory, otherwise empty.
    pub(super) fn get(
        &mut self,
        header: &[u8],
        bytes: &[u8],
        external: &[u8],
    ) -> Result<Arc<Layout>, FormatError> {
        let is_equal = |range: Range<usize>| header.get(range.clone()) == bytes.get(range);
        // If the header changed between the two reads, fields published since are left to the next
        // read, and the layout is not cached.
        let is_stable = !header.starts_with(&MAGIC)
            || is_equal(0..Header::GENERATION) && is_equal(Header::PUBLISHED..Header::SIZE);
        if let (true, Some(cached)) = (is_stable, self.cached(bytes)) {
            return Ok(cached.clone());
        }
        let directory = Directory::open_external(
            bytes,
            if header.first() == Some(&1) { bytes } else { header },
            external,
        )?;
        let layout = Arc::new(Layout::new(&directory, bytes));
        if is_stable && layout.is_shareable() {
            if self.count - self.used >= self.used.max(MAX_UNUSED_LAYOUTS) {
                self.remove_unused();
            }
            let size = layout.size();
            self.bytes += size;
            if self.count == MAX_LAYOUTS || self.bytes > MAX_LAYOUT_BYTES {
                *self = Layouts { bytes: size, ..Layouts::default() };
            }
            self.count += 1;
            self.all.entry(key(bytes)).or_default().push(layout.clone());
            self.last = Some(layout.clone());
        }
        Ok(layout)
    }

    fn remove_unused(&mut self) {
        (self.used, self.bytes, self.last) = (0, 0, None);
        self.all.retain(|_, layouts| {
            layouts.retain(|layout| Arc::strong_count(layout) > 1);
            self.used += layouts.len();
            self.bytes += layouts.iter().map(|layout| layout.size()).sum::<usize>();
            !layouts.is_empty()
        });
        self.count = self.used;
    }
}

fn key(bytes: &[u8]) -> Key {
    match Header::read_from_prefix(bytes) {
        Ok((header, _)) if header.magic == MAGIC => [header.check, header.layout, header.published],
        _ => [0; 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mmstats_core::{Constant, Region, V2, Writer};
    use zerocopy::IntoBytes;

    /// Returns the bytes of a region whose layout no other number has.
    fn region(number: u64) -> Vec<u8> {
        let region = Region::new(vec![0; 32].leak());
        let view = region.view();
        let mut writer = Writer::<V2>::with_immutable_layout(region).unwrap();
        writer.add(Constant::<u64>::builder("number").initial(number)).unwrap();
        let mut words = [0; 32];
        view.read_at(0, &mut words);
        words.as_bytes().to_vec()
    }

    #[test]
    fn layouts_of_ended_processes_are_removed_and_those_of_open_files_stay() {
        let mut layouts = Layouts::default();
        let mut get = |number| {
            let bytes = region(number);
            layouts.get(&bytes, &bytes, &[]).unwrap()
        };
        let open: Vec<_> = (0..300).map(&mut get).collect();
        (300..3000).for_each(|number| drop(get(number)));
        for (number, layout) in (0..).zip(&open) {
            assert!(Arc::ptr_eq(layout, &get(number)), "layout {number} was parsed again");
        }
        assert!(layouts.count <= 2 * open.len(), "{} layouts are cached", layouts.count);
        assert_eq!(layouts.all.values().map(Vec::len).sum::<usize>(), layouts.count);
    }
}
