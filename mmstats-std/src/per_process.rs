//! One region per process, which all threads write.

use crate::file_region::{Flush, OwnedRegion, Publication, warn_if_private};
use crate::memory::ProcessLocal;
use crate::options::Options;
use mmstats_core::Model;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

/// A model with one instance for all threads of a process; declared by
/// [`per_process!`](crate::per_process!). Dereferences to the model.
///
/// The first use creates the file, and each later one costs five loads besides the update itself,
/// an atomic read-modify-write, beside which they take no measurable time. It never fails: if no
/// file can be created, the fields count in private memory, and one warning goes to standard error,
/// unless [`Options::quiet`] is set. [`Self::publication`] returns the error, and tries again.
///
/// A forked child gets a file and counts of its own at its first use.
pub struct PerProcess<M: Model + Sync + 'static> {
    options: Options,
    region: ProcessLocal<OnceLock<OwnedRegion<M>>>,
    /// Whether the warning has been printed.
    warned: AtomicBool,
}

/// Declares statics that hold one instance of a model for the whole process, for fields that more
/// than one thread changes: a gauge that one thread raises and another one lowers, a number that
/// tasks of an async runtime change on any of its threads.
///
/// The model's format is [`Shared`](crate::Shared), so that every update is an atomic
/// read-modify-write: 17 to 20 times the cost of an update through [`per_thread!`], and more while
/// other threads update the same field. Counters and histograms that are updated often belong in
/// [`per_thread!`]: readers add up the threads.
///
/// ```
/// use mmstats_std::{Counter, Gauge, Highest, Options, Shared, model, per_process};
///
/// model! {
///     /// Requests of all workers.
///     pub struct Requests {
///         /// Requests being served.
///         open: Gauge<i64>,
///         /// The most that were open at once.
///         peak: Highest<i64>,
///     }
/// }
/// per_process! {
///     static REQUESTS: Requests<Shared> = Options::new().label_prefix("web.requests.");
/// }
///
/// REQUESTS.open.add(1);
/// REQUESTS.peak.record(REQUESTS.open.get());
/// std::thread::spawn(|| REQUESTS.open.sub(1)).join().unwrap();
/// assert_eq!((REQUESTS.open.get(), REQUESTS.peak.get()), (0, 1));
/// ```
///
/// [`per_thread!`]: crate::per_thread!
#[macro_export]
macro_rules! per_process {
    ($(
        $(#[$attribute:meta])*
        $visible:vis static $name:ident : $model:ty $(= $options:expr)? ;
    )*) => { $(
        $(#[$attribute])*
        $visible static $name: $crate::PerProcess<$model> =
            $crate::PerProcess::new($crate::per_process!(@options $($options)?));
    )* };
    (@options) => { $crate::Options::new() };
    (@options $options:expr) => { $options };
}

impl<M: Model + Sync> PerProcess<M> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(options: Options) -> Self {
        PerProcess {
            options: options.per_process(),
            region: ProcessLocal::new(),
            warned: AtomicBool::new(false),
        }
    }

    #[inline(always)]
    fn region(&self) -> &'static OwnedRegion<M> {
        let region = self.region.get();
        match region.get() {
            Some(region) => region,
            None => self.create(region),
        }
    }

    #[cold]
    #[inline(never)]
    fn create(&self, region: &'static OnceLock<OwnedRegion<M>>) -> &'static OwnedRegion<M> {
        region.get_or_init(|| {
            let region = OwnedRegion::create(&self.options);
            warn_if_private(M::NAME, &region.publication(), &self.options, &self.warned);
            region
        })
    }

    /// Returns the file of these fields, or why they have none. Creates the file if this is the
    /// first use.
    ///
    /// If the file has been removed by somebody else, or could not be created for a reason that may
    /// have passed, this creates a new one, in which the counts go on. Updates by other threads
    /// while it is being created can be lost.
    pub fn publication(&self) -> Publication {
        let region = self.region();
        region.ensure_file(&self.options);
        region.publication()
    }

    /// Writes the file to its disk; does nothing on a tmpfs.
    ///
    /// # Errors
    /// If the operating system cannot.
    pub fn flush(&self, mode: Flush) -> io::Result<()> {
        self.region().flush(mode)
    }

    /// Removes the file now, even if [`Options::keep`] is set. The fields keep working in memory
    /// that has no readers.
    pub fn remove(&self) {
        self.region().discard_file();
    }
}

impl<M: Model + Sync> Deref for PerProcess<M> {
    type Target = M;

    #[inline(always)]
    fn deref(&self) -> &M {
        self.region().model()
    }
}

impl<M: Model + Sync> fmt::Debug for PerProcess<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerProcess").field("model", &M::NAME).finish_non_exhaustive()
    }
}
