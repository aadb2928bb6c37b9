//! Which files processes have mapped to write to them: the proof of life where a PID and a time are
//! all that a file tells.
//!
//! The time on the wall can be set. A process that started before that then seems to have started
//! after it made its file, as if it were another one with its PID. A process that was restored from
//! a checkpoint has another start time, too; one in another container has another PID than we see.
//! And a child may go on writing to what its parent mapped. But all of these have it mapped.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Stat, major, minor};

/// The kernel's times of files are so much behind the clock at most.
const TICK: Duration = Duration::from_millis(20);

/// All such files, as far as `/proc` shows them.
#[derive(Default)]
pub(super) struct Mapped {
    looked: Option<SystemTime>,
    files: HashSet<File>,
    /// Where the kernel has another device number for a mapping than for the file (btrfs,
    /// overlayfs), its path tells.
    paths: HashSet<PathBuf>,
    /// Processes that may not be looked at.
    hidden: HashSet<u32>,
}

/// Device, major and minor, and inode.
type File = (u32, u32, u64);

impl Mapped {
    /// Looks at all processes, unless it has done so since the file was changed: whoever mapped a
    /// file to make it or to take it over changed it.
    pub(super) fn scrape(&mut self, stat: &Stat) {
        let changed = Duration::new(
            u64::try_from(stat.st_ctime).unwrap_or(0),
            u32::try_from(stat.st_ctime_nsec).unwrap_or(0),
        );
        let changed = SystemTime::UNIX_EPOCH + changed;
        if self.looked.is_none_or(|looked| looked < changed + TICK) {
            *self = Mapped { looked: Some(SystemTime::now()), ..Mapped::default() };
            self.look_at_all();
        }
    }

    /// Forgets everything, so that the next look is a new one.
    pub(super) fn forget(&mut self) {
        self.looked = None;
    }

    /// Whether some process has this file mapped.
    pub(super) fn holds(&self, path: &Path, stat: &Stat) -> bool {
        let is_at_path = || {
            !self.paths.is_empty()
                && fs::canonicalize(path).is_ok_and(|path| self.paths.contains(&path))
        };
        self.files.contains(&(major(stat.st_dev), minor(stat.st_dev), stat.st_ino)) || is_at_path()
    }

    /// Whether a process may have mapped anything, for all that is shown.
    pub(super) fn is_hidden(&self, pid: u32) -> bool {
        self.hidden.contains(&pid)
    }

    fn look_at_all(&mut self) {
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
                // It has ended meanwhile.
                Err(_) => {}
            }
        }
    }

    /// Adds the files of `/proc/PID/maps`, whose lines are `START-END PERMISSIONS OFFSET
    /// MAJOR:MINOR INODE PATH`.
    fn add(&mut self, maps: &[u8]) {
        for line in maps.split(|byte| *byte == b'\n') {
            if let Some((file, path)) = writable(line) {
                self.files.insert(file);
                self.paths.insert(path);
            }
        }
    }
}

fn writable(line: &[u8]) -> Option<(File, PathBuf)> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let permissions = fields.nth(1)?;
    // Shared and to be written to: readers' and private mappings are not.
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
    fn only_shared_mappings_that_can_be_written_to_count() {
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
    fn what_is_no_line_of_maps_is_left_out() {
        let mut mapped = Mapped::default();
        mapped.add(b"\n \nx\n7f01-7f02 rw-s\n7f01-7f02 rw-s 0 zz:1 1 /x\n7f01-7f02 rw-s 0 1 1 /x\n7f01-7f02 rw-s 0 1:1 -1 /x\n\xff \xff rw-s");
        assert!(mapped.files.is_empty());
    }
}
