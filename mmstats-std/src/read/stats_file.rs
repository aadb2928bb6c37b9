//! A file that is read again and again.

use super::MAX_REGION_BYTES;
use super::error::FileError;
use super::layout::Layout;
use super::reader::{Reader, load};
use super::sample::{Sample, modified};
use super::source::{FileSource, RegionSource, open};
use crate::memory::ReadMapping;
use mmstats_core::format::v2::Header;
use mmstats_core::reader::{HEADER_WORDS, ReadBuffers};
use std::array;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A file that is kept open, with its layout.
///
/// By default it is read by `pread`, but for files with latched fields: those would take three such
/// calls, so they are mapped. Mapped, a sample costs no system call, which also pays where the same
/// file is looked at hundreds of times a second: see [`Self::map`].
#[derive(Debug)]
pub struct StatsFile {
    path: PathBuf,
    file: File,
    modified: Option<SystemTime>,
    mapping: Option<ReadMapping>,
    layout: Arc<Layout>,
    /// Version 2's header as it was when the layout was read. As long as it stays the same to the
    /// last bit, so does the layout.
    head: [u64; HEADER_WORDS],
}

impl StatsFile {
    /// Opens a file and reads it.
    ///
    /// # Errors
    /// If it cannot be read, or is no stats.
    pub fn open(path: &Path, reader: &mut Reader) -> Result<StatsFile, FileError> {
        let (file, stat) = open(path)?;
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        let (layouts, buffer) = reader.parts();
        let layout = load(&FileSource(&file), length, layouts, buffer)?;
        let head = head(buffer);
        let mut this = StatsFile {
            path: path.to_owned(),
            file,
            modified: modified(&stat),
            mapping: None,
            layout,
            head,
        };
        if this.layout.plan.latched {
            // Where it cannot be mapped, it is read in three passes.
            let _ = this.map();
        }
        Ok(this)
    }

    /// Maps it, read-only. A file that is cut short meanwhile reads as zeros there, and is then
    /// reported as such; but if the cut is within its last page, only its length tells.
    ///
    /// # Errors
    /// If the operating system cannot.
    pub fn map(&mut self) -> Result<(), FileError> {
        let length = self.file.metadata()?.len();
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_REGION_BYTES)
            .ok_or(FileError::TooLarge { length })?;
        self.mapping = Some(ReadMapping::new(&self.file, length)?);
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the last sample found.
    #[must_use]
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Reads the values as they are now, and the layout if it has changed.
    ///
    /// # Errors
    /// If it cannot be read any more: its writer has removed it, or it was cut short.
    #[inline]
    pub fn sample<'r>(&'r mut self, reader: &'r mut Reader) -> Result<Sample<'r>, FileError> {
        let (layouts, buffer) = reader.parts();
        if !self.sample_known(buffer)? {
            let stat = rustix::fs::fstat(&self.file)?;
            let length = u64::try_from(stat.st_size).unwrap_or(0);
            self.layout = load(&FileSource(&self.file), length, layouts, buffer)?;
            self.head = head(buffer);
            if self.mapping.take().is_some() {
                // Where the file was cut short and is whole again, the old mapping stays zeros.
                let _ = self.map();
            }
        }
        Ok(Sample {
            layout: &self.layout,
            snapshot: ReadBuffers::new(buffer).into_snapshot(),
            modified: self.modified,
        })
    }

    /// Reads the values, if the layout is still the same.
    #[inline]
    fn sample_known(&mut self, buffer: &mut Vec<u64>) -> Result<bool, FileError> {
        let layout = &*self.layout;
        let words = ReadBuffers::words(layout.end().max(Header::SIZE));
        if buffer.len() < words {
            buffer.resize(words, 0);
        }
        let mut images = ReadBuffers::new(buffer);
        if layout.version == 1 || !layout.errors.is_empty() {
            // Version 1 has its labels between its values, so they come along and are compared.
            let bytes = images.read_all(&FileSource(&self.file), layout.end())?;
            return Ok(layout.errors.is_empty() && layout.fits(bytes));
        }
        let same = match &self.mapping {
            Some(mapping) => {
                let Ok(complete) = mapping.with(|view| {
                    images.sample_each_latch(view, &layout.plan, layout.latched.iter())
                });
                complete && images.header_remained(&self.head)
            }
            None if layout.is_read_at_once() => {
                images.read_single_pass(&FileSource(&self.file), &layout.plan)?
                    && images.header_is(&self.head)
            }
            None => {
                images.sample(&FileSource(&self.file), &layout.plan)?
                    && images.header_remained(&self.head)
            }
        };
        if same && self.mapping.is_none() && layout.plan.latched {
            return Ok(FileSource(&self.file).retry_contended(&mut images, layout)?);
        }
        Ok(same)
    }
}

/// The header that a sample began with.
fn head(buffer: &[u64]) -> [u64; HEADER_WORDS] {
    array::from_fn(|i| buffer.get(i).copied().unwrap_or(0))
}
