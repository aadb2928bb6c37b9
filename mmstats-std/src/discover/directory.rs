//! Directories that stay open, and the files that were found in them.
//!
//! Other users who can write to a directory, or to its parent, can replace it by a symbolic link at
//! any time: to files that only this user can read or remove. So a directory is opened once, by the
//! path that the user names, and everything below it is reached from there, without following
//! links.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use crate::mappings::time_of_file;
use crate::read::{FileError, Links, open_at};

/// How deep directories are listed: the time to reach one is proportional to its depth.
const MAX_DEPTH: usize = 64;

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    descriptor: OwnedFd,
}

/// The open directory of a file.
#[derive(Debug)]
pub enum Parent<'a> {
    /// The directory that the user named, or the working directory.
    Named(BorrowedFd<'a>),
    /// A directory below.
    Below(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Parent::Named(directory) => *directory,
            Parent::Below(directory) => directory.as_fd(),
        }
    }
}

impl Directory {
    /// Opens a directory that the user names. Links are followed. An empty path is the working
    /// directory.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(crate) fn open(path: &Path) -> io::Result<Directory> {
        let named = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let descriptor = openat(CWD, named, DIRECTORY, Mode::empty())?;
        Ok(Directory { path: path.to_owned(), descriptor })
    }

    /// Returns the path that it was opened by.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the parent of a path below this directory, and returns it with the last name.
    fn parent<'a>(&self, path: &'a Path) -> Result<(Parent<'_>, &'a OsStr), Errno> {
        let below = path.strip_prefix(&self.path).map_err(|_| Errno::XDEV)?;
        let mut names = below.iter();
        let last = names.next_back().unwrap_or(OsStr::new("."));
        let mut parent = Parent::Named(self.descriptor.as_fd());
        for name in names {
            let flags = DIRECTORY | OFlags::NOFOLLOW;
            parent = Parent::Below(openat(&parent, name, flags, Mode::empty())?);
        }
        Ok((parent, last))
    }

    /// Returns the type of the file at a path below.
    pub(super) fn file_type(&self, path: &Path) -> Result<FileType, Errno> {
        let (parent, name) = self.parent(path)?;
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }

    /// Returns the names in this directory, or one below it.
    ///
    /// # Errors
    /// If it cannot be listed, or is too deep.
    pub(crate) fn names(
        &self,
        path: &Path,
    ) -> io::Result<impl Iterator<Item = io::Result<OsString>> + use<>> {
        let (parent, name) = self.parent(path)?;
        if path.strip_prefix(&self.path).is_ok_and(|below| below.iter().count() > MAX_DEPTH) {
            return Err(Errno::NAMETOOLONG.into());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let entries = Dir::new(openat(parent, name, flags, Mode::empty())?)?;
        let names = entries.map(|entry| {
            entry.map(|entry| OsString::from_vec(entry.file_name().to_bytes().to_vec()))
        });
        let is_entry = |name: &OsString| name != "." && name != "..";
        Ok(names
            .filter(move |name| name.as_ref().map_or(true, is_entry))
            .map(|name| name.map_err(io::Error::from)))
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A directory that was searched.
#[derive(Clone, Debug)]
pub struct FoundDirectory {
    path: PathBuf,
    /// The directory that the user named.
    root: Arc<Directory>,
}

impl FoundDirectory {
    pub(super) fn new(root: &Arc<Directory>, path: PathBuf) -> FoundDirectory {
        FoundDirectory { path, root: root.clone() }
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the files in it whose names `is_wanted` accepts.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub fn files<'a>(
        &'a self,
        is_wanted: impl Fn(&OsStr) -> bool + 'a,
    ) -> io::Result<impl Iterator<Item = io::Result<FoundFile>> + 'a> {
        let wanted = move |name: &io::Result<OsString>| match name {
            Ok(name) => is_wanted(name),
            Err(_) => true,
        };
        let file =
            |name: io::Result<OsString>| Ok(FoundFile::below(&self.root, self.path.join(name?)));
        Ok(self.root.names(&self.path)?.filter(wanted).map(file))
    }
}

/// A file that the user named, or that was found in a directory.
#[derive(Clone, Debug)]
pub struct FoundFile {
    path: PathBuf,
    /// `None` if the user named it.
    directory: Option<Arc<Directory>>,
}

/// The identity, owner, length and age of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Device and inode.
    pub id: (u64, u64),
    /// The user ID of its owner.
    pub owner: u32,
    /// The length in bytes.
    pub length: u64,
    /// The time of the last modification.
    pub modified: SystemTime,
}

impl FoundFile {
    /// Returns a file that the user names. Links are followed.
    #[must_use]
    pub fn named(path: impl Into<PathBuf>) -> FoundFile {
        FoundFile { path: path.into(), directory: None }
    }

    /// Returns a file that was found at this path, below a directory.
    pub(super) fn below(directory: &Arc<Directory>, path: PathBuf) -> FoundFile {
        FoundFile { path, directory: Some(directory.clone()) }
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns `true` if the user named it.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.directory.is_none()
    }

    /// Opens the directory that contains the file; returns it, and the file's name in it.
    ///
    /// # Errors
    /// If the directory cannot be opened, or a link has replaced it.
    pub fn parent(&self) -> io::Result<(Parent<'_>, &OsStr)> {
        if let Some(directory) = &self.directory {
            return Ok(directory.parent(&self.path)?);
        }
        let name = self.path.file_name().ok_or(Errno::ISDIR)?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        Ok((Parent::Below(openat(CWD, parent, DIRECTORY, Mode::empty())?), name))
    }

    /// Returns how the file is opened: relative to which directory, by which path, and whether
    /// links are followed.
    fn location(&self) -> Result<(Parent<'_>, &Path, Links), Errno> {
        let Some(directory) = &self.directory else {
            return Ok((Parent::Named(CWD), &self.path, Links::Follow));
        };
        let (parent, name) = directory.parent(&self.path)?;
        Ok((parent, Path::new(name), Links::Refuse))
    }

    /// Returns the file's status; for a link that was found, that of the link.
    ///
    /// # Errors
    /// If there is no such file, or its directory cannot be searched.
    pub fn status(&self) -> io::Result<FileStatus> {
        let (parent, path, links) = self.location()?;
        let stat = statat(parent, path, links.at_flags())?;
        Ok(FileStatus::from(&stat))
    }

    /// Opens the file for reading; see [`open_file`](crate::read::open_file).
    ///
    /// # Errors
    /// If it is not a regular file, or cannot be opened.
    pub fn open(&self) -> Result<File, FileError> {
        let (parent, path, links) = self.location().map_err(io::Error::from)?;
        open_at(parent, path, links).map(|(file, _)| file)
    }
}

impl From<&Stat> for FileStatus {
    fn from(stat: &Stat) -> Self {
        // The types of the members depend on the architecture.
        let modified = time_of_file(
            u64::try_from(stat.st_mtime).unwrap_or(0),
            u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        );
        FileStatus {
            id: (stat.st_dev, stat.st_ino),
            owner: stat.st_uid,
            length: u64::try_from(stat.st_size).unwrap_or(0),
            modified,
        }
    }
}
