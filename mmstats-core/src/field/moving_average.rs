use super::average::mean_cell;
use super::{Field, builder, number};
use crate::cell::ValueCell;
use crate::format::layout::ValueLayout;
use crate::format::{Format, V2};
use crate::kind::Kind;
use crate::writer::{AddError, Allocator, SlotIter};
use core::cell::Cell;
use core::marker::PhantomData;

/// The arithmetic mean of the last `N` samples; 0 before the first.
pub struct MovingAverage<const N: usize = 100, F: Format = V2> {
    mean: F::Cell<f64>,
    window: [Cell<f64>; N],
    next: Cell<usize>,
    count: Cell<usize>,
    sum: Cell<f64>,
    _format: PhantomData<F>,
}

impl<const N: usize, F: Format> super::Sealed for MovingAverage<N, F> {}

impl<const N: usize, F: Format> Field for MovingAverage<N, F> {
    type Format = F;
    type In<G: Format> = MovingAverage<N, G>;
    type Initial<'i> = f64;
    const LAYOUTS: &'static [ValueLayout] = &[number::<f64, F>(Kind::Gauge)];

    fn attach<S: Allocator>(
        slots: &mut SlotIter<'_, S>,
        initial: Option<f64>,
    ) -> Result<Self, AddError> {
        const { assert!(N > 0, "a moving average over no samples") };
        Ok(MovingAverage {
            mean: mean_cell::<F, S>(slots, initial)?,
            window: [const { Cell::new(0.0) }; N],
            next: Cell::new(0),
            count: Cell::new(0),
            sum: Cell::new(0.0),
            _format: PhantomData,
        })
    }

    fn reset_transient(&self) {
        self.mean.set(0.0);
    }
}

impl<const N: usize, F: Format> MovingAverage<N, F> {
    builder!();

    /// Adds a sample; the oldest of more than `N` drops out.
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
            // Once in a round the sum is made anew, so that rounding errors do not pile up and a
            // NaN leaves with its sample.
            self.next.set(0);
            self.sum.set(self.window.iter().map(Cell::get).sum());
        }
        self.mean.set(self.sum.get() / self.count.get() as f64);
    }

    /// The mean of the last `N`.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.mean.get()
    }
}
