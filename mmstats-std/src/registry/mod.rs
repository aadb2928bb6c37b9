//! Fields that are found by their labels and dimensions, which are known at run time.
//!
//! Each thread has its own fields of a [`Registry`], in regions that grow. A thread that ends parks
//! them, with the handles and the maps to find them by, and the next thread goes on with all of it.
//! On top of this, a [`Family`] finds its fields by the values of their dimensions, without system
//! calls, locks or allocations.

mod chain;
mod family;
#[cfg(feature = "metrics")]
pub mod recorder;
mod table;

pub use family::{Family, PerThreadFamily, ThreadFamily};

use crate::dimensions::{contains, label_with_dimensions};
use crate::file_region::{Flush, Publication};
use crate::memory::{ProcessLocal, RcPart};
use crate::options::Options;
use crate::thread::{self, AnyThreadEntry, is_ending};
use chain::{Chain, FIRST_BYTES, MAX_BYTES};
use mmstats_core::{AddError, Field, FieldBuilder, V2};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::mem;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use table::{Arena, ArenaIndex};

/// Fields with labels and dimensions that are known at run time, separate for each thread.
///
/// A field is added by the first use of its label in a thread. If the thread's file is full, it
/// gets a further one of twice the size, so adding `n` fields takes time in proportion to `n`. When
/// a thread ends, the next one goes on with its files, counters and histograms, and everything else
/// is reset. If no file can be created, the fields count in private memory, as those of
/// [`per_thread!`](crate::per_thread!) do.
///
/// ```
/// use mmstats_std::{Counter, Options, Registry};
///
/// static PLUGINS: Registry =
///     Registry::new("plugins").options(Options::new().label_prefix("web."));
///
/// let name = String::from("gzip \"fast\"");
/// let calls = PLUGINS.field(Counter::<u64>::builder("plugin.calls"), &[("name", &name)])?;
/// calls.incr(); // keep the handle: to find it again takes a hundred nanoseconds
///
/// let same = PLUGINS.field(Counter::<u64>::builder("plugin.calls"), &[("name", &name)])?;
/// assert_eq!(same.get(), 1);
/// # Ok::<(), mmstats_std::AddError>(())
/// ```
pub struct Registry {
    name: &'static str,
    options: Options,
    /// The size of a thread's first file, in bytes.
    first_bytes: usize,
    parked: ProcessLocal<Mutex<Vec<ThreadFields>>>,
    /// Whether the warning that there is no file has been printed.
    warned: AtomicBool,
}

/// The longest prefix of labels, in bytes, so that every label of a family fits.
const MAX_PREFIX_BYTES: usize = 4096;

impl Registry {
    /// Creates a registry without fields. `name` is the `{MODEL}` of templates.
    #[must_use]
    pub const fn new(name: &'static str) -> Registry {
        let (options, first_bytes, parked) = (Options::new(), FIRST_BYTES, ProcessLocal::new());
        Registry { name, options, first_bytes, parked, warned: AtomicBool::new(false) }
    }

    /// Sets the options of its files.
    ///
    /// # Panics
    /// If the prefix of labels contains a NUL or is longer than 4096 bytes. In a static, that does
    /// not compile.
    #[must_use]
    pub const fn options(mut self, options: Options) -> Registry {
        assert!(
            options.label_prefix.len() <= MAX_PREFIX_BYTES,
            "a prefix has more than 4096 bytes"
        );
        assert!(!contains(options.label_prefix, b"\0"), "a prefix contains a NUL");
        self.options = options;
        self
    }

    /// Sets the size of a thread's first file, so that this many bytes of fields are in one file.
    /// It is rounded up to whole pages and at most 64 MiB; the default is 4096 bytes.
    #[must_use]
    pub const fn capacity(mut self, bytes: usize) -> Registry {
        let bytes = if bytes < FIRST_BYTES { FIRST_BYTES } else { bytes };
        let bytes = if bytes > MAX_BYTES { MAX_BYTES } else { bytes };
        self.first_bytes = bytes.next_multiple_of(FIRST_BYTES);
        self
    }

