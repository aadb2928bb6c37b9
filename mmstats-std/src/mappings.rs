//! The files that a process has mapped to write to them.
//!
//! A process writes to a file only through a mapping. So a live process that does not map its file
//! no longer writes to it: its program was replaced by another one (`exec`), or it closed the file
//! and kept it. And a process that maps a file is its writer, whatever start time and clock say.

use crate::clock::ClockReading;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// A file that a process has mapped to write to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MappedFile {
    /// Major and minor device number. On some file systems (btrfs, overlayfs), they differ from
    /// those of the file.
    pub device: (u32, u32),
    /// The inode number.
    pub inode: u64,
    /// The path, as the process sees it.
    pub path: PathBuf,
}

/// Returns the files that the process with this PID, or `self`, has mapped to write to them.
///
/// # Errors
/// If `/proc/PID/maps` cannot be read, as that of another user's process.
pub fn mapped_files(process: impl fmt::Display) -> io::Result<Vec<MappedFile>> {
    Ok(parse(&read_maps(process)?))
}

fn read_maps(process: impl fmt::Display) -> io::Result<Vec<u8>> {
    fs::read(format!("/proc/{process}/maps"))
}

/// Parses `/proc/PID/maps`, see proc_pid_maps(5): lines of `START-END PERMISSIONS OFFSET
/// MAJOR:MINOR INODE PATH`.
fn parse(maps: &[u8]) -> Vec<MappedFile> {
    maps.split(|byte| *byte == b'\n').filter_map(parse_shared_writable).collect()
}

fn parse_shared_writable(line: &[u8]) -> Option<MappedFile> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let permissions = fields.nth(1)?;
    // Skips private and read-only mappings.
    if permissions.get(1) != Some(&b'w') || permissions.get(3) != Some(&b's') {
        return None;
    }
    let mut text = |skipped| fields.nth(skipped).and_then(|field| std::str::from_utf8(field).ok());
    let (major, minor) = text(1)?.split_once(':')?;
    let inode = text(0)?.parse().ok()?;
    let device = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    let path = PathBuf::from(OsStr::from_bytes(fields.next()?.trim_ascii_start()));
    Some(MappedFile { device, inode, path })
}

/// A file whose mapping is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    /// The inode number.
    pub inode: u64,
    /// When its inode last changed (`st_ctime`), as by its creation.
    pub changed: SystemTime,
}

impl FileId {
    /// Returns the identity of an open file.
    ///
    /// # Errors
    /// If the operating system cannot read its status.
    pub fn from_file(file: &File) -> io::Result<FileId> {
        Ok(FileId::from_stat(&rustix::fs::fstat(file)?))
    }

    pub(crate) fn from_stat(stat: &rustix::fs::Stat) -> FileId {
        // The types of the members depend on the architecture.
        let changed = time_of_file(
            u64::try_from(stat.st_ctime).unwrap_or(0),
            u32::try_from(stat.st_ctime_nsec).unwrap_or(0),
        );
        FileId { inode: stat.st_ino, changed }
    }
}

/// When mappings were read.
#[derive(Debug, Clone, Copy)]
pub struct ReadTime(ClockReading);

impl ReadTime {
    /// Returns the current time, before the mappings are read.
    #[must_use]
    pub fn now() -> Self {
        ReadTime(ClockReading::now())
    }

    /// Returns `true` if mappings that were read at this time include all of the file. A process
    /// that creates or adopts a file changes it, and maps it before it gets its name.
    ///
    /// File times are from the wall clock: after that was set back, files that changed later can
    /// have earlier times. So the earliest time counts that this had by the clock at any call.
    #[must_use]
    pub fn covers(&mut self, file: &FileId) -> bool {
        let ReadTime(reading) = self;
        reading.wall = reading.wall.min(reading.by_current_clock());
        reading.wall.duration_since(file.changed).is_ok_and(|age| age >= FILE_TIME_LAG)
    }

    fn age(&self) -> Duration {
        self.0.monotonic.elapsed()
    }
}

