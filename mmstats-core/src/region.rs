//! Raw memory with bounds: the region of a writer, the view of a reader, and statics of both.
//!
//! Together with `cell/`, this file has the crate's `unsafe` code that accesses memory. Their
//! common invariant: a [`Region`] or [`View`] is `len` bytes at an address that is a multiple of 8,
//! valid for as long as anything made from it is used; live bytes are accessed by atomics alone (by
//! views as `load_word` describes) and never borrowed as a slice.
#![allow(unsafe_code)]

use crate::atomic::{AtomicU8, AtomicU32, Claim, Ordering};
use crate::bytes::begins;
use crate::format::v2::Header;
use crate::protocol::RegionSeqlock;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

/// Memory for one writer.
#[derive(Debug)]
pub struct Region {
    base: NonNull<u8>,
    len: usize,
}

/// Why there is no region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RegionError {
    /// The memory does not begin at a multiple of 8.
    Misaligned {
        /// Its address.
        address: usize,
    },
    /// The length does not fit the header's 32 bits.
    TooLarge {
        /// Length in bytes.
        length: usize,
    },
    /// The region of this static has been taken before.
    AlreadyTaken,
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionError::Misaligned { address } => {
                write!(f, "misaligned region: {address:#x} (a multiple of 8 expected)")
            }
            RegionError::TooLarge { length } => {
                write!(f, "region too large: {length} bytes (at most {})", u32::MAX)
            }
            RegionError::AlreadyTaken => f.write_str("the region has already been taken"),
        }
    }
}

impl core::error::Error for RegionError {}

// SAFETY: the memory belongs to the owner of the region (`from_raw`'s contract, or `&'static mut`)
// and is bound to no thread.
unsafe impl Send for Region {}

impl Region {
    /// Creates a region in memory that this program owns until it ends: a leaked buffer, a
    /// `StaticCell`. See [`StaticRegion`] for a region that is itself a static.
    ///
    /// # Panics
    /// If there are 4 GiB or more.
    pub fn new(words: &'static mut [u64]) -> Region {
        let len = size_of_val(words);
        assert!(u32::try_from(len).is_ok(), "a region is smaller than 4 GiB");
        Region { base: NonNull::from(words).cast(), len }
    }

    /// Creates a region anywhere: a mapped file, memory shared by two cores, a peripheral's RAM.
    ///
    /// # Errors
    /// If `base` is not a multiple of 8 or `len` does not fit 32 bits.
    ///
    /// # Safety
    /// For as long as the region or anything made from it (writers, handles, views) is used, the
    /// `len` bytes at `base` are initialised, readable and writable, no other writer in this
    /// program writes them, and readers in this program are [`View`]s.
    pub unsafe fn from_raw(base: NonNull<u8>, len: usize) -> Result<Region, RegionError> {
        let address = base.addr().get();
        if address % 8 != 0 {
            return Err(RegionError::Misaligned { address });
        }
        if u32::try_from(len).is_err() {
            return Err(RegionError::TooLarge { length: len });
        }
        Ok(Region { base, len })
    }

