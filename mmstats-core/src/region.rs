//! Raw memory with bounds: what a writer owns, what a reader looks at, and statics of both.
//!
//! One of the two files with `unsafe` (the other is `cell.rs`). The invariant they share: a
//! [`RawRegion`] or [`View`] is `len` bytes at an address that is a multiple of 8, valid for as
//! long as anything made from it is used; live bytes are touched by atomics alone, and never
//! borrowed as a slice.
#![allow(unsafe_code)]

use crate::atomic::{AtomicU8, AtomicU32, Ordering};
use crate::format::Format;
use crate::format::v2::Header;
use crate::model::{Model, Recovery};
use crate::once::Once;
use crate::protocol::RegionSeqlock;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

/// Memory for one writer.
#[derive(Debug)]
pub struct Region<'r> {
    raw: RawRegion,
    _life: PhantomData<&'r mut [u64]>,
}

/// Why memory cannot be a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RegionError {
    /// It does not begin at a multiple of 8.
    Misaligned {
        /// Where it begins.
        address: usize,
    },
    /// Its length does not fit the header's 32 bits.
    TooLarge {
        /// Bytes.
        length: usize,
    },
}

impl core::fmt::Display for RegionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            RegionError::Misaligned { address } => {
                write!(f, "the region begins at {address:#x}, which is not a multiple of 8")
            }
            RegionError::TooLarge { length } => {
                write!(f, "a region of {length} bytes is too large ({} at most)", u32::MAX)
            }
        }
    }
}

impl core::error::Error for RegionError {}

// SAFETY: the memory is owned by whoever owns the region (`from_raw`'s contract, or `&mut`), and is
// bound to no thread.
unsafe impl Send for Region<'_> {}

impl<'r> Region<'r> {
    /// A region in memory of one's own, for fields in the [`Borrowed`](crate::Borrowed) format (or
    /// any other, if the memory is `'static`).
    ///
    /// # Panics
    /// If there are 4 GiB or more.
    pub fn new(words: &'r mut [u64]) -> Region<'r> {
        let len = size_of_val(words);
        assert!(u32::try_from(len).is_ok(), "a region is smaller than 4 GiB");
        Region { raw: RawRegion { base: NonNull::from(words).cast(), len }, _life: PhantomData }
    }

    /// A region anywhere: a mapped file, memory shared by two cores, a peripheral's RAM.
    ///
    /// # Errors
    /// If `base` is not a multiple of 8 or `len` does not fit 32 bits.
    ///
    /// # Safety
    /// For `'r`, the `len` bytes at `base` are initialised, readable and writable, no other writer
    /// in this program writes them, and whoever reads them does so by atomics (as [`View`] does).
    pub unsafe fn from_raw(base: NonNull<u8>, len: usize) -> Result<Region<'r>, RegionError> {
        check(base, len)?;
        Ok(Region { raw: RawRegion { base, len }, _life: PhantomData })
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.len == 0
    }

    /// The same memory for a reader.
    #[must_use]
    pub fn view(&self) -> View<'r> {
        View { raw: self.raw.again(), _life: PhantomData }
    }

    pub(crate) fn into_raw(self) -> RawRegion {
        self.raw
    }

    /// The same region a second time, for making it anew when it could not be taken over. The
    /// caller sees to it that the first is gone.
    pub(crate) fn again(&self) -> Region<'r> {
        Region { raw: self.raw.again(), _life: PhantomData }
    }
}

fn check(base: NonNull<u8>, len: usize) -> Result<(), RegionError> {
    let address = base.addr().get();
    if address % 8 != 0 {
        return Err(RegionError::Misaligned { address });
    }
    if u32::try_from(len).is_err() {
        return Err(RegionError::TooLarge { length: len });
    }
    Ok(())
}

/// A region without its lifetime: handles carry that in their format.
#[doc(hidden)]
#[derive(Debug)]
pub struct RawRegion {
    base: NonNull<u8>,
    len: usize,
}

