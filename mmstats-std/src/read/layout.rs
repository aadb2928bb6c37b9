//! A directory, parsed once and shared by all files that have the same.

use mmstats_core::Kind;
use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::Header;
use mmstats_core::reader::{ByteOrder, Directory, Lossy, Place, Plan, Problem, Storage};
use std::ops::Range;
use std::sync::Arc;

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
    pub place: Place,
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
    pub problems: Vec<String>,
    pub(super) plan: Plan,
    pub(super) latched: Vec<Place>,
    identity: [Option<usize>; IDENTITY.len()],
    /// Bytes that are the same in every region of this layout, and where they are.
    same: Vec<(Range<usize>, Box<[u8]>)>,
}

/// The fields that tell who wrote a file, at the end of labels.
const IDENTITY: [&str; 5] = ["sys.pid", "sys.start", "sys.boot_id", "sys.pid_namespace", "sys.created"];

impl Layout {
    fn new(directory: &Directory<'_>, bytes: &[u8]) -> Layout {
        let mut layout = Layout {
            version: directory.version(),
            byte_order: directory.byte_order(),
            fields: Vec::new(),
            problems: Vec::new(),
            plan: Plan::default(),
            latched: Vec::new(),
            identity: [None; IDENTITY.len()],
            same: Vec::new(),
        };
        let text = |bytes| Lossy(bytes).to_string();
        for entry in directory.entries() {
            match entry {
                Ok(entry) => {
                    let (label, unit, help) = (text(entry.label), text(entry.unit), text(entry.help));
                    let (kind, scale, divisor, place) = (entry.kind, entry.scale, entry.divisor, entry.place);
                    layout.push(Field { label, unit, help, kind, scale, divisor, place });
                }
                Err(problem) => layout.problems.push(problem.to_string()),
            }
        }
        layout.same = match directory.header() {
            Some(header) => layout.same_in_version_2(header),
            None => layout.same_in_version_1(),
        }
        .into_iter()
        .map(|range| Some((range.clone(), bytes.get(range)?.into())))
        .collect::<Option<_>>()
        .unwrap_or_default();
        layout
    }

    fn push(&mut self, field: Field) {
        let index = self.fields.len();
        for (slot, name) in self.identity.iter_mut().zip(IDENTITY) {
            if is_suffix(&field.label, name) {
                slot.get_or_insert(index);
            }
        }
        if field.place.is_latched() {
            self.latched.push(field.place);
        }
        self.plan = self.plan.with(&field.place);
        self.fields.push(field);
    }

    /// All but the generation; and the entries.
    fn same_in_version_2(&self, header: &Header) -> Vec<Range<usize>> {
        let start = header.directory as usize;
        let end = (start + header.published as usize).min(header.length as usize);
        vec![0..Header::GENERATION, Header::PUBLISHED..Header::SIZE, start..end]
    }

    /// All but the values and the indices of double ones.
    fn same_in_version_1(&self) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut start = 0;
        for field in &self.fields {
            let place = field.place;
            let values = place.offset as usize;
            ranges.push(start..if place.storage == Storage::Double { values - 1 } else { values });
            start = place.range().end;
        }
        // The label size that ends them.
        ranges.push(start..start + 2);
        ranges
    }

    /// Whether a region with these bytes has this layout.
    #[inline]
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.plan.end && self.same.iter().all(|(range, same)| bytes.get(range.clone()) == Some(same))
    }

    /// Whether a version 2 region that begins so has this layout: everything in the header that depends on it is the same.
    #[inline]
    pub(super) fn fits_head(&self, head: &[u8]) -> bool {
        self.same.iter().take(2).all(|(range, same)| head.get(range.clone()) == Some(same))
    }

    /// Where the bytes end that have to be read.
    pub(super) fn end(&self) -> usize {
        self.same.iter().map(|(range, _)| range.end).fold(self.plan.end, usize::max)
    }

    /// The index of one of the fields that tell who wrote a file.
    pub(super) fn identity(&self, name: &str) -> Option<usize> {
        IDENTITY.iter().position(|known| *known == name).and_then(|i| self.identity[i])
    }

    /// The index of the field with this label; of several that end in it behind a dot, the first.
    #[must_use]
    pub fn find(&self, label: &str) -> Option<usize> {
        let exact = self.fields.iter().position(|field| field.label == label);
        exact.or_else(|| self.fields.iter().position(|field| is_suffix(&field.label, label)))
    }
}

/// Whether a label is a name, or a name behind a prefix.
fn is_suffix(label: &str, name: &str) -> bool {
    label.strip_suffix(name).is_some_and(|prefix| prefix.is_empty() || !prefix.ends_with(char::is_alphanumeric))
}

/// Layouts seen so far.
#[derive(Debug, Default)]
pub(super) struct Layouts(Vec<Arc<Layout>>);

/// How many are kept: as many as there are programs with different stats on a machine, and not so many that looking through them costs more than parsing.
const KEPT: usize = 32;

impl Layouts {
    /// The layout of a region with these bytes, which began as `head` a moment before.
    pub(super) fn get(&mut self, head: &[u8], bytes: &[u8]) -> Result<Arc<Layout>, Problem> {
        // What is published by now and was not then is for the next time.
        let same_head = head.get(..Header::GENERATION) == bytes.get(..Header::GENERATION)
            && head.get(Header::PUBLISHED..) == bytes.get(Header::PUBLISHED..Header::SIZE);
        let known = if head.starts_with(&MAGIC) && !same_head { None } else { self.0.iter().position(|layout| layout.fits(bytes)) };
        if let Some(known) = known {
            // Checked when it was seen for the first time; and the next file is likely to have the same.
            self.0.swap(0, known);
            return Ok(self.0[0].clone());
        }
        let directory = Directory::open_with(bytes, if head.first() == Some(&1) { bytes } else { head }, None)?;
        let layout = Arc::new(Layout::new(&directory, bytes));
        if layout.problems.is_empty() && !layout.same.is_empty() {
            self.0.truncate(KEPT - 1);
            self.0.insert(0, layout.clone());
        }
        Ok(layout)
    }
}
