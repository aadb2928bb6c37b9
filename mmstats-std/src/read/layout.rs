//! A directory, parsed once and shared by all files that have the same.

use super::identity::IdentityFields;
use mmstats_core::Kind;
use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::{EXTERNAL_DIRECTORY, Header, IMMUTABLE_LAYOUT};
use mmstats_core::reader::{
    ByteOrder, Directory, FormatError, Lossy, ReadPlan, Snapshot, Storage, Value, ValueError,
    ValueLocation,
};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use zerocopy::FromBytes;

/// A field as its file tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name, with any dimensions.
    pub label: String,
    /// Its base unit; empty for a plain number.
    pub unit: String,
    /// What it tells, for people.
    pub help: String,
    /// What its number means.
    pub kind: Kind,
    /// Shown = stored × 10^scale / divisor.
    pub scale: i8,
    /// Never 0.
    pub divisor: u32,
    /// Where its value lies.
    pub location: ValueLocation,
}

/// The fields of a file.
#[derive(Debug, PartialEq)]
pub struct Layout {
    /// The format's version.
    pub version: u8,
    /// The writer's byte order; in version 1 it is guessed.
    pub byte_order: ByteOrder,
    /// All that are sound, in the file's order.
    pub fields: Vec<Field>,
    /// What is not, in words.
    pub errors: Vec<String>,
    /// Where the fields' values lie: all that a sample needs, close together.
    pub(super) locations: Vec<ValueLocation>,
    pub(super) plan: ReadPlan,
    pub(super) latched: Vec<ValueLocation>,
    /// Whether its region says that it is never made anew in place.
    settled: bool,
    /// Whether its entries are outside of the region.
    outside: bool,
    pub(super) identity: IdentityFields,
    /// A region of this layout: in version 2, its header and directory.
    image: Box<[u8]>,
    /// Which of its bytes are the same in every region of this layout.
    same: Vec<Range<usize>>,
}

impl Layout {
    fn new(directory: &Directory<'_>, bytes: &[u8]) -> Layout {
        let mut layout = Layout {
            version: directory.version(),
            byte_order: directory.byte_order(),
            fields: Vec::new(),
            errors: Vec::new(),
            locations: Vec::new(),
            plan: ReadPlan::default(),
            latched: Vec::new(),
            settled: directory.header().is_some_and(|header| header.flags & IMMUTABLE_LAYOUT != 0),
            outside: directory
                .header()
                .is_some_and(|header| header.flags & EXTERNAL_DIRECTORY != 0),
            identity: IdentityFields::default(),
            image: Box::default(),
            same: Vec::new(),
        };
        let text = |bytes| Lossy(bytes).to_string();
        for entry in directory.entries() {
            match entry {
                Ok(entry) => {
                    let (label, unit, help) =
                        (text(entry.label), text(entry.unit), text(entry.help));
                    let (kind, scale, divisor, location) =
                        (entry.kind, entry.scale, entry.divisor, entry.location);
                    layout.push(Field { label, unit, help, kind, scale, divisor, location });
                }
                Err(problem) => layout.errors.push(problem.to_string()),
            }
        }
        layout.identity =
            IdentityFields::find(layout.fields.iter().map(|field| field.label.as_str()));
        layout.same = match directory.header() {
            Some(header) => layout.same_in_version_2(header),
            None => layout.same_in_version_1(),
        };
        let end = layout.same.iter().map(|range| range.end).max().unwrap_or(0);
        layout.image = bytes[..end.min(bytes.len())].into();
        layout
    }

    fn push(&mut self, field: Field) {
        if field.location.is_latched() {
            self.latched.push(field.location);
        }
        self.plan = self.plan.with(&field.location);
        self.locations.push(field.location);
        self.fields.push(field);
    }

    /// All but the generation; and the entries.
    fn same_in_version_2(&self, header: &Header) -> Vec<Range<usize>> {
        if self.outside {
            return vec![0..Header::GENERATION, Header::PUBLISHED..Header::SIZE];
        }
        let start = header.directory as usize;
        let end = (start + header.published as usize).min(header.length as usize);
        vec![0..Header::GENERATION, Header::PUBLISHED..Header::SIZE, start..end]
    }