/// Returns a file's time; 1970 if it is out of range.
pub(crate) fn time_of_file(seconds: u64, nanoseconds: u32) -> SystemTime {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds));
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The maximum time by which the kernel's file times are older than the clock.
const FILE_TIME_LAG: Duration = Duration::from_millis(20);

/// How long the mappings of a process are remembered.
const LIFETIME: Duration = Duration::from_secs(5);

/// The maximum number of processes whose mappings are remembered.
const MAX_PROCESSES: usize = 4096;

/// The inodes that a process had mapped, and when.
type Remembered = (ReadTime, HashSet<u64>);

/// Returns `true` if the process with this PID and start time has the file mapped to write to it;
/// `None` if that cannot be seen.
///
/// Remembers the mappings for some seconds, as a process may have a thousand files.
pub(crate) fn has_mapped(pid: u32, start: u64, file: FileId) -> Option<bool> {
    static PROCESSES: Mutex<Option<HashMap<(u32, u64), Remembered>>> = Mutex::new(None);
    let mut processes = PROCESSES.lock().unwrap_or_else(PoisonError::into_inner);
    let processes = processes.get_or_insert_with(HashMap::new);
    if let Some((time, inodes)) = processes.get_mut(&(pid, start)) {
        let (is_covered, is_mapped) = (time.covers(&file), inodes.contains(&file.inode));
        if time.age() < LIFETIME && (is_mapped || is_covered) {
            return Some(is_mapped);
        }
    }
    let time = ReadTime::now();
    let maps = read_maps(pid).ok()?;
    if maps.is_empty() {
        // The main thread has ended; it no longer shows the mappings of the others.
        return None;
    }
    let inodes: HashSet<u64> = parse(&maps).into_iter().map(|mapped| mapped.inode).collect();
    let is_mapped = inodes.contains(&file.inode);
    if processes.len() >= MAX_PROCESSES {
        processes.clear();
    }
    processes.insert((pid, start), (time, inodes));
    Some(is_mapped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::Instant;

    #[test]
    fn mappings_cover_no_file_that_may_have_changed_later() {
        const HOUR: Duration = Duration::from_secs(3600);
        let now = SystemTime::now();
        let covers = |wall, changed| {
            let reading = ClockReading { wall, monotonic: Instant::now() };
            ReadTime(reading).covers(&FileId { inode: 1, changed })
        };
        assert!(covers(now, now - FILE_TIME_LAG * 2));
        assert!(!covers(now, now - FILE_TIME_LAG / 2));
        // By a clock that was set back by an hour since, and forward.
        assert!(!covers(now + HOUR, now));
        assert!(covers(now + HOUR, now - HOUR));
        assert!(!covers(now - HOUR, now - HOUR / 2));
        assert!(covers(now - HOUR, now - HOUR * 2));
    }

    #[test]
    fn only_shared_writable_mappings_count() {
        let maps = b"55e8-55e9 r-xp 00000000 fe:00 11 /usr/bin/program\n\
            7f01-7f02 rw-s 00000000 00:1b 22                         /dev/shm/a b.mmstats\n\
            7f02-7f03 r--s 00000000 00:1b 33                         /dev/shm/read.mmstats\n\
            7f03-7f04 rw-p 00000000 fe:00 44                         /usr/lib/private\n\
            7f04-7f05 -w-s 00001000 103:10 55                        /data/c.mmstats (deleted)\n\
            7ffd-7ffe rw-p 00000000 00:00 0                          [stack]\n";
        let mapped = parse(maps);
        let files: Vec<_> = mapped.iter().map(|mapped| (mapped.device, mapped.inode)).collect();
        assert_eq!(files, [((0, 0x1b), 22), ((0x103, 0x10), 55)]);
        assert_eq!(mapped[0].path, Path::new("/dev/shm/a b.mmstats"));
    }

    #[test]
    fn malformed_lines_are_ignored() {
        let mapped = parse(
            b"\n \nx\n7f01-7f02 rw-s\n7f01-7f02 rw-s 0 zz:1 1 /x\n7f01-7f02 rw-s 0 1 1 /x\n\
            7f01-7f02 rw-s 0 1:1 -1 /x\n\xff \xff rw-s",
        );
        assert_eq!(mapped, []);
    }
}
