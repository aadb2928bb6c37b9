//! The files that processes have mapped for writing. For files that identify their process only by
//! PID and creation time, such a mapping is the evidence that the process is alive.
//!
//! PID and time alone can mislead. After the wall clock was set, a process can seem to have started
//! after it created its file, as if its PID had been reused. A process restored from a checkpoint
//! has a new start time; a process in another container has another PID than is visible here; a
//! child may write to a mapping of its parent. In all these cases the file is mapped.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mmstats_std::mappings::{FileId, ReadTime, mapped_files};
use rustix::fs::{Stat, major, minor};
use rustix::process::geteuid;

/// All files mapped for writing, as far as `/proc` shows them.
#[derive(Default)]
pub(super) struct Mapped {
    /// The time of the last read; `None` to read again.
    read_time: Option<ReadTime>,
    /// Device (major, minor) and inode.
    files: HashSet<((u32, u32), u64)>,
    /// Paths, for file systems where a mapping has another device number than its file (btrfs,
    /// overlayfs).
    paths: HashSet<PathBuf>,
    /// Processes whose mappings may not be read.
    hidden: HashSet<u32>,
    /// Whether one of them may be of the user of this process, in another PID namespace.
    hides_own: bool,
}

impl Mapped {
    /// Reads the mappings of all processes, unless they were read after the file last changed.
    pub(super) fn refresh(&mut self, file: &File) {
        let covers = |time: &mut ReadTime| FileId::from_file(file).is_ok_and(|id| time.covers(&id));
        if !self.read_time.as_mut().is_some_and(covers) {
            *self = Mapped { read_time: Some(ReadTime::now()), ..Mapped::default() };
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

    /// Returns `true` if a process of our own user in another PID namespace may hide its mappings,
    /// as one that is not dumpable (after `setuid`) does.
    pub(super) fn hides_own_process(&self) -> bool {
        self.hides_own
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
                    self.hides_own |= may_be_own_elsewhere(pid);
                }
                // The process has exited meanwhile.
                Err(_) => {}
            }
        }
    }
}

/// Returns `true` if a process has another PID in its own namespace than here, and any of its user
/// IDs is ours, or if `/proc` hides that.
fn may_be_own_elsewhere(pid: u32) -> bool {
    let status = match fs::read(format!("/proc/{pid}/status")) {
        Ok(status) => status,
        // Otherwise, the process has exited meanwhile.
        Err(error) => return error.kind() == ErrorKind::PermissionDenied,
    };
    let status = String::from_utf8_lossy(&status);
    let words = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace()
    };
    let own = geteuid().as_raw().to_string();
    words("NSpid:").count() > 1 && words("Uid:").any(|user| user == own)
}
