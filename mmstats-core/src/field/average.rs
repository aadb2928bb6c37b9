use super::definition::{Field, Sealed, builder, debug_value, number};
use crate::add_error::AddError;
use crate::allocator::{Allocator, SlotIter};
use crate::cell::ValueCell;
use crate::format::layout::ValueLayout;
use crate::format_types::{Format, V2};
use crate::kind::Kind;
use core::cell::Cell;

/// The arithmetic mean of all samples; 0 before the first.
pub struct Average<F: Format = V2> {
    mean: F::Cell<f64>,
    sum: Cell<f64>,
    count: Cell<u64>,
}

impl<F: Format> Sealed for Average<F> {}

impl<F: Format> Field for Average<F> {
    type Format = F;
    type In<G: Format> = Average<G>;
    type Initial<'i> = f64;
    const LAYOUTS: &'static [ValueLayout] = &[number::<f64, F>(Kind::Gauge)];

    fn attach<A: Allocator>(
        slots: &mut SlotIter<'_, A>,
        initial: Option<f64>,
    ) -> Result<Self, AddError> {
        Ok(Average {
            mean: mean_cell::<F, A>(slots, initial)?,
            sum: Cell::new(0.0),
            count: Cell::new(0),
        })
    }

    fn reset_transient(&self) {
        self.mean.set(0.0);
    }
}

/// Returns the cell of a mean, which starts again when it is resumed.
pub(super) fn mean_cell<F: Format, A: Allocator>(
    slots: &mut SlotIter<'_, A>,
    initial: Option<f64>,
) -> Result<F::Cell<f64>, AddError> {
    let resuming = slots.resuming();
    let mean = F::Cell::<f64>::new(slots.next()?);
    if resuming || initial.is_some() {
        mean.set(initial.unwrap_or(0.0));
    }
    Ok(mean)
}

impl<F: Format> Average<F> {
    builder!();

    /// Records a sample.
    #[inline]
    pub fn record(&self, sample: f64) {
        let count = self.count.get() + 1;
        let sum = self.sum.get() + sample;
        self.count.set(count);
        self.sum.set(sum);
        self.mean.set(sum / count as f64);
    }

    /// Returns the mean.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.mean.get()
    }
}

debug_value!([F: Format] Average<F>, "Average");
