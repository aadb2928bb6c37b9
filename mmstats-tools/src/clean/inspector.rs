//! Inspects a file: is it the file of a dead process?

use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use mmstats_std::identity::ProcessId;
use mmstats_std::liveness::{Evidence, Liveness, Reason, Verdict, liveness};
use mmstats_std::mappings::FileId;
use mmstats_std::read::{FileError, Reader, Sample};
use rustix::process::geteuid;

use super::entry::{Entry, LINK, OpenError, OpenFile};
use super::mapped::Mapped;

/// Age from which a blank file counts as abandoned. (Creating a file takes microseconds.)
const BLANK_FILE_AGE: Duration = Duration::from_secs(60);

/// The result of inspecting a file.
pub(super) enum Inspection {
    /// Stats that name their process.
    Stats(Box<Stats>),
    /// A symbolic link; its target may be in another directory.
    Link,
    /// Not an mmstats file, and why.
    Invalid(String),
    /// Stats without a PID.
    NoPid,
    /// The file cannot be read.
    Unreadable(std::io::Error),
    /// There is no such file.
    Gone,
    /// Another file has taken the name.
    Changed,
    /// A temporary file that is still in use, or of another program.
    Ignored,
}

impl From<OpenError> for Inspection {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Gone => Inspection::Gone,
            OpenError::NotAFile(LINK) => Inspection::Link,
            OpenError::NotAFile(found) => {
                Inspection::Invalid(FileError::NotAFile { found }.to_string())
            }
            OpenError::Changed => Inspection::Changed,
            OpenError::Io(error) => Inspection::Unreadable(error),
        }
    }
}

/// Stats that name their process.
pub(super) struct Stats {
    pub(super) opened: OpenFile,
    pub(super) pid: u32,
    pub(super) state: FileState,
    /// The reason for the state, for people.
    pub(super) reason: Cow<'static, str>,
    process: Option<ProcessId>,
    /// The bits of `sys.created`, for files without a start time.
    created: Option<u64>,
}

/// Whether a file may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileState {
    /// May be removed.
    Dead(Reason),
    /// Dead, but modified too recently: this long ago.
    Young(Reason, Duration),
    /// Kept: the process is alive.
    Alive(Reason),
    /// Kept: it cannot be determined whether the process is alive.
    Unknown,
}

impl FileState {
    pub(super) fn liveness(self) -> Liveness {
        match self {
            FileState::Dead(_) | FileState::Young(..) => Liveness::Dead,
            FileState::Alive(_) => Liveness::Alive,
            FileState::Unknown => Liveness::Unknown,
        }
    }
}

impl Stats {
    /// Returns `true` if this is still the same file of the same process.
    pub(super) fn is_same(&self, earlier: &Stats) -> bool {
        (self.opened.id(), self.pid, &self.process, self.created)
            == (earlier.opened.id(), earlier.pid, &earlier.process, earlier.created)
    }
}

/// Inspects files one after another.
#[derive(Default)]
pub(super) struct Inspector {
    reader: Reader,
    mapped: Mapped,
    min_age: Duration,
    /// Whether a file without a PID namespace belongs to this namespace.
    same_namespace: bool,
}

impl Inspector {
    /// Creates an inspector that keeps files younger than `min_age`, and files of PID namespaces
    /// that are not visible from here.
    pub(super) fn new(min_age: Duration, same_namespace: bool) -> Inspector {
        Inspector { min_age, same_namespace, ..Inspector::default() }
    }

    /// Discards the mappings seen in the previous round.
    pub(super) fn begin_round(&mut self) {
        self.mapped.clear();
    }

