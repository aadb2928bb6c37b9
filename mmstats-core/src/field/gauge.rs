use super::definition::{Field, Sealed, builder, debug_value, number, present_cell};
use crate::add_error::AddError;
use crate::allocator::{Allocator, SlotIter};
use crate::cell::ValueCell;
use crate::format::layout::ValueLayout;
use crate::format_types::{Format, V2};
use crate::kind::Kind;
use crate::scalar::{Number, Scalar};

/// A number that goes up and down: an integer of any width, `f32`, `f64`, or a `bool`.
pub struct Gauge<T: Scalar, F: Format = V2> {
    value: F::Cell<T>,
}

/// A gauge that is true or false.
pub type Flag<F = V2> = Gauge<bool, F>;

impl<T: Scalar, F: Format> Sealed for Gauge<T, F> {}

impl<T: Scalar, F: Format> Field for Gauge<T, F> {
    type Format = F;
    type In<G: Format> = Gauge<T, F::In<G>>;
    type Initial<'i> = T;
    const LAYOUTS: &'static [ValueLayout] = &[number::<T, F>(Kind::Gauge)];

    #[inline(always)]
    fn attach<A: Allocator>(
        slots: &mut SlotIter<'_, A>,
        initial: Option<T>,
    ) -> Result<Self, AddError> {
        Ok(Gauge { value: present_cell::<T, F, A>(slots, initial)? })
    }

    fn reset_transient(&self) {
        self.value.init(T::zero());
    }
}

impl<T: Scalar, F: Format> Gauge<T, F> {
    builder!();

    /// Sets the value.
    #[inline(always)]
    pub fn set(&self, value: T) {
        self.value.set(value);
    }

    /// Returns the value.
    #[inline(always)]
    #[must_use]
    pub fn get(&self) -> T {
        self.value.get()
    }
}

impl<T: Number, F: Format> Gauge<T, F> {
    /// Adds `n`; integers wrap.
    #[inline(always)]
    pub fn add(&self, n: T) {
        self.value.add(n);
    }

    /// Subtracts `n`; integers wrap.
    #[inline(always)]
    pub fn sub(&self, n: T) {
        self.value.sub(n);
    }
}

debug_value!([T: Scalar, F: Format] Gauge<T, F>, "Gauge");
