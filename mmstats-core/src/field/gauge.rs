use super::{Field, builder, number};
use crate::cell::ValueCell;
use crate::format::layout::ValueLayout;
use crate::format::{Format, V2};
use crate::kind::Kind;
use crate::scalar::{Number, Scalar};
use crate::writer::{AddError, Allocator, SlotIter};
use core::marker::PhantomData;

/// A number that goes up and down: an integer of any width, `f32`, `f64`, or a `bool`.
pub struct Gauge<T: Scalar, F: Format = V2> {
    value: F::Cell<T>,
    _format: PhantomData<F>,
}

/// Whether something is so.
pub type Flag<F = V2> = Gauge<bool, F>;

impl<T: Scalar, F: Format> super::Sealed for Gauge<T, F> {}

impl<T: Scalar, F: Format> Field for Gauge<T, F> {
    type Format = F;
    type In<G: Format> = Gauge<T, G>;
    type Initial<'i> = T;
    const LAYOUTS: &'static [ValueLayout] = &[number::<T, F>(Kind::Gauge)];

    fn attach<S: Allocator>(
        slots: &mut SlotIter<'_, S>,
        initial: Option<T>,
    ) -> Result<Self, AddError> {
        let resuming = slots.resuming();
        let value = F::Cell::<T>::new(slots.slot()?);
        if resuming || initial.is_some() {
            value.set(initial.unwrap_or(T::zero()));
        }
        Ok(Gauge { value, _format: PhantomData })
    }

    fn reset_transient(&self) {
        self.value.set(T::zero());
    }
}

impl<T: Scalar, F: Format> Gauge<T, F> {
    builder!();

    /// Sets it.
    #[inline(always)]
    pub fn set(&self, value: T) {
        self.value.set(value);
    }

    /// What it is.
    #[inline(always)]
    #[must_use]
    pub fn get(&self) -> T {
        self.value.get()
    }
}

impl<T: Number, F: Format> Gauge<T, F> {
    /// Raises it; integers wrap.
    #[inline(always)]
    pub fn add(&self, n: T) {
        self.value.set(self.value.get().plus(n));
    }

    /// Lowers it; integers wrap.
    #[inline(always)]
    pub fn sub(&self, n: T) {
        self.value.set(self.value.get().minus(n));
    }
}