    /// Returns the length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns `true` if the region has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the same memory for a reader.
    #[must_use]
    pub fn view(&self) -> View<'static> {
        View { region: self.duplicate(), _life: PhantomData }
    }

    /// Returns the same region again, for a view or for another attempt to publish. The caller
    /// makes sure that one of the two is no longer written.
    pub(crate) fn duplicate(&self) -> Region {
        Region { base: self.base, len: self.len }
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

    /// Returns the 4 bytes at a multiple of 4.
    #[inline(always)]
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

    /// Zeroes the words from `start` to `end`, multiples of 4.
    #[inline(always)]
    pub(crate) fn zero_words(&self, start: usize, end: usize) {
        for at in (start..end).step_by(4) {
            self.word(at).store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn equals(&self, at: usize, bytes: &[u8]) -> bool {
        // Labels are compared most, and differ at their end.
        bytes.iter().enumerate().rev().all(|(i, byte)| self.get(at + i) == Some(*byte))
    }

    pub(crate) fn read<const N: usize>(&self, at: usize) -> [u8; N] {
        core::array::from_fn(|i| self.byte(at + i).load(Ordering::Relaxed))
    }

    /// Returns a part for one cell. In version 1 the byte before `at` is the write buffer index
    /// and belongs to the part.
    #[inline(always)]
    pub(crate) fn slot(&self, at: usize, len: usize, align: usize) -> Slot {
        assert!(at > 0 && at <= self.len && len <= self.len - at && at & (align - 1) == 0);
        // SAFETY: in bounds by the assertion.
        Slot { at: unsafe { self.base.add(at) }, len }
    }

    /// Returns the words of a version 2 header that guard everything else.
    pub(crate) fn seqlock(&self) -> RegionSeqlock<'_> {
        RegionSeqlock {
            magic: [self.word(0), self.word(4)],
            generation: self.word(Header::GENERATION),
        }
    }
}

/// A part of a region that one cell owns alone: in bounds and aligned as its layout asks.
#[doc(hidden)]
#[derive(Debug)]
pub struct Slot {
    pub(crate) at: NonNull<u8>,
    pub(crate) len: usize,
}

/// Memory that a writer may be changing, for a reader.
#[derive(Debug)]
pub struct View<'r> {
    region: Region,
    _life: PhantomData<&'r [AtomicU32]>,
}

// SAFETY: a view only reads, by `load_word` and atomics.
unsafe impl Sync for View<'_> {}

impl View<'_> {
    /// Creates a view of memory anywhere.
    ///
    /// # Errors
    /// If `base` is not a multiple of 8 or `len` does not fit 32 bits.
    ///
    /// # Safety
    /// For the view's lifetime, the `len` bytes at `base` are initialised and readable, and writers
    /// in this program use atomics.
    pub unsafe fn from_raw(base: NonNull<u8>, len: usize) -> Result<Self, RegionError> {
        // SAFETY: the caller's; a view does not write.
        Ok(View { region: unsafe { Region::from_raw(base, len) }?, _life: PhantomData })
    }

    /// Returns the length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.region.len
    }

    /// Returns `true` if the view has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.region.len == 0
    }

    /// Copies bytes from offset `at`, a multiple of 8, by loads of whole words, and returns how
    /// many there were. Missing bytes become zero.
    ///
    /// # Panics
    /// If `at` is not a multiple of 8.
    #[inline]
    pub fn read_at(&self, at: usize, to: &mut [u64]) -> usize {
        assert!(at % 8 == 0);
        let available = self.region.len.saturating_sub(at).min(size_of_val(to));
        let (whole, rest) = to.split_at_mut(available / 8);
        // Four in a round: the compiler does not unroll loops of inline assembly.
        for (i, words) in whole.chunks_mut(4).enumerate() {
            let load = |j| {
                // SAFETY: there is a word for it in `to`, so it is within `available` from `at`.
                unsafe { load_8(self.region.base.add(at + 32 * i + 8 * j)) }
            };
            match words {
                [a, b, c, d] => [*a, *b, *c, *d] = [load(0), load(1), load(2), load(3)],
                fewer => fewer.iter_mut().enumerate().for_each(|(j, word)| *word = load(j)),
            }
        }
        if let Some((last, beyond)) = rest.split_first_mut() {
            let mut bytes = [0; 8];
            // Single bytes, because nothing in this program stores to them: writers use whole
            // multiples of 8.
            for (i, byte) in bytes.iter_mut().enumerate().take(available % 8) {
                *byte = self.region.byte(at + (available & !7) + i).load(Ordering::Relaxed);
            }
            *last = u64::from_ne_bytes(bytes);
            beyond.fill(0);
        }
        available
    }
}

