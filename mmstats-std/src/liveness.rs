//! Whether the process that made a file still runs.
//!
//! Files of dead processes are deleted, so `Dead` needs proof. What cannot be seen from here, such
//! as a process in another container, is `Unknown`.

use std::borrow::Cow;
use std::fs;
use std::process;
use std::sync::OnceLock;
use std::time::SystemTime;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::identity::{Process, Stat, unix_seconds};

/// The kernel's `USER_HZ`, the unit of start times: part of its ABI, and 100 wherever std runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// In seconds: the boot time is rounded to whole ones, a start time to ticks.
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
    /// The ground, a clause for humans: `its process has ended`.
    pub reason: &'static str,
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
    Observer::current().judge(evidence)
}

/// From where we look.
#[derive(Clone)]
struct Observer {
    process: Process,
    /// Whether the numbers in `/proc` are the PIDs of our namespace.
    proc_is_ours: bool,
    /// When the machine was started, in seconds since 1970.
    booted: Option<f64>,
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
        Self { process: Process::current(), proc_is_ours: proc_is_ours(), booted: booted() }
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Verdict {
        let elsewhere = self.is_other_namespace(evidence);
        if self.is_other_boot(evidence) {
            // Some container managers give each container a boot id of its own.
            return if elsewhere && !self.is_before_boot(evidence) {
                unknown("it is from another container or an earlier boot")
            } else {
                dead("it is from an earlier boot")
            };
        }
        let Some(pid) = evidence.pid.filter(|&pid| pid > 0) else {
            return unknown("it names no process");
        };
        // `kill` takes a negative number for a group of processes.
        let Some(kill_pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return unknown("its PID is an impossible one");
        };
        if elsewhere {
            return unknown("its process may be in another PID namespace");
        }
        match test_kill_process(kill_pid) {
            Err(Errno::SRCH) => dead("its process has ended"),
            // Another user's process refuses the signal.
            Ok(()) | Err(Errno::PERM) => self.judge_running(pid, evidence),
            Err(_) => unknown("its process cannot be asked for"),
        }
    }

    /// Judges whether the running process `pid` is the one meant.
    fn judge_running(&self, pid: u32, evidence: &Evidence<'_>) -> Verdict {
        let Some(stat) = Some(pid).filter(|_| self.proc_is_ours).and_then(Stat::of) else {
            return alive("a process with its PID runs");
        };
        let recycled = match evidence.start() {
            Some(start) => start != stat.start,
            None => self.started_after(&stat, evidence),
        };
        if recycled {
            dead("its process has ended, and another one has its PID")
        } else if stat.has_ended() {
            dead("its process has ended, and its parent has yet to notice")
        } else {
            alive("its process runs")
        }
    }

    fn started_after(&self, stat: &Stat, evidence: &Evidence<'_>) -> bool {
        let (Some(booted), Some(ran_at)) = (self.booted, evidence.ran_at()) else {
            return false;
        };
        booted + stat.start as f64 / TICKS_PER_SECOND > ran_at + SLACK
    }

    fn is_other_boot(&self, evidence: &Evidence<'_>) -> bool {
        let theirs = evidence.boot_id.filter(|id| !id.is_empty());
        match (theirs, &self.process.boot_id) {
            (Some(theirs), Some(ours)) => theirs != ours,
            _ => false,
        }
    }

    fn is_before_boot(&self, evidence: &Evidence<'_>) -> bool {
        let (Some(booted), Some(ran_at)) = (self.booted, evidence.ran_at()) else {
            return false;
        };
        ran_at + SLACK < booted
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
    String::from_utf8_lossy(&status).lines().find_map(|line| line.strip_prefix("NSpid:")).is_some_and(|pids| pids.split_whitespace().count() == 1)
}

fn booted() -> Option<f64> {
    let stat = fs::read("/proc/stat").ok()?;
    String::from_utf8_lossy(&stat).lines().find_map(|line| line.strip_prefix("btime ")).and_then(|seconds| seconds.trim().parse().ok())
}

fn alive(reason: &'static str) -> Verdict {
    Verdict { liveness: Liveness::Alive, reason }
}

fn dead(reason: &'static str) -> Verdict {
    Verdict { liveness: Liveness::Dead, reason }
}

fn unknown(reason: &'static str) -> Verdict {
    Verdict { liveness: Liveness::Unknown, reason }
}