impl RawRegion {
    fn again(&self) -> RawRegion {
        RawRegion { base: self.base, len: self.len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn byte(&self, at: usize) -> &AtomicU8 {
        assert!(at < self.len);
        // SAFETY: in bounds by the assertion, valid by the file's invariant; any address is aligned
        // for a byte.
        unsafe { self.base.add(at).cast::<AtomicU8>().as_ref() }
    }

    pub(crate) fn get(&self, at: usize) -> Option<u8> {
        (at < self.len).then(|| self.byte(at).load(Ordering::Relaxed))
    }

    /// The 4 bytes at a multiple of 4.
    pub(crate) fn word(&self, at: usize) -> &AtomicU32 {
        assert!(at % 4 == 0 && at < self.len && self.len - at >= 4);
        // SAFETY: in bounds and aligned by the assertion (the base is a multiple of 8), valid by
        // the file's invariant.
        unsafe { self.base.add(at).cast::<AtomicU32>().as_ref() }
    }

    pub(crate) fn write(&self, at: usize, bytes: &[u8]) {
        for (i, byte) in bytes.iter().enumerate() {
            self.byte(at + i).store(*byte, Ordering::Relaxed);
        }
    }

    pub(crate) fn zero(&self, at: usize, len: usize) {
        for i in 0..len {
            self.byte(at + i).store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn equals(&self, at: usize, bytes: &[u8]) -> bool {
        bytes.iter().enumerate().all(|(i, byte)| self.get(at + i) == Some(*byte))
    }

    pub(crate) fn read<const N: usize>(&self, at: usize) -> [u8; N] {
        core::array::from_fn(|i| self.byte(at + i).load(Ordering::Relaxed))
    }

    /// A part for one cell. In version 1 the byte before `at` is the write buffer index and goes
    /// with it.
    pub(crate) fn slot(&self, at: usize, len: usize, align: usize) -> Slot {
        assert!(at > 0 && at <= self.len && len <= self.len - at && at & (align - 1) == 0);
        // SAFETY: in bounds by the assertion.
        Slot { at: unsafe { self.base.add(at) }, len }
    }

    /// The words of a version 2 header that guard everything else.
    pub(crate) fn seqlock(&self) -> RegionSeqlock<'_> {
        RegionSeqlock {
            magic: [self.word(0), self.word(4)],
            generation: self.word(Header::GENERATION),
        }
    }
}

/// A part of a region that one cell owns: in bounds, aligned as its layout asked, and nobody
/// else's.
#[doc(hidden)]
pub struct Slot {
    pub(crate) at: NonNull<u8>,
    pub(crate) len: usize,
}

/// Memory that somebody else may be writing, for a reader.
#[derive(Debug)]
pub struct View<'r> {
    raw: RawRegion,
    _life: PhantomData<&'r [AtomicU32]>,
}

// SAFETY: it only reads, by atomics.
unsafe impl Send for View<'_> {}
// SAFETY: it only reads, by atomics.
unsafe impl Sync for View<'_> {}

impl View<'_> {
    /// A view of memory anywhere.
    ///
    /// # Errors
    /// If `base` is not a multiple of 8 or `len` does not fit 32 bits.
    ///
    /// # Safety
    /// For the view's lifetime, the `len` bytes at `base` are initialised and readable, and whoever
    /// writes them in this program does so by atomics.
    pub unsafe fn from_raw(base: NonNull<u8>, len: usize) -> Result<Self, RegionError> {
        check(base, len)?;
        Ok(View { raw: RawRegion { base, len }, _life: PhantomData })
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.len == 0
    }

    /// Copies from `at`, a multiple of 8, by relaxed loads of whole words, and tells how many bytes
    /// there were. What is missing is zero.
    ///
    /// # Panics
    /// If `at` is not a multiple of 8.
    #[inline]
    pub fn read_at(&self, at: usize, to: &mut [u64]) -> usize {
        assert!(at % 8 == 0);
        let there = self.raw.len.saturating_sub(at).min(size_of_val(to));
        let (whole, rest) = to.split_at_mut(there / 8);
        for (i, word) in whole.iter_mut().enumerate() {
            // SAFETY: `at + 8 * i + 8 <= at + there <= len`, so the base plus that is in bounds.
            *word = unsafe { load_word(self.raw.base.add(at + 8 * i)) };
        }
        if let Some((last, beyond)) = rest.split_first_mut() {
            let mut bytes = [0; 8];
            for (i, byte) in bytes.iter_mut().enumerate().take(there % 8) {
                *byte = self.raw.byte(at + (there & !7) + i).load(Ordering::Relaxed);
            }
            *last = u64::from_ne_bytes(bytes);
            beyond.fill(0);
        }
        there
    }
}

/// Eight bytes, in loads as wide as this machine's word.
///
/// # Safety
/// `at` is a multiple of 8 with 8 valid bytes that are only written by atomics.
#[inline(always)]
unsafe fn load_word(at: NonNull<u8>) -> u64 {
    cfg_if::cfg_if! {
        if #[cfg(target_pointer_width = "64")] {
            // SAFETY: the caller's.
            unsafe { at.cast::<crate::atomic::AtomicU64>().as_ref() }.load(Ordering::Relaxed)
        } else {
            // SAFETY: the caller's.
            let halves = unsafe { at.cast::<[AtomicU32; 2]>().as_ref() };
            crate::bytes::join([halves[0].load(Ordering::Relaxed), halves[1].load(Ordering::Relaxed)])
        }
    }
}

