use super::{Field, builder, number};
use crate::cell::ValueCell;
use crate::format::layout::ValueLayout;
use crate::format::{Format, V2};
use crate::kind::Kind;
use crate::scalar::Count;
use crate::writer::{AddError, Allocator, SlotIter};

/// Counts events, wrapping at its width.
///
/// `Counter<u32>` is one word on every machine; `Counter` (64 bits) is latched where words have 32
/// bits. Readers unwrap them.
///
/// ```
/// use mmstats_core::{Borrowed, Counter, Region, Writer};
/// let mut memory = [0; 32];
/// let mut writer = Writer::<Borrowed>::new(Region::new(&mut memory))?;
/// let requests: Counter<u64, _> = writer.add(Counter::builder("requests"))?;
/// requests.incr();
/// requests.add(2);
/// assert_eq!(requests.get(), 3);
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
pub struct Counter<T: Count = u64, F: Format = V2> {
    value: F::Cell<T>,
    _format: core::marker::PhantomData<F>,
}

impl<T: Count, F: Format> super::Sealed for Counter<T, F> {}

impl<T: Count, F: Format> Field for Counter<T, F> {
    type Format = F;
    type In<G: Format> = Counter<T, G>;
    type Initial<'i> = T;
    const LAYOUTS: &'static [ValueLayout] = &[number::<T, F>(Kind::Counter)];

    fn attach<S: Allocator>(
        slots: &mut SlotIter<'_, S>,
        initial: Option<T>,
    ) -> Result<Self, AddError> {
        let resuming = slots.resuming();
        let value = F::Cell::<T>::new(slots.slot()?);
        if let (Some(initial), false) = (initial, resuming) {
            value.set(initial);
        }
        Ok(Counter { value, _format: core::marker::PhantomData })
    }
}

impl<T: Count, F: Format> Counter<T, F> {
    builder!();

    /// Counts one.
    #[inline(always)]
    pub fn incr(&self) {
        self.add(T::ONE);
    }

    /// Counts `n`.
    #[inline(always)]
    pub fn add(&self, n: T) {
        self.value.set(self.value.get().plus(n));
    }

    /// The count so far.
    #[inline(always)]
    #[must_use]
    pub fn get(&self) -> T {
        self.value.get()
    }

    /// Sets the count, to mirror one that is kept elsewhere.
    #[inline(always)]
    pub fn set(&self, count: T) {
        self.value.set(count);
    }
}