    /// Inspects an entry; calls `on_removable` with its stats if it may be removed.
    pub(super) fn inspect(
        &mut self,
        entry: &Entry,
        on_removable: impl FnOnce(&Sample<'_>),
    ) -> Inspection {
        let inspection = self.inspect_content(entry, on_removable);
        let is_dead = match &inspection {
            Inspection::Stats(stats) => matches!(stats.state, FileState::Dead(_)),
            _ => false,
        };
        // Ignores other temporary files.
        if is_dead || pid_of_unfinished(&entry.path).is_none() {
            inspection
        } else {
            Inspection::Ignored
        }
    }

    fn inspect_content(
        &mut self,
        entry: &Entry,
        on_removable: impl FnOnce(&Sample<'_>),
    ) -> Inspection {
        let opened = match entry.open() {
            Ok(opened) => opened,
            Err(error) => return error.into(),
        };
        let length = opened.stat.st_size;
        let sample = match self.reader.read_file(&opened.file) {
            Ok(sample) => sample,
            Err(FileError::Io(error)) => return Inspection::Unreadable(error),
            Err(error) => {
                return match pid_of_unfinished(&entry.path) {
                    Some(pid) if is_blank(&opened) => self.judge_blank(entry, opened, pid),
                    _ => Inspection::Invalid(error.to_string()),
                };
            }
        };
        let layout = sample.layout();
        if let Some(error) = layout.errors.first() {
            return Inspection::Invalid(error.clone());
        }
        if layout
            .region_length()
            .is_some_and(|region| u64::try_from(length).is_ok_and(|length| length > region.into()))
        {
            return Inspection::Invalid("more bytes than its region (a memory dump?)".to_owned());
        }
        let Some(pid) = sample.pid().filter(|pid| *pid > 0) else { return Inspection::NoPid };
        let provenance = Provenance::from_sample(&sample, entry, self.same_namespace);
        let (state, reason) = self.mapped.judge(entry, &opened, pid, &provenance);
        let state = state.keep_if_young(&opened, self.min_age);
        if matches!(state, FileState::Dead(_)) {
            on_removable(&sample);
        }
        let (process, created) = (sample.process_id(), sample.created().map(f64::to_bits));
        Inspection::Stats(Box::new(Stats { opened, pid, state, reason, process, created }))
    }

    /// Judges a file without content by the PID in its name.
    fn judge_blank(&mut self, entry: &Entry, opened: OpenFile, pid: u32) -> Inspection {
        let modified = SystemTime::now().checked_sub(opened.age());
        let verdict = liveness(&Evidence {
            process: Some(ProcessId::new(pid, 0, "", 0)),
            modified,
            file: FileId::from_file(&opened.file).ok(),
            ..Evidence::default()
        });
        let provenance = Provenance {
            verdict,
            is_exact: false,
            may_have_other_pid: !self.same_namespace,
            is_hidden: !sees_all_processes(self.same_namespace),
            is_remote: entry.is_on_network(),
        };
        let (state, reason) = self.mapped.judge(entry, &opened, pid, &provenance);
        let state = state.keep_if_young(&opened, self.min_age.max(BLANK_FILE_AGE));
        let (process, created) = (None, None);
        Inspection::Stats(Box::new(Stats { opened, pid, state, reason, process, created }))
    }
}

/// The evidence about a file's process, and how far it can be trusted.
struct Provenance {
    verdict: Verdict,
    /// Whether the file names the PID namespace.
    is_exact: bool,
    /// Whether the process may have another PID here than in the file.
    may_have_other_pid: bool,
    /// Whether the process may be invisible from here.
    is_hidden: bool,
    /// Whether the process may run on another machine.
    is_remote: bool,
}

impl Provenance {
    fn from_sample(sample: &Sample<'_>, entry: &Entry, same_namespace: bool) -> Provenance {
        let verdict = sample.verdict();
        let is_dead = verdict.liveness == Liveness::Dead;
        let is_exact = sample.process_id().is_some_and(|process| process.pid_namespace().is_some());
        let may_have_other_pid = is_dead && !is_exact && !same_namespace;
        Provenance {
            verdict,
            is_exact,
            may_have_other_pid,
            is_hidden: is_dead && !is_exact && !sees_all_processes(same_namespace),
            is_remote: is_dead && entry.is_on_network() && !is_of_this_boot(sample),
        }
    }
}

/// Returns `true` if the file was created since this machine booted.
fn is_of_this_boot(sample: &Sample<'_>) -> bool {
    let ours = ProcessId::current();
    sample
        .process_id()
        .is_some_and(|theirs| theirs.boot_id().is_some() && theirs.boot_id() == ours.boot_id())
}

impl Mapped {
    /// Judges by the evidence in the file and, where that does not prove death, by whether a
    /// process has the file mapped.
    fn judge(
        &mut self,
        entry: &Entry,
        opened: &OpenFile,
        pid: u32,
        provenance: &Provenance,
    ) -> (FileState, Cow<'static, str>) {
        let reason = provenance.verdict.reason;
        let text = Cow::Borrowed(reason.as_str());
        if reason == Reason::Unmapped {
            // Its process runs, and may have copied the file.
            return (FileState::Alive(reason), text);
        }
        match provenance.verdict.liveness {
            Liveness::Alive => return (FileState::Alive(reason), text),
            Liveness::Unknown => return (FileState::Unknown, text),
            Liveness::Dead => {}
        }
        if provenance.is_remote {
            let reason = "its process may be on another machine: run this there";
            return (FileState::Unknown, Cow::Borrowed(reason));
        }
        if provenance.is_hidden {
            let reason = "its process may be in another PID namespace: run this there, or with \
                --assume-same-pid-namespace if it cannot be";
            return (FileState::Unknown, Cow::Borrowed(reason));
        }
        // By the wall clock, which can be set, a container may seem to be of an earlier boot.
        if !provenance.is_exact || matches!(reason, Reason::OtherStart | Reason::OtherBoot) {
            self.refresh(&opened.file);
            if self.holds(&entry.path, &opened.stat) {
                let reason = Reason::Mapped;
                return (FileState::Alive(reason), Cow::Borrowed(reason.as_str()));
            }
            let is_own = opened.stat.st_uid == geteuid().as_raw();
            if provenance.may_have_other_pid && is_own && self.hides_own_process() {
                let reason = "its process may be one whose mappings are hidden: run this as root, \
                    or with --assume-same-pid-namespace";
                return (FileState::Unknown, Cow::Borrowed(reason));
            }
            if reason == Reason::OtherStart && self.is_hidden(pid) {
                let reason = "its PID was reused, or it was restored from a checkpoint: run this \
                    as root to find out";
                return (FileState::Unknown, Cow::Borrowed(reason));
            }
        }
        (FileState::Dead(reason), text)
    }
}

/// The inode number of the initial PID namespace, which is part of the kernel's ABI
/// (`PROC_PID_INIT_INO`).
const INITIAL_PID_NAMESPACE: u64 = 0xeffffffc;

/// Returns `true` if `/proc` shows every process of the machine, which it does not inside a
/// container or if it is mounted with `hidepid`, or if the user says that all files belong to this
/// PID namespace.
fn sees_all_processes(same_namespace: bool) -> bool {
    let is_initial = || {
        fs::metadata("/proc/self/ns/pid")
            .is_ok_and(|namespace| namespace.ino() == INITIAL_PID_NAMESPACE)
    };
    let shows_others = || fs::metadata("/proc/1").is_ok();
    (same_namespace || is_initial() && shows_others()) && fs::read_dir("/proc").is_ok()
}

impl FileState {
    fn keep_if_young(self, opened: &OpenFile, min_age: Duration) -> FileState {
        match (self, opened.age()) {
            (FileState::Dead(reason), age) if age < min_age => FileState::Young(reason, age),
            _ => self,
        }
    }
}

/// Returns the PID in the name of a temporary file, `.mmstats-PID-NUMBER.tmp`.
pub(super) fn pid_of_unfinished(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    let (pid, number) = name.strip_prefix(".mmstats-")?.strip_suffix(".tmp")?.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(pid) && is_number(number) { pid.parse().ok() } else { None }
}

/// Returns `true` if the file starts with zeros: the magic is written last.
fn is_blank(opened: &OpenFile) -> bool {
    let mut beginning = [0; 4];
    opened.file.read_at(&mut beginning, 0).is_ok_and(|_| beginning == [0; 4])
}
