//! Whether the process that made a file still runs.
//!
//! Files of dead processes are deleted, so `Dead` needs proof. What cannot be seen from here, such
//! as a process in another container, is `Unknown`.

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

/// The kernel's `USER_HZ`, the unit of start times: part of its ABI, and 100 wherever std runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// In seconds: the boot time is up to one too early, a start time and a file's are rounded down.
const SLACK: f64 = 2.0;

/// Whether a file's process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It has ended: nobody writes the file any more.
    Dead,
    /// It cannot be seen from here.
    Unknown,
}

/// A [`Liveness`] and the ground for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the process runs.
    pub liveness: Liveness,
    /// The ground.
    pub reason: Reason,
}

/// The ground for a [`Liveness`]; displayed as a clause for humans: `its process has ended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Alive: the process runs.
    Runs,
    /// Alive: the process runs as another user.
    RunsAsOther,
    /// Alive: a process with its PID runs, and `/proc` does not show whether it is another one.
    PidRuns,
    /// Dead: there is no process with its PID.
    Ended,
    /// Dead: its parent has yet to wait for it.
    Zombie,
    /// Dead: the process that has its PID started at another time.
    OtherStart,
    /// Dead: the process that has its PID started later by the clock on the wall. That clock can be
    /// set, so this is no proof.
    StartedLater,
    /// Dead: the machine was started anew since.
    OtherBoot,
    /// Unknown: another container, some of which have a boot id of their own, or an earlier boot.
    OtherContainerOrBoot,
    /// Unknown: it is in another PID namespace, or may be.
    OtherNamespace,
    /// Unknown: the file names no process.
    NoPid,
    /// Unknown: no process can have its PID.
    ImpossiblePid,
    /// Unknown: the system does not tell.
    NotObservable,
}

impl Reason {
    /// What it speaks for.
    #[must_use]
    pub fn liveness(self) -> Liveness {
        match self {
            Self::Runs | Self::RunsAsOther | Self::PidRuns => Liveness::Alive,
            Self::Ended
            | Self::Zombie
            | Self::OtherStart
            | Self::StartedLater
            | Self::OtherBoot => Liveness::Dead,
            Self::OtherContainerOrBoot
            | Self::OtherNamespace
            | Self::NoPid
            | Self::ImpossiblePid
            | Self::NotObservable => Liveness::Unknown,
        }
    }

    /// As it is displayed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runs => "its process runs",
            Self::RunsAsOther => "its process runs, as another user",
            Self::PidRuns => "a process with its PID runs",
            Self::Ended => "its process has ended",
            Self::Zombie => "its process has ended, and its parent has yet to notice",
            Self::OtherStart | Self::StartedLater => {
                "its process has ended, and another one has its PID"
            }
            Self::OtherBoot => "it is from an earlier boot",
            Self::OtherContainerOrBoot => "it is from another container or an earlier boot",
            Self::OtherNamespace => "its process may be in another PID namespace",
            Self::NoPid => "it names no process",
            Self::ImpossiblePid => "its PID is an impossible one",
            Self::NotObservable => "its process cannot be asked for",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Verdict { liveness: reason.liveness(), reason }
    }
}

/// The facts by which a file's process is judged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// The process, as the file states it. Without a PID namespace, it is taken to be in ours.
    pub process: Option<ProcessId>,
    /// When the file was created, in seconds since 1970 (`sys.created`); 0 means unknown.
    pub created: Option<f64>,
    /// When the file was last modified; used only if `created` is unknown.
    pub modified: Option<SystemTime>,
}

impl Evidence {
    /// Returns a time at which the process ran, in seconds since 1970.
    fn ran_at(&self) -> Option<f64> {
        let modified = self.modified.map(unix_seconds);
        let is_known = |time: &f64| *time > 0.0;
        self.created.filter(is_known).or(modified.filter(is_known))
    }
}

/// Judges whether the process that `evidence` describes still runs.
///
/// It costs one or two system calls if the process has ended, and a read of `/proc/PID/stat` if
/// there is one with its PID. No signal is sent.
#[must_use]
pub fn liveness(evidence: &Evidence) -> Verdict {
    Observer::current().judge(evidence).into()
}

/// From where we look.
#[derive(Clone)]
struct Observer {
    process: ProcessId,
    /// Whether the numbers in `/proc` are the PIDs of our namespace.
    proc_is_ours: bool,
}

impl Observer {
    fn current() -> Cow<'static, Self> {
        static OBSERVER: OnceLock<Observer> = OnceLock::new();
        let observer = OBSERVER.get_or_init(Self::new);
        if observer.process.pid() == process::id() {
            Cow::Borrowed(observer)
        } else {
            // We are a fork of the process that looked first, perhaps in a namespace of its own.
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
            // Some container managers give each container a boot ID of its own.
            return if is_elsewhere && !is_before_boot(evidence) {
                Reason::OtherContainerOrBoot
            } else {
                Reason::OtherBoot
            };
        }
        // `kill` takes a negative number for a group of processes.
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

    /// Judges whether the running process with this PID is the one that the file states; if so, or
    /// if `/proc` does not show it, `known` stands.
    fn judge_running(&self, process: &ProcessId, evidence: &Evidence, known: Reason) -> Reason {
        let Some(stat) = self.proc_is_ours.then(|| Stat::read(process.pid())).flatten() else {
            return if known == Reason::RunsAsOther { known } else { Reason::PidRuns };
        };
        match process.start() {
            Some(start) if start != stat.start => Reason::OtherStart,
            None if started_after(&stat, evidence) => Reason::StartedLater,
            _ if stat.has_ended() => Reason::Zombie,
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
    evidence
        .ran_at()
        .is_some_and(|ran_at| booted() + stat.start as f64 / TICKS_PER_SECOND > ran_at + SLACK)
}

fn is_before_boot(evidence: &Evidence) -> bool {
    evidence.ran_at().is_some_and(|ran_at| ran_at + SLACK < booted())
}

/// When the machine was started, in seconds since 1970. It is asked for each time, as it moves when
/// the clock is set.
fn booted() -> f64 {
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
    fn a_process_is_alive_by_any_evidence_that_is_not_against_it() {
        let (process, _) = own();
        let complete = Evidence {
            process: Some(process.clone()),
            created: Some(unix_time()),
            modified: Some(SystemTime::now()),
        };
        let only_pid = Some(ProcessId::new(process.pid(), 0, "", 0));
        for evidence in [
            complete.clone(),
            Evidence { process: only_pid.clone(), created: Some(0.0), modified: None },
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
    fn one_fact_against_it_is_enough() {
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
    fn the_machine_was_started_before_this_process() {
        let (_, start) = own();
        assert!(
            booted() > 0.0 && booted() + start as f64 / TICKS_PER_SECOND <= unix_time() + SLACK
        );
    }
}
