//! Determines whether the process that writes a file still runs.
//!
//! `cleanstats` removes files of dead processes, so `Dead` needs proof. A process that is not
//! visible from here, for example in another container, is `Unknown`.
//!
//! ```
//! use mmstats_std::identity::ProcessId;
//! use mmstats_std::liveness::{Evidence, Liveness, liveness};
//!
//! let evidence = Evidence { process: Some(ProcessId::current()), ..Evidence::default() };
//! assert_eq!(liveness(&evidence).liveness, Liveness::Alive);
//! ```

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::process;
use std::sync::OnceLock;
use std::time::SystemTime;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::clock::{unix_seconds, unix_time};
use crate::identity::{ProcessId, Stat};
use crate::mappings::{FileId, has_mapped};

/// The kernel's `USER_HZ`, the unit of start times: part of its ABI, 100 on all platforms of std.
const TICKS_PER_SECOND: f64 = 100.0;

/// The tolerance in seconds: the boot time is up to one second early, and start times and file
/// times are rounded down.
const TOLERANCE_SECONDS: f64 = 2.0;

/// Whether the process of a file runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// The process runs.
    Alive,
    /// The process has ended, so the file is no longer written.
    Dead,
    /// The process is not visible from here.
    Unknown,
}

/// A [`Liveness`] and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the process runs.
    pub liveness: Liveness,
    /// The reason.
    pub reason: Reason,
}

/// The reason for a [`Liveness`]. Displays as a clause: `its process has ended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Alive: the process runs.
    Runs,
    /// Alive: the process runs as another user.
    RunsAsOther,
    /// Alive: a process with its PID has the file mapped to write to it, although its start time is
    /// another one.
    Mapped,
    /// Alive: a process with its PID runs, and `/proc` does not show whether it is the same.
    PidRuns,
    /// Alive: the process runs, but the thread that wrote the file has ended. The next one takes
    /// the file over.
    ThreadEnded,
    /// Dead: there is no process with its PID.
    Ended,
    /// Dead: a zombie, whose parent has not waited for it.
    Zombie,
    /// Dead: its PID now belongs to a process with another start time.
    OtherStart,
    /// Dead: its process runs, but no longer has the file mapped to write to it.
    Unmapped,
    /// Unknown: its PID belongs to a process that started later by the wall clock, which can be
    /// set.
    StartedLater,
    /// Dead: the machine was rebooted.
    OtherBoot,
    /// Unknown: another container (some have their own boot ID), or an earlier boot.
    OtherContainerOrBoot,
    /// Unknown: the process is, or may be, in another PID namespace.
    OtherNamespace,
    /// Unknown: the file has no PID.
    NoPid,
    /// Unknown: the PID is out of range.
    ImpossiblePid,
    /// Unknown: a process of another user has its PID, and `/proc` does not show it (`hidepid`, see
    /// proc(5)).
    Hidden,
    /// Unknown: the operating system refuses the check.
    NotObservable,
}

impl Reason {
    /// Returns the liveness that follows.
    #[must_use]
    pub fn liveness(self) -> Liveness {
        self.describe().0
    }

