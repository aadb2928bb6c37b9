//! A file that is read repeatedly.

use super::error::{FileError, MAX_REGION_BYTES};
use super::layout::Layout;
use super::reader::{Reader, load};
use super::sample::{FileStat, Sample};
use super::source::{FileSource, Links, RegionSource, open_file};
use crate::memory::ReadMapping;
use mmstats_core::format::v2::Header;
use mmstats_core::reader::{HEADER_WORDS, ReadBuffers};
use std::array;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open file and its layout.
///
/// Files are read by `pread`, except those with latched fields: each would take three calls, so
/// they are mapped. A sample of a mapped file costs no system call, which also pays for files that
/// are read hundreds of times a second: see [`Self::map`].
#[derive(Debug)]
pub struct StatsFile {
    path: PathBuf,
    file: File,
    stat: FileStat,
    /// The file's length in bytes when the layout was read.
    length: u64,
    mapping: Option<ReadMapping>,
    layout: Arc<Layout>,
    /// Whether the layout's errors were found twice: a check fails once if its parts are read while
    /// they are written.
    is_confirmed: bool,
    /// Version 2's header when the layout was read. The layout changes only if the header does.
    header: [u64; HEADER_WORDS],
}

impl StatsFile {
    /// Opens a file and reads its layout. Symbolic links are followed.
    ///
    /// # Errors
    /// If the file cannot be read or has no valid header.
    pub fn open(path: &Path, reader: &mut Reader) -> Result<StatsFile, FileError> {
        Self::from_file(path, open_file(path, Links::Follow)?, reader)
    }

    /// Reads the layout of an open file.
    ///
    /// # Errors
    /// If the file cannot be read or has no valid header.
    pub fn from_file(path: &Path, file: File, reader: &mut Reader) -> Result<StatsFile, FileError> {
        let stat = rustix::fs::fstat(&file).map_err(io::Error::from)?;
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        let (layouts, buffer) = reader.parts();
        let layout = load(&FileSource::new(&file), length, layouts, buffer)?;
        let header = copy_header(buffer);
        let mut this = StatsFile {
            path: path.to_owned(),
            file,
            stat: FileStat::new(&stat),
            length,
            mapping: None,
            is_confirmed: layout.ends_early,
            layout,
            header,
        };
        if this.layout.plan.latched {
            // If it cannot be mapped, it is read in three passes.
            let _ = this.map();
        }
        Ok(this)
    }

    /// Maps the file read-only, for faster samples. If the file is truncated later, it reads as
    /// zeros, and the next sample is an error. A truncation within the last page is not noticed:
    /// only the file's length shows it.
    ///
    /// # Errors
    /// If the operating system cannot map it, or it is larger than [`MAX_REGION_BYTES`].
    pub fn map(&mut self) -> Result<(), FileError> {
        let length = self.file.metadata()?.len();
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_REGION_BYTES)
            .ok_or(FileError::TooLarge { length })?;
        self.mapping = Some(ReadMapping::new(&self.file, length)?);
        Ok(())
    }

    /// Returns the path that the file was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the layout of the last sample.
    #[must_use]
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Reads the current values, and the layout if it has changed.
    ///
    /// # Errors
    /// If the file can no longer be read: its writer has removed it, or it was truncated.
    #[inline]
    pub fn sample<'r>(&'r mut self, reader: &'r mut Reader) -> Result<Sample<'r>, FileError> {
        let (layouts, buffer) = reader.parts();
        if !self.sample_values(buffer)? {
            let stat = rustix::fs::fstat(&self.file).map_err(io::Error::from)?;
            let length = u64::try_from(stat.st_size).unwrap_or(0);
            let layout = load(&FileSource::new(&self.file), length, layouts, buffer)?;
            self.is_confirmed = layout.ends_early || layout == self.layout;
            self.layout = layout;
            self.header = copy_header(buffer);
            self.length = length;
            if self.mapping.take().is_some() {
                // After a truncation, the old mapping stays zeros even if the file has grown again.
                let _ = self.map();
            }
        }
        Ok(Sample {
            layout: &self.layout,
            snapshot: ReadBuffers::new(buffer).into_snapshot(),
            stat: Some(self.stat),
        })
    }

    /// Reads the values; returns `false` if the layout has changed.
    #[inline]
    fn sample_values(&mut self, buffer: &mut Vec<u64>) -> Result<bool, FileError> {
        let layout = &*self.layout;
        let words = ReadBuffers::words(layout.end().max(Header::SIZE));
        if buffer.len() < words {
            buffer.resize(words, 0);
        }
        let mut buffers = ReadBuffers::new(buffer);
        if layout.version == 1 {
            // Version 1 has its labels between its values, so they are read and compared as well.
            let bytes = buffers.read_all(&FileSource::new(&self.file), layout.end())?;
            return Ok((layout.errors.is_empty() || layout.ends_early) && layout.matches(bytes));
        }
        if !layout.errors.is_empty() {
            // Missing bytes may be there now, and damaged ones may be repaired.
            let bytes = buffers.read_all(&FileSource::new(&self.file), layout.end())?;
            let is_same = self.is_confirmed && layout.matches(bytes);
            if !is_same || self.file.metadata()?.len() != self.length {
                return Ok(false);
            }
        }
        let is_same = match &self.mapping {
            Some(mapping) => {
                let Ok(is_complete) = mapping.with(|view| {
                    buffers.sample_each_latch(view, &layout.plan, layout.latched.iter())
                });
                is_complete && buffers.header_remained(&self.header)
            }
            None if layout.single_pass_suffices() => {
                buffers.read_single_pass(&FileSource::new(&self.file), &layout.plan)?
                    && buffers.header_is(&self.header)
            }
            None => {
                buffers.sample(&FileSource::new(&self.file), &layout.plan)?
                    && buffers.header_remained(&self.header)
            }
        };
        if is_same && self.mapping.is_none() && layout.plan.latched {
            return Ok(FileSource::new(&self.file).retry_contended(&mut buffers, layout)?);
        }
        Ok(is_same)
    }
}

/// Returns the header of the sample in `buffer`.
fn copy_header(buffer: &[u64]) -> [u64; HEADER_WORDS] {
    array::from_fn(|i| buffer.get(i).copied().unwrap_or(0))
}
