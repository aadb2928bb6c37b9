//! A region in a file, or in private memory if no file can be created.

use crate::clock;
use crate::error::PublishError;
use crate::file::{self, NewFile, OwnFile};
use crate::identity::{Identity, add_identity};
use crate::memory::{MappedFields, Mapping};
use crate::options::Options;
use crate::warning::warn_once;
use mmstats_core::format::layout;
use mmstats_core::{AddError, Format, Model, Region, Version, Writer};
use std::io;
use std::mem;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where stats are published.
#[derive(Clone, Debug)]
pub enum Publication {
    /// In this file.
    File(PathBuf),
    /// In private memory, which no other process can read, for this reason.
    Private(Arc<PublishError>),
}

/// How to write a mapping's changes to its disk. Processes on the same machine see every change at
/// once, without this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Wait until the changes are on the disk.
    Sync,
    /// Only start writing.
    Async,
}

/// A model and its identity in one region.
pub(crate) struct Fields<M: Model> {
    model: M,
    /// `None` in private memory, which has no readers. Only its owner writes it.
    identity: Option<Mutex<Identity<M::Format>>>,
}

/// Returns the size of a file for a model and its identity, in bytes.
fn size<M: Model>(options: &Options) -> usize {
    let version = <M::Format as Format>::VERSION;
    let fields = [M::FIELDS, <Identity<M::Format> as Model>::FIELDS];
    let size = layout::size_of_all(version, &fields, options.label_length());
    match version {
        Version::V2 => size,
        // The Python mmstats uses whole pages.
        Version::V1 | Version::V1Exact => size.next_multiple_of(4096),
    }
}

fn layout_fields<M: Model>(
    writer: Writer<'_, M::Format>,
    options: &Options,
    created: f64,
) -> Result<Fields<M>, AddError> {
    let dimensions = options.dimensions();
    let mut writer = writer.label_prefix(options.label_prefix).dimensions(&dimensions);
    let model = writer.add_model()?;
    // Only now: the model's initial values may come from functions that themselves publish.
    let mut writer = writer.dimensions("");
    let identity = add_identity(&mut writer, options.owner(), created)?;
    if !writer.is_resumed() {
        return Err(AddError::LayoutDiffers);
    }
    Ok(Fields { model, identity: Some(Mutex::new(identity)) })
}

/// A region and its file, or private memory if there can be none.
pub(crate) struct FileRegion<C> {
    mapped: MappedFields<C>,
    /// The `{MODEL}` of templates.
    name: &'static str,
    /// `sys.created`, in seconds since 1970. It stays the same when the owner changes.
    created: f64,
    attachment: Mutex<Attachment>,
}

/// A region with a model and one owner.
pub(crate) type OwnedRegion<M> = FileRegion<Fields<M>>;

/// The file of a region.
struct Attachment {
    file: Result<OwnFile, Arc<PublishError>>,
    /// When it was created, or could not be.
    time: Instant,
}

impl Attachment {
    fn has_temporary_error(&self) -> bool {
        self.file.as_ref().is_err_and(|error| error.is_temporary())
    }
}

/// A region whose owner has ended, for the next owner.
pub(crate) struct ParkedRegion {
    mapping: Mapping,
    file: Result<OwnFile, Arc<PublishError>>,
    created: f64,
}

/// Prints that something has no file, once for each `warned`.
pub(crate) fn warn_if_private(
    name: &str,
    publication: &Publication,
    options: &Options,
    warned: &AtomicBool,
) {
    let Publication::Private(error) = publication else { return };
    if error.is_fault() {
        warn_once(
            options,
            warned,
            format_args!("{name} is not published: {error}; it is counted in private memory"),
        );
    }
}

/// The number of lost files, in a type that every machine counts atomically. Relaxed everywhere, as
/// it says nothing about other memory.
static LOST_FILES: AtomicUsize = AtomicUsize::new(0);

