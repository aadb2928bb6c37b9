//! Stats in a file, or where that cannot be, in private memory.

use crate::clock;
use crate::error::{Attempt, Cause, PublishError};
use crate::file::{NewFile, OwnFile};
use crate::identity::{self, ProcessId};
use crate::memory::{MappedFields, Mapping, PerProcess, forks};
use crate::options::Options;
use mmstats_core::format::layout;
use mmstats_core::{AddError, Constant, ConstantText, Format, Gauge, Model, Version, Writer};
use std::cell::Cell;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

mmstats_core::model! {
    /// Who publishes. What differs between the files of one process is no constant: so they have
    /// the same directory, and readers parse it once. Stands behind the program's own fields, so
    /// that those share the region's last cache lines.
    pub(crate) struct Identity {
        /// Process id.
        pid: Constant<u32> = "sys.pid" => process().pid(),
        /// Thread id; 0 while no thread owns these stats.
        tid: Gauge<i64> = "sys.tid",
        /// User id.
        uid: Constant<u64> = "sys.uid" => identity::uid().into(),
        /// Group id.
        gid: Constant<u64> = "sys.gid" => identity::gid().into(),
        /// When these stats were made.
        created: Gauge<f64> = "sys.created" [unixtime] => CREATED.get(),
        /// When the process started, in clock ticks since boot.
        start: Constant<u64> = "sys.start" => process().start().unwrap_or(0),
        /// Which start of the machine it was.
        boot_id: ConstantText<36> = "sys.boot_id" => process().boot_id().unwrap_or(""),
        /// Where its process id counts.
        pid_namespace: Constant<u64> = "sys.pid_namespace" => process().pid_namespace().unwrap_or(0),
    }
}

thread_local! {
    /// When the stats were made that this thread is publishing, or taking over.
    static CREATED: Cell<f64> = const { Cell::new(0.0) };
}

fn process() -> &'static ProcessId {
    static PROCESS: PerProcess<OnceLock<ProcessId>> = PerProcess::new();
    PROCESS.get().get_or_init(ProcessId::current)
}

/// A model with its identity, in one region.
pub(crate) struct Fields<M: Model> {
    pub(crate) model: M,
    /// Missing in private memory, where nobody asks.
    identity: Option<Identity<M::Format>>,
}

/// Where stats are.
#[derive(Clone, Debug)]
pub enum Publication {
    /// In this file, for everybody.
    File(PathBuf),
    /// In memory that nobody else sees, and why.
    Private(Arc<PublishError>),
}

/// Bytes that a model needs with its identity.
fn size<M: Model>(options: &Options) -> usize {
    let version = <M::Format as Format>::VERSION;
    let fields = [M::FIELDS, <Identity<M::Format> as Model>::FIELDS];
    let size = layout::size_of_all(version, &fields, options.label_prefix.len());
    match version {
        Version::V2 => size,
        // Version 1's are whole pages.
        Version::V1 | Version::V1Exact => size.next_multiple_of(4096),
    }
}

fn layout_fields<M: Model>(
    mut writer: Writer<'_, M::Format>,
    created: f64,
    tid: i64,
) -> Result<Fields<M>, AddError> {
    let model = writer.add_model()?;
    // Not before: an initial value of the model's may come out of a function that publishes, too.
    CREATED.set(created);
    let identity: Identity<M::Format> = writer.add_model()?;
    if !writer.is_resumed() {
        return Err(AddError::LayoutDiffers);
    }
    identity.tid.set(tid);
    Ok(Fields { model, identity: Some(identity) })
}

/// A model of its own region.
pub(crate) struct OwnedRegion<M: Model> {
    pub(crate) mapped: MappedFields<Fields<M>>,
    pub(crate) origin: Origin,
}

/// What stays of it between two owners.
pub(crate) struct Origin {
    created: f64,
    pub(crate) file: Result<OwnFile, Arc<PublishError>>,
}

/// A region without an owner.
pub(crate) struct ParkedRegion {
    mapping: Mapping,
    pub(crate) origin: Origin,
}

impl<M: Model> OwnedRegion<M> {
    /// In a file.
    pub(crate) fn in_file(options: &Options) -> Result<OwnedRegion<M>, PublishError> {
        let length = size::<M>(options);
        let (new, mapping) = NewFile::create(options, M::NAME, length)?;
        let created = clock::unix_time();
        let mapped = MappedFields::new(mapping, |region| {
            let writer = Writer::with_immutable_layout(region)?.label_prefix(options.label_prefix);
            layout_fields(writer, created, identity::tid().into())
        })
        .map_err(|error| layout_error(new.path(), error))?;
        let file = new.publish(options.keep)?;
        Ok(OwnedRegion { mapped, origin: Origin { created, file: Ok(file) } })
    }

    /// In memory that nobody else sees, because there could be no file. A model alone always fits:
    /// its size was computed when it was compiled.
    pub(crate) fn in_private(error: Arc<PublishError>) -> OwnedRegion<M> {
        let length = M::SIZE;
        let Ok(mapping) = Mapping::private(length) else {
            std::alloc::handle_alloc_error(
                std::alloc::Layout::from_size_align(length, 8).expect("a model's size"),
            );
        };
        let mapped = MappedFields::new(mapping, |region| {
            Ok::<_, AddError>(Fields { model: M::publish(region)?, identity: None })
        });
        OwnedRegion {
            mapped: mapped.expect("a model fits its own size"),
            origin: Origin { created: 0.0, file: Err(error) },
        }
    }

