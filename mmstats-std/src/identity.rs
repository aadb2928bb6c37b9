//! The identity of a process.
//!
//! A PID alone does not identify a process: PIDs are reused after a process has ended, after a
//! reboot, and in every PID namespace. Start time, boot ID and PID namespace make it unique.
//!
//! These facts come from `/proc`. If it is not mounted, they are missing, and publishing works
//! without them.

use crate::memory::ProcessLocal;
use mmstats_core::{AddError, Constant, ConstantText, Format, Gauge, Writer};
use std::cell::Cell;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process;
use std::sync::OnceLock;

/// The length of a boot ID, a UUID as text.
pub const BOOT_ID_LENGTH: usize = 36;

/// The identity of a process, unique over time, boots and PID namespaces.
///
/// Files of one process have equal identities. If two samples of one file have different ones, the
/// file has a new writer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    pid: u32,
    // These are never 0 or empty.
    start: Option<u64>,
    boot_id: Option<Box<str>>,
    pid_namespace: Option<u64>,
}

impl ProcessId {
    /// Creates an identity from the values of `sys.pid`, `sys.start`, `sys.boot_id` and
    /// `sys.pid_namespace`, where 0 and the empty text mean unknown.
    #[must_use]
    pub fn new(pid: u32, start: u64, boot_id: &str, pid_namespace: u64) -> Self {
        Self {
            pid,
            start: (start > 0).then_some(start),
            boot_id: (!boot_id.is_empty()).then(|| boot_id.into()),
            pid_namespace: (pid_namespace > 0).then_some(pid_namespace),
        }
    }

    /// Returns the identity of the calling process, from `/proc/self`.
    #[must_use]
    pub fn current() -> Self {
        // `self`, as a `/proc` of another PID namespace shows this process with another PID.
        let start = Stat::read("self").map_or(0, |stat| stat.start);
        let pid_namespace = fs::metadata("/proc/self/ns/pid").map_or(0, |ns| ns.ino());
        Self::new(process::id(), start, &boot_id().unwrap_or_default(), pid_namespace)
    }

    /// Returns the process ID, as the process itself sees it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns when the process started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    #[must_use]
    pub fn start(&self) -> Option<u64> {
        self.start
    }

    /// Returns the boot ID, which changes with each boot of the machine
    /// (`/proc/sys/kernel/random/boot_id`).
    #[must_use]
    pub fn boot_id(&self) -> Option<&str> {
        self.boot_id.as_deref()
    }

    /// Returns the PID namespace: the inode number of `/proc/PID/ns/pid`.
    #[must_use]
    pub fn pid_namespace(&self) -> Option<u64> {
        self.pid_namespace
    }
}

fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = text.trim_end();
    (id.len() == BOOT_ID_LENGTH).then(|| id.to_owned())
}

/// The used fields of `/proc/PID/stat`.
pub(crate) struct Stat {
    state: u8,
    threads: u64,
    pub(crate) start: u64,
}

impl Stat {
    /// Reads the fields of a PID or `self`.
    pub(crate) fn read(process: impl fmt::Display) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{process}/stat")).ok()?)
    }

    fn parse(stat: &[u8]) -> Option<Self> {
        // Field 2 is the program's name in parentheses, which can hold any bytes. ASCII follows the
        // last parenthesis.
        let name_end = stat.iter().rposition(|&byte| byte == b')')?;
        let fields = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
        let mut fields = fields.split_ascii_whitespace();
        Some(Self {
            state: *fields.next()?.as_bytes().first()?, // field 3
            threads: fields.nth(16)?.parse().ok()?,     // field 20
            start: fields.nth(1)?.parse().ok()?,        // field 22
        })
    }

    /// Returns `true` if the process has ended, although its PID still exists.
    pub(crate) fn has_ended(&self) -> bool {
        // A main thread that ended before the others is shown as a zombie too.
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

/// Returns the base name of the program as it was invoked.
pub fn command() -> OsString {
    let base_name = |path: PathBuf| path.file_name().map(OsStr::to_os_string);
    let called_as = env::args_os().next().map(PathBuf::from);
    called_as
        .and_then(base_name)
        // There may be no arguments: in a library without a Rust `main`, or after `exec`.
        .or_else(|| env::current_exe().ok().and_then(base_name))
        .unwrap_or_else(|| "unknown".into())
}

/// Returns the ID of the calling thread, see gettid(2).
pub fn tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// Returns the real user ID of the calling process.
pub fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Returns the real group ID of the calling process.
pub fn gid() -> u32 {
    rustix::process::getgid().as_raw()
}

mmstats_core::model! {
    /// The identity of the process and thread that write a file.
    ///
    /// It comes after the program's own fields, so that those share the region's last cache lines.
    /// Fields that differ between the files of one process are no constants, so that these files
    /// have the same directory, which readers then parse once.
    pub(crate) struct Identity {
        /// Process ID.
        pid: Constant<u32> = "sys.pid" => process().pid(),
        /// Thread ID; 0 while no thread owns these stats.
        tid: Gauge<i64> = "sys.tid" => OWNER.get().0,
        /// User ID.
        uid: Constant<u64> = "sys.uid" => uid().into(),
        /// Group ID.
        gid: Constant<u64> = "sys.gid" => gid().into(),
        /// When the file was created.
        created: Gauge<f64> = "sys.created" [unixtime] => OWNER.get().1,
        /// When the process started, in clock ticks since boot.
        start: Constant<u64> = "sys.start" => process().start().unwrap_or(0),
        /// Boot ID of the machine.
        boot_id: ConstantText<36> = "sys.boot_id" => process().boot_id().unwrap_or(""),
        /// Inode number of the PID namespace.
        pid_namespace: Constant<u64> = "sys.pid_namespace" =>
            process().pid_namespace().unwrap_or(0),
    }
}

thread_local! {
    /// `sys.tid` and `sys.created` of the fields that this thread is laying out.
    static OWNER: Cell<(i64, f64)> = const { Cell::new((0, 0.0)) };
}

/// Returns the calling process, read from `/proc` once.
fn process() -> &'static ProcessId {
    static PROCESS: ProcessLocal<OnceLock<ProcessId>> = ProcessLocal::new();
    PROCESS.get().get_or_init(ProcessId::current)
}

/// Adds the identity of a region that was created then.
pub(crate) fn add_identity<F: Format>(
    writer: &mut Writer<'_, F>,
    owner: u32,
    created: f64,
) -> Result<Identity<F>, AddError> {
    OWNER.set((owner.into(), created));
    writer.add_model()
}