/// Returns how many files of this process were removed by somebody else, or lost their names to
/// other files, as far as that was noticed: by a thread that adopts a file, by each sample of a
/// [`Sampler`], and by `publication` or `publications` of [`PerThread`], [`PerProcess`],
/// [`Published`], a [`Registry`] or the recorder. Each of them then creates a new file.
///
/// [`Sampler`]: crate::Sampler
/// [`PerThread`]: crate::PerThread
/// [`PerProcess`]: crate::PerProcess
/// [`Published`]: crate::Published
/// [`Registry`]: crate::Registry
pub fn lost_files() -> u64 {
    LOST_FILES.load(Ordering::Relaxed) as u64
}

/// How long to wait before a thread that could create no file tries again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

impl<C> FileRegion<C> {
    fn new(
        mapped: MappedFields<C>,
        name: &'static str,
        file: Result<OwnFile, Arc<PublishError>>,
        created: f64,
    ) -> FileRegion<C> {
        let attachment = Mutex::new(Attachment { file, time: Instant::now() });
        FileRegion { mapped, name, created, attachment }
    }

    /// Creates a region of `length` bytes in a new file. `lay_out` gets the region and the time of
    /// creation. If it fails, `lay_out_alone` lays out private memory.
    pub(crate) fn create_with(
        name: &'static str,
        options: &Options,
        length: usize,
        lay_out: impl FnOnce(Region, f64) -> Result<C, AddError>,
        lay_out_alone: impl FnOnce(Region) -> Result<C, AddError>,
    ) -> FileRegion<C> {
        let created = clock::unix_time();
        let mapped = MappedFields::new(Mapping::private(length), |region| lay_out(region, created));
        match mapped {
            Ok(mapped) => {
                let no_file = PublishError::new(Path::new(""), "", "no file yet");
                let region = FileRegion::new(mapped, name, Err(Arc::new(no_file)), created);
                region.attach(&mut region.attachment(), options);
                region
            }
            Err(error) => {
                let path = file::expand_path(options, name).unwrap_or_default();
                let error = PublishError::new(&path, "", error);
                FileRegion::without_file(name, error, length, lay_out_alone)
            }
        }
    }

    /// Creates a region of `length` bytes in private memory, for this reason.
    fn without_file(
        name: &'static str,
        error: PublishError,
        length: usize,
        lay_out: impl FnOnce(Region) -> Result<C, AddError>,
    ) -> FileRegion<C> {
        let mapped = MappedFields::new(Mapping::private(length), lay_out);
        let mapped = mapped.expect("the fields fit without their identity");
        FileRegion::new(mapped, name, Err(Arc::new(error)), clock::unix_time())
    }

    fn attachment(&self) -> MutexGuard<'_, Attachment> {
        self.attachment.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the region to a new file.
    fn attach(&self, attachment: &mut Attachment, options: &Options) {
        let mapping = self.mapped.mapping();
        let file = NewFile::create(options, self.name, mapping)
            .and_then(|new| new.publish(mapping.magic(), options.keep));
        let file = file.map_err(Arc::new);
        let old = mem::replace(attachment, Attachment { file, time: Instant::now() });
        if let Ok(old) = old.file {
            old.discard_moved();
        }
    }

    /// Moves the region to a new file if its file has been removed, or could not be created for a
    /// reason that may have passed.
    pub(crate) fn ensure_file(&self, options: &Options) {
        let mut attachment = self.attachment();
        let is_needed = match &attachment.file {
            Ok(file) => {
                let is_lost = file.is_lost();
                LOST_FILES.fetch_add(is_lost.into(), Ordering::Relaxed);
                is_lost
            }
            Err(error) => error.may_pass(),
        };
        if is_needed {
            self.attach(&mut attachment, options);
        }
    }

    /// Returns `true` if the region has no file, but may get one; tries that now and then.
    pub(crate) fn awaits_file(&self, options: &Options) -> bool {
        let mut attachment = self.attachment();
        if attachment.has_temporary_error() && attachment.time.elapsed() >= RETRY_INTERVAL {
            self.attach(&mut attachment, options);
        }
        attachment.has_temporary_error()
    }

