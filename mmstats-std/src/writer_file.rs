//! A file with exactly the fields that its program adds.

use crate::error::PublishError;
use crate::file::{NewFile, OwnFile};
use crate::file_region::{Flush, Publication};
use crate::memory::{ForkGeneration, Mapping};
use crate::options::Options;
use mmstats_core::{AddError, Format, RegionError, Writer};
use std::io;
use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file with exactly the fields that the program adds, and none about the process (`sys.pid` …),
/// for programs that reproduce the files of another implementation.
///
/// The memory stays mapped until the process ends, so the fields may outlive this. The file is
/// removed then, unless [`Options::keep`] is set. In a forked child, the fields keep working, but
/// in private memory without readers, and the file remains that of the parent.
///
/// ```
/// use mmstats_std::{Constant, Counter, Options, Publication, V1Exact, WriterFile};
///
/// let (file, (pid, hits)) = WriterFile::create("cache", 4096, &Options::new(), |writer| {
///     let pid = Constant::<u32, V1Exact>::builder("sys.pid").initial(std::process::id());
///     Ok((writer.add(pid)?, writer.add(Counter::<u64, V1Exact>::builder("cache.hits"))?))
/// })?;
/// hits.incr();
/// assert!(matches!(file.publication(), Publication::File(path) if path.exists()));
/// assert_eq!((pid.get(), hits.get()), (std::process::id(), 1));
/// # Ok::<(), mmstats_std::AddError>(())
/// ```
#[derive(Debug)]
pub struct WriterFile {
    mapping: &'static Mapping,
    file: Mutex<Result<OwnFile, Arc<PublishError>>>,
    fork_generation: ForkGeneration,
}

impl WriterFile {
    /// Creates a file of `length` bytes with the fields that `add` adds, and returns what that
    /// returns. The file appears once it has all of them. `name` is the `{MODEL}` of templates.
    ///
    /// If no file can be created, the fields count in private memory; [`Self::publication`] says
    /// why.
    ///
    /// # Errors
    /// If `add` fails, or the length is too small for any field, or 4 GiB or more. The memory stays
    /// mapped even then, as `add` may have kept a field.
    pub fn create<F: Format, C>(
        name: &str,
        length: usize,
        options: &Options,
        add: impl FnOnce(&mut Writer<'static, F>) -> Result<C, AddError>,
    ) -> Result<(WriterFile, C), AddError> {
        let add =
            |writer: Writer<'static, F>| add(&mut writer.dimensions(options.dimensions().leak()));
        Self::create_with(name, length, options, add)
    }

    /// As [`Self::create`], for an `add` that keeps the writer, and sets its dimensions.
    pub(crate) fn create_with<F: Format, C>(
        name: &str,
        length: usize,
        options: &Options,
        add: impl FnOnce(Writer<'static, F>) -> Result<C, AddError>,
    ) -> Result<(WriterFile, C), AddError> {
        let whole_words = length.checked_next_multiple_of(8);
        let whole_words = whole_words.filter(|length| u32::try_from(*length).is_ok());
        let length = whole_words.ok_or(RegionError::TooLarge { length })?;
        let (mapping, region) = Mapping::private(length).leak();
        let writer = Writer::<F>::with_immutable_layout(region)?;
        let fields = add(writer.label_prefix(options.label_prefix))?;
        let file = NewFile::create(options, name, mapping)
            .and_then(|new| new.publish(mapping.magic(), options.keep))
            .map_err(Arc::new);
        let fork_generation = ForkGeneration::current();
        Ok((WriterFile { mapping, file: Mutex::new(file), fork_generation }, fields))
    }

    fn file(&self) -> MutexGuard<'_, Result<OwnFile, Arc<PublishError>>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the file, or why there is none.
    pub fn publication(&self) -> Publication {
        if self.is_forked() {
            let error = PublishError::of_parent(Path::new(""));
            return Publication::Private(Arc::new(error));
        }
        match &*self.file() {
            Ok(file) => Publication::File(file.path.clone()),
            Err(error) => Publication::Private(error.clone()),
        }
    }

    /// Returns the file's length in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.mapping.len()
    }

    /// Writes the file to its disk; does nothing on a tmpfs.
    ///
    /// # Errors
    /// If the operating system cannot.
    pub fn flush(&self, mode: Flush) -> io::Result<()> {
        self.mapping.flush(mode == Flush::Async)
    }

    /// Removes the file now, even if [`Options::keep`] is set. The fields keep working in memory
    /// that has no readers.
    pub fn remove(&self) {
        if self.is_forked() {
            return;
        }
        let error = Arc::new(PublishError::removed(Path::new("")));
        if let Ok(file) = mem::replace(&mut *self.file(), Err(error)) {
            file.discard();
        }
    }

    fn is_forked(&self) -> bool {
        self.fork_generation != ForkGeneration::current()
    }
}