    /// Returns this thread's field with this label and these dimensions, which the first call adds.
    ///
    /// The handle stays in this thread. Its region cannot be parked before it is dropped, so a
    /// handle in a thread-local variable should be created by its initialiser, as variables are
    /// dropped in the reverse order.
    ///
    /// # Errors
    /// If the label or a dimension's name is invalid, a text contains a NUL or is too long, or a
    /// field of another type has this label. (Of two families, or of a family and a field, readers
    /// would show both.)
    pub fn field<H: Field<Format = V2> + Send + 'static>(
        &'static self,
        field: FieldBuilder<'_, H>,
        dimensions: &[(&str, &str)],
    ) -> Result<Handle<H>, AddError> {
        let label = label_with_dimensions(field.label(), dimensions)?;
        let entry = self.entry();
        let index = entry.fields().index_of(&label, field)?;
        if entry.fields().at::<H>(index).is_none() {
            return Err(AddError::DuplicateLabel { label: label.as_str().into() });
        }
        Ok(Handle(RcPart::new(entry, |entry| entry.fields().at(index).expect(CHECKED))))
    }

    /// Returns the files of this thread's fields, or why they have none; nothing if the thread has
    /// no field yet.
    ///
    /// If a file has been removed by somebody else, or the operating system refused to create it,
    /// this creates a new one, in which the counts go on.
    pub fn publications(&'static self) -> Vec<Publication> {
        let entry = self.entry();
        if !is_ending() {
            entry.fields().chain.ensure_files();
        }
        entry.fields().chain.publications()
    }

    /// Writes this thread's files to their disk; does nothing on a tmpfs.
    ///
    /// # Errors
    /// If the operating system cannot.
    pub fn flush(&'static self, mode: Flush) -> io::Result<()> {
        self.entry().fields().chain.flush(mode)
    }

    /// Removes this thread's files and those of threads that have ended. Running threads keep
    /// theirs. The next use in this thread creates a new file. Handles keep working, in memory that
    /// has no readers.
    pub fn remove(&'static self) {
        thread::remove_entry(|entry| entry.is_for(self.address()));
        for parked in mem::take(&mut *self.parked()) {
            parked.chain.discard_files();
        }
    }

    fn parked(&self) -> MutexGuard<'static, Vec<ThreadFields>> {
        self.parked.get().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns this thread's entry for this registry, which it creates at the first use.
    fn entry(&'static self) -> Rc<RegistryEntry> {
        let known: Option<Rc<RegistryEntry>> = thread::find_entry(self.address());
        let entry = known.unwrap_or_else(|| {
            thread::register_fork_handler();
            let fields = Some(self.adopt_or_create());
            let (uses, is_fast, is_removed) = (Cell::new(0), Cell::new(false), Cell::new(false));
            let registry = self;
            let entry = Rc::new(RegistryEntry { fields, registry, uses, is_fast, is_removed });
            thread::add_entry(entry.clone());
            entry
        });
        entry.uses.set(entry.uses.get() + 1);
        entry
    }

    /// Returns the fields of a thread that has ended, or none yet.
    fn adopt_or_create(&'static self) -> ThreadFields {
        // The lock is released before they are adopted.
        let parked = self.parked().pop();
        let Some(parked) = parked else { return ThreadFields::new(self) };
        parked.chain.set_owner(Some(self.options.owner()));
        parked.chain.ensure_files();
        parked
    }

    /// Returns a number that differs between registries.
    fn address(&self) -> usize {
        (&raw const *self).addr()
    }
}

const CHECKED: &str = "a field of this index and type, as checked";

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A field of this thread, which keeps its memory. Dereferences to the field, at the cost of one
/// load.
///
/// It cannot leave its thread:
///
/// ```compile_fail
/// # use mmstats_std::{Counter, Registry};
/// static REGISTRY: Registry = Registry::new("plugins");
/// let calls = REGISTRY.field(Counter::<u64>::builder("calls"), &[]).unwrap();
/// std::thread::spawn(move || calls.incr());
/// ```
pub struct Handle<H>(RcPart<RegistryEntry, H>);

impl<H> Deref for Handle<H> {
    type Target = H;

    #[inline(always)]
    fn deref(&self) -> &H {
        &self.0
    }
}

impl<H: fmt::Debug> fmt::Debug for Handle<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A thread's fields of one registry. It moves from a thread that ends to the next one, by way of
/// the registry.
struct ThreadFields {
    // The fields are declared before their memory, so dropped before it.
    by_label: RefCell<HashMap<Box<str>, usize>>,
    fields: Arena<Box<dyn AnyField>>,
    /// Fields that are found together: a family, or the series of the recorder.
    parts: Arena<Box<dyn AnyField>>,
    chain: Chain,
}