#[cfg(target_pointer_width = "64")]
type MachineWord = u64;
#[cfg(not(target_pointer_width = "64"))]
type MachineWord = u32;

/// Loads 8 bytes, in one or two words of this machine.
///
/// # Safety
/// `at` is a multiple of 8 with 8 valid bytes that are only written by atomics.
#[inline(always)]
unsafe fn load_8(at: NonNull<u8>) -> u64 {
    #[cfg(target_pointer_width = "64")]
    // SAFETY: the caller's.
    return unsafe { load_word(at) };
    #[cfg(not(target_pointer_width = "64"))]
    // SAFETY: the caller's.
    crate::bytes::join([0, 4].map(|offset| unsafe { load_word(at.add(offset)) }))
}

/// Loads a word that other threads of this program may be storing to, in words of any size.
///
/// In Rust's memory model, atomic accesses that race must not overlap partly, and a reader does not
/// know the sizes of the stores before it has read the directory. So this load is no atomic access
/// of the word: it is inline assembly that stands for relaxed atomic loads of all stored parts of
/// the word, each in the size of its store. One load of an aligned word is one of the results that
/// these loads may have, because the machines below read each aligned part of it whole. The
/// compiler cannot assume more: it does not know what the assembly does. The fences of
/// `protocol.rs` order it as they order relaxed loads, and as the block may access any memory, the
/// compiler moves no other access across it.
///
/// # Safety
/// `at` is aligned for a word, with valid bytes that are only written by atomics.
#[inline(always)]
unsafe fn load_word(at: NonNull<u8>) -> MachineWord {
    #[allow(unused_macros, reason = "other machines have none")]
    macro_rules! load {
        ($instruction:literal) => {{
            let word: MachineWord;
            // SAFETY: the caller's; it only loads a word.
            unsafe {
                core::arch::asm!(
                    $instruction,
                    out(reg) word,
                    in(reg) at.as_ptr(),
                    options(nostack, preserves_flags)
                );
            }
            word
        }};
    }
    cfg_if::cfg_if! {
        if #[cfg(any(
            all(target_arch = "x86_64", target_pointer_width = "64"),
            target_arch = "x86"
        ))] {
            load!("mov {}, [{}]")
        } else if #[cfg(any(
            all(target_arch = "aarch64", target_pointer_width = "64"),
            target_arch = "arm"
        ))] {
            load!("ldr {}, [{}]")
        } else if #[cfg(target_arch = "riscv64")] {
            load!("ld {}, 0({})")
        } else if #[cfg(target_arch = "riscv32")] {
            load!("lw {}, 0({})")
        } else {
            // Other machines: the address is hidden, so that the compiler cannot relate this load
            // to any store.
            use crate::bytes::WordBits;
            let at = core::hint::black_box(at).cast::<<MachineWord as WordBits>::Atomic>();
            // SAFETY: the caller's.
            MachineWord::load(unsafe { at.as_ref() })
        }
    }
}

/// Returns an address of which the compiler does not know where it comes from, and of which it must
/// assume that it is known outside the program.
#[inline(always)]
fn expose(address: *mut u8) -> *mut u8 {
    cfg_if::cfg_if! {
        if #[cfg(all(
            any(target_arch = "arm", target_arch = "riscv32", target_arch = "riscv64"),
            not(miri)
        ))] {
            // `black_box` takes a detour over the stack.
            let mut address = address;
            // SAFETY: there is no instruction.
            unsafe {
                core::arch::asm!(
                    "/* {0} */",
                    inout(reg) address,
                    options(nostack, preserves_flags)
                );
            }
            address
        } else {
            core::hint::black_box(address)
        }
    }
}

/// Memory that a model can be published in: a [`Region`], or a static that gives one out.
pub trait IntoRegion {
    /// Length in bytes, where it is known at compile time.
    const LENGTH: Option<usize>;

    /// Returns the region.
    ///
    /// # Errors
    /// If it has already been taken.
    fn into_region(self) -> Result<Region, RegionError>;
}

