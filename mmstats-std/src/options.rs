//! Options of publishing.

use crate::dimensions::{are_equal, contains, is_valid_name, pairs};
use crate::identity;
use std::process;

/// The most dimensions, and their bytes.
const MAX_DIMENSIONS: usize = 4;
const MAX_DIMENSION_BYTES: usize = 4096;

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
    /// The names, not empty, and values of the first dimensions.
    dimensions: [(&'static str, &'static str); MAX_DIMENSIONS],
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
            dimensions: [("", ""); MAX_DIMENSIONS],
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

    /// Adds a dimension to the label of every field, but not of those about the process. It
    /// separates this program's values from those of others that publish the same fields. There
    /// may be four. A text that is known at run time only is made static by [`String::leak`].
    ///
    /// ```
    /// use mmstats_std::{Counter, Options, model, publish, read::Reader};
    /// model! { struct Cache { hits: Counter, misses: Counter = "misses{level=\"1\"}" } }
    ///
    /// let cache = publish::<Cache>(&Options::new().dimension("shard", "a"))?;
    /// let mut reader = Reader::new();
    /// let sample = reader.read(&cache.path())?;
    /// let labels: Vec<&str> =
    ///     sample.layout().fields.iter().map(|field| &*field.label).take(2).collect();
    /// assert_eq!(labels, ["hits{shard=\"a\"}", "misses{level=\"1\",shard=\"a\"}"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the name is empty, was given before, or contains white space or one of `{}",=\`; if the
    /// value contains a NUL; if there are more than 4, or they are longer than 4096 bytes. In a
    /// static, that does not compile.
    pub const fn dimension(mut self, name: &'static str, value: &'static str) -> Options {
        assert!(is_valid_name(name), "a dimension's name is empty or has invalid characters");
        assert!(!contains(value, b"\0"), "a dimension's value contains a NUL");
        let (mut i, mut length) = (0, name.len() + value.len());
        while i < MAX_DIMENSIONS && !self.dimensions[i].0.is_empty() {
            let (other, value) = self.dimensions[i];
            assert!(!are_equal(name, other), "two dimensions have the same name");
            length += other.len() + value.len();
            i += 1;
        }
        assert!(i < MAX_DIMENSIONS, "there are more than 4 dimensions");
        assert!(length <= MAX_DIMENSION_BYTES, "dimensions have more than 4096 bytes");
        self.dimensions[i] = (name, value);
        self
    }

    const fn has_dimensions(&self) -> bool {
        !self.dimensions[0].0.is_empty()
    }

    /// Returns all dimensions, as they are in a label.
    pub(crate) fn dimensions(&self) -> String {
        pairs(self.dimensions.into_iter().take_while(|(name, _)| !name.is_empty()))
    }

    /// Returns how many bytes a label may have more than its definition.
    pub(crate) fn label_length(&self) -> usize {
        let braces = if self.has_dimensions() { 2 } else { 0 };
        self.label_prefix.len() + self.dimensions().len() + braces
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