    pub(crate) fn content(&self) -> &C {
        self.mapped.fields()
    }

    pub(crate) fn len(&self) -> usize {
        self.mapped.mapping().len()
    }

    pub(crate) fn addresses(&self) -> Range<usize> {
        self.mapped.mapping().addresses()
    }

    pub(crate) fn publication(&self) -> Publication {
        match &self.attachment().file {
            Ok(file) => Publication::File(file.path.clone()),
            Err(error) => Publication::Private(error.clone()),
        }
    }

    pub(crate) fn flush(&self, mode: Flush) -> io::Result<()> {
        self.mapped.mapping().flush(mode == Flush::Async)
    }

    /// Removes the file; the fields keep working.
    pub(crate) fn discard_file(&self) {
        let path = self.path();
        let error = PublishError::removed(&path);
        let file = mem::replace(&mut self.attachment().file, Err(Arc::new(error)));
        if let Ok(file) = file {
            file.discard();
        }
    }

    /// Returns the path of the file, or that which it was to have.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.attachment().file {
            Ok(file) => file.path.clone(),
            Err(error) => error.path().to_owned(),
        }
    }
}

impl<M: Model> OwnedRegion<M> {
    /// Creates a region in private memory, which gets no file.
    pub(crate) fn private(reason: &str) -> OwnedRegion<M> {
        let error = PublishError::switched_off(reason);
        FileRegion::without_file(M::NAME, error, M::SIZE, Self::lay_out_alone)
    }

    fn lay_out_alone(region: Region) -> Result<Fields<M>, AddError> {
        Ok(Fields { model: M::publish(region)?, identity: None })
    }

    /// Creates a region in a new file.
    pub(crate) fn create(options: &Options) -> OwnedRegion<M> {
        FileRegion::create_with(
            M::NAME,
            options,
            size::<M>(options),
            |region, created| {
                layout_fields(Writer::with_immutable_layout(region)?, options, created)
            },
            Self::lay_out_alone,
        )
    }

    pub(crate) fn model(&self) -> &M {
        &self.content().model
    }

    /// Ends these fields and keeps their counts for the next owner. Runs no code of the program, as
    /// its thread is ending.
    pub(crate) fn park(self) -> Option<ParkedRegion> {
        let attachment = self.attachment.into_inner().unwrap_or_else(PoisonError::into_inner);
        let file = attachment.file;
        // The next thread may be able to create a file, unless there is to be none.
        if file.as_ref().is_err_and(|error| !error.is_switched_off()) {
            return None;
        }
        let Fields { model, identity } = self.mapped.fields();
        model.reset_transient();
        if let Some(identity) = identity {
            identity.lock().unwrap_or_else(PoisonError::into_inner).tid.set(0);
        }
        Some(ParkedRegion { mapping: self.mapped.into_mapping(), file, created: self.created })
    }
}

impl ParkedRegion {
    pub(crate) fn addresses(&self) -> Range<usize> {
        self.mapping.addresses()
    }

    /// Continues the counters and histograms of this region for a new owner. If its layout is
    /// another one, removes the file and returns `None`.
    pub(crate) fn adopt<M: Model>(self, options: &Options) -> Option<OwnedRegion<M>> {
        let ParkedRegion { mapping, file, created } = self;
        let mapped = MappedFields::new(mapping, |region| {
            layout_fields(Writer::adopt(region)?, options, created)
        });
        let Ok(mapped) = mapped else {
            if let Ok(file) = file {
                file.discard();
            }
            return None;
        };
        let region = FileRegion::new(mapped, M::NAME, file, created);
        region.ensure_file(options);
        Some(region)
    }

    /// Removes the file.
    pub(crate) fn discard(self) {
        if let Ok(file) = self.file {
            file.discard();
        }
    }
}
