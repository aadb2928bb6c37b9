//! The trait of all fields, and how they are added.

use crate::add_error::AddError;
use crate::allocator::{Allocator, SlotIter};
use crate::cell::ValueCell;
use crate::format::layout::{self, FieldDef, ValueLayout};
use crate::format_types::Format;
use crate::kind::{Aggregation, Kind, Unit};
use crate::scalar::Scalar;
use core::fmt::{self, Debug};
use core::slice;

mod sealed {
    pub trait Sealed {}
}
pub(super) use sealed::Sealed;

/// A field: one or several values under a label.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a field",
    label = "not a field",
    note = "fields are `Counter`, `Gauge<T>`, `Flag`, `Highest<T>`, `Lowest<T>`, `Average`, \
            `MovingAverage`, `Timer`, `Text<N>`, `Histogram`, `Constant<T>` and `ConstantText<N>`",
    note = "a model can also have other models, and arrays of fields or models"
)]
pub trait Field: Sealed + Sized + Debug {
    /// The format that it is published in.
    type Format: Format;
    /// The same field in another format.
    type In<G: Format>: for<'i> Field<Initial<'i> = Self::Initial<'i>>;
    /// The type of its initial value.
    type Initial<'i>: Copy;
    /// The layouts of the values that it stores.
    const LAYOUTS: &'static [ValueLayout];
    #[doc(hidden)]
    fn attach<A: Allocator>(
        slots: &mut SlotIter<'_, A>,
        initial: Option<Self::Initial<'_>>,
    ) -> Result<Self, AddError>;
    /// Resets the value to zero or an empty text if it describes only the present; keeps totals.
    #[doc(hidden)]
    fn reset_transient(&self) {}
}

/// Adds a field without checks. `kept` is that of the definition, for callers that know it at
/// compile time: on a device, they need not store the definition then.
#[inline(always)]
pub(crate) fn attach<A: Allocator, H: Field>(
    allocator: &mut A,
    definition: &FieldDef<'_>,
    kept: bool,
    initial: Option<H::Initial<'_>>,
) -> Result<H, AddError> {
    H::attach(&mut SlotIter::new(allocator, definition, H::LAYOUTS, kept), initial)
}

/// A field to be added by [`Writer::add`](crate::Writer::add). Each type of field creates one with
/// `builder(label)`.
#[must_use]
pub struct FieldBuilder<'a, H: Field> {
    pub(crate) label: &'a str,
    pub(crate) help: &'a str,
    pub(crate) unit: Unit,
    pub(crate) aggregation: Aggregation,
    pub(crate) kept: bool,
    pub(crate) initial: Option<H::Initial<'a>>,
}

impl<'a, H: Field> FieldBuilder<'a, H> {
    /// Creates a field under a label, which may end in dimensions: `http.requests{method="GET"}`.
    pub const fn new(label: &'a str) -> Self {
        FieldBuilder {
            label,
            help: "",
            unit: Unit::NONE,
            aggregation: Aggregation::Unspecified,
            kept: false,
            initial: None,
        }
    }

    /// Sets the help text.
    pub fn help(mut self, help: &'a str) -> Self {
        self.help = help;
        self
    }

    /// Sets the unit.
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Sets how readers combine the values of several writers. Counters and histograms are always
    /// added.
    pub fn aggregation(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = aggregation;
        self
    }

    /// Lets the value survive a reset and the end of its thread, as counters and histograms always
    /// do.
    pub fn kept(mut self) -> Self {
        self.kept = true;
        self
    }

    /// Sets the initial value; the default is zero or an empty text.
    pub fn initial(mut self, value: impl Into<H::Initial<'a>>) -> Self {
        self.initial = Some(value.into());
        self
    }

    /// Returns the label.
    #[must_use]
    pub const fn label(&self) -> &'a str {
        self.label
    }

    /// Returns whether [`Self::kept`] has been called.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.kept
    }

    /// Returns the bytes of a region for this field alone, under a label of this length.
    ///
    /// # Panics
    /// If they are a quarter of the address space.
    #[must_use]
    pub fn region_size(&self, label: usize) -> usize {
        layout::size(<H::Format as Format>::VERSION, &[self.definition("")], label)
    }

    pub(crate) fn definition<'d>(&'d self, label: &'d str) -> FieldDef<'d> {
        FieldDef {
            prefix: "",
            label,
            help: if self.help.is_empty() { &[] } else { slice::from_ref(&self.help) },
            unit: self.unit,
            aggregation: self.aggregation,
            kept: self.kept,
            layouts: H::LAYOUTS,
        }
    }
}

impl<H: Field> Clone for FieldBuilder<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Field> Copy for FieldBuilder<'_, H> {}

impl<H: Field> Debug for FieldBuilder<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldBuilder")
            .field("label", &self.label)
            .field("help", &self.help)
            .field("unit", &self.unit)
            .finish_non_exhaustive()
    }
}

macro_rules! builder {
    () => {
        /// Creates a field under a label, for [`Writer::add`](crate::Writer::add).
        pub const fn builder(label: &str) -> $crate::field::FieldBuilder<'_, Self> {
            $crate::field::FieldBuilder::new(label)
        }
    };
}
pub(super) use builder;

/// Implements `Debug` for a handle that shows its value.
macro_rules! debug_value {
    ([$($generics:tt)*] $type:ty, $name:literal) => {
        impl<$($generics)*> core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_tuple($name).field(&self.get()).finish()
            }
        }
    };
}
pub(super) use debug_value;

/// Returns the layout of a single number.
pub(super) const fn number<T: Scalar, F: Format>(kind: Kind) -> ValueLayout {
    ValueLayout {
        size: <F::Cell<T> as ValueCell<T>>::SIZE,
        align: <F::Cell<T> as ValueCell<T>>::ALIGN,
        ..ValueLayout::new(kind, T::TYPE, <F::Cell<T> as ValueCell<T>>::ACCESS, size_of::<T>())
    }
}

/// Returns the layout of a mean, which readers do not add up unless its declaration says so.
pub(super) const fn mean<F: Format>() -> ValueLayout {
    ValueLayout { aggregation: Aggregation::Mean, ..number::<f64, F>(Kind::Gauge) }
}

/// Returns the cell of a number that describes the present, and starts again when it is resumed.
#[inline(always)]
pub(super) fn present_cell<T: Scalar, F: Format, A: Allocator>(
    slots: &mut SlotIter<'_, A>,
    initial: Option<T>,
) -> Result<F::Cell<T>, AddError> {
    let (keeping, resuming) = (slots.keeping(), slots.resuming());
    let value = F::Cell::<T>::new(slots.next()?);
    if !keeping && (resuming || initial.is_some()) {
        value.init(initial.unwrap_or(T::zero()));
    }
    Ok(value)
}