impl IntoRegion for Region {
    const LENGTH: Option<usize> = None;

    fn into_region(self) -> Result<Region, RegionError> {
        Ok(self)
    }
}

/// A region as a `static` of `N` bytes, for instance a model's `SIZE`.
///
/// ```
/// use mmstats_core::{Counter, RegionError, StaticRegion, model};
/// model! { struct Motor { steps: Counter<u32> } }
///
/// static REGION: StaticRegion<{ Motor::SIZE }> = StaticRegion::new();
///
/// let motor = Motor::publish(&REGION)?;
/// motor.steps.incr();
/// assert_eq!(REGION.take().unwrap_err(), RegionError::AlreadyTaken);
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
///
/// The compiler assumes that the memory is read from outside once it is taken, and keeps every
/// store although nothing in the program reads it.
///
/// It begins as zeros at every start. For memory that keeps its stats over a reset, see
/// [`persistent_region!`](crate::persistent_region).
#[derive(Debug)]
#[repr(C)]
pub struct StaticRegion<const N: usize> {
    memory: Memory<N>,
    taken: Claim,
}

impl<const N: usize> StaticRegion<N> {
    /// Creates a region that has not been taken.
    #[allow(clippy::new_without_default, reason = "it only makes sense as a static")]
    #[cfg(not(loom))]
    #[must_use]
    pub const fn new() -> Self {
        StaticRegion { memory: Memory(UnsafeCell::new(MaybeUninit::zeroed())), taken: Claim::new() }
    }

    /// Returns the region to the first caller.
    ///
    /// # Errors
    /// [`RegionError::AlreadyTaken`] for all other callers. Without compare-and-swap (Cortex-M0),
    /// callers that arrive at the same time may all get this error.
    #[inline]
    pub fn take(&'static self) -> Result<Region, RegionError> {
        if self.taken.claim() { Ok(self.memory.region()) } else { Err(RegionError::AlreadyTaken) }
    }

    /// Returns the same memory for a reader, such as another core.
    pub fn view(&'static self) -> View<'static> {
        self.memory.region().view()
    }
}

impl<const N: usize> IntoRegion for &'static StaticRegion<N> {
    const LENGTH: Option<usize> = Some(N);

    #[inline]
    fn into_region(self) -> Result<Region, RegionError> {
        self.take()
    }
}

/// A region whose memory keeps its bytes over a reset, made by
/// [`persistent_region!`](crate::persistent_region).
#[derive(Debug)]
pub struct PersistentRegion<const N: usize> {
    memory: &'static Memory<N>,
    descriptor: &'static Descriptor,
    taken: Claim,
}

impl<const N: usize> PersistentRegion<N> {
    /// # Safety
    /// No other region uses this memory.
    #[doc(hidden)]
    #[cfg(not(loom))]
    pub const unsafe fn new(memory: &'static Memory<N>, descriptor: &'static Descriptor) -> Self {
        PersistentRegion { memory, descriptor, taken: Claim::new() }
    }

    /// Returns the region to the first caller. Its bytes are those of the last run, or random after
    /// power-on.
    ///
    /// # Errors
    /// [`RegionError::AlreadyTaken`], as for [`StaticRegion::take`].
    #[inline]
    pub fn take(&'static self) -> Result<Region, RegionError> {
        // Without a reference from live code the linker would drop the descriptor.
        core::hint::black_box(self.descriptor);
        if self.taken.claim() { Ok(self.memory.region()) } else { Err(RegionError::AlreadyTaken) }
    }

    /// Returns the same memory for a reader, such as another core.
    pub fn view(&'static self) -> View<'static> {
        self.memory.region().view()
    }
}

impl<const N: usize> IntoRegion for &'static PersistentRegion<N> {
    const LENGTH: Option<usize> = Some(N);

    #[inline]
    fn into_region(self) -> Result<Region, RegionError> {
        self.take()
    }
}