    pub(crate) fn model(&self) -> &M {
        &self.mapped.fields().model
    }

    /// Ends these fields and keeps what they accumulated for the next owner. Runs nothing of the
    /// program's: its thread is at its end.
    pub(crate) fn park(self) -> Option<ParkedRegion> {
        let OwnedRegion { mapped, origin } = self;
        // Private memory is not worth keeping: the next thread may have more luck with a file.
        origin.file.as_ref().ok()?;
        let fields = mapped.fields();
        fields.model.reset_transient();
        if let Some(identity) = &fields.identity {
            identity.tid.set(0);
        }
        Some(ParkedRegion { mapping: mapped.into_mapping(), origin })
    }
}

impl ParkedRegion {
    /// Goes on with the counters and histograms in this region. Should that not be possible, its
    /// file is removed.
    pub(crate) fn unpark<M: Model>(self, options: &Options, tid: i64) -> Option<OwnedRegion<M>> {
        let ParkedRegion { mapping, origin } = self;
        let mapped = MappedFields::new(mapping, |region| {
            layout_fields(
                Writer::adopt(region)?.label_prefix(options.label_prefix),
                origin.created,
                tid,
            )
        });
        match (mapped, &origin.file) {
            (Ok(mapped), _) => return Some(OwnedRegion { mapped, origin }),
            (Err(_), Ok(file)) => file.discard(),
            (Err(_), Err(_)) => {}
        }
        None
    }
}

fn layout_error(path: &Path, error: AddError) -> PublishError {
    PublishError { path: path.to_owned(), attempt: Attempt::Lay, cause: Cause::Add(error) }
}

/// How to bring a mapping's changes to its file. Other processes on this machine see them at once:
/// this is for the disk, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Waits until they are there.
    Sync,
    /// Only asks for it.
    Async,
}

impl Flush {
    pub(crate) fn apply(self, mapping: &Mapping) -> io::Result<()> {
        mapping.flush(self == Flush::Async)
    }
}

/// Publishes a model in a file of its own: for stats that belong to something else than a thread.
///
/// The file is removed when the result is dropped, unless the options keep it.
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
/// If the file cannot be made.
pub fn publish<M: Model>(options: &Options) -> Result<Published<M>, PublishError> {
    let region = OwnedRegion::in_file(options)?;
    Ok(Published {
        mapped: region.mapped,
        file: region.origin.file.expect("it is in a file"),
        forks: OwnedHere::new(),
    })
}

/// A model in a file of its own.
pub struct Published<M: Model> {
    mapped: MappedFields<Fields<M>>,
    file: OwnFile,
    forks: OwnedHere,
}

/// Whether this process made something, and did not inherit it.
struct OwnedHere {
    forks: u32,
}

impl OwnedHere {
    fn new() -> Self {
        OwnedHere { forks: forks() }
    }

    fn is_so(&self) -> bool {
        self.forks == forks()
    }
}

impl<M: Model> Published<M> {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Brings the file's bytes to the disk, if it is on one.
    ///
    /// # Errors
    /// If the operating system cannot.
    pub fn flush(&self, how: Flush) -> io::Result<()> {
        how.apply(self.mapped.mapping())
    }

    /// Removes the file now, kept or not. The fields go on, unseen.
    pub fn remove(&self) {
        if self.forks.is_so() {
            self.file.discard();
        }
    }
}

impl<M: Model> Deref for Published<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.mapped.fields().model
    }
}

impl<M: Model> Drop for Published<M> {
    fn drop(&mut self) {
        if !self.file.keep {
            self.remove();
        }
    }
}

/// A writer for fields that are added as one goes, in a file of `length` bytes under `name`
/// (`{MODEL}` in templates). The memory stays mapped until the process ends.
///
/// ```
/// use mmstats_std::{Counter, Options, V2, writer};
/// let (mut writer, path) = writer::<V2>("plugins", 4096, &Options::new())?;
/// let loaded: Counter = writer.add(Counter::builder("loaded").help("Plugins loaded."))?;
/// loaded.incr();
/// assert!(path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file cannot be made.
pub fn writer<F: Format>(
    name: &str,
    length: usize,
    options: &Options,
) -> Result<(Writer<'static, F>, PathBuf), PublishError> {
    let (new, mapping) = NewFile::create(options, name, length.next_multiple_of(8))?;
    CREATED.set(clock::unix_time());
    let mut writer = Writer::<F>::with_immutable_layout(mapping.leak())
        .map_err(|error| layout_error(new.path(), error))?
        .label_prefix(options.label_prefix);
    let identity: Identity<F> =
        writer.add_model().map_err(|error| layout_error(new.path(), error))?;
    identity.tid.set(identity::tid().into());
    let file = new.publish(options.keep)?;
    Ok((writer, file.path))
}
