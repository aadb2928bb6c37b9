use super::definition::{Field, Sealed, builder, debug_value, number};
use crate::add_error::AddError;
use crate::allocator::{Allocator, SlotIter};
use crate::cell::ValueCell;
use crate::format::layout::ValueLayout;
use crate::format_types::{Format, V2};
use crate::kind::{Aggregation, Kind};
use crate::scalar::Number;

macro_rules! extreme {
    ($(#[$doc:meta])* $name:ident, $literal:literal, $aggregation:ident, $no_value:ident,
        $is_better:tt, $adjective:literal) => {
        $(#[$doc])*
        pub struct $name<T: Number, F: Format = V2> {
            value: F::Cell<T>,
        }

        impl<T: Number, F: Format> Sealed for $name<T, F> {}

        impl<T: Number, F: Format> Field for $name<T, F> {
            type Format = F;
            type In<G: Format> = $name<T, F::In<G>>;
            type Initial<'i> = T;
            const LAYOUTS: &'static [ValueLayout] = &[ValueLayout {
                aggregation: Aggregation::$aggregation,
                ..number::<T, F>(Kind::Gauge)
            }];

            #[inline(always)]
            fn attach<A: Allocator>(
                slots: &mut SlotIter<'_, A>,
                initial: Option<T>,
            ) -> Result<Self, AddError> {
                let keeping = slots.keeping();
                let value = F::Cell::<T>::new(slots.next()?);
                if !keeping {
                    value.init(initial.unwrap_or(T::$no_value));
                }
                Ok($name { value })
            }

            fn reset_transient(&self) {
                self.value.init(T::$no_value);
            }
        }

        impl<T: Number, F: Format> $name<T, F> {
            builder!();

            #[doc = concat!("Records a value, which is stored if it is the ", $adjective, ". A NaN is never stored.")]
            #[inline(always)]
            pub fn record(&self, value: T) {
                self.value.update(|stored| (value $is_better stored).then_some(value));
            }

            #[doc = concat!("Returns the ", $adjective, " value; before the first, `T::", stringify!($no_value), "`.")]
            #[inline(always)]
            #[must_use]
            pub fn get(&self) -> T {
                self.value.get()
            }
        }

        debug_value!([T: Number, F: Format] $name<T, F>, $literal);
    };
}

extreme! {
    /// The highest value that was recorded: a peak, a high-water mark.
    ///
    /// It begins at the least value of its type (for floats minus infinity), which readers take for
    /// "no value yet" unless it is 0. Of several writers, readers show the highest value. `as kept`
    /// lets it survive a reset and the end of its thread.
    ///
    /// ```
    /// use mmstats_core::{Highest, Lowest, StaticRegion, model};
    /// model! {
    ///     struct Stack { used: Highest<u32> [bytes] as kept, free: Lowest<u32> [bytes] }
    /// }
    /// static REGION: StaticRegion<{ Stack::SIZE }> = StaticRegion::new();
    /// let stack = Stack::publish(&REGION)?;
    /// stack.used.record(100);
    /// stack.used.record(40);
    /// assert_eq!((stack.used.get(), stack.free.get()), (100, u32::MAX));
    /// # Ok::<(), mmstats_core::AddError>(())
    /// ```
    Highest, "Highest", Max, LEAST, >, "highest"
}
extreme! {
    /// The lowest value that was recorded: a reserve, a best time.
    ///
    /// It begins at the greatest value of its type (for floats infinity), which readers take for
    /// "no value yet". Of several writers, readers show the lowest value. `as kept` lets it survive
    /// a reset and the end of its thread.
    Lowest, "Lowest", Min, GREATEST, <, "lowest"
}
