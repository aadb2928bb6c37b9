use super::{Field, builder, number};
use crate::cell::ValueCell;
use crate::format::layout::ValueLayout;
use crate::format::{Format, V2};
use crate::kind::Kind;
use crate::writer::{AddError, Allocator, SlotIter};
use core::cell::Cell;
use core::marker::PhantomData;

/// The arithmetic mean of everything added so far; 0 before that.
pub struct Average<F: Format = V2> {
    mean: F::Cell<f64>,
    sum: Cell<f64>,
    count: Cell<u64>,
    _format: PhantomData<F>,
}

impl<F: Format> super::Sealed for Average<F> {}

impl<F: Format> Field for Average<F> {
    type Format = F;
    type In<G: Format> = Average<G>;
    type Initial<'i> = f64;
    const LAYOUTS: &'static [ValueLayout] = &[number::<f64, F>(Kind::Gauge)];

    fn attach<S: Allocator>(
        slots: &mut SlotIter<'_, S>,
        initial: Option<f64>,
    ) -> Result<Self, AddError> {
        Ok(Average {
            mean: mean_cell::<F, S>(slots, initial)?,
            sum: Cell::new(0.0),
            count: Cell::new(0),
            _format: PhantomData,
        })
    }

    fn reset_transient(&self) {
        self.mean.set(0.0);
    }
}

/// The published mean of an average that begins afresh.
pub(super) fn mean_cell<F: Format, S: Allocator>(
    slots: &mut SlotIter<'_, S>,
    initial: Option<f64>,
) -> Result<F::Cell<f64>, AddError> {
    let resuming = slots.resuming();
    let mean = F::Cell::<f64>::new(slots.slot()?);
    if resuming || initial.is_some() {
        mean.set(initial.unwrap_or(0.0));
    }
    Ok(mean)
}

impl<F: Format> Average<F> {
    builder!();

    /// Adds a sample.
    #[inline]
    pub fn record(&self, sample: f64) {
        let count = self.count.get() + 1;
        let sum = self.sum.get() + sample;
        self.count.set(count);
        self.sum.set(sum);
        self.mean.set(sum / count as f64);
    }

    /// The mean so far.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.mean.get()
    }
}
