//! Fields of one label that differ in the values of their dimensions.

use super::chain::Chain;
use super::table::Table;
use super::{AnyField, CHECKED, Handle, Registry, ThreadFields};
use crate::dimensions::{are_equal, contains, is_valid_name, label_unchecked};
use crate::memory::{RcPart, ThreadSlot};
use crate::warning::warn_once;
use mmstats_core::{AddError, Aggregation, Field, FieldBuilder, Unit, V2};
use std::any::Any;
use std::cell::OnceCell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::AtomicBool;
use std::thread::LocalKey;

/// The registry of families that name no other one.
static DEFAULT_REGISTRY: Registry = Registry::new("registry");
/// The value of all dimensions of the series that stands for those that are not published.
pub(super) const OTHER: &str = "_other";
/// The most series of a family, if it sets no other number.
const DEFAULT_MAX_SERIES: usize = 1000;
/// The most bytes of a family's texts, and of its field.
const MAX_TEXT_BYTES: usize = 4096;
const MAX_FIELD_BYTES: usize = 16 << 20;

/// Fields of the type `H` with one label and `N` dimensions, whose values are known at run time;
/// declared by [`per_thread!`](crate::per_thread!). A field with certain values is a *series*.
///
/// ```
/// use mmstats_std::{Counter, Family, per_thread};
///
/// per_thread! {
///     /// Requests answered.
///     static REQUESTS: Family<Counter, 2> =
///         Family::new("http.requests", ["route", "status"]).max_series(500);
/// }
///
/// let (route, status) = (String::from("/users"), "200");
/// // http.requests{route="/users",status="200"}
/// REQUESTS.with([&route, status], |requests| requests.incr());
///
/// let home = REQUESTS.series(["/", "200"]); // for a series that is used often
/// home.incr();
/// assert_eq!(home.get(), 1);
/// ```
///
/// The values can be any text. Those that a label cannot hold, as they contain a NUL or are longer
/// than 65 535 bytes with the label, are counted as `_other`.
pub struct Family<H, const N: usize> {
    label: &'static str,
    names: [&'static str; N],
    help: &'static str,
    unit: Unit,
    aggregation: Aggregation,
    is_kept: bool,
    max_series: usize,
    registry: Option<&'static Registry>,
    /// Whether the warning about values that are not published has been printed.
    warned: AtomicBool,
    _field: PhantomData<fn() -> H>,
}

impl<H: Field<Format = V2>, const N: usize> Family<H, N> {
    /// Creates a family with a label and the names of its dimensions.
    ///
    /// # Panics
    /// If there is no name, if the label or a name is empty, if two names are equal, if a name
    /// contains white space or one of `{}",=\`, if the label contains a brace or a NUL, or if they
    /// are longer than 4096 bytes. In a static, that does not compile:
    ///
    /// ```compile_fail
    /// # use mmstats_std::{Counter, Family, per_thread};
    /// per_thread! { static OPEN: Family<Counter, 1> = Family::new("open", ["the route"]); }
    /// ```
    #[must_use]
    pub const fn new(label: &'static str, names: [&'static str; N]) -> Self {
        let size = {
            let mut size = 0;
            let mut i = 0;
            while i < H::LAYOUTS.len() {
                size += H::LAYOUTS[i].size;
                i += 1;
            }
            size
        };
        assert!(size <= MAX_FIELD_BYTES, "a field of a family has more than 16 MiB");
        assert!(N > 0, "a family has at least one dimension");
        assert!(
            !label.is_empty() && !contains(label, b"{}\0"),
            "the label of a family is empty, or has a brace or a NUL"
        );
        let mut length = label.len();
        let mut i = 0;
        while i < N {
            assert!(
                is_valid_name(names[i]),
                "a dimension's name is empty or has invalid characters"
            );
            length += names[i].len();
            let mut j = 0;
            while j < i {
                assert!(!are_equal(names[i], names[j]), "two dimensions have the same name");
                j += 1;
            }
            i += 1;
        }
        assert!(length <= MAX_TEXT_BYTES, "a family's label and names have more than 4096 bytes");
        Family {
            label,
            names,
            help: "",
            unit: Unit::NONE,
            aggregation: Aggregation::Unspecified,
            is_kept: false,
            max_series: DEFAULT_MAX_SERIES,
            registry: None,
            warned: AtomicBool::new(false),
            _field: PhantomData,
        }
    }