    /// Returns the displayed text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.describe().1
    }

    fn describe(self) -> (Liveness, &'static str) {
        use Liveness::{Alive, Dead, Unknown};
        match self {
            Self::Runs => (Alive, "its process runs"),
            Self::RunsAsOther => (Alive, "its process runs, as another user"),
            Self::Mapped => (Alive, "a process has it mapped to write to it"),
            Self::ThreadEnded => (Alive, "its thread has ended"),
            Self::PidRuns => (Alive, "a process with its PID runs"),
            Self::Ended => (Dead, "its process has ended"),
            Self::Zombie => (Dead, "its process is a zombie until its parent waits for it or ends"),
            Self::OtherStart => (Dead, "its process has ended, and its PID was reused"),
            Self::Unmapped => (Dead, "its process no longer writes to it"),
            Self::OtherBoot => (Dead, "it is from an earlier boot"),
            Self::StartedLater => {
                (Unknown, "its PID was reused, or the clock was set: run this as root to find out")
            }
            Self::OtherContainerOrBoot => {
                (Unknown, "it is from another container (run this there) or from an earlier boot")
            }
            Self::OtherNamespace => {
                (Unknown, "its process may be in another PID namespace: run this there")
            }
            Self::Hidden => {
                (Unknown, "/proc hides its process: run this as root or as the process's user")
            }
            Self::NoPid => (Unknown, "it has no PID"),
            Self::ImpossiblePid => (Unknown, "its PID is out of range"),
            Self::NotObservable => (Unknown, "cannot determine whether its process is alive"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Verdict {
    /// Returns `true` if the process, or the thread that wrote the file, has ended: its gauges,
    /// texts and the like say nothing about the present.
    #[must_use]
    pub fn writer_has_ended(self) -> bool {
        self.liveness == Liveness::Dead || self.reason == Reason::ThreadEnded
    }
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Verdict { liveness: reason.liveness(), reason }
    }
}

/// The facts from which liveness is determined.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// The process, as the file states it. Without a PID namespace, it is taken to be in ours.
    pub process: Option<ProcessId>,
    /// When the file was created, in seconds since 1970 (`sys.created`); 0 means unknown.
    pub created: Option<f64>,
    /// When the file was last modified; used only if `created` is unknown.
    pub modified: Option<SystemTime>,
    /// The file, if it is one. A process that has it mapped is its writer.
    pub file: Option<FileId>,
}

impl Evidence {
    /// Returns a time at which the process ran, in seconds since 1970.
    fn ran_at(&self) -> Option<f64> {
        let modified = self.modified.map(unix_seconds);
        let is_known = |time: &f64| *time > 0.0;
        self.created.filter(is_known).or(modified.filter(is_known))
    }
}

/// Determines whether the process that `evidence` describes still runs.
///
/// This costs one or two system calls if the process has ended, and a read of `/proc/PID/stat` and,
/// every few seconds, of `/proc/PID/maps` if its PID exists. No signal is sent.
#[must_use]
pub fn liveness(evidence: &Evidence) -> Verdict {
    Observer::current().judge(evidence).into()
}

/// The process that determines liveness.
#[derive(Clone)]
struct Observer {
    process: ProcessId,
    /// Whether `/proc` shows the PIDs of our namespace.
    proc_is_ours: bool,
}

impl Observer {
    fn current() -> Cow<'static, Self> {
        static OBSERVER: OnceLock<Observer> = OnceLock::new();
        let observer = OBSERVER.get_or_init(Self::new);
        if observer.process.pid() == process::id() {
            Cow::Borrowed(observer)
        } else {
            // A fork of the process that was stored, perhaps in another namespace.
            Cow::Owned(Self::new())
        }
    }

    fn new() -> Self {
        Self { process: ProcessId::current(), proc_is_ours: proc_is_ours() }
    }

    fn judge(&self, evidence: &Evidence) -> Reason {
        let Some(process) = evidence.process.as_ref().filter(|process| process.pid() > 0) else {
            return Reason::NoPid;
        };
        let is_elsewhere = self.is_other_namespace(process);
        if self.is_other_boot(process) {
            // Some container managers give each container its own boot ID.
            return if is_elsewhere && !is_before_boot(evidence) {
                Reason::OtherContainerOrBoot
            } else {
                Reason::OtherBoot
            };
        }
        // For `kill`, a negative number is a process group.
        let Some(pid) = i32::try_from(process.pid()).ok().and_then(Pid::from_raw) else {
            return Reason::ImpossiblePid;
        };
        if is_elsewhere {
            return Reason::OtherNamespace;
        }
        match test_kill_process(pid) {
            Err(Errno::SRCH) => Reason::Ended,
            Ok(()) => self.judge_running(process, evidence, Reason::Runs),
            // Another user's process refuses the signal.
            Err(Errno::PERM) => self.judge_running(process, evidence, Reason::RunsAsOther),
            Err(_) => Reason::NotObservable,
        }
    }

    /// Determines whether the running process with this PID is the one that the file states. If so,
    /// or if `/proc` does not show it, returns `known`.
    fn judge_running(&self, process: &ProcessId, evidence: &Evidence, known: Reason) -> Reason {
        let Some(stat) = self.proc_is_ours.then(|| Stat::read(process.pid())).flatten() else {
            return match known {
                Reason::RunsAsOther if self.proc_is_ours => Reason::Hidden,
                Reason::RunsAsOther => known,
                _ => Reason::PidRuns,
            };
        };
        let is_mapped =
            || evidence.file.and_then(|file| has_mapped(process.pid(), stat.start, file));
        match process.start() {
            // A process that was restored from a checkpoint has another start time.
            Some(start) if start != stat.start => match is_mapped() {
                Some(true) => Reason::Mapped,
                _ => Reason::OtherStart,
            },
            None if started_after(&stat, evidence) => match is_mapped() {
                Some(true) => Reason::Mapped,
                Some(false) => Reason::OtherStart,
                None => Reason::StartedLater,
            },
            _ if stat.has_ended() => Reason::Zombie,
            Some(_) if is_mapped() == Some(false) => Reason::Unmapped,
            _ => known,
        }
    }

    fn is_other_boot(&self, process: &ProcessId) -> bool {
        let ours = self.process.boot_id();
        ours.is_some() && process.boot_id().is_some_and(|theirs| Some(theirs) != ours)
    }

    /// Returns `true` if the process is in another PID namespace than ours, or may be.
    fn is_other_namespace(&self, process: &ProcessId) -> bool {
        let theirs = process.pid_namespace();
        theirs.is_some() && theirs != self.process.pid_namespace()
    }
}

