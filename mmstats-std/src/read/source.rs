//! A file as a source of bytes.

use super::error::FileError;
use mmstats_core::reader::Source;
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

/// Copies by `pread`: faster than a mapping for a single look, and a file that is cut short meanwhile only ends early.
pub(super) struct FileSource<'f>(pub(super) &'f File);

impl Source for FileSource<'_> {
    type Error = io::Error;

    #[inline]
    fn copy(&self, at: usize, to: &mut [u64]) -> Result<usize, io::Error> {
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
