//! Files read once, and what they have in common.

use super::LARGEST;
use super::error::FileError;
use super::layout::{Layout, Layouts};
use super::sample::{Sample, modified};
use super::source::{FileSource, open};
use crate::memory::ReadMapping;
use mmstats_core::format::v2::Header;
use mmstats_core::reader::{Directory, Images, Plan, Problem};
use std::array;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How often a region that is made anew meanwhile is read.
const TRIES: usize = 8;
/// How often a contended latch is read by system calls before it is looked at through a mapping.
const SYSTEM_CALLS: usize = 4;
/// How often it is looked at there.
const LOOKS: usize = 1000;

/// Reads files one after another, keeping what they have in common.
#[derive(Debug, Default)]
pub struct Reader {
    layouts: Layouts,
    layout: Option<Arc<Layout>>,
    buffer: Vec<u64>,
}

impl Reader {
    /// A reader that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file once.
    ///
    /// # Errors
    /// If it cannot be read, or is no stats. Single fields that are damaged are in the layout's problems instead.
    pub fn read(&mut self, path: &Path) -> Result<Sample<'_>, FileError> {
        let (file, stat) = open(path)?;
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        let mut layout = load(&file, length, &mut self.layouts, &mut self.buffer);
        if layout.as_ref().map_or(true, |layout| !layout.problems.is_empty()) {
            // Another file may have taken the name before it was opened.
            let now = file.metadata()?.len();
            if now != length {
                layout = load(&file, now, &mut self.layouts, &mut self.buffer);
            }
        }
        let layout = layout?;
        let snapshot = Images::new(&mut self.buffer).into_snapshot();
        Ok(Sample { layout: self.layout.insert(layout), snapshot, modified: modified(&stat) })
    }

    /// What files that are kept open share with it.
    pub(super) fn parts(&mut self) -> (&mut Layouts, &mut Vec<u64>) {
        (&mut self.layouts, &mut self.buffer)
    }
}

/// Reads a whole file of `length` bytes into `buffer`, and tells its layout.
pub(super) fn load(file: &File, length: u64, layouts: &mut Layouts, buffer: &mut Vec<u64>) -> Result<Arc<Layout>, FileError> {
    let source = FileSource(file);
    let length = usize::try_from(length).ok().filter(|length| *length <= LARGEST).ok_or(FileError::TooLarge { length })?;
    // Longer than needed is as good: memory that has been asked for once stays.
    let words = Images::words(length.max(Header::SIZE));
    if buffer.len() < words {
        // What does not even begin like stats gets none.
        let mut head = [0; Images::words(0)];
        let mut images = Images::new(&mut head);
        let there = images.start(&source)?;
        Directory::open(&images.head()[..there])?;
        *buffer = vec![0; words];
    }
    // Most files have the layout of the one before. Then one look may be all it takes: whatever came first in it, these bytes are a whole directory and its values.
    let mut images = Images::new(buffer);
    let complete = images.once(&source, &Plan { start: 0, end: length, latched: false })?;
    if let Some(known) = layouts.known(&images.seen()[..length]).filter(|_| complete) {
        if known.version == 1 || known.is_read_at_once() {
            return Ok(known.clone());
        }
    }
    for _ in 0..TRIES {
        let mut images = Images::new(buffer);
        let there = images.start(&source)?;
        let head: [u8; Header::SIZE] = array::from_fn(|i| images.head()[i]);
        let bytes = images.whole(&source, length)?;
        let layout = layouts.get(&head[..there], bytes)?;
        if layout.version == 1 {
            return Ok(layout);
        }
        // Not complete: it has been cut short meanwhile.
        let complete = images.finish(&source, &layout.plan)?;
        if complete && images.snapshot().is_steady() && settle(&mut images, file, &layout)? {
            return Ok(layout);
        }
    }
    Err(Problem::Contended.into())
}

/// Reads latches again that were written during all passes; through a mapping, if need be.
/// Tells whether the region was still the same then.
pub(super) fn settle(images: &mut Images<'_>, file: &File, layout: &Layout) -> io::Result<bool> {
    let mut mapping = None;
    let mut again = false;
    for place in &layout.latched {
        if !images.snapshot().is_contended(place) {
            continue;
        }
        again = true;
        if images.latch(&FileSource(file), place, SYSTEM_CALLS)? {
            continue;
        }
        if mapping.is_none() {
            mapping = ReadMapping::new(file, layout.plan.end).ok();
        }
        if let Some(mapping) = &mapping {
            let Ok(_) = mapping.with(|view| images.latch(view, place, LOOKS));
        }
    }
    Ok(!again || images.confirm(&FileSource(file))?)
}
