//! How stats are published.

/// How stats are published. All of it can be said in a `static`.
///
/// ```
/// use mmstats_std::Options;
/// const OPTIONS: Options = Options::new().label_prefix("web.stats.").file_name("{CMD}-{MODEL}-{PID}-{TID}.mmstats").keep();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[must_use]
pub struct Options {
    pub(crate) label_prefix: &'static str,
    pub(crate) directory: Option<&'static str>,
    pub(crate) file_name: Option<&'static str>,
    pub(crate) keep: bool,
    pub(crate) quiet: bool,
}

impl Options {
    /// Files where the environment says, removed when the process exits.
    pub const fn new() -> Options {
        Options { label_prefix: "", directory: None, file_name: None, keep: false, quiet: false }
    }

    /// Puts this before every label, those of the process (`sys.pid` …) included.
    pub const fn label_prefix(mut self, prefix: &'static str) -> Options {
        self.label_prefix = prefix;
        self
    }

    /// Where the files go, whatever the environment says: a template with `{CMD}`, `{PID}`,
    /// `{TID}`, `{MODEL}`. The directory has to exist.
    ///
    /// Without it: `MMSTATS_PATH`, else `/dev/shm` where it is a tmpfs that can be written to, else
    /// the temporary directory. On a disk, a store to the mapping can block for as long as the disk
    /// is busy.
    pub const fn directory(mut self, template: &'static str) -> Options {
        self.directory = Some(template);
        self
    }

    /// What the files are called, whatever the environment says: a template as above. A name that
    /// is taken gets a number.
    ///
    /// Without it: `MMSTATS_FILES`, else `{CMD}-{PID}-{TID}.mmstats`.
    pub const fn file_name(mut self, template: &'static str) -> Options {
        self.file_name = Some(template);
        self
    }

    /// Leaves the files when the process exits.
    pub const fn keep(mut self) -> Options {
        self.keep = true;
        self
    }

    /// Does not say on standard error that stats could not be published.
    pub const fn quiet(mut self) -> Options {
        self.quiet = true;
        self
    }
}
