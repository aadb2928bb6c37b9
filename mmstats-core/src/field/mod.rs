//! The fields. Each type is a marker in [`model!`](crate::model!) and the handle it becomes:
//! `Counter` there is `Counter<u64, V2>` here.
//!
//! A handle can move to another thread, not be shared: it is `Send` and not `Sync`, and writing
//! needs no `&mut`. One handle belongs to one context: what an interrupt or signal handler updates
//! is a handle of its own.

mod average;
mod constant;
mod counter;
mod gauge;
mod histogram;
mod moving_average;
mod text;
mod timer;

pub use average::Average;
pub use constant::{Constant, ConstantText};
pub use counter::Counter;
pub use gauge::{Flag, Gauge};
pub use histogram::Histogram;
pub use moving_average::MovingAverage;
pub use text::Text;
pub use timer::{Clock, Timer, TimerGuard};

use crate::cell::ValueCell;
use crate::format::Format;
use crate::format::layout::ValueLayout;
use crate::kind::{Kind, Unit};
use crate::scalar::Scalar;
use crate::writer::{AddError, Allocator, SlotIter};

mod sealed {
    pub trait Sealed {}
}
pub(crate) use sealed::Sealed;

/// What can be added to a region under a label.
pub trait Field: Sealed + Sized {
    /// The format it is published in.
    type Format: Format;
    /// The same field in another format.
    type In<G: Format>: for<'i> Field<Format = G, Initial<'i> = Self::Initial<'i>>;
    /// What it can be given to begin with.
    type Initial<'i>;
    /// The values it stores.
    const LAYOUTS: &'static [ValueLayout];
    #[doc(hidden)]
    fn attach<S: Allocator>(
        slots: &mut SlotIter<'_, S>,
        initial: Option<Self::Initial<'_>>,
    ) -> Result<Self, AddError>;
    /// When its owner is gone for now: what describes the moment becomes zero or empty, what
    /// accumulates stays.
    #[doc(hidden)]
    fn reset_transient(&self) {}
}

/// A field to be added by [`Writer::add`](crate::Writer::add); each field type makes one with
/// `describe(label)`.
#[must_use]
pub struct FieldBuilder<'a, H: Field> {
    pub(crate) label: &'a str,
    pub(crate) help: &'a str,
    pub(crate) unit: Unit,
    pub(crate) initial: Option<H::Initial<'a>>,
}

impl<'a, H: Field> FieldBuilder<'a, H> {
    /// A field under this label, which may end in dimensions: `http.requests{method="GET"}`.
    pub const fn new(label: &'a str) -> Self {
        FieldBuilder { label, help: "", unit: Unit::NONE, initial: None }
    }

    /// What it tells, for people.
    pub fn help(mut self, help: &'a str) -> Self {
        self.help = help;
        self
    }

    /// What it is measured in.
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// What it holds before it is first set, instead of zero or an empty text.
    pub fn initial(mut self, value: impl Into<H::Initial<'a>>) -> Self {
        self.initial = Some(value.into());
        self
    }
}

macro_rules! builder {
    () => {
        /// This field under a label, for [`Writer::add`](crate::Writer::add).
        pub const fn builder(label: &str) -> $crate::field::FieldBuilder<'_, Self> {
            $crate::field::FieldBuilder::new(label)
        }
    };
}
use builder;

/// The layout of a single number.
const fn number<T: Scalar, F: Format>(kind: Kind) -> ValueLayout {
    ValueLayout {
        suffix: "",
        kind,
        ty: T::TYPE,
        unit: Unit::NONE,
        access: <F::Cell<T> as ValueCell<T>>::ACCESS,
        value_size: size_of::<T>(),
        size: <F::Cell<T> as ValueCell<T>>::SIZE,
        align: <F::Cell<T> as ValueCell<T>>::ALIGN,
        grouping_power: 0,
        max_power: 0,
    }
}
