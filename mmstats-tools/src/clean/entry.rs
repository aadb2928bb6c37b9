//! A directory entry, and the file it refers to.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use mmstats_std::discover::FoundFile;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, fstatfs, openat, statat, unlinkat};
use rustix::io::Errno;

/// A directory entry. Its directory is kept open, so that the file that is inspected and the file
/// that is removed are in the same directory, even if the path changes meanwhile.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    directory: OwnedFd,
    name: OsString,
}

/// The open file of an entry.
pub(super) struct OpenFile {
    pub(super) file: File,
    pub(super) stat: Stat,
}

/// Why an entry cannot be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// There is no such entry.
    Gone,
    /// The file is not a regular file but of this type, and opening it can block or have side
    /// effects.
    NotAFile(&'static str),
    /// Another file has taken the name meanwhile.
    Changed,
    /// The system call failed.
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::NotFound { OpenError::Gone } else { OpenError::Io(error) }
    }
}

impl From<Errno> for OpenError {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

/// The type of symbolic links. They are never removed, as their target may be in another directory.
pub(super) const LINK: &str = "a symbolic link";

impl Entry {
    /// Opens the directory of a file.
    pub(super) fn new(file: &FoundFile) -> Result<Entry, OpenError> {
        let (parent, name) = file.parent()?;
        let directory = parent.as_fd().try_clone_to_owned()?;
        Ok(Entry { path: file.path().to_owned(), directory, name: name.to_owned() })
    }

    fn stat(&self) -> Result<Stat, Errno> {
        statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Opens the file for reading, if it is a regular file.
    pub(super) fn open(&self) -> Result<OpenFile, OpenError> {
        let file_type = match FileType::from_raw_mode(self.stat()?.st_mode) {
            FileType::RegularFile => {
                // The entry may have changed since `stat`: a link is not followed, and a pipe does
                // not block.
                let flags = OFlags::RDONLY
                    | OFlags::NOFOLLOW
                    | OFlags::NONBLOCK
                    | OFlags::NOCTTY
                    | OFlags::CLOEXEC;
                let file = File::from(openat(&self.directory, &self.name, flags, Mode::empty())?);
                let stat = fstat(&file)?;
                let opened = OpenFile { file, stat };
                return if self.refers_to(&opened) { Ok(opened) } else { Err(OpenError::Changed) };
            }
            FileType::Symlink => LINK,
            FileType::Directory => "a directory",
            FileType::Fifo => "a pipe",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            FileType::Socket => "a socket",
            FileType::Unknown => "an unknown kind of file",
        };
        Err(OpenError::NotAFile(file_type))
    }

    /// Returns `true` if the entry still refers to this regular file.
    pub(super) fn refers_to(&self, opened: &OpenFile) -> bool {
        self.stat().is_ok_and(|now| {
            FileType::from_raw_mode(now.st_mode) == FileType::RegularFile && id(&now) == opened.id()
        })
    }

    /// Removes the entry if it still refers to this file; returns `true` if it did.
    ///
    /// Linux cannot compare and unlink in one step, so a file that takes the name in the
    /// microseconds in between is lost. mmstats' own writers never replace an existing file: to
    /// lose theirs, another process has to remove the name, and a new process with the same PID and
    /// thread number has to start, all in these microseconds. The Python mmstats reuses a file with
    /// its name: to lose it, a process of the same name has to get the dead one's PID in them.
    pub(super) fn remove(&self, opened: &OpenFile) -> io::Result<bool> {
        if !self.refers_to(opened) {
            return Ok(false);
        }
        match unlinkat(&self.directory, &self.name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns `true` if the directory is on a network file system, so that the file may belong to
    /// a process on another machine.
    pub(super) fn is_on_network(&self) -> bool {
        // From statfs(2): NFS, SMB, CIFS, SMB2, 9P, FUSE (sshfs, virtiofs, GlusterFS), Ceph, AFS,
        // Lustre, GFS2, OCFS2.
        const NETWORK_FILE_SYSTEMS: [u32; 11] = [
            0x6969,
            0x517b,
            0xff53_4d42,
            0xfe53_4d42,
            0x0102_1997,
            0x6573_5546,
            0x00c3_6400,
            0x5346_414f,
            0x0bd0_0bd0,
            0x0116_1970,
            0x7461_636f,
        ];
        // The width of `f_type` differs between architectures; all values fit 32 bits.
        fstatfs(&self.directory)
            .is_ok_and(|system| NETWORK_FILE_SYSTEMS.contains(&(system.f_type as u32)))
    }
}

impl OpenFile {
    /// Returns device and inode, which no other file has while this one is open.
    pub(super) fn id(&self) -> (u64, u64) {
        id(&self.stat)
    }

    /// Returns the time since the last modification; zero if that is in the future.
    pub(super) fn age(&self) -> Duration {
        let modified = Duration::new(
            u64::try_from(self.stat.st_mtime).unwrap_or(0),
            u32::try_from(self.stat.st_mtime_nsec).unwrap_or(0),
        );
        SystemTime::UNIX_EPOCH
            .checked_add(modified)
            .and_then(|modified| SystemTime::now().duration_since(modified).ok())
            .unwrap_or_default()
    }
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}
