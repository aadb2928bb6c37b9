//! The files that processes have mapped for writing. For files that identify their process only by
//! PID and creation time, such a mapping is the evidence that the process is alive.
//!
//! PID and time alone can mislead. After the wall clock was set, a process can seem to have started
//! after it created its file, as if its PID had been reused. A process restored from a checkpoint
//! has a new start time; a process in another container has another PID than is visible here; a
//! child may write to a mapping of its parent. In all these cases the file is mapped.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mmstats_std::mappings::{FileId, mapped_files};
use rustix::fs::{Stat, major, minor};

/// All files mapped for writing, as far as `/proc` shows them.
#[derive(Default)]
pub(super) struct Mapped {
    /// The time of the last read; `None` to read again.
    read_time: Option<SystemTime>,
    /// Device (major, minor) and inode.
    files: HashSet<((u32, u32), u64)>,
    /// Paths, for file systems where a mapping has another device number than its file (btrfs,
    /// overlayfs).
    paths: HashSet<PathBuf>,
    /// Processes whose mappings may not be read.
    hidden: HashSet<u32>,
    /// The users of those of them that are in other PID namespaces.
    hidden_users: HashSet<u32>,
    /// Whether that is hidden too.
    hides_users: bool,
}

impl Mapped {
    /// Reads the mappings of all processes, unless they were read after the file last changed.
    pub(super) fn refresh(&mut self, file: &File) {
        let is_covered = |time| FileId::from_file(file).is_ok_and(|id| id.is_covered_by(time));
        if !self.read_time.is_some_and(is_covered) {
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
        self.files.contains(&((major(stat.st_dev), minor(stat.st_dev)), stat.st_ino))
            || is_at_path()
    }

    /// Returns `true` if the mappings of this process cannot be read.
    pub(super) fn is_hidden(&self, pid: u32) -> bool {
        self.hidden.contains(&pid)
    }

    /// Returns `true` if the mappings of a process of this user in another PID namespace may be
    /// hidden: one that is not dumpable, as after `setuid`, hides them from its own user.
    pub(super) fn hides_process_of(&self, user: u32) -> bool {
        self.hides_users || self.hidden_users.contains(&user)
    }

    fn read_all(&mut self) {
        let Ok(processes) = fs::read_dir("/proc") else { return };
        for process in processes.flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            match mapped_files(pid) {
                Ok(mapped) => {
                    self.files.extend(mapped.iter().map(|file| (file.device, file.inode)));
                    self.paths.extend(mapped.into_iter().map(|file| file.path));
                }
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    self.hidden.insert(pid);
                    match users_elsewhere(pid) {
                        Ok(users) => self.hidden_users.extend(users),
                        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                            self.hides_users = true;
                        }
                        Err(_) => {}
                    }
                }
                // The process has exited meanwhile.
                Err(_) => {}
            }
        }
    }
}

/// Returns the real, effective, saved and file system user IDs of a process that has another PID in
/// its own namespace than here; none of another process.
fn users_elsewhere(pid: u32) -> io::Result<Vec<u32>> {
    let status = fs::read(format!("/proc/{pid}/status"))?;
    let status = String::from_utf8_lossy(&status);
    let numbers = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().filter_map(|number| number.parse().ok())
    };
    Ok(if numbers("NSpid:").count() > 1 { numbers("Uid:").collect() } else { Vec::new() })
}
