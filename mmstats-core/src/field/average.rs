use super::definition::{Field, Sealed, builder, debug_value, mean, present_cell};
use crate::add_error::AddError;
use crate::allocator::{Allocator, SlotIter};
use crate::cell::ValueCell;
use crate::format::layout::ValueLayout;
use crate::format_types::{Format, V2};
use core::cell::Cell;

/// The arithmetic mean of all samples; 0 before the first. Readers average it over writers, unless
/// its declaration says otherwise.
pub struct Average<F: Format = V2> {
    mean: F::Cell<f64>,
    sum: Cell<f64>,
    count: Cell<u64>,
}

impl<F: Format> Sealed for Average<F> {}

impl<F: Format> Field for Average<F> {
    type Format = F;
    type In<G: Format> = Average<F::In<G>>;
    type Initial<'i> = f64;
    const LAYOUTS: &'static [ValueLayout] = &[mean::<F>()];

    #[inline(always)]
    fn attach<A: Allocator>(
        slots: &mut SlotIter<'_, A>,
        initial: Option<f64>,
    ) -> Result<Self, AddError> {
        Ok(Average {
            mean: present_cell::<f64, F, A>(slots, initial)?,
            sum: Cell::new(0.0),
            count: Cell::new(0),
        })
    }

    fn reset_transient(&self) {
        self.mean.set(0.0);
        self.sum.set(0.0);
        self.count.set(0);
    }
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

/// The arithmetic mean of the last `N` samples; 0 before the first.
pub struct MovingAverage<const N: usize = 100, F: Format = V2> {
    mean: F::Cell<f64>,
    window: [Cell<f64>; N],
    next: Cell<usize>,
    count: Cell<usize>,
    sum: Cell<f64>,
}

impl<const N: usize, F: Format> Sealed for MovingAverage<N, F> {}

impl<const N: usize, F: Format> Field for MovingAverage<N, F> {
    type Format = F;
    type In<G: Format> = MovingAverage<N, F::In<G>>;
    type Initial<'i> = f64;
    const LAYOUTS: &'static [ValueLayout] = &[mean::<F>()];

    #[inline(always)]
    fn attach<A: Allocator>(
        slots: &mut SlotIter<'_, A>,
        initial: Option<f64>,
    ) -> Result<Self, AddError> {
        const { assert!(N > 0, "a moving average needs at least one sample") };
        Ok(MovingAverage {
            mean: present_cell::<f64, F, A>(slots, initial)?,
            window: [const { Cell::new(0.0) }; N],
            next: Cell::new(0),
            count: Cell::new(0),
            sum: Cell::new(0.0),
        })
    }

    fn reset_transient(&self) {
        self.mean.set(0.0);
        self.window.iter().for_each(|sample| sample.set(0.0));
        self.next.set(0);
        self.count.set(0);
        self.sum.set(0.0);
    }
}

impl<const N: usize, F: Format> MovingAverage<N, F> {
    builder!();

    /// Records a sample, which replaces the oldest of `N`.
    #[inline]
    pub fn record(&self, sample: f64) {
        let next = self.next.get();
        let dropped = self.window[next].replace(sample);
        if self.count.get() < N {
            self.count.set(self.count.get() + 1);
        }
        if next + 1 < N {
            self.next.set(next + 1);
            self.sum.set(self.sum.get() + sample - dropped);
        } else {
            // Once per round the sum is computed again, so that rounding errors do not accumulate
            // and a NaN leaves with its sample.
            self.next.set(0);
            self.sum.set(self.window.iter().map(Cell::get).sum());
        }
        self.mean.set(self.sum.get() / self.count.get() as f64);
    }

    /// Returns the mean of the last `N` samples.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.mean.get()
    }
}

debug_value!([const N: usize, F: Format] MovingAverage<N, F>, "MovingAverage");
