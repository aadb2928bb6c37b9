//! Where the bytes of a region come from: a file, or whatever else has them.

use super::error::FileError;
use super::layout::Layout;
use crate::memory::ReadMapping;
use mmstats_core::reader::{ReadBuffers, Source};
use rustix::fs::{FileType, Mode, OFlags, Stat};
use std::fs::File;
use std::io;
use std::path::Path;
use zerocopy::IntoBytes;

/// Opens a regular file, following links. Nothing else is opened: that can hang, or do something.
pub(super) fn open(path: &Path) -> Result<(File, Stat), FileError> {
    let stat = rustix::fs::stat(path)?;
    let found = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            // It may be another file by now: so a pipe does not block either.
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            return Ok((rustix::fs::open(path, flags, Mode::empty())?.into(), stat));
        }
        FileType::Directory => "a directory",
        FileType::Fifo => "a pipe",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Socket => "a socket",
        FileType::Symlink | FileType::Unknown => "no file",
    };
    Err(FileError::NotAFile { found })
}

/// How often a contended latch is read before it is given up, or for a file looked at through a
/// mapping.
const ATTEMPTS: usize = 4;
/// How often it is looked at there.
const LOOKS: usize = 1000;

/// A region somewhere.
pub trait RegionSource: Source {
    /// The directory of a region that has it outside: the bytes at this address of its program, or
    /// as many of them as there are.
    ///
    /// # Errors
    /// If they cannot be had.
    fn outside(&self, address: u64, length: u32) -> Result<Vec<u8>, Self::Error>;

    /// How often a latch that is being written is read again.
    fn attempts(&self) -> usize {
        ATTEMPTS
    }

    /// Reads latches again that were written during all passes. Tells whether the region was still
    /// the same then.
    #[doc(hidden)]
    fn retry_contended(
        &self,
        images: &mut ReadBuffers<'_>,
        layout: &Layout,
    ) -> Result<bool, Self::Error>
    where
        Self: Sized,
    {
        let mut again = false;
        for location in &layout.latched {
            if images.snapshot().is_contended(location) {
                again = true;
                images.read_latch(self, location, self.attempts())?;
            }
        }
        Ok(!again || images.recheck_header(self)?)
    }
}

/// Copies by `pread`: faster than a mapping for a single look, and a file that is cut short
/// meanwhile only ends early.
pub(super) struct FileSource<'f>(pub(super) &'f File);

impl Source for FileSource<'_> {
    type Error = io::Error;

    #[inline]
    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, io::Error> {
        let bytes = to.as_mut_bytes();
        let mut there = 0;
        while there < bytes.len() {
            match rustix::io::pread(self.0, &mut bytes[there..], (at + there) as u64) {
                Ok(0) => {
                    bytes[there..].fill(0);
                    break;
                }
                Ok(more) => there += more,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(there)
    }
}

impl RegionSource for FileSource<'_> {
    /// A process has its directory in its files.
    fn outside(&self, _: u64, _: u32) -> Result<Vec<u8>, io::Error> {
        Ok(Vec::new())
    }

    /// Through a mapping, if need be: a latch that is written at full speed starves system calls.
    fn retry_contended(
        &self,
        images: &mut ReadBuffers<'_>,
        layout: &Layout,
    ) -> Result<bool, io::Error> {
        let mut mapping = None;
        let mut again = false;
        for location in &layout.latched {
            if !images.snapshot().is_contended(location) {
                continue;
            }
            again = true;
            if images.read_latch(self, location, ATTEMPTS)? {
                continue;
            }
            if mapping.is_none() {
                mapping = ReadMapping::new(self.0, layout.plan.end).ok();
            }
            if let Some(mapping) = &mapping {
                let Ok(_) = mapping.with(|view| images.read_latch(view, location, LOOKS));
            }
        }
        Ok(!again || images.recheck_header(self)?)
    }
}
