//! Of `cleanstats`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::{COLOURS, seconds};

/// Removes the stats files that dead processes left, and never one that a live process owns.
#[derive(Debug, Parser)]
#[command(name = "cleanstats", version, max_term_width = 100, after_help = status(), after_long_help = [EXAMPLES, &status()].concat())]
pub struct Options {
    /// Files, and directories whose *.mmstats files are meant.
    ///
    /// What is no stats file with a PID is left alone, and so are symbolic links, devices, dumps
    /// and cores. In directories, what a process left that was killed while it made a file
    /// (.mmstats-PID-N.tmp) goes after a minute.
    ///
    /// Without any, these are the files that match $MMSTATS_GLOB, else those in $MMSTATS_PATH, else
    /// those in /dev/shm and in the temporary directory.
    #[arg(value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,

    /// Remove nothing, only tell what would be removed.
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Only files that were not modified for so long: 90, 5m, 12h, 7d.
    ///
    /// By the modification time (ls -l). On a tmpfs, this is about when a file was made: only the
    /// first store to each page of a mapping moves it. On a disk, stores move it about as often as
    /// they are written there.
    #[arg(long, value_name = "TIME", value_parser = seconds::parse)]
    pub min_age: Option<Duration>,

    /// Go on for ever, and look again so often [10 seconds, if nothing is given].
    ///
    /// It tells of what it removes, of problems when they are new, and at the end (Ctrl-C, SIGTERM)
    /// how many it removed in all.
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, value_parser = seconds::parse_interval)]
    pub watch: Option<Option<Duration>>,

    /// Files that tell no PID namespace are of processes in this one.
    ///
    /// For containers. From within one, other processes may be hidden, so files that have only a
    /// PID, as the Python mmstats writes them, are left alone. With this, they go if no process
    /// with their PID runs here, and none that can be seen has them mapped to write to them. Not to
    /// be used where processes of another container, or of the machine outside, write to the same
    /// directory. Files that tell of another namespace are left alone all the same.
    #[arg(long)]
    pub same_namespace: bool,

    /// Print JSON, one object per line for each file, and one at the end.
    ///
    /// Keys: file, pid, liveness (alive, dead, unknown), reason, action (removed, would remove,
    /// kept, failed), and an "error" if there is one. At the end: removed, alive, unknown, failed;
    /// young with --min-age, would_remove with --dry-run.
    #[arg(long)]
    pub json: bool,

    /// Print a file's stats before it is removed, as slurpstats does.
    #[arg(long)]
    pub last_words: bool,

    /// Tell only of problems.
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
}

fn status() -> String {
    format!(
        "Exit status: 0 if all went well, even if there was nothing to remove; 1 if something could not be read or removed, or its output was closed before all was \
         done; 2 for wrong usage.\n{COLOURS}"
    )
}

const EXAMPLES: &str = "\
Examples:
  cleanstats                                       what dead processes left on this machine
  cleanstats --dry-run /path/to/mmstats/files      only tell what would go
  cleanstats --last-words --json /dev/shm >>log    keep their last values
  cleanstats --watch=1m --min-age 1h /dev/shm      as a service; leaves an hour to look at them
  cleanstats --same-namespace /dev/shm             in a container that has this directory for itself

Safety: A process is dead if its PID, start time, boot id and PID namespace say so. Another
user's is alive. What cannot be judged from here is left alone, such as the file of another
container. A file that the Python mmstats wrote has only a PID and a time: it is also left alone
if any process that can be seen has it mapped to write to it. Right before a file is removed, it
is looked at again. Unless with -q, no file goes untold: if the output is closed (as by head -1),
the others stay.

";
