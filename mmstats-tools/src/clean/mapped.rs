//! The files that processes have mapped for writing. For files that identify their process only by
//! PID and creation time, such a mapping is the evidence that the process is alive.
//!
//! PID and time alone can mislead. After the wall clock was set, a process can seem to have started
//! after it created its file, as if its PID had been reused. A process restored from a checkpoint
//! has a new start time; a process in another container has another PID than is visible here; a
//! child may write to a mapping of its parent. In all these cases the file is mapped.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Stat, major, minor};

/// The maximum time by which the kernel's file times are older than the clock.
const FILE_TIME_LAG: Duration = Duration::from_millis(20);

/// All files mapped for writing, as far as `/proc` shows them.
#[derive(Default)]
pub(super) struct Mapped {
    /// The time of the last read; `None` to read again.
    read_time: Option<SystemTime>,
    files: HashSet<FileId>,
    /// Paths, for file systems where a mapping has another device number than its file (btrfs,
    /// overlayfs).
    paths: HashSet<PathBuf>,
    /// Processes whose mappings may not be read.
    hidden: HashSet<u32>,
}

/// Device (major, minor) and inode.
type FileId = (u32, u32, u64);

impl Mapped {
    /// Reads the mappings of all processes, unless they were read after the file last changed.
    /// A process that creates or adopts a file changes it, so no later mapping is missed.
    pub(super) fn refresh(&mut self, stat: &Stat) {
        let changed = Duration::new(
            u64::try_from(stat.st_ctime).unwrap_or(0),
            u32::try_from(stat.st_ctime_nsec).unwrap_or(0),
        );
        let changed = SystemTime::UNIX_EPOCH + changed;
        if self.read_time.is_none_or(|time| time < changed + FILE_TIME_LAG) {
            *self = Mapped { read_time: Some(SystemTime::now()), ..Mapped::default() };
            self.read_all();
        }
    }

    /// Makes the next [`Self::refresh`] read again.
    pub(super) fn clear(&mut self) {
        self.read_time = None;
    }

    /// Returns `true` if a process has this file mapped for writing.
    pub(super) fn holds(&self, path: &Path, stat: &Stat) -> bool {
        let is_at_path = || {
            !self.paths.is_empty()
                && fs::canonicalize(path).is_ok_and(|path| self.paths.contains(&path))
        };
        self.files.contains(&(major(stat.st_dev), minor(stat.st_dev), stat.st_ino)) || is_at_path()
    }

    /// Returns `true` if the mappings of this process cannot be read.
    pub(super) fn is_hidden(&self, pid: u32) -> bool {
        self.hidden.contains(&pid)
    }

    fn read_all(&mut self) {
        let Ok(processes) = fs::read_dir("/proc") else { return };
        for process in processes.flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match fs::read(process.path().join("maps")) {
                Ok(maps) => self.add(&maps),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    self.hidden.insert(pid);
                }
                // The process has exited meanwhile.
                Err(_) => {}
            }
        }
    }

    /// Adds the files of `/proc/PID/maps`, see proc_pid_maps(5): lines of `START-END PERMISSIONS
    /// OFFSET MAJOR:MINOR INODE PATH`.
    fn add(&mut self, maps: &[u8]) {
        for line in maps.split(|byte| *byte == b'\n') {
            if let Some((file, path)) = parse_shared_writable(line) {
                self.files.insert(file);
                self.paths.insert(path);
            }
        }
    }
}

fn parse_shared_writable(line: &[u8]) -> Option<(FileId, PathBuf)> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let permissions = fields.nth(1)?;
    // Skips private and read-only mappings.
    if permissions.get(1) != Some(&b'w') || permissions.get(3) != Some(&b's') {
        return None;
    }
    let mut text = |skipped| fields.nth(skipped).and_then(|field| std::str::from_utf8(field).ok());
    let (major, minor) = text(1)?.split_once(':')?;
    let inode = text(0)?.parse().ok()?;
    let file = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?, inode);
    Some((file, PathBuf::from(OsStr::from_bytes(fields.next()?.trim_ascii_start()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_writable_mappings_count() {
        let maps = b"55e8-55e9 r-xp 00000000 fe:00 11 /usr/bin/program\n\
            7f01-7f02 rw-s 00000000 00:1b 22                         /dev/shm/a b.mmstats\n\
            7f02-7f03 r--s 00000000 00:1b 33                         /dev/shm/read.mmstats\n\
            7f03-7f04 rw-p 00000000 fe:00 44                         /usr/lib/private\n\
            7f04-7f05 -w-s 00001000 103:10 55                        /data/c.mmstats (deleted)\n\
            7ffd-7ffe rw-p 00000000 00:00 0                          [stack]\n";
        let mut mapped = Mapped::default();
        mapped.add(maps);
        assert_eq!(mapped.files, HashSet::from([(0, 0x1b, 22), (0x103, 0x10, 55)]));
        assert!(mapped.paths.contains(Path::new("/dev/shm/a b.mmstats")));
    }

    #[test]
    fn malformed_lines_are_ignored() {
        let mut mapped = Mapped::default();
        mapped.add(
            b"\n \nx\n7f01-7f02 rw-s\n7f01-7f02 rw-s 0 zz:1 1 /x\n7f01-7f02 rw-s 0 1 1 /x\n\
            7f01-7f02 rw-s 0 1:1 -1 /x\n\xff \xff rw-s",
        );
        assert!(mapped.files.is_empty());
    }
}