/// Declares a [`PersistentRegion`] as a `static`, with its memory in a section that start-up code
/// does not initialise: the section's name begins with `.uninit`, `.noinit` or `.persistent`.
///
/// Only the memory goes there. The flag that the region has been taken lies in ordinary memory,
/// because such a section is random at power-on. A [`Descriptor`](crate::region::Descriptor) among
/// the constants lets tools find the memory.
///
/// ```
/// use mmstats_core::{Counter, model, persistent_region};
/// model! { struct Motor { boots: Counter<u32> } }
///
/// persistent_region! { static REGION: PersistentRegion<{ Motor::SIZE }> in ".uninit.stats"; }
///
/// let (motor, recovery) = Motor::publisher().recover(&REGION)?;
/// motor.boots.incr(); // goes on counting after a reset
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
#[macro_export]
macro_rules! persistent_region {
    (
        $(#[$attribute:meta])*
        $visible:vis static $name:ident: PersistentRegion<{ $size:expr }> in $section:literal;
    ) => {
        $(#[$attribute])*
        $visible static $name: $crate::region::PersistentRegion<{ $size }> = {
            const _: () = $crate::__private::check_section($section);
            #[unsafe(link_section = $section)]
            static MEMORY: $crate::__private::Memory<{ $size }> =
                $crate::__private::Memory::uninit();
            static DESCRIPTOR: $crate::region::Descriptor =
                $crate::region::Descriptor::new(&MEMORY);
            // SAFETY: the static is visible in this block alone.
            unsafe { $crate::region::PersistentRegion::new(&MEMORY, &DESCRIPTOR) }
        };
    };
}

/// The address of a region, for tools that have the program's ELF file (FORMAT.md, "Finding
/// regions").
#[derive(Debug)]
#[repr(C)]
pub struct Descriptor {
    magic: [u8; 8],
    address: *const u8,
    length: u32,
}

// SAFETY: a constant; nothing is accessed through the address.
unsafe impl Sync for Descriptor {}

impl Descriptor {
    /// The first bytes. The last letter differs from that of a region's magic.
    pub const MAGIC: [u8; 8] = *b"\x02MMSTATD";

    #[doc(hidden)]
    pub const fn new<const N: usize>(memory: &'static Memory<N>) -> Self {
        Descriptor { magic: Self::MAGIC, address: memory.0.get().cast::<u8>(), length: N as u32 }
    }
}

/// Fails to compile for a section that start-up code may initialise.
///
/// # Panics
/// For such a section.
#[doc(hidden)]
pub const fn check_section(name: &str) {
    let name = name.as_bytes();
    assert!(
        begins(name, b".uninit") || begins(name, b".noinit") || begins(name, b".persistent"),
        "the section of a persistent region begins with .uninit, .noinit or .persistent"
    );
}

/// Aligned bytes of a static.
#[doc(hidden)]
#[repr(C, align(8))]
pub struct Memory<const N: usize>(UnsafeCell<MaybeUninit<[u8; N]>>);

// SAFETY: the bytes are only accessed through the one region that the owner gives out, and by
// views, which read by atomics.
unsafe impl<const N: usize> Sync for Memory<N> {}

impl<const N: usize> Memory<N> {
    #[must_use]
    pub const fn uninit() -> Self {
        Memory(UnsafeCell::new(MaybeUninit::uninit()))
    }

    fn region(&'static self) -> Region {
        const { assert!(N as u64 <= u32::MAX as u64, "a region is smaller than 4 GiB") };
        // From here on the compiler must assume that the address is known outside the program: its
        // stores are read there, and its bytes were written there (in a persistent region, by the
        // run before the reset).
        let base = expose(self.0.get().cast());
        // SAFETY: a static does not lie at null.
        let base = unsafe { NonNull::new_unchecked(base) };
        Region { base, len: N }
    }
}

impl<const N: usize> fmt::Debug for Memory<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("length", &N).finish_non_exhaustive()
    }
}