    /// Sets the help text.
    ///
    /// # Panics
    /// If it contains a NUL or is longer than 4096 bytes.
    #[must_use]
    pub const fn help(mut self, help: &'static str) -> Self {
        assert!(!contains(help, b"\0"), "the help of a family contains a NUL");
        assert!(help.len() <= MAX_TEXT_BYTES, "the help of a family has more than 4096 bytes");
        self.help = help;
        self
    }

    /// Sets the unit.
    ///
    /// # Panics
    /// If its name contains a NUL or is longer than 255 bytes.
    #[must_use]
    pub const fn unit(mut self, unit: Unit) -> Self {
        assert!(!contains(unit.name, b"\0"), "the unit of a family contains a NUL");
        assert!(unit.name.len() <= 255, "the unit of a family has more than 255 bytes");
        self.unit = unit;
        self
    }

    /// Sets how readers combine the values of several writers. Counters and histograms are always
    /// added.
    #[must_use]
    pub const fn aggregation(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = aggregation;
        self
    }

    /// Keeps the values over the end of their thread, as those of counters and histograms are.
    #[must_use]
    pub const fn kept(mut self) -> Self {
        self.is_kept = true;
        self
    }

    /// Sets the most series that a thread publishes; the default is 1000. All further ones share
    /// one series whose values are `_other`, and one warning goes to standard error.
    #[must_use]
    pub const fn max_series(mut self, max_series: usize) -> Self {
        self.max_series = max_series;
        self
    }

    /// Sets the registry that the family belongs to, for its [`Options`](crate::Options). All other
    /// families share one with the default options.
    #[must_use]
    pub const fn registry(mut self, registry: &'static Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    fn own_registry(&self) -> &'static Registry {
        self.registry.unwrap_or(&DEFAULT_REGISTRY)
    }

    /// Prints one warning about values that are not published.
    fn warn_once(&self, reason: fmt::Arguments<'_>) {
        let options = &self.own_registry().options;
        let label = self.label;
        warn_once(options, &self.warned, format_args!("{label}: {reason}; counted as \"{OTHER}\""));
    }

    fn builder(&self) -> FieldBuilder<'static, H> {
        let builder = FieldBuilder::new(self.label)
            .help(self.help)
            .unit(self.unit)
            .aggregation(self.aggregation);
        if self.is_kept { builder.kept() } else { builder }
    }
}

impl<H, const N: usize> fmt::Debug for Family<H, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family")
            .field("label", &self.label)
            .field("names", &self.names)
            .field("max_series", &self.max_series)
            .finish_non_exhaustive()
    }
}

/// A [`Family`] with separate series for each thread; declared by
/// [`per_thread!`](crate::per_thread!).
pub struct PerThreadFamily<H: 'static, const N: usize> {
    slot: LocalKey<ThreadSlot<ThreadFamily<H, N>>>,
    /// A function, as a constant cannot refer to a static with interior mutability in Rust 1.85.
    family: fn() -> &'static Family<H, N>,
}

