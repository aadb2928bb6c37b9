//! Types of values: their encoding, their arithmetic, and the cell that each format stores them in.

use crate::bytes::{ToBits, sealed::Sealed};
use crate::cell::shared::{SharedLatch, SharedWord, WideSharedCell};
use crate::cell::{DoubleBuffer, Latch, ValueCell, WideCell, WideV1Cell, Word};
use crate::format::NATIVE_WORD;
use crate::kind::Type;
use core::ops::{Add, Sub};

pub use crate::cell::Bucket;

/// A value that a field can hold: every integer from 8 to 64 bits, `f32`, `f64`, `bool`, and
/// [`Latched`] ones.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a field",
    label = "not the value of a field",
    note = "values are integers of 8 to 64 bits, `f32`, `f64`, `bool`, and `Latched` ones of 8 bytes"
)]
pub trait Scalar: ToBits + PartialEq {
    /// The type in the directory.
    const TYPE: Type;
    /// The cell in version 2 on this machine.
    #[doc(hidden)]
    type V2Cell: ValueCell<Self>;
    /// The cell in version 2 on a 32-bit machine.
    #[doc(hidden)]
    type V2NarrowCell: ValueCell<Self>;
    /// The cell in padded version 1.
    #[doc(hidden)]
    type V1Cell: ValueCell<Self>;
    /// The shared cell in version 2 on this machine.
    #[doc(hidden)]
    type SharedV2Cell: ValueCell<Self> + Sync;
    /// The shared cell in version 2 on a 32-bit machine.
    #[doc(hidden)]
    type SharedNarrowCell: ValueCell<Self> + Sync;
}

/// A value that can be added to; integers wrap.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be added to",
    label = "not a number",
    note = "numbers are integers of 8 to 64 bits, `f32`, `f64`, and `Latched` ones of 8 bytes"
)]
pub trait Number: Scalar + PartialOrd {
    /// One.
    const ONE: Self;
    /// The least value.
    const LEAST: Self;
    /// The greatest value.
    const GREATEST: Self;
    /// Whether sums are exact and wrap, whatever their order.
    #[doc(hidden)]
    const IS_INTEGER: bool;
    #[doc(hidden)]
    #[must_use]
    fn plus(self, other: Self) -> Self;
    #[doc(hidden)]
    #[must_use]
    fn minus(self, other: Self) -> Self;
}

/// A value that counts events: `u64` and `u32`, which wrap.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of a counter",
    label = "not the type of a counter",
    note = "counters are `u32`, `u64` or `Latched<u64>`; they wrap, and readers unwrap them"
)]
pub trait Count: Number {}

/// A number that is latched even where one store would cover it, for readers with narrower loads: a
/// debug probe that reads a 64-bit device 4 bytes at a time.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Latched<T>(pub T);

macro_rules! value {
    ($($type:ty, $ty:ident, $bits:ty, $v2:ty, $narrow:ty, $v1:ty, $shared:ty,
        $shared_narrow:ty, $to:expr, $from:expr;)*) => { $(
        impl Sealed for $type {}
        impl ToBits for $type {
            type Bits = $bits;
            #[inline(always)]
            fn to_bits(self) -> $bits {
                $to(self)
            }
            #[inline(always)]
            fn from_bits(bits: $bits) -> Self {
                $from(bits)
            }
        }
        impl Scalar for $type {
            const TYPE: Type = Type::$ty;
            type V2Cell = $v2;
            type V2NarrowCell = $narrow;
            type V1Cell = $v1;
            type SharedV2Cell = $shared;
            type SharedNarrowCell = $shared_narrow;
        }
    )* };
}
macro_rules! narrow_value {
    ($($type:ty, $ty:ident, $bits:ty, $to:expr, $from:expr;)*) => {
        value! { $(
            $type, $ty, $bits, Word<$type>, Word<$type>, Word<$type>, SharedWord<$type>,
            SharedWord<$type>, $to, $from;
        )* }
    };
}
narrow_value! {
    bool, Bool, u8, |value| value as u8, |bits| bits != 0;
    i8, I8, u8, |value| value as u8, |bits| bits as i8;
    u8, U8, u8, |value| value, |bits| bits;
    i16, I16, u16, |value| value as u16, |bits| bits as i16;
    u16, U16, u16, |value| value, |bits| bits;
    i32, I32, u32, |value| value as u32, |bits| bits as i32;
    u32, U32, u32, |value| value, |bits| bits;
    f32, F32, u32, f32::to_bits, f32::from_bits;
}
macro_rules! wide_value {
    ($($type:ty, $ty:ident, $to:expr, $from:expr;)*) => {
        value! { $(
            $type, $ty, u64, WideCell<$type>, Latch<$type, 4>, WideV1Cell<$type>,
                WideSharedCell<$type>, SharedLatch<$type, 4>, $to, $from;
            Latched<$type>, $ty, u64, Latch<Self>, Latch<Self, 4>, DoubleBuffer<Self>,
                SharedLatch<Self, NATIVE_WORD>, SharedLatch<Self, 4>,
                |value: Latched<$type>| $to(value.0), |bits| Latched($from(bits));
        )* }
    };
}
wide_value! {
    i64, I64, |value| value as u64, |bits| bits as i64;
    u64, U64, |value| value, |bits| bits;
    f64, F64, f64::to_bits, f64::from_bits;
}

macro_rules! number {
    ($one:literal, $plus:ident, $minus:ident, $least:ident, $greatest:ident, $is_integer:literal:
        $($type:ty)*) => { $(
        impl Number for $type {
            const ONE: Self = $one;
            const LEAST: Self = <$type>::$least;
            const GREATEST: Self = <$type>::$greatest;
            const IS_INTEGER: bool = $is_integer;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                <$type>::$plus(self, other)
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                <$type>::$minus(self, other)
            }
        }
    )* };
}
number! { 1, wrapping_add, wrapping_sub, MIN, MAX, true: i8 u8 i16 u16 i32 u32 i64 u64 }
number! { 1.0, add, sub, NEG_INFINITY, INFINITY, false: f32 f64 }
impl<T: Number> Number for Latched<T>
where
    Latched<T>: Scalar,
{
    const ONE: Self = Latched(T::ONE);
    const LEAST: Self = Latched(T::LEAST);
    const GREATEST: Self = Latched(T::GREATEST);
    const IS_INTEGER: bool = T::IS_INTEGER;
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Latched(self.0.plus(other.0))
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        Latched(self.0.minus(other.0))
    }
}
impl Count for u32 {}
impl Count for u64 {}
impl Count for Latched<u64> {}
