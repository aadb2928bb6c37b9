//! Files read once, and what they have in common.

use super::MAX_REGION_BYTES;
use super::error::FileError;
use super::layout::{Layout, Layouts};
use super::sample::{Sample, modified};
use super::source::{FileSource, RegionSource, open};
use mmstats_core::format::v2::Header;
use mmstats_core::reader::{Directory, FormatError, ReadBuffers, ReadError, ReadPlan};
use rustix::fs::Stat;
use std::array;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// How often a region that is made anew meanwhile is read.
const TRIES: usize = 8;
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
    /// If it cannot be read, or is no stats. Single fields that are damaged are in the layout's
    /// problems instead.
    pub fn read(&mut self, path: &Path) -> Result<Sample<'_>, FileError> {
        let (file, stat) = open(path)?;
        self.read_opened(&file, &stat)
    }

    /// Reads a file once that is open already, wherever it is by now.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_file(&mut self, file: &File) -> Result<Sample<'_>, FileError> {
        let stat = rustix::fs::fstat(file)?;
        self.read_opened(file, &stat)
    }

    fn read_opened(&mut self, file: &File, stat: &Stat) -> Result<Sample<'_>, FileError> {
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        let mut layout = load(&FileSource(file), length, &mut self.layouts, &mut self.buffer);
        if layout.as_ref().map_or(true, |layout| !layout.errors.is_empty()) {
            // Another file may have taken the name before it was opened.
            let now = file.metadata()?.len();
            if now != length {
                layout = load(&FileSource(file), now, &mut self.layouts, &mut self.buffer);
            }
        }
        let layout = layout.map_err(FileError::from)?;
        let snapshot = ReadBuffers::new(&mut self.buffer).into_snapshot();
        Ok(Sample { layout: self.layout.insert(layout), snapshot, modified: modified(stat) })
    }

    /// Reads a region of at most `length` bytes once, wherever it is.
    ///
    /// # Errors
    /// If it cannot be read, or is no stats. Single fields that are damaged are in the layout's
    /// problems instead.
    pub fn read_region<S: RegionSource>(
        &mut self,
        source: &S,
        length: u64,
    ) -> Result<Sample<'_>, ReadError<S::Error>> {
        let layout = load(source, length, &mut self.layouts, &mut self.buffer)?;
        let snapshot = ReadBuffers::new(&mut self.buffer).into_snapshot();
        Ok(Sample { layout: self.layout.insert(layout), snapshot, modified: None })
    }

    /// What files that are kept open share with it.
    pub(super) fn parts(&mut self) -> (&mut Layouts, &mut Vec<u64>) {
        (&mut self.layouts, &mut self.buffer)
    }
}

/// Reads a whole region of at most `length` bytes into `buffer`, and tells its layout.
pub(super) fn load<S: RegionSource>(
    source: &S,
    length: u64,
    layouts: &mut Layouts,
    buffer: &mut Vec<u64>,
) -> Result<Arc<Layout>, ReadError<S::Error>> {
    let too_large = ReadError::TooLarge {
        length: usize::try_from(length).unwrap_or(usize::MAX),
        capacity: MAX_REGION_BYTES,
    };
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= MAX_REGION_BYTES)
        .ok_or(too_large)?;
    // Longer than needed is as good: memory that has been asked for once stays.
    let words = ReadBuffers::words(length.max(Header::SIZE));
    if buffer.len() < words {
        // What does not even begin like stats gets none.
        let mut head = [0; ReadBuffers::words(0)];
        let mut images = ReadBuffers::new(&mut head);
        let there = images.read_header(source).map_err(ReadError::Source)?;
        match Directory::open(&images.header()[..there]) {
            Ok(_) | Err(FormatError::ExternalDirectory { .. }) => {}
            Err(problem) => return Err(problem.into()),
        }
        *buffer = vec![0; words];
    }
    // Most files have the layout of the one before. Then one look may be all it takes: whatever
    // came first in it, these bytes are a whole directory and its values.
    let mut images = ReadBuffers::new(buffer);
    let complete = images
        .read_single_pass(source, &ReadPlan { start: 0, end: length, latched: false })
        .map_err(ReadError::Source)?;
    if let Some(known) = layouts.known(&images.bytes()[..length]).filter(|_| complete) {
        if known.version == 1 || known.is_read_at_once() {
            return Ok(known.clone());
        }
    }
    for _ in 0..TRIES {
        let mut images = ReadBuffers::new(buffer);
        let there = images.read_header(source).map_err(ReadError::Source)?;
        let head: [u8; Header::SIZE] = array::from_fn(|i| images.header()[i]);
        let bytes = images.read_all(source, length).map_err(ReadError::Source)?;
        let layout = match layouts.get(&head[..there], bytes, &[]) {
            Err(FormatError::ExternalDirectory { address, length }) => {
                let entries = source.outside(address, length).map_err(ReadError::Source)?;
                layouts.get(&head[..there], bytes, &entries)?
            }
            layout => layout?,
        };
        if layout.version == 1 {
            return Ok(layout);
        }
        // Not complete: it has been cut short meanwhile.
        let complete = images.verify(source, &layout.plan).map_err(ReadError::Source)?;
        if complete
            && images.snapshot().is_consistent()
            && source.retry_contended(&mut images, &layout).map_err(ReadError::Source)?
        {
            return Ok(layout);
        }
    }
    Err(FormatError::Contended.into())
}