fn proc_is_ours() -> bool {
    let Ok(status) = fs::read("/proc/self/status") else {
        return false;
    };
    // Our PID in each namespace, from that of `/proc` down to our own.
    String::from_utf8_lossy(&status)
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .is_some_and(|pids| pids.split_whitespace().count() == 1)
}

fn started_after(stat: &Stat, evidence: &Evidence) -> bool {
    evidence.ran_at().is_some_and(|ran_at| {
        boot_time() + stat.start as f64 / TICKS_PER_SECOND > ran_at + TOLERANCE_SECONDS
    })
}

fn is_before_boot(evidence: &Evidence) -> bool {
    evidence.ran_at().is_some_and(|ran_at| ran_at + TOLERANCE_SECONDS < boot_time())
}

/// Returns the boot time in seconds since 1970. It is not stored, as it changes when the clock is
/// set.
fn boot_time() -> f64 {
    unix_time() - rustix::system::sysinfo().uptime as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn own() -> (ProcessId, u64) {
        let process = ProcessId::current();
        let start = process.start().expect("/proc is mounted");
        (process, start)
    }

    #[test]
    fn a_process_is_alive_unless_evidence_contradicts_it() {
        let (process, _) = own();
        let complete = Evidence {
            process: Some(process.clone()),
            created: Some(unix_time()),
            modified: Some(SystemTime::now()),
            file: None,
        };
        let only_pid = Some(ProcessId::new(process.pid(), 0, "", 0));
        for evidence in [
            complete.clone(),
            Evidence { process: only_pid.clone(), created: Some(0.0), modified: None, file: None },
            Evidence { process: only_pid, ..Evidence::default() },
            Evidence { created: Some(1.0), ..complete },
        ] {
            assert_eq!(
                liveness(&evidence),
                Verdict { liveness: Liveness::Alive, reason: Reason::Runs },
                "{evidence:?}"
            );
        }
    }

    #[test]
    fn one_contradicting_fact_is_enough() {
        let (own, start) = own();
        let pid = own.pid();
        let process = |pid, start, boot_id, namespace| Evidence {
            process: Some(ProcessId::new(pid, start, boot_id, namespace)),
            ..Evidence::default()
        };
        let evidence = process(pid, 0, "", 0);
        let long_ago = SystemTime::now() - Duration::from_secs(1_000_000_000);
        let elsewhere = process(pid, 0, "another one", 1);
        for (evidence, reason) in [
            (process(pid, start + 1, "", 0), Reason::OtherStart),
            (Evidence { created: Some(1.0), ..evidence.clone() }, Reason::StartedLater),
            (Evidence { modified: Some(long_ago), ..evidence }, Reason::StartedLater),
            (process(pid, 0, "another one", 0), Reason::OtherBoot),
            (
                Evidence { created: Some(unix_time()), ..elsewhere.clone() },
                Reason::OtherContainerOrBoot,
            ),
            (Evidence { created: Some(1.0), ..elsewhere }, Reason::OtherBoot),
            (process(pid, 0, "", 1), Reason::OtherNamespace),
            (Evidence::default(), Reason::NoPid),
            (process(0, 0, "", 0), Reason::NoPid),
            (process(u32::MAX, 0, "", 0), Reason::ImpossiblePid),
            (process(0x7fff_fff0, 0, "", 0), Reason::Ended),
        ] {
            assert_eq!(liveness(&evidence), Verdict::from(reason), "{evidence:?}");
        }
    }

    #[test]
    fn the_machine_booted_before_this_process_started() {
        let (_, start) = own();
        assert!(
            boot_time() > 0.0
                && boot_time() + start as f64 / TICKS_PER_SECOND <= unix_time() + TOLERANCE_SECONDS
        );
    }
}
