//! Values as bytes, words and bits, in the order in which they lie in memory.

use crate::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering, read_modify_write};
use core::fmt::Debug;
use zerocopy::{FromBytes, Immutable, IntoBytes};

#[cfg(target_pointer_width = "64")]
use crate::atomic::AtomicU64;

/// The order of bytes in a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// The order of this machine.
    pub const NATIVE: ByteOrder =
        if cfg!(target_endian = "little") { ByteOrder::Little } else { ByteOrder::Big };

    /// Returns the opposite order.
    #[must_use]
    pub const fn other(self) -> ByteOrder {
        match self {
            ByteOrder::Little => ByteOrder::Big,
            ByteOrder::Big => ByteOrder::Little,
        }
    }

    pub(crate) const fn is_swapped(self) -> bool {
        !matches!(
            (self, Self::NATIVE),
            (ByteOrder::Little, ByteOrder::Little) | (ByteOrder::Big, ByteOrder::Big)
        )
    }
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// A value as the bits that are stored.
#[doc(hidden)]
pub trait ToBits: sealed::Sealed + Copy + Debug + Send + Sync + 'static {
    /// Unsigned, of the value's size.
    type Bits: Copy + Default + Debug + FromBytes + IntoBytes + Immutable;
    fn to_bits(self) -> Self::Bits;
    fn from_bits(bits: Self::Bits) -> Self;
    /// The value of a field before it is set.
    #[must_use]
    fn zero() -> Self {
        Self::from_bits(Self::Bits::default())
    }
}

/// Bits that this machine loads and stores at once.
#[doc(hidden)]
pub trait WordBits: Copy {
    type Atomic: Debug;
    fn load(from: &Self::Atomic) -> Self;
    fn store(self, to: &Self::Atomic);
    /// Adds to a word atomically.
    fn fetch_add(self, to: &Self::Atomic);
    /// Subtracts from a word atomically.
    fn fetch_sub(self, from: &Self::Atomic);
    /// Stores the value that `change` returns, if it returns one, atomically.
    fn fetch_update(at: &Self::Atomic, change: impl FnMut(Self) -> Option<Self>);
}

macro_rules! word_bits {
    ($($bits:ty, $atomic:ty;)*) => { $(
        #[allow(unused_variables, reason = "not called on a target without it")]
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
            #[inline(always)]
            fn fetch_add(self, to: &$atomic) {
                read_modify_write!(to.fetch_add(self, Ordering::Relaxed));
            }
            #[inline(always)]
            fn fetch_sub(self, from: &$atomic) {
                read_modify_write!(from.fetch_sub(self, Ordering::Relaxed));
            }
            #[inline(always)]
            fn fetch_update(at: &$atomic, change: impl FnMut(Self) -> Option<Self>) {
                let _ = read_modify_write!(at.fetch_update(
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                    change
                ));
            }
        }
    )* };
}
word_bits! { u8, AtomicU8; u16, AtomicU16; u32, AtomicU32; }
#[cfg(target_pointer_width = "64")]
word_bits! { u64, AtomicU64; }

/// Returns the halves of 8 bytes in the order in which they lie in memory.
#[inline(always)]
pub(crate) const fn split(bits: u64) -> [u32; 2] {
    let (low, high) = (bits as u32, (bits >> 32) as u32);
    if cfg!(target_endian = "little") { [low, high] } else { [high, low] }
}

/// Reverses [`split`].
#[inline(always)]
pub(crate) const fn join(halves: [u32; 2]) -> u64 {
    let [a, b] = halves;
    let (low, high) = if cfg!(target_endian = "little") { (a, b) } else { (b, a) };
    low as u64 | (high as u64) << 32
}

/// Returns `true` if bytes begin with others.
pub(crate) const fn begins(bytes: &[u8], with: &[u8]) -> bool {
    let mut i = 0;
    while i < with.len() {
        if i >= bytes.len() || bytes[i] != with[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Reads up to 8 bytes as a number, least significant first.
#[inline(always)]
pub(crate) fn little_endian<const N: usize>(bytes: [u8; N]) -> u64 {
    let mut whole = [0; 8];
    whole[..N].copy_from_slice(&bytes);
    u64::from_le_bytes(whole)
}

/// Reads the last `rest` bytes of a text as a number, least significant first; `rest` is below
/// `WORD`. Uses overlapping loads instead of single bytes.
#[inline(always)]
pub(crate) fn tail<const WORD: usize>(bytes: &[u8], rest: usize) -> u64 {
    if rest == 0 {
        return 0;
    }
    if let Some(last) = bytes.last_chunk::<WORD>() {
        return little_endian(*last) >> (8 * (WORD - rest));
    }
    // The text is shorter than a word, so these are all of its bytes.
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            little_endian(*first) | little_endian(*last) << (8 * (rest - 4))
        }
        _ => match (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
            (Some(first), Some(last)) => {
                little_endian(*first) | little_endian(*last) << (8 * (rest - 2))
            }
            _ => bytes.first().copied().unwrap_or(0).into(),
        },
    }
}

/// Returns a text filled up with NULs, as version 1 stores it.
pub(crate) fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut whole = [0; N];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    whole
}
