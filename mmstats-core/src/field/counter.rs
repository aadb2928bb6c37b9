use super::definition::{Field, Sealed, builder, debug_value, number};
use crate::add_error::AddError;
use crate::allocator::{Allocator, SlotIter};
use crate::cell::ValueCell;
use crate::format::layout::ValueLayout;
use crate::format_types::{Format, V2};
use crate::kind::Kind;
use crate::scalar::Count;

/// Counts events, wrapping at its width.
///
/// `Counter<u32>` is one word on every machine; `Counter` (64 bits) is latched on 32-bit machines.
/// Readers unwrap both.
///
/// ```
/// use mmstats_core::{Counter, StaticRegion, Writer};
/// static REGION: StaticRegion<256> = StaticRegion::new();
/// let mut writer: Writer = Writer::new(REGION.take()?)?;
/// let requests: Counter = writer.add(Counter::builder("requests"))?;
/// requests.incr();
/// requests.add(2);
/// assert_eq!(requests.get(), 3);
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
pub struct Counter<T: Count = u64, F: Format = V2> {
    value: F::Cell<T>,
}

impl<T: Count, F: Format> Sealed for Counter<T, F> {}

impl<T: Count, F: Format> Field for Counter<T, F> {
    type Format = F;
    type In<G: Format> = Counter<T, F::In<G>>;
    type Initial<'i> = T;
    const LAYOUTS: &'static [ValueLayout] = &[number::<T, F>(Kind::Counter)];

    #[inline(always)]
    fn attach<A: Allocator>(
        slots: &mut SlotIter<'_, A>,
        initial: Option<T>,
    ) -> Result<Self, AddError> {
        let resuming = slots.resuming();
        let value = F::Cell::<T>::new(slots.next()?);
        if let (Some(initial), false) = (initial, resuming) {
            value.init(initial);
        }
        Ok(Counter { value })
    }
}

impl<T: Count, F: Format> Counter<T, F> {
    builder!();

    /// Adds one.
    #[inline(always)]
    pub fn incr(&self) {
        self.add(T::ONE);
    }

    /// Adds `n`.
    #[inline(always)]
    pub fn add(&self, n: T) {
        self.value.add(n);
    }

    /// Returns the count.
    #[inline(always)]
    #[must_use]
    pub fn get(&self) -> T {
        self.value.get()
    }

    /// Sets the count, to mirror a counter that is kept elsewhere.
    #[inline(always)]
    pub fn set(&self, count: T) {
        self.value.set(count);
    }
}

debug_value!([T: Count, F: Format] Counter<T, F>, "Counter");