    /// All but the values and the indices of double ones.
    fn same_in_version_1(&self) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut start = 0;
        for field in &self.fields {
            let location = field.location;
            let values = location.offset as usize;
            ranges
                .push(start..if location.storage == Storage::Double { values - 1 } else { values });
            start = location.range().end;
        }
        // The label size that ends them.
        ranges.push(start..start.max(1) + 2);
        ranges
    }

    /// Whether a region with these bytes has this layout.
    #[inline]
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.end()
            && self.same.iter().all(|range| {
                self.image
                    .get(range.clone())
                    .is_some_and(|same| bytes.get(range.clone()) == Some(same))
            })
            && (self.version != 1 || self.has_indices(bytes))
    }

    /// Whether what has two values in version 1 still has.
    fn has_indices(&self, bytes: &[u8]) -> bool {
        self.locations.iter().all(|location| {
            location.storage != Storage::Double || bytes[location.offset as usize - 1] < 2
        })
    }

    /// Whether one pass gives all values: nothing is latched, and nothing is made anew.
    pub(super) fn is_read_at_once(&self) -> bool {
        self.settled && !self.plan.latched
    }

    /// A constant: it is in the directory, so in every region of this layout.
    pub(super) fn constant(&self, location: &ValueLocation) -> Result<Value<'_>, ValueError> {
        Snapshot::from_static_bytes(&self.image).value(location)
    }

    /// Whether nothing is wrong with it, so that it may be taken for others'.
    fn is_sound(&self) -> bool {
        !self.outside
            && self.errors.is_empty()
            && self.same.iter().all(|range| range.end <= self.image.len())
    }

    /// Where the bytes end that have to be read.
    pub(super) fn end(&self) -> usize {
        self.image.len().max(self.plan.end)
    }

    /// Returns where the fields are that identify the process.
    #[must_use]
    pub fn identity(&self) -> &IdentityFields {
        &self.identity
    }

    /// Bytes of the region; in version 1, which does not say, `None`.
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

    /// Returns the index of the field with this label; else of that with the file's label prefix in
    /// front of it; else of the first with any prefix that ends in a separator (neither a letter, a
    /// digit nor `_`), so that `errors` finds `io.errors` but not `no_errors`.
    #[must_use]
    pub fn find(&self, label: &str) -> Option<usize> {
        let find = |is_prefix: &dyn Fn(&str) -> bool| {
            self.fields
                .iter()
                .position(|field| field.label.strip_suffix(label).is_some_and(is_prefix))
        };
        find(&str::is_empty).or_else(|| find(&|prefix| prefix == self.identity.prefix())).or_else(
            || find(&|prefix| !prefix.ends_with(|c: char| c.is_alphanumeric() || c == '_')),
        )
    }
}

/// Layouts seen so far.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    /// The file before is likely to have the same.
    last: Option<Arc<Layout>>,
    all: HashMap<Key, Vec<Arc<Layout>>>,
    count: usize,
}

/// What tells most layouts apart: check, layout and published of version 2's header. All of version
/// 1 have the same.
type Key = [u32; 3];

/// How many are kept: those of a machine full of processes.
const KEPT: usize = 4096;

impl Layouts {
    /// The layout of a region with these bytes, if it was seen before.
    pub(super) fn known(&mut self, bytes: &[u8]) -> Option<&Arc<Layout>> {
        if !self.last.as_ref().is_some_and(|last| last.fits(bytes)) {
            let found = self.all.get(&key(bytes))?.iter().find(|layout| layout.fits(bytes))?;
            self.last = Some(found.clone());
        }
        self.last.as_ref()
    }

    /// The layout of a region with these bytes, which began as `head` a moment before, and has
    /// `entries` outside if it has any there.
    pub(super) fn get(
        &mut self,
        head: &[u8],
        bytes: &[u8],
        entries: &[u8],
    ) -> Result<Arc<Layout>, FormatError> {
        let same = |range: Range<usize>| head.get(range.clone()) == bytes.get(range);
        // What is published by now and was not then is for the next time; and what is read of a
        // header in between is not to be kept.
        let whole = !head.starts_with(&MAGIC)
            || same(0..Header::GENERATION) && same(Header::PUBLISHED..Header::SIZE);
        if let (true, Some(known)) = (whole, self.known(bytes)) {
            return Ok(known.clone());
        }
        let directory = Directory::open_external(
            bytes,
            if head.first() == Some(&1) { bytes } else { head },
            entries,
        )?;
        let layout = Arc::new(Layout::new(&directory, bytes));
        if whole && layout.is_sound() {
            if self.count == KEPT {
                *self = Layouts::default();
            }
            self.count += 1;
            self.all.entry(key(bytes)).or_default().push(layout.clone());
            self.last = Some(layout.clone());
        }
        Ok(layout)
    }
}

fn key(bytes: &[u8]) -> Key {
    match Header::read_from_prefix(bytes) {
        Ok((header, _)) if header.magic == MAGIC => [header.check, header.layout, header.published],
        _ => [0; 3],
    }
}