impl<H: Field<Format = V2> + Send + 'static, const N: usize> PerThreadFamily<H, N> {
    #[doc(hidden)]
    pub const fn new(
        slot: LocalKey<ThreadSlot<ThreadFamily<H, N>>>,
        family: fn() -> &'static Family<H, N>,
    ) -> Self {
        PerThreadFamily { slot, family }
    }

    /// Calls `f` with this thread's series of these values, in the order of the family's names. The
    /// first call adds it. Each later one costs a hash of the values and a comparison, without
    /// allocations, locks or system calls.
    ///
    /// It never fails: if no file can be created, the series count in private memory. Not for
    /// signal handlers, which may interrupt the call that adds a series.
    #[inline(always)]
    pub fn with<R>(&'static self, values: [&str; N], f: impl FnOnce(&H) -> R) -> R {
        self.slot.with(|slot| match slot.get().and_then(|family| family.find(values)) {
            Some(series) => f(series),
            None => f(&*self.series(values)),
        })
    }

    /// Returns a handle of this thread's series of these values, which costs at each use what a
    /// declared field costs.
    ///
    /// It stays in this thread, whose files cannot be parked before it is dropped: see
    /// [`Registry::field`].
    #[cold]
    #[inline(never)]
    pub fn series(&'static self, values: [&str; N]) -> Handle<H> {
        let entry = (self.family)().own_registry().entry();
        let index = self.of_thread(entry.fields()).get_or_add(&entry.fields().chain, values);
        entry.allow_fast_use(|fields| self.slot.with(|slot| slot.set(self.of_thread(fields))));
        Handle(RcPart::new(entry, move |entry| {
            self.of_thread(entry.fields()).series.get(index).expect(CHECKED)
        }))
    }

    /// Returns this family's series in a thread's fields.
    fn of_thread<'f>(&'static self, fields: &'f ThreadFields) -> &'f ThreadFamily<H, N> {
        fields.part(
            |part: &ThreadFamily<H, N>| ptr::eq((part.owner.family)(), (self.family)()),
            || ThreadFamily { owner: self, series: Table::new(), other: OnceCell::new() },
        )
    }
}

impl<H, const N: usize> fmt::Debug for PerThreadFamily<H, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PerThreadFamily").field((self.family)()).finish()
    }
}

/// A thread's series of a family.
#[doc(hidden)]
pub struct ThreadFamily<H: 'static, const N: usize> {
    owner: &'static PerThreadFamily<H, N>,
    series: Table<H, N>,
    /// The index of the series for values that are not published.
    other: OnceCell<usize>,
}

impl<H: Field<Format = V2> + Send + 'static, const N: usize> ThreadFamily<H, N> {
    /// Returns the series of these values, or the one that stands for it. Not inlined, so that the
    /// access to the thread's slot is.
    #[inline(never)]
    fn find(&self, values: [&str; N]) -> Option<&H> {
        self.series.find(values).or_else(|| self.series.get(*self.other_if_full()?))
    }

    #[cold]
    fn other_if_full(&self) -> Option<&usize> {
        self.other.get().filter(|_| self.is_full())
    }

    fn is_full(&self) -> bool {
        self.series.len() >= (self.owner.family)().max_series
    }

    /// Returns the index of the series of these values, or of the one that stands for it.
    fn get_or_add(&self, chain: &Chain, values: [&str; N]) -> usize {
        let family = (self.owner.family)();
        if let Some(index) = self.series.index_of(values) {
            return index;
        }
        if self.is_full() {
            family.warn_once(format_args!("more than {} series in a thread", family.max_series));
        } else {
            match self.add(chain, values) {
                Ok(index) => return index,
                Err(error) => family.warn_once(format_args!("values that no label holds: {error}")),
            }
        }
        *self.other.get_or_init(|| {
            let values = [OTHER; N];
            let known = self.series.index_of(values);
            known.unwrap_or_else(|| self.add(chain, values).expect("its texts were checked"))
        })
    }

    fn add(&self, chain: &Chain, values: [&str; N]) -> Result<usize, AddError> {
        let family = (self.owner.family)();
        let dimensions = family.names.into_iter().zip(values);
        let label = label_unchecked(family.label, dimensions);
        Ok(self.series.insert(values, chain.add(&label, family.builder())?))
    }
}

impl<H: Field<Format = V2> + Send + 'static, const N: usize> AnyField for ThreadFamily<H, N> {
    fn reset_transient(&self) {
        if !(self.owner.family)().is_kept {
            self.series.iter().for_each(H::reset_transient);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn clear_slot(&self) {
        self.owner.slot.with(ThreadSlot::clear);
    }
}

impl<H, const N: usize> fmt::Debug for ThreadFamily<H, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadFamily").field("series", &self.series.len()).finish_non_exhaustive()
    }
}
