//! Publishes fields that do not belong to a thread.

use crate::clock;
use crate::error::PublishError;
use crate::file;
use crate::file_region::{Flush, OwnedRegion, Publication};
use crate::identity::add_identity;
use crate::memory::ForkGeneration;
use crate::options::Options;
use crate::writer_file::WriterFile;
use mmstats_core::{Format, Model, Writer};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

/// Publishes a model in a file of its own, for stats that do not belong to a thread.
///
/// The file is removed when the result is dropped, unless [`Options::keep`] is set. If the
/// environment variable `MMSTATS_PATH` is `none`, the result counts in private memory.
///
/// In a forked child, the result keeps working, but in private memory without readers, and does not
/// remove the file, until it calls [`Published::republish`]. After `chroot` or a change of the
/// user, the process still writes to the file, but may be unable to remove it, and the file states
/// the user who created it.
///
/// ```
/// use mmstats_std::{Counter, Options, model, publish};
/// model! { struct Cache { hits: Counter } }
///
/// let cache = publish::<Cache>(&Options::new())?;
/// cache.hits.incr();
/// assert!(cache.path().exists());
/// # Ok::<(), mmstats_std::PublishError>(())
/// ```
///
/// # Errors
/// If the file cannot be created.
pub fn publish<M: Model>(options: &Options) -> Result<Published<M>, PublishError> {
    let region = OwnedRegion::create(options);
    match region.publication() {
        Publication::Private(error) if !error.is_switched_off() => {
            drop(region);
            return Err(Arc::into_inner(error).expect("not shared"));
        }
        _ => {}
    }
    let first_path = region.path();
    let fork_generation = ForkGeneration::current();
    Ok(Published { region, options: *options, first_path, fork_generation })
}

/// A model in a file of its own, by [`publish()`]. Dereferences to the model.
pub struct Published<M: Model> {
    region: OwnedRegion<M>,
    options: Options,
    /// The path of the first file, for a forked child, which must not lock a mutex that a thread of
    /// its parent may hold.
    first_path: PathBuf,
    /// The fork generation of the process that created the file: a forked child must not remove its
    /// parent's file.
    fork_generation: ForkGeneration,
}

impl<M: Model> Published<M> {
    /// Returns the path of the file; in a forked child, that of the parent's first file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        if self.is_forked() { self.first_path.clone() } else { self.region.path() }
    }

    /// Returns the file, or why there is none: the process is a fork of the one that published,
    /// [`Self::remove`] was called, or a lost file could not be replaced.
    ///
    /// If somebody else has removed the file, this creates a new one, in which the counts go on; if
    /// that failed before, this tries again. Nothing else notices that, so long-lived programs
    /// should call this now and then.
    pub fn publication(&self) -> Publication {
        if self.is_forked() {
            let error = PublishError::of_parent(&self.path());
            return Publication::Private(Arc::new(error));
        }
        self.region.ensure_file(&self.options);
        self.region.publication()
    }

    /// Publishes the model in a new file of this forked child, with its initial values. Does
    /// nothing in the process that published it.
    ///
    /// # Errors
    /// If the file cannot be created. The fields keep working in private memory then.
    pub fn republish(&mut self) -> Result<(), PublishError> {
        if self.is_forked() {
            *self = publish(&self.options)?;
        }
        Ok(())
    }

    /// Writes the file to its disk; does nothing on a tmpfs.
    ///
    /// # Errors
    /// If the operating system cannot.
    pub fn flush(&self, mode: Flush) -> io::Result<()> {
        self.region.flush(mode)
    }

    /// Removes the file now, even if [`Options::keep`] is set. The fields keep working in memory
    /// that has no readers.
    pub fn remove(&self) {
        if !self.is_forked() {
            self.region.discard_file();
        }
    }

    fn is_forked(&self) -> bool {
        self.fork_generation != ForkGeneration::current()
    }
}

impl<M: Model> Deref for Published<M> {
    type Target = M;

    fn deref(&self) -> &M {
        self.region.model()
    }
}

impl<M: Model> Drop for Published<M> {
    fn drop(&mut self) {
        if !self.options.keep {
            self.remove();
        }
    }
}

impl<M: Model> fmt::Debug for Published<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published")
            .field("model", &M::NAME)
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

/// Creates a writer for fields that are added at run time, in a file of `length` bytes. `name` is
/// the `{MODEL}` of templates. Returns the writer and the path of the file.
///
/// This is for a few fields of one owner. A [`Registry`](crate::Registry) grows, finds fields by
/// their labels, gives each thread its own, and lets the next thread adopt them.
///
/// The memory stays mapped until the process ends. The file is removed then, unless
/// [`Options::keep`] is set. If the environment variable `MMSTATS_PATH` is `none`, there is no
/// file, and the path is empty.
///
/// ```
/// use mmstats_std::{Counter, Options, V2, create_writer};
/// let (mut writer, path) = create_writer::<V2>("plugins", 4096, &Options::new())?;
/// let loaded: Counter = writer.add(Counter::builder("loaded").help("Plugins loaded."))?;
/// loaded.incr();
/// assert!(path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file cannot be created.
pub fn create_writer<F: Format>(
    name: &str,
    length: usize,
    options: &Options,
) -> Result<(Writer<'static, F>, PathBuf), PublishError> {
    let created = WriterFile::create_with(name, length, options, |mut writer: Writer<'_, F>| {
        add_identity(&mut writer, options.owner(), clock::unix_time())?;
        Ok(writer.dimensions(options.dimensions().leak()))
    });
    let (file, writer) = created.map_err(|error| {
        let path = file::expand_path(options, name).unwrap_or_default();
        PublishError::new(&path, "", error)
    })?;
    match file.publication() {
        Publication::File(path) => Ok((writer, path)),
        Publication::Private(error) if error.is_switched_off() => Ok((writer, PathBuf::new())),
        Publication::Private(error) => {
            drop(file);
            Err(Arc::into_inner(error).expect("not shared"))
        }
    }
}
