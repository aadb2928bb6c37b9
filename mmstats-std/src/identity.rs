//! Who publishes: what a file says about its process, so that nobody takes another for it.
//!
//! A PID alone is no identity. It is used again after its process has ended, after a reboot, and in
//! every PID namespace. The process's start time, the boot id and the namespace tell these apart.
//!
//! All of that comes from `/proc`. Where it is not mounted, these facts are missing and publishing
//! goes on without them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process;
use std::time::SystemTime;

/// The length of a boot id, a UUID in text.
pub const BOOT_ID_LENGTH: usize = 36;

/// A process, told from every other one. `None` is what `/proc` did not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The process id, as the process itself sees it.
    pub pid: u32,
    /// When the process started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start: Option<u64>,
    /// The boot id: [`BOOT_ID_LENGTH`] bytes, another one after each start of the machine.
    pub boot_id: Option<String>,
    /// The PID namespace: the inode number of `/proc/PID/ns/pid`.
    pub pid_namespace: Option<u64>,
}

impl Process {
    /// The calling process.
    pub fn current() -> Self {
        // `self` and not the number: a `/proc` of another PID namespace shows us under another one.
        Self {
            pid: process::id(),
            start: Stat::of("self").map(|stat| stat.start),
            boot_id: boot_id(),
            pid_namespace: fs::metadata("/proc/self/ns/pid").map(|ns| ns.ino()).ok(),
        }
    }

    /// When the process `pid` started, in clock ticks since boot; `None` if there is no such
    /// process or `/proc` does not show it.
    pub fn start_of(pid: u32) -> Option<u64> {
        Stat::of(pid).map(|stat| stat.start)
    }
}

fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = text.trim_end();
    (id.len() == BOOT_ID_LENGTH).then(|| id.to_owned())
}

/// What `/proc/PID/stat` says.
pub(crate) struct Stat {
    state: u8,
    threads: u64,
    pub(crate) start: u64,
}

impl Stat {
    /// `process` is a PID or `self`.
    pub(crate) fn of(process: impl fmt::Display) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{process}/stat")).ok()?)
    }

    fn parse(stat: &[u8]) -> Option<Self> {
        // Field 2 is the program's name in parentheses. It may hold spaces, parentheses and bytes
        // that are no UTF-8; what follows the last parenthesis is plain.
        let name_end = stat.iter().rposition(|&byte| byte == b')')?;
        let fields = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
        let mut fields = fields.split_ascii_whitespace();
        Some(Self {
            state: *fields.next()?.as_bytes().first()?, // field 3
            threads: fields.nth(16)?.parse().ok()?,     // field 20
            start: fields.nth(1)?.parse().ok()?,        // field 22
        })
    }

    /// Whether the process has ended, although its PID is still taken.
    pub(crate) fn has_ended(&self) -> bool {
        // A main thread that has ended before the others is shown as a zombie too.
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

/// The base name of the program, as it was called.
pub fn command() -> OsString {
    let base_name = |path: PathBuf| path.file_name().map(OsStr::to_os_string);
    let called_as = env::args_os().next().map(PathBuf::from);
    called_as
        .and_then(base_name)
        // A library without a Rust `main` may see no arguments, and `exec` may pass none.
        .or_else(|| env::current_exe().ok().and_then(base_name))
        .unwrap_or_else(|| "unknown".into())
}

/// The calling thread's id, as the kernel numbers threads.
pub fn tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// The real user id of the calling process.
pub fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The real group id of the calling process.
pub fn gid() -> u32 {
    rustix::process::getgid().as_raw()
}

/// The time now, in seconds since 1970 (`sys.created`). Before 1970 it is 0.
pub fn unix_time() -> f64 {
    unix_seconds(SystemTime::now())
}

/// `time` in seconds since 1970; 0 if it is earlier.
pub fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
