//! The sources of a region's bytes: a file, or any memory that implements [`RegionSource`].

use super::error::FileError;
use super::layout::Layout;
use crate::memory::ReadMapping;
use mmstats_core::reader::{ReadBuffers, Source, ValueLocation};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use zerocopy::IntoBytes;

/// Whether a symbolic link is followed when a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// For a path that the user names.
    Follow,
    /// For a path that was found: in a directory that others can write, a link could lead to a file
    /// that only this user can read.
    Refuse,
}

impl Links {
    /// Returns the flags of system calls on a path.
    pub(crate) fn at_flags(self) -> AtFlags {
        match self {
            Links::Follow => AtFlags::empty(),
            Links::Refuse => AtFlags::SYMLINK_NOFOLLOW,
        }
    }
}

/// Opens a regular file for reading. Other types of files are refused, as opening them can block or
/// have side effects, also if they take the name meanwhile.
///
/// # Errors
/// If it is not a regular file, or cannot be opened.
pub fn open_file(path: &Path, links: Links) -> Result<File, FileError> {
    open_at(CWD, path, links).map(|(file, _)| file)
}

/// Opens a regular file at a path relative to a directory.
pub(crate) fn open_at(
    directory: impl AsFd,
    path: &Path,
    links: Links,
) -> Result<(File, Stat), FileError> {
    check_type(&statat(&directory, path, links.at_flags()).map_err(io::Error::from)?)?;
    let no_links = if links == Links::Refuse { OFlags::NOFOLLOW } else { OFlags::empty() };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | no_links;
    let file = openat(&directory, path, flags, Mode::empty()).map_err(io::Error::from)?;
    // Another file may have taken the name since.
    let stat = fstat(&file).map_err(io::Error::from)?;
    check_type(&stat)?;
    Ok((file.into(), stat))
}

fn check_type(stat: &Stat) -> Result<(), FileError> {
    let found = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Fifo => "a pipe",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Socket => "a socket",
        FileType::Symlink => "a symbolic link",
        FileType::Unknown => "of an unknown type",
    };
    Err(FileError::NotAFile { found })
}

/// The maximum number of reads of a contended latch, by system calls or from another source.
const MAX_LATCH_READS: usize = 4;

/// The maximum number of reads of a contended latch through a mapping, each of which takes
/// nanoseconds.
const MAX_MAPPED_LATCH_READS: usize = 1000;

/// A region in any memory, for [`Reader::read_region`](super::Reader::read_region).
pub trait RegionSource: Source {
    /// Reads an external directory, for example in flash: `length` bytes at this address of the
    /// program, or as many as there are.
    ///
    /// # Errors
    /// If the bytes cannot be read.
    fn read_external_directory(&self, address: u64, length: u32) -> Result<Vec<u8>, Self::Error>;

    /// Reads an external directory that is only in the program's ELF file: `length` bytes at this
    /// address of its section `.mmstats`, or as many as there are. The default returns no bytes.
    ///
    /// # Errors
    /// If the bytes cannot be read.
    fn read_unloaded_directory(&self, address: u64, length: u32) -> Result<Vec<u8>, Self::Error> {
        let (_, _) = (address, length);
        Ok(Vec::new())
    }

    /// Returns the maximum number of reads of a latch that is being written.
    fn attempts(&self) -> usize {
        MAX_LATCH_READS
    }

    /// Reads latches again that were being written in all passes. Returns `false` if the region has
    /// been reinitialised meanwhile.
    #[doc(hidden)]
    fn retry_contended(
        &self,
        buffers: &mut ReadBuffers<'_>,
        layout: &Layout,
    ) -> Result<bool, Self::Error>
    where
        Self: Sized,
    {
        retry_contended(self, buffers, layout, |buffers, location| {
            buffers.read_latch(self, location, self.attempts())
        })
    }
}

/// Calls `retry` for each contended latch, and then checks the header again.
fn retry_contended<S: Source>(
    source: &S,
    buffers: &mut ReadBuffers<'_>,
    layout: &Layout,
    mut retry: impl FnMut(&mut ReadBuffers<'_>, &ValueLocation) -> Result<bool, S::Error>,
) -> Result<bool, S::Error> {
    let mut is_contended = false;
    for location in &layout.latched {
        if buffers.snapshot().is_contended(location) {
            is_contended = true;
            retry(buffers, location)?;
        }
    }
    Ok(!is_contended || buffers.recheck_header(source)?)
}

/// Reads a file by `pread`. For a single pass this is faster than a mapping, and a file that is
/// truncated meanwhile only ends early.
pub(super) struct FileSource<'f> {
    file: &'f File,
    /// The offset of the region, a multiple of 8.
    start: u64,
}

impl<'f> FileSource<'f> {
    pub(super) fn new(file: &'f File) -> Self {
        Self::starting_at(file, 0)
    }

    pub(super) fn starting_at(file: &'f File, start: u64) -> Self {
        FileSource { file, start }
    }
}

impl Source for FileSource<'_> {
    type Error = io::Error;

    #[inline]
    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, io::Error> {
        let bytes = to.as_mut_bytes();
        let mut length = 0;
        while length < bytes.len() {
            match rustix::io::pread(
                self.file,
                &mut bytes[length..],
                self.start + (at + length) as u64,
            ) {
                Ok(0) => {
                    bytes[length..].fill(0);
                    break;
                }
                Ok(more) => length += more,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(length)
    }
}

impl RegionSource for FileSource<'_> {
    /// Returns no bytes: files contain their directory.
    fn read_external_directory(&self, _: u64, _: u32) -> Result<Vec<u8>, io::Error> {
        Ok(Vec::new())
    }

    /// Uses a mapping if system calls are too slow for a latch that is written at full speed.
    fn retry_contended(
        &self,
        buffers: &mut ReadBuffers<'_>,
        layout: &Layout,
    ) -> Result<bool, io::Error> {
        let mut mapping = None;
        retry_contended(self, buffers, layout, |buffers, location| {
            if buffers.read_latch(self, location, MAX_LATCH_READS)? {
                return Ok(true);
            }
            if mapping.is_none() && self.start == 0 {
                mapping = ReadMapping::new(self.file, layout.plan.end).ok();
            }
            let Some(mapping) = &mapping else { return Ok(false) };
            let Ok(is_read) =
                mapping.with(|view| buffers.read_latch(view, location, MAX_MAPPED_LATCH_READS));
            Ok(is_read)
        })
    }
}
