//! Options of `cleanstats`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::{COLOURS, duration};

/// Removes the stats files of dead processes, and never one that a live process owns.
#[derive(Debug, Parser)]
#[command(name = "cleanstats", version, max_term_width = 100)]
#[command(after_help = status(), after_long_help = [EXAMPLES, &status()].concat())]
pub struct Options {
    /// Files, or directories (every *.mmstats in them).
    ///
    /// Files without a PID are never removed, nor are symbolic links, devices, dumps and cores. In
    /// directories, temporary files of a process that was killed while it created a file
    /// (.mmstats-PID-N.tmp) are removed after a minute.
    ///
    /// Default: $MMSTATS_GLOB, then $MMSTATS_PATH, then /dev/shm and the temporary directory.
    #[arg(value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,

    /// Only print what would be removed.
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Only files that were not modified for this time: 90, 5m, 12h, 7d.
    ///
    /// By the modification time (ls -l). On a tmpfs, this is about when the file was created: only
    /// the first store to each page of a mapping changes it. On a disk, it changes about as often
    /// as stores are written back.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub min_age: Option<Duration>,

    /// Repeat at this interval until stopped (Ctrl-C, SIGTERM): 10, 500ms, 1m.
    ///
    /// Prints removals, new errors, and at the end the number of all removals.
    #[arg(short = 'd', long, value_name = "TIME", value_parser = duration::parse_interval)]
    pub interval: Option<Duration>,

    /// Assume that files without a PID namespace are from this one.
    ///
    /// For containers. Other processes may be hidden from within one, so files that have only a
    /// PID, as the Python mmstats writes them, are kept. With this option, they are removed if no
    /// process has their PID here, and no visible one has them mapped for writing. Do not use it
    /// where processes of another container, or of the host, write to the same directory. Files
    /// with another namespace are always kept.
    #[arg(long)]
    pub assume_same_pid_namespace: bool,

    /// Print JSON, one object per line for each file, and one at the end.
    ///
    /// Keys: file, pid, liveness (alive, dead, unknown), reason, action (removed, would remove,
    /// kept, failed), and "error" if there is one. At the end: removed, alive, unknown, failed;
    /// young with --min-age, would_remove with --dry-run.
    #[arg(long)]
    pub json: bool,

    /// Print a file's stats before removing it, as slurpstats does.
    #[arg(long)]
    pub print_removed: bool,

    /// Only print errors.
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
}

fn status() -> String {
    format!(
        "Exit status: 0 on success, also if there was nothing to remove; 1 if a file could not be read or removed, or if the output was closed; 2 for wrong usage.\n\
         {COLOURS}"
    )
}

const EXAMPLES: &str = "\
Examples:
  cleanstats                                       files of dead processes on this machine
  cleanstats --dry-run /path/to/mmstats/files      only print what would be removed
  cleanstats --print-removed --json /dev/shm >>log keep their last values
  cleanstats --interval 1m --min-age 1h /dev/shm   as a service; keeps files for an hour
  cleanstats --assume-same-pid-namespace /dev/shm  in a container with this directory to itself

Safety: A process is dead if its PID, start time, boot id and PID namespace say so. Processes of
other users are found, too. Files whose process cannot be checked from here are kept, such as
those of another container. A file of the Python mmstats has only a PID and a time: it is also
kept if any visible process has it mapped for writing. Every file is inspected again right before
it is removed. Every removal is printed; if the standard output is closed (as by head -1), removal
stops, except with -q.

";
