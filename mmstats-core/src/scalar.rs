//! What a value is: its type, its bits, and which cell each format keeps it in.

use crate::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering};
use crate::cell::{DoubleBuffer, Latch, ValueCell, Word};
use crate::kind::Type;

#[cfg(target_pointer_width = "64")]
use crate::atomic::AtomicU64;

mod sealed {
    pub trait Sealed {}
}

/// A value that a field can hold: every integer from 8 to 64 bits, `f32`, `f64`, `bool`, and
/// [`Latched`] ones.
pub trait Scalar: sealed::Sealed + Copy + PartialEq + Send + 'static {
    /// Its type in the directory.
    const TYPE: Type;
    #[doc(hidden)]
    type Bits: Bits;
    /// What a field holds before it is set.
    #[doc(hidden)]
    #[must_use]
    fn zero() -> Self {
        Self::from_bits(Self::Bits::default())
    }
    #[doc(hidden)]
    fn to_bits(self) -> Self::Bits;
    #[doc(hidden)]
    fn from_bits(bits: Self::Bits) -> Self;
    /// Where version 2 keeps it on this machine.
    #[doc(hidden)]
    type V2Cell: ValueCell<Self>;
    /// Where version 2 keeps it on a 32-bit machine.
    #[doc(hidden)]
    type V2NarrowCell: ValueCell<Self>;
    /// Where version 1 keeps it.
    #[doc(hidden)]
    type V1Cell: ValueCell<Self>;
}

/// A value that can be added to: integers wrap.
pub trait Number: Scalar {
    /// One.
    const ONE: Self;
    #[doc(hidden)]
    #[must_use]
    fn plus(self, other: Self) -> Self;
    #[doc(hidden)]
    #[must_use]
    fn minus(self, other: Self) -> Self;
}

/// A value that counts events: `u64` and `u32`, which wrap.
pub trait Count: Number {}

/// A number that is latched even where one store would cover it, for readers whose loads are
/// narrower than that: a debug probe that reads a 64-bit device by 4 bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Latched<T>(pub T);

/// Unsigned bits of a value.
#[doc(hidden)]
pub trait Bits: Copy + Default {
    type Bytes: AsRef<[u8]> + AsMut<[u8]> + Default;
    fn to_ne_bytes(self) -> Self::Bytes;
    fn from_ne_bytes(bytes: Self::Bytes) -> Self;
}

/// Bits that this machine loads and stores at once.
#[doc(hidden)]
pub trait WordBits: Bits {
    type Atomic;
    fn load(from: &Self::Atomic) -> Self;
    fn store(self, to: &Self::Atomic);
}

macro_rules! bits {
    ($($bits:ty)*) => { $(
        impl Bits for $bits {
            type Bytes = [u8; size_of::<$bits>()];
            fn to_ne_bytes(self) -> Self::Bytes {
                <$bits>::to_ne_bytes(self)
            }
            fn from_ne_bytes(bytes: Self::Bytes) -> Self {
                <$bits>::from_ne_bytes(bytes)
            }
        }
    )* };
}
bits! { u8 u16 u32 u64 }

macro_rules! word_bits {
    ($($bits:ty, $atomic:ty;)*) => { $(
        impl WordBits for $bits {
            type Atomic = $atomic;
            #[inline(always)]
            fn load(from: &$atomic) -> Self {
                from.load(Ordering::Relaxed)
            }
            #[inline(always)]
            fn store(self, to: &$atomic) {
                to.store(self, Ordering::Relaxed);
            }
        }
    )* };
}
word_bits! { u8, AtomicU8; u16, AtomicU16; u32, AtomicU32; }
#[cfg(target_pointer_width = "64")]
word_bits! { u64, AtomicU64; }

macro_rules! value {
    ($($type:ty, $ty:ident, $bits:ty, $two:ty, $narrow:ty, $one:ty, $to:expr, $from:expr;)*) => { $(
        impl sealed::Sealed for $type {}
        impl Scalar for $type {
            const TYPE: Type = Type::$ty;
            type Bits = $bits;
            #[inline(always)]
            fn to_bits(self) -> $bits {
                $to(self)
            }
            #[inline(always)]
            fn from_bits(bits: $bits) -> Self {
                $from(bits)
            }
            type V2Cell = $two;
            type V2NarrowCell = $narrow;
            type V1Cell = $one;
        }
    )* };
}
macro_rules! narrow_value {
    ($($type:ty, $ty:ident, $bits:ty, $to:expr, $from:expr;)*) => {
        value! { $( $type, $ty, $bits, Word<$type>, Word<$type>, Word<$type>, $to, $from; )* }
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
        #[cfg(target_pointer_width = "64")]
        value! { $( $type, $ty, u64, Word<$type>, Latch<$type, 4>, Word<$type>, $to, $from; )* }
        #[cfg(not(target_pointer_width = "64"))]
        value! { $( $type, $ty, u64, Latch<$type, 4>, Latch<$type, 4>, DoubleBuffer<$type>, $to, $from; )* }
        $(
            impl sealed::Sealed for Latched<$type> {}
            impl Scalar for Latched<$type> {
                const TYPE: Type = Type::$ty;
                type Bits = u64;
                #[inline(always)]
                fn to_bits(self) -> u64 {
                    $to(self.0)
                }
                #[inline(always)]
                fn from_bits(bits: u64) -> Self {
                    Latched($from(bits))
                }
                type V2Cell = Latch<Self>;
                type V2NarrowCell = Latch<Self, 4>;
                type V1Cell = DoubleBuffer<Self>;
            }
        )*
    };
}
wide_value! {
    i64, I64, |value| value as u64, |bits| bits as i64;
    u64, U64, |value| value, |bits| bits;
    f64, F64, f64::to_bits, f64::from_bits;
}

macro_rules! integer {
    ($($type:ty)*) => { $(
        impl Number for $type {
            const ONE: Self = 1;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
        }
    )* };
}
integer! { i8 u8 i16 u16 i32 u32 i64 u64 }
macro_rules! float {
    ($($type:ty)*) => { $(
        impl Number for $type {
            const ONE: Self = 1.0;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }
        }
    )* };
}
float! { f32 f64 }
impl<T: Number> Number for Latched<T>
where
    Latched<T>: Scalar,
{
    const ONE: Self = Latched(T::ONE);
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

/// What a histogram's buckets count in: `u32` or `u64`.
pub trait Bucket: Number {}
impl Bucket for u32 {}
impl Bucket for u64 {}
