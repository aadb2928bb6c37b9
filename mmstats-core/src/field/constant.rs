use super::definition::{Field, Sealed, builder, debug_value};
use super::text::cut;
use crate::add_error::AddError;
use crate::allocator::{Allocator, SlotIter};
use crate::format::layout::ValueLayout;
use crate::format::{NATIVE_WORD, Version};
use crate::format_types::{Format, V2};
use crate::kind::{Access, Kind, Type};
use crate::scalar::Scalar;
use core::fmt;
use core::marker::PhantomData;
use zerocopy::IntoBytes;

/// A number that is set once, when its field is added: a process id, a capacity. In version 2 it
/// takes no space among the values, only its entry.
pub struct Constant<T: Scalar, F: Format = V2> {
    value: T,
    /// As shareable as the other fields of the format.
    _format: PhantomData<F::Cell<bool>>,
}

/// A text of up to `N` bytes that is set once, when its field is added: a version, a host name.
pub struct ConstantText<const N: usize, F: Format = V2> {
    /// As shareable as the other fields of the format.
    _format: PhantomData<F::Cell<bool>>,
}

const fn value_layout<F: Format>(ty: Type, size: usize, align: usize) -> ValueLayout {
    ValueLayout {
        align: match F::VERSION {
            Version::V1 => align,
            Version::V1Exact | Version::V2 => 1,
        },
        ..ValueLayout::new(Kind::Info, ty, Access::Constant, size)
    }
}

impl<T: Scalar, F: Format> Sealed for Constant<T, F> {}
impl<const N: usize, F: Format> Sealed for ConstantText<N, F> {}

impl<T: Scalar, F: Format> Field for Constant<T, F> {
    type Format = F;
    type In<G: Format> = Constant<T, F::In<G>>;
    type Initial<'i> = T;
    const LAYOUTS: &'static [ValueLayout] = &[value_layout::<F>(
        T::TYPE,
        size_of::<T>(),
        if size_of::<T>() < NATIVE_WORD { size_of::<T>() } else { NATIVE_WORD },
    )];

    #[inline(always)]
    fn attach<A: Allocator>(
        slots: &mut SlotIter<'_, A>,
        initial: Option<T>,
    ) -> Result<Self, AddError> {
        let mut bits = initial.unwrap_or(T::zero()).to_bits();
        slots.constant(bits.as_mut_bytes())?;
        Ok(Constant { value: T::from_bits(bits), _format: PhantomData })
    }
}

impl<T: Scalar, F: Format> Constant<T, F> {
    builder!();

    /// Returns the number.
    #[must_use]
    pub fn get(&self) -> T {
        self.value
    }
}

debug_value!([T: Scalar, F: Format] Constant<T, F>, "Constant");

impl<const N: usize, F: Format> Field for ConstantText<N, F> {
    type Format = F;
    type In<G: Format> = ConstantText<N, F::In<G>>;
    type Initial<'i> = &'i str;
    const LAYOUTS: &'static [ValueLayout] = &[value_layout::<F>(Type::Text, N, 1)];

    #[inline(always)]
    fn attach<A: Allocator>(
        slots: &mut SlotIter<'_, A>,
        initial: Option<&str>,
    ) -> Result<Self, AddError> {
        let mut bytes = [0; N];
        let text = cut(initial.unwrap_or_default(), N);
        bytes[..text.len()].copy_from_slice(text);
        slots.constant(&mut bytes)?;
        Ok(ConstantText { _format: PhantomData })
    }
}

impl<const N: usize, F: Format> ConstantText<N, F> {
    builder!();
}

impl<const N: usize, F: Format> fmt::Debug for ConstantText<N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConstantText").field("size", &N).finish_non_exhaustive()
    }
}
