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

use crate::identity::{Process, Stat, unix_seconds, unix_time};

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
    NotTold,
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
            | Self::NotTold => Liveness::Unknown,
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
            Self::NotTold => "its process cannot be asked for",
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

/// What a file says about its process. A number that is 0 and a text that is empty are as good as
/// `None`: whoever wrote the file did not know either.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evidence<'a> {
    /// The process id (`sys.pid`).
    pub pid: Option<u32>,
    /// When the process started, in clock ticks since boot.
    pub start: Option<u64>,
    /// The boot id.
    pub boot_id: Option<&'a str>,
    /// The inode number of the PID namespace. Without one, the namespace is taken to be ours.
    pub pid_namespace: Option<u64>,
    /// When the fields were made (`sys.created`), in seconds since 1970.
    pub created: Option<f64>,
    /// When the file was last modified; counts only without `created`.
    pub modified: Option<SystemTime>,
}

impl Evidence<'_> {
    fn start(&self) -> Option<u64> {
        self.start.filter(|&ticks| ticks > 0)
    }

    /// A time at which the process ran, in seconds since 1970.
    fn ran_at(&self) -> Option<f64> {
        let modified = self.modified.map(unix_seconds);
        let known = |time: &f64| *time > 0.0;
        self.created.filter(known).or(modified.filter(known))
    }
}

/// Judges whether the process that `evidence` describes still runs.
///
/// It costs one or two system calls if the process has ended, and a read of `/proc/PID/stat` if
/// there is one with its PID. No signal is sent.
pub fn liveness(evidence: &Evidence<'_>) -> Verdict {
    Observer::current().judge(evidence).into()
}

/// From where we look.
#[derive(Clone)]
struct Observer {
    process: Process,
    /// Whether the numbers in `/proc` are the PIDs of our namespace.
    proc_is_ours: bool,
}

impl Observer {
    fn current() -> Cow<'static, Self> {
        static OBSERVER: OnceLock<Observer> = OnceLock::new();
        let observer = OBSERVER.get_or_init(Self::new);
        if observer.process.pid == process::id() {
            Cow::Borrowed(observer)
        } else {
            // We are a fork of the process that looked first, perhaps in a namespace of its own.
            Cow::Owned(Self::new())
        }
    }

    fn new() -> Self {
        Self { process: Process::current(), proc_is_ours: proc_is_ours() }
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Reason {
        let elsewhere = self.is_other_namespace(evidence);
        if self.is_other_boot(evidence) {
            // Some container managers give each container a boot id of its own.
            return if elsewhere && !is_before_boot(evidence) {
                Reason::OtherContainerOrBoot
            } else {
                Reason::OtherBoot
            };
        }
        let Some(pid) = evidence.pid.filter(|&pid| pid > 0) else {
            return Reason::NoPid;
        };
        // `kill` takes a negative number for a group of processes.
        let Some(kill_pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Reason::ImpossiblePid;
        };
        if elsewhere {
            return Reason::OtherNamespace;
        }
        match test_kill_process(kill_pid) {
            Err(Errno::SRCH) => Reason::Ended,
            Ok(()) => self.judge_running(pid, evidence, Reason::Runs),
            // Another user's process refuses the signal.
            Err(Errno::PERM) => self.judge_running(pid, evidence, Reason::RunsAsOther),
            Err(_) => Reason::NotTold,
        }
    }

    /// Judges whether the running process `pid` is the one meant, and if so, tells what is known of
    /// it.
    fn judge_running(&self, pid: u32, evidence: &Evidence<'_>, known: Reason) -> Reason {
        let Some(stat) = Some(pid).filter(|_| self.proc_is_ours).and_then(Stat::of) else {
            return if known == Reason::RunsAsOther { known } else { Reason::PidRuns };
        };
        match evidence.start() {
            Some(start) if start != stat.start => Reason::OtherStart,
            None if started_after(&stat, evidence) => Reason::StartedLater,
            _ if stat.has_ended() => Reason::Zombie,
            _ => known,
        }
    }

    fn is_other_boot(&self, evidence: &Evidence<'_>) -> bool {
        let theirs = evidence.boot_id.filter(|id| !id.is_empty());
        match (theirs, &self.process.boot_id) {
            (Some(theirs), Some(ours)) => theirs != ours,
            _ => false,
        }
    }

    /// Whether the process is in another PID namespace than ours, or may be.
    fn is_other_namespace(&self, evidence: &Evidence<'_>) -> bool {
        let theirs = evidence.pid_namespace.filter(|&inode| inode > 0);
        theirs.is_some() && theirs != self.process.pid_namespace
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

fn started_after(stat: &Stat, evidence: &Evidence<'_>) -> bool {
    evidence
        .ran_at()
        .is_some_and(|ran_at| booted() + stat.start as f64 / TICKS_PER_SECOND > ran_at + SLACK)
}

fn is_before_boot(evidence: &Evidence<'_>) -> bool {
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

    fn own() -> (Process, u64) {
        let process = Process::current();
        let start = process.start.expect("/proc is mounted");
        (process, start)
    }

    #[test]
    fn a_process_is_alive_by_any_evidence_that_is_not_against_it() {
        let (process, start) = own();
        let pid = Some(process.pid);
        let whole = Evidence {
            pid,
            start: Some(start),
            boot_id: process.boot_id.as_deref(),
            pid_namespace: process.pid_namespace,
            created: Some(unix_time()),
            modified: Some(SystemTime::now()),
        };
        let unknown = Evidence {
            pid,
            start: Some(0),
            boot_id: Some(""),
            pid_namespace: Some(0),
            created: Some(0.0),
            modified: None,
        };
        for evidence in [
            whole,
            unknown,
            Evidence { pid, ..Evidence::default() },
            Evidence { created: Some(1.0), ..whole },
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
        let (process, start) = own();
        let evidence = Evidence { pid: Some(process.pid), ..Evidence::default() };
        let long_ago = SystemTime::now() - Duration::from_secs(1_000_000_000);
        for (evidence, reason) in [
            (Evidence { start: Some(start + 1), ..evidence }, Reason::OtherStart),
            (Evidence { created: Some(1.0), ..evidence }, Reason::StartedLater),
            (Evidence { modified: Some(long_ago), ..evidence }, Reason::StartedLater),
            (Evidence { boot_id: Some("another one"), ..evidence }, Reason::OtherBoot),
            (
                Evidence {
                    boot_id: Some("another one"),
                    pid_namespace: Some(1),
                    created: Some(unix_time()),
                    ..evidence
                },
                Reason::OtherContainerOrBoot,
            ),
            (
                Evidence {
                    boot_id: Some("another one"),
                    pid_namespace: Some(1),
                    created: Some(1.0),
                    ..evidence
                },
                Reason::OtherBoot,
            ),
            (Evidence { pid_namespace: Some(1), ..evidence }, Reason::OtherNamespace),
            (Evidence { pid: None, ..evidence }, Reason::NoPid),
            (Evidence { pid: Some(0), ..evidence }, Reason::NoPid),
            (Evidence { pid: Some(u32::MAX), ..evidence }, Reason::ImpossiblePid),
            (Evidence { pid: Some(0x7fff_fff0), ..evidence }, Reason::Ended),
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