/// A region as a `static`: `N` bytes, for instance a model's `SIZE`.
///
/// ```
/// use mmstats_core::{Counter, StaticRegion, model};
/// model! { struct Motor { steps: Counter<u32> } }
///
/// static REGION: StaticRegion<{ Motor::SIZE }> = StaticRegion::new();
///
/// let motor: Motor = REGION.publish().expect("the first to take it");
/// motor.steps.incr();
/// assert!(REGION.take().is_none());
/// ```
///
/// Taking it tells the compiler that others look at the memory, so it stays in the program though
/// nothing in it reads it.
///
/// It begins as zeros at every start. For memory that keeps its stats over a reset, see
/// [`persistent_region!`](crate::persistent_region).
#[repr(C)]
pub struct StaticRegion<const N: usize> {
    memory: Memory<N>,
    taken: Once,
}

impl<const N: usize> StaticRegion<N> {
    /// Memory that nobody has taken.
    #[allow(clippy::new_without_default, reason = "it only makes sense as a static")]
    #[cfg(not(loom))]
    #[must_use]
    pub const fn new() -> Self {
        StaticRegion { memory: Memory(UnsafeCell::new(MaybeUninit::zeroed())), taken: Once::new() }
    }

    /// The region, to the first that asks.
    pub fn take(&'static self) -> Option<Region<'static>> {
        self.taken.first().then(|| self.memory.region())
    }

    /// Takes the region and publishes a model in it; `None` if it has been taken. Too small a
    /// region does not compile:
    ///
    /// ```compile_fail
    /// # use mmstats_core::{Counter, StaticRegion, model};
    /// # model! { struct Motor { steps: Counter<u32> } }
    /// static REGION: StaticRegion<{ Motor::SIZE - 8 }> = StaticRegion::new();
    /// let motor: Option<Motor> = REGION.publish();
    /// ```
    pub fn publish<M: Model<Format: Format<Region = Region<'static>>>>(&'static self) -> Option<M> {
        const { assert!(N >= M::SIZE, "the region is smaller than the model") };
        M::publish(self.take()?).ok()
    }

    /// The same with the model's directory in flash.
    ///
    /// ```
    /// use mmstats_core::{Counter, StaticRegion, model};
    /// model! { struct Motor { steps: Counter<u32>, stalls: Counter<u32> } }
    ///
    /// static REGION: StaticRegion<{ Motor::SIZE_WITH_FLASH }> = StaticRegion::new();
    ///
    /// let motor: Motor = REGION.publish_with_flash().expect("the first to take it");
    /// motor.steps.incr();
    /// assert_eq!(Motor::SIZE_WITH_FLASH, 40 + 2 * 4);
    /// ```
    pub fn publish_with_flash<M: Model<Format: Format<Region = Region<'static>>>>(
        &'static self,
    ) -> Option<M> {
        const { assert!(N >= M::SIZE_WITH_FLASH, "the region is smaller than the model") };
        M::publish_with_flash(self.take()?).ok()
    }

    /// The same memory for a reader, such as another core.
    pub fn view(&'static self) -> View<'static> {
        self.memory.region().view()
    }
}

/// A region whose memory keeps its bytes over a reset; made by
/// [`persistent_region!`](crate::persistent_region).
pub struct PersistentRegion<const N: usize> {
    memory: &'static Memory<N>,
    descriptor: &'static Descriptor,
    taken: Once,
}

impl<const N: usize> PersistentRegion<N> {
    /// # Safety
    /// No other region uses this memory.
    #[doc(hidden)]
    #[cfg(not(loom))]
    pub const unsafe fn new(memory: &'static Memory<N>, descriptor: &'static Descriptor) -> Self {
        PersistentRegion { memory, descriptor, taken: Once::new() }
    }

    /// The region, to the first that asks. Its bytes are what the last run left, or random after
    /// power-on.
    pub fn take(&'static self) -> Option<Region<'static>> {
        // Nothing else refers to it, and the linker drops what nothing refers to.
        core::hint::black_box(self.descriptor);
        self.taken.first().then(|| self.memory.region())
    }

    /// Takes the region and publishes a model in it, which goes on if the last run's was the same;
    /// `None` if it has been taken. Too small a region does not compile.
    pub fn publish<M: Model<Format: Format<Region = Region<'static>>>>(
        &'static self,
    ) -> Option<(M, Recovery)> {
        const { assert!(N >= M::SIZE, "the region is smaller than the model") };
        M::publish_kept(self.take()?).ok()
    }

