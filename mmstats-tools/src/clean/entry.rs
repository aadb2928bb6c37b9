//! A name in a directory, and the file that it stands for at the time.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, fstatfs, openat, statat, unlinkat};
use rustix::io::Errno;

/// A name in a directory. That is held open, so that what is looked at and what is removed are in
/// the same one, whatever becomes of its path.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    directory: OwnedFd,
    name: OsString,
}

/// A file that is open, and has the entry's name.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) stat: Stat,
}

/// Why an entry is not opened.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is nothing of that name.
    Gone,
    /// It is no regular file; opening one of these can hang, or do something.
    Is(&'static str),
    /// Another file has taken the name meanwhile.
    Changed,
    /// The operating system refuses.
    Io(io::Error),
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        if error == Errno::NOENT { Refusal::Gone } else { Refusal::Io(error.into()) }
    }
}

/// What symbolic links are called; they are left alone, as what they lead to may be elsewhere.
pub(super) const LINK: &str = "a symbolic link";

impl Entry {
    /// The entry at this path.
    pub(super) fn at(path: &Path) -> Result<Entry, Refusal> {
        let name = path.file_name().ok_or(Errno::ISDIR)?.to_owned();
        let parent =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = rustix::fs::open(
            parent,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(Entry { path: path.to_owned(), directory, name })
    }

    fn stat(&self) -> Result<Stat, Errno> {
        statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Opens it for reading, if it is a regular file.
    pub(super) fn open(&self) -> Result<Opened, Refusal> {
        let found = match FileType::from_raw_mode(self.stat()?.st_mode) {
            FileType::RegularFile => {
                // It may be another file by now: so a link is not followed, and a pipe does not
                // block.
                let flags = OFlags::RDONLY
                    | OFlags::NOFOLLOW
                    | OFlags::NONBLOCK
                    | OFlags::NOCTTY
                    | OFlags::CLOEXEC;
                let file = File::from(openat(&self.directory, &self.name, flags, Mode::empty())?);
                let stat = fstat(&file)?;
                let opened = Opened { file, stat };
                return if self.is(&opened) { Ok(opened) } else { Err(Refusal::Changed) };
            }
            FileType::Symlink => LINK,
            FileType::Directory => "a directory",
            FileType::Fifo => "a pipe",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            FileType::Socket => "a socket",
            FileType::Unknown => "no file",
        };
        Err(Refusal::Is(found))
    }

    /// Whether its name still stands for this file, which has to be a regular one.
    pub(super) fn is(&self, opened: &Opened) -> bool {
        self.stat().is_ok_and(|now| {
            FileType::from_raw_mode(now.st_mode) == FileType::RegularFile && id(&now) == opened.id()
        })
    }

    /// Removes the name, if it still stands for this file; tells whether it did.
    ///
    /// The system cannot do both at once, so there are some microseconds in between. Whoever puts
    /// another file under the name in them loses it. What publishes by this project's code does
    /// not: it takes no name that is taken, and a name is free only after somebody has removed it,
    /// another `cleanstats` for example; then a process with the same PID and the same thread's
    /// number would have to begin right there. The Python mmstats takes over a file that has its
    /// name; for that to be lost, too, a process of the same name has to get the dead one's PID in
    /// this moment.
    pub(super) fn remove(&self, opened: &Opened) -> io::Result<bool> {
        if !self.is(opened) {
            return Ok(false);
        }
        match unlinkat(&self.directory, &self.name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether other machines may have the same directory, so that the file may be of a process on
    /// one of them.
    pub(super) fn is_shared_by_machines(&self) -> bool {
        // The numbers are those of statfs(2): NFS, SMB, CIFS, 9P, FUSE (sshfs, virtiofs,
        // GlusterFS), Ceph, AFS, Lustre, GFS2, OCFS2.
        const SHARED: [u32; 11] = [
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
        // Their type's width differs between architectures; all of them have 32 bits.
        fstatfs(&self.directory).is_ok_and(|system| SHARED.contains(&(system.f_type as u32)))
    }
}

impl Opened {
    /// Its device and inode: what no other file has as long as this is open.
    pub(super) fn id(&self) -> (u64, u64) {
        id(&self.stat)
    }

    /// How long ago it was modified; zero if that was in the future.
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