/// A field of any type, or several fields that are found together, as those of a family.
trait AnyField: Send {
    /// Resets what describes the present, as the owner has ended.
    fn reset_transient(&self);
    fn as_any(&self) -> &dyn Any;
    /// Clears this thread's pointer to it.
    fn clear_slot(&self) {}
}

struct SingleField<H> {
    field: H,
    is_kept: bool,
}

impl<H: Field + Send + 'static> AnyField for SingleField<H> {
    fn reset_transient(&self) {
        if !self.is_kept {
            self.field.reset_transient();
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl ThreadFields {
    fn new(registry: &'static Registry) -> Self {
        ThreadFields {
            by_label: RefCell::new(HashMap::new()),
            fields: Arena::new(),
            parts: Arena::new(),
            chain: Chain::new(registry),
        }
    }

    /// Returns the first part of this type that `is_wanted` accepts; without one, adds one.
    fn part<P: AnyField + 'static>(
        &self,
        is_wanted: impl Fn(&P) -> bool,
        create: impl FnOnce() -> P,
    ) -> &P {
        let parts = self.parts.iter().filter_map(|part| part.as_any().downcast_ref());
        parts.into_iter().find(|part| is_wanted(part)).unwrap_or_else(|| {
            let new = self.parts.push(Box::new(create()));
            new.as_any().downcast_ref().expect(CHECKED)
        })
    }

    /// Returns the index of the field with this label, which the first call adds.
    fn index_of<H: Field<Format = V2> + Send + 'static>(
        &self,
        label: &str,
        field: FieldBuilder<'_, H>,
    ) -> Result<usize, AddError> {
        if let Some(index) = self.by_label.borrow().get(label) {
            return Ok(*index);
        }
        let is_kept = field.is_kept();
        let field = self.chain.add(label, field)?;
        let index = self.fields.len();
        self.fields.push(Box::new(SingleField { field, is_kept }));
        self.by_label.borrow_mut().insert(label.into(), index);
        Ok(index)
    }

    /// Returns the field with this index if it has this type.
    fn at<H: 'static>(&self, index: usize) -> Option<&H> {
        let single: &SingleField<H> =
            self.fields.get(ArenaIndex::new(index))?.as_any().downcast_ref()?;
        Some(&single.field)
    }

    /// Ends these fields and keeps their counts for the next owner. Runs no code of the program, as
    /// its thread is ending.
    fn park(self, registry: &Registry) {
        self.fields.iter().chain(self.parts.iter()).for_each(|field| field.reset_transient());
        self.chain.set_owner(None);
        registry.parked().push(self);
    }
}

/// A thread's entry for one registry.
struct RegistryEntry {
    /// `None` while it is dropped.
    fields: Option<ThreadFields>,
    registry: &'static Registry,
    /// How often it was used, while not in a slot.
    uses: Cell<u64>,
    /// Whether a part of the fields has been in a slot.
    is_fast: Cell<bool>,
    is_removed: Cell<bool>,
}

impl RegistryEntry {
    fn fields(&self) -> &ThreadFields {
        self.fields.as_ref().expect("it is not being dropped")
    }

    /// Lets `fill` put a part of the fields in a slot after enough uses, if all have their files.
    fn allow_fast_use(&self, fill: impl FnOnce(&ThreadFields)) {
        if self.fields().chain.awaits_file() {
            self.clear_slots();
        } else if thread::may_use_slot(self.uses.get()) {
            self.is_fast.set(true);
            // A slot points into a box in the `Rc`, which stays until the slot is cleared.
            fill(self.fields());
        }
    }
}

impl AnyThreadEntry for RegistryEntry {
    fn is_for(&self, address: usize) -> bool {
        self.registry.address() == address
    }

    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn remove(&self) -> bool {
        self.clear_slots();
        self.is_removed.set(true);
        self.fields().chain.discard_files();
        self.is_fast.get()
    }

    fn release(self: Rc<Self>) {
        // Parked as soon as no handle is left.
        self.clear_slots();
    }

    fn clear_slots(&self) {
        self.fields().parts.iter().for_each(|part| part.clear_slot());
    }
}

impl Drop for RegistryEntry {
    fn drop(&mut self) {
        // Private memory is not kept: the next thread may be able to create a file.
        let fields = self.fields.take().filter(|fields| fields.chain.is_published());
        if let (Some(fields), false) = (fields, self.is_removed.get()) {
            fields.park(self.registry);
        }
    }
}
