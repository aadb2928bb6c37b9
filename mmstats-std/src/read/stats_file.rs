//! A file that is read again and again.

use super::error::FileError;
use super::layout::Layout;
use super::reader::{Reader, load, settle};
use super::sample::{Sample, modified};
use super::source::{FileSource, open};
use crate::memory::ReadMapping;
use mmstats_core::reader::Images;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A file that is kept open, with its layout.
///
/// By default it is read by `pread`. Mapped, a sample costs no system call; that pays where the same file is looked at hundreds of times a second, or has latched values that are
/// written all the time.
#[derive(Debug)]
pub struct StatsFile {
    path: PathBuf,
    file: File,
    modified: Option<SystemTime>,
    mapping: Option<ReadMapping>,
    layout: Arc<Layout>,
    buffer: Vec<u64>,
}

impl StatsFile {
    /// Opens a file and reads it.
    ///
    /// # Errors
    /// If it cannot be read, or is no stats.
    pub fn open(path: &Path, reader: &mut Reader) -> Result<StatsFile, FileError> {
        let (file, stat) = open(path)?;
        let mut buffer = Vec::new();
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        let layout = load(&file, length, reader.layouts(), &mut buffer)?;
        Ok(StatsFile { path: path.to_owned(), file, modified: modified(&stat), mapping: None, layout, buffer })
    }

    /// Maps it, read-only. A file that is cut short meanwhile reads as zeros there, and is then reported as such.
    ///
    /// # Errors
    /// If the operating system cannot.
    pub fn map(&mut self) -> Result<(), FileError> {
        let length = self.file.metadata()?.len();
        let length = usize::try_from(length).map_err(|_| FileError::TooLarge { length })?;
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
    pub fn sample(&mut self, reader: &mut Reader) -> Result<Sample<'_>, FileError> {
        if !self.sample_known()? {
            let stat = rustix::fs::fstat(&self.file)?;
            let length = u64::try_from(stat.st_size).unwrap_or(0);
            self.layout = load(&self.file, length, reader.layouts(), &mut self.buffer)?;
        }
        Ok(Sample { layout: &self.layout, snapshot: Images::new(&mut self.buffer).into_snapshot(), modified: self.modified })
    }

    /// Reads the values, if the layout is still the same.
    #[inline]
    fn sample_known(&mut self) -> Result<bool, FileError> {
        let layout = &*self.layout;
        let mut images = Images::new(&mut self.buffer);
        if layout.version == 1 || !layout.problems.is_empty() {
            // Version 1 has its labels between its values, so they come along and are compared.
            let bytes = images.whole(&FileSource(&self.file), layout.end())?;
            return Ok(layout.problems.is_empty() && layout.fits(bytes));
        }
        let complete = match &self.mapping {
            Some(mapping) => {
                let Ok(complete) = mapping.with(|view| images.sample_each(view, &layout.plan, layout.latched.iter()));
                complete
            }
            None => images.sample(&FileSource(&self.file), &layout.plan)?,
        };
        if !complete || !images.snapshot().is_steady() || !layout.fits_head(images.head()) {
            return Ok(false);
        }
        if self.mapping.is_none() && layout.plan.latched {
            settle(&mut images, &self.file, layout)?;
        }
        Ok(true)
    }
}
