//! Reads files and regions once.

use super::error::{FileError, MAX_REGION_BYTES};
use super::layout::{Layout, Layouts};
use super::sample::{FileStat, Sample};
use super::source::{FileSource, Links, RegionSource, open_at};
use mmstats_core::format::v2::Header;
use mmstats_core::reader::{Directory, FormatError, ReadBuffers, ReadError, ReadPlan};
use rustix::fs::{CWD, Stat};
use std::array;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The maximum number of times that a region is read if it is reinitialised meanwhile.
const MAX_ATTEMPTS: usize = 8;

/// The length in bytes up to which reading a region costs no more than checking its header first.
const MAX_UNCHECKED_BYTES: usize = 64 << 10;

/// Reads files one after another. It caches layouts, because most files of a program have the same
/// one, and reuses the memory for their bytes.
#[derive(Debug, Default)]
pub struct Reader {
    layouts: Layouts,
    layout: Option<Arc<Layout>>,
    buffer: Vec<u64>,
}

impl Reader {
    /// Creates a reader with an empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file once. Symbolic links are followed: use
    /// [`FoundFile::open`](crate::discover::FoundFile::open) and [`Self::read_file`] for a file
    /// that was found in a directory.
    ///
    /// # Errors
    /// If the file cannot be read or has no valid header. Invalid fields are in [`Layout::errors`]
    /// instead.
    pub fn read(&mut self, path: &Path) -> Result<Sample<'_>, FileError> {
        let (file, stat) = open_at(CWD, path, Links::Follow)?;
        self.read_opened(&file, &stat)
    }

    /// Reads an open file once.
    ///
    /// # Errors
    /// See [`Self::read`].
    pub fn read_file(&mut self, file: &File) -> Result<Sample<'_>, FileError> {
        let stat = rustix::fs::fstat(file).map_err(io::Error::from)?;
        self.read_opened(file, &stat)
    }

    fn read_opened(&mut self, file: &File, stat: &Stat) -> Result<Sample<'_>, FileError> {
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        let mut layout = load(&FileSource::new(file), length, &mut self.layouts, &mut self.buffer);
        if layout.as_ref().map_or(true, |layout| !layout.errors.is_empty()) {
            // The file may have grown, or shrunk, since its length was read.
            let now = file.metadata()?.len();
            if now != length {
                layout = load(&FileSource::new(file), now, &mut self.layouts, &mut self.buffer);
            }
        }
        let layout = layout.map_err(FileError::from)?;
        let snapshot = ReadBuffers::new(&mut self.buffer).into_snapshot();
        Ok(Sample { layout: self.layout.insert(layout), snapshot, stat: Some(FileStat::new(stat)) })
    }

    /// Reads a region of at most `length` bytes once, from any source.
    ///
    /// # Errors
    /// If the region cannot be read or has no valid header. Invalid fields are in
    /// [`Layout::errors`] instead.
    pub fn read_region<S: RegionSource>(
        &mut self,
        source: &S,
        length: u64,
    ) -> Result<Sample<'_>, ReadError<S::Error>> {
        let layout = load(source, length, &mut self.layouts, &mut self.buffer)?;
        let snapshot = ReadBuffers::new(&mut self.buffer).into_snapshot();
        Ok(Sample { layout: self.layout.insert(layout), snapshot, stat: None })
    }

    /// Reads a region of `length` bytes in a file.
    pub(crate) fn read_at(
        &mut self,
        file: &File,
        start: u64,
        length: u64,
    ) -> Result<Sample<'_>, FileError> {
        Ok(self.read_region(&FileSource::starting_at(file, start), length)?)
    }

    /// Returns the cache and the memory, for [`StatsFile`](super::StatsFile).
    pub(super) fn parts(&mut self) -> (&mut Layouts, &mut Vec<u64>) {
        (&mut self.layouts, &mut self.buffer)
    }
}

/// Reads a whole region of at most `length` bytes into `buffer` and returns its layout.
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
    // A longer buffer of an earlier read is kept.
    let words = ReadBuffers::words(length.max(Header::SIZE));
    if buffer.len() < words || length > MAX_UNCHECKED_BYTES {
        // Allocates the buffer, and reads a long region, only with a valid header.
        let mut header = [0; ReadBuffers::words(0)];
        let mut buffers = ReadBuffers::new(&mut header);
        let header_length = buffers.read_header(source).map_err(ReadError::Source)?;
        match Directory::open(&buffers.header()[..header_length]) {
            Ok(_)
            | Err(FormatError::ExternalDirectory { .. } | FormatError::UnloadedDirectory { .. }) => {
            }
            Err(error) => return Err(error.into()),
        }
        if buffer.len() < words {
            *buffer = vec![0; words];
        }
    }
    // Most files have the layout of the previous one. Then one pass may suffice: its bytes
    // are that directory and its values, in whatever order they were copied.
    let mut buffers = ReadBuffers::new(buffer);
    let is_complete = buffers
        .read_single_pass(source, &ReadPlan { start: 0, end: length, latched: false })
        .map_err(ReadError::Source)?;
    if let Some(cached) = layouts.cached(&buffers.bytes()[..length]).filter(|_| is_complete) {
        if cached.version == 1 || cached.single_pass_suffices() {
            return Ok(cached.clone());
        }
    }
    for _ in 0..MAX_ATTEMPTS {
        let mut buffers = ReadBuffers::new(buffer);
        let header_length = buffers.read_header(source).map_err(ReadError::Source)?;
        let header: [u8; Header::SIZE] = array::from_fn(|i| buffers.header()[i]);
        let header = &header[..header_length];
        let bytes = buffers.read_all(source, length).map_err(ReadError::Source)?;
        let layout = match layouts.get(header, bytes, &[]) {
            Err(FormatError::ExternalDirectory { address, length }) => {
                let external =
                    source.read_external_directory(address, length).map_err(ReadError::Source)?;
                layouts.get(header, bytes, &external)?
            }
            Err(FormatError::UnloadedDirectory { address, length }) => {
                let unloaded =
                    source.read_unloaded_directory(address, length).map_err(ReadError::Source)?;
                layouts.get(header, bytes, &unloaded)?
            }
            layout => layout?,
        };
        if layout.version == 1 {
            return Ok(layout);
        }
        // Bytes are missing if the file has been truncated meanwhile.
        let is_complete = buffers.verify(source, &layout.plan).map_err(ReadError::Source)?;
        if is_complete
            && buffers.snapshot().is_consistent()
            && source.retry_contended(&mut buffers, &layout).map_err(ReadError::Source)?
        {
            return Ok(layout);
        }
    }
    Err(FormatError::Contended.into())
}
