//! Options of publishing.

use crate::identity;
use std::process;

/// Options of publishing, usable in a `static`.
///
/// ```
/// use mmstats_std::Options;
/// const OPTIONS: Options = Options::new()
///     .label_prefix("web.stats.")
///     .file_name("{CMD}-{MODEL}-{PID}-{TID}.mmstats")
///     .keep();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[must_use]
pub struct Options {
    pub(crate) label_prefix: &'static str,
    pub(crate) directory: Option<&'static str>,
    pub(crate) file_name: Option<&'static str>,
    pub(crate) mode: Option<u32>,
    pub(crate) keep: bool,
    pub(crate) quiet: bool,
    /// Whether the file belongs to the process, and not to one of its threads.
    pub(crate) is_per_process: bool,
}

impl Options {
    /// Creates the default options: files as the environment says, removed when the process exits.
    pub const fn new() -> Options {
        Options {
            label_prefix: "",
            directory: None,
            file_name: None,
            mode: None,
            keep: false,
            quiet: false,
            is_per_process: false,
        }
    }

    /// Sets the prefix of every label, including those about the process (`sys.pid` …).
    pub const fn label_prefix(mut self, prefix: &'static str) -> Options {
        self.label_prefix = prefix;
        self
    }

    /// Sets the directory of the files, regardless of the environment: a
    /// [template](crate::template) with `{CMD}`, `{PID}`, `{TID}` and `{MODEL}`. The directory has
    /// to exist.
    ///
    /// The default is `MMSTATS_PATH` (`none` switches publishing off), otherwise `/dev/shm` if it
    /// is a writable tmpfs, otherwise the temporary directory. On a disk, a store to the mapping
    /// can block while the disk is busy.
    pub const fn directory(mut self, template: &'static str) -> Options {
        self.directory = Some(template);
        self
    }

    /// Sets the file name, regardless of the environment: a template like that of
    /// [`directory`](Self::directory). If the name exists, a number is appended,
    /// or random digits if those names exist too.
    ///
    /// The default is `MMSTATS_FILES`, otherwise `{CMD}-{PID}-{TID}.mmstats`.
    pub const fn file_name(mut self, template: &'static str) -> Options {
        self.file_name = Some(template);
        self
    }

    /// Sets the permissions of the files, regardless of the umask; `0o440` lets only the process's
    /// user and group read them.
    ///
    /// The default is `0o444` within the umask: with a umask of 077, only the process's user and
    /// root can read the files. Without permission to write, a redirection to a file
    /// (`: > FILE`) fails, unless root makes it. A process is killed by its next update if its file
    /// is truncated.
    pub const fn mode(mut self, mode: u32) -> Options {
        self.mode = Some(mode & 0o777);
        self
    }

    /// Keeps the files when the process exits.
    ///
    /// If the process replaces its program by another one (`exec`), the first file of the new
    /// program in a directory removes those of the earlier program there, kept ones included,
    /// unless the new file is kept as well: otherwise the process would seem to use all of them.
    pub const fn keep(mut self) -> Options {
        self.keep = true;
        self
    }

    pub(crate) const fn per_process(mut self) -> Options {
        self.is_per_process = true;
        self
    }

    /// Returns the ID of the thread that owns a file which this thread creates. The main thread
    /// stands for the process.
    pub(crate) fn owner(&self) -> u32 {
        if self.is_per_process { process::id() } else { identity::tid() }
    }

    /// Suppresses the warning on standard error when stats cannot be published.
    pub const fn quiet(mut self) -> Options {
        self.quiet = true;
        self
    }
}