    /// The same with the model's directory in flash; it goes on if the last run was of this very
    /// program.
    pub fn publish_with_flash<M: Model<Format: Format<Region = Region<'static>>>>(
        &'static self,
    ) -> Option<(M, Recovery)> {
        const { assert!(N >= M::SIZE_WITH_FLASH, "the region is smaller than the model") };
        M::publish_kept_with_flash(self.take()?).ok()
    }

    /// The same memory for a reader, such as another core.
    pub fn view(&'static self) -> View<'static> {
        self.memory.region().view()
    }
}

/// A [`PersistentRegion`] as a `static`, its memory in a section that the start-up code leaves alone: one
/// whose name begins with `.uninit`, `.noinit` or `.persistent`.
///
/// Only the memory goes there: whether it has been taken is remembered in ordinary memory, because
/// that section is random at power-on. A [`Descriptor`](crate::region::Descriptor) among the
/// constants tells tools where it is.
///
/// ```
/// use mmstats_core::{Counter, persistent_region, model};
/// model! { struct Motor { boots: Counter<u32> } }
///
/// persistent_region! { static REGION: PersistentRegion<{ Motor::SIZE }> in ".uninit.stats"; }
///
/// let (motor, kept) = REGION.publish::<Motor>().unwrap();
/// motor.boots.incr(); // goes on counting after a reset
/// ```
#[macro_export]
macro_rules! persistent_region {
    ($(#[$attribute:meta])* $visible:vis static $name:ident: PersistentRegion<{ $size:expr }> in $section:literal;) => {
        $(#[$attribute])*
        $visible static $name: $crate::region::PersistentRegion<{ $size }> = {
            const _: () = $crate::region::check_section($section);
            #[unsafe(link_section = $section)]
            static MEMORY: $crate::region::Memory<{ $size }> = $crate::region::Memory::uninit();
            static DESCRIPTOR: $crate::region::Descriptor = $crate::region::Descriptor::new(&MEMORY);
            // SAFETY: the static is visible in this block alone.
            unsafe { $crate::region::PersistentRegion::new(&MEMORY, &DESCRIPTOR) }
        };
    };
}

/// Tells tools that have the program's ELF file where a region is (FORMAT.md, "Finding regions").
#[derive(Debug)]
#[repr(C)]
pub struct Descriptor {
    magic: [u8; 8],
    address: *const u8,
    length: u32,
}

// SAFETY: a constant; the address is only told.
unsafe impl Sync for Descriptor {}

impl Descriptor {
    /// How it begins. The last letter is another one than in a region's magic.
    pub const MAGIC: [u8; 8] = *b"\x02MMSTATD";

    #[doc(hidden)]
    pub const fn new<const N: usize>(memory: &'static Memory<N>) -> Self {
        Descriptor { magic: Self::MAGIC, address: memory.0.get().cast::<u8>(), length: N as u32 }
    }
}

/// Fails to compile for a section that is not one of those which start-up code leaves alone: in
/// another, the bytes could be anything, code included.
///
/// # Panics
/// For such a section.
#[doc(hidden)]
pub const fn check_section(name: &str) {
    const fn begins(name: &[u8], with: &[u8]) -> bool {
        let mut i = 0;
        while i < with.len() {
            if i >= name.len() || name[i] != with[i] {
                return false;
            }
            i += 1;
        }
        true
    }
    let name = name.as_bytes();
    assert!(
        begins(name, b".uninit") || begins(name, b".noinit") || begins(name, b".persistent"),
        "the section of a kept region begins with .uninit, .noinit or .persistent"
    );
}

/// Aligned bytes of a static.
#[doc(hidden)]
#[repr(C, align(8))]
pub struct Memory<const N: usize>(UnsafeCell<MaybeUninit<[u8; N]>>);

// SAFETY: what is inside is only reached through the one region that the owner gives out, and by
// views, which read by atomics.
unsafe impl<const N: usize> Sync for Memory<N> {}

impl<const N: usize> Memory<N> {
    #[must_use]
    pub const fn uninit() -> Self {
        Memory(UnsafeCell::new(MaybeUninit::uninit()))
    }

    fn region(&'static self) -> Region<'static> {
        const { assert!(N as u64 <= u32::MAX as u64, "a region is smaller than 4 GiB") };
        // As far as the compiler knows, the address is now out in the world: stores to it are seen
        // by somebody, and what is loaded from it was put there by somebody (in a kept region: the
        // run before the reset).
        let base = core::hint::black_box(self.0.get()).cast();
        // SAFETY: a static does not lie at null.
        let base = unsafe { NonNull::new_unchecked(base) };
        Region { raw: RawRegion { base, len: N }, _life: PhantomData }
    }
}
