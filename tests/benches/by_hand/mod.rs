//! The updates of the benchmark, written by hand: raw pointers to leaked memory, the standard
//! library's atomics, and nothing of mmstats.
//!
//! Every pointer here is leaked, aligned for its type, and used by the benchmark's thread only: the
//! proof of each `unsafe` block.

use std::cell::Cell;
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, fence};
use std::time::Instant;

/// Leaks zeros that begin at a position, in words, of a cache line, and share no line with others.
pub(super) fn line(words: usize, position: usize) -> &'static mut [u64] {
    let memory = vec![0; (position + words).next_multiple_of(8) + 7].leak();
    let first = memory.as_ptr().align_offset(64);
    black_box(&mut memory[first + position..][..words])
}

/// Leaks zeros at a position of a cache line.
fn zeros<T>(position: usize) -> *mut T {
    line(size_of::<T>().div_ceil(8), position).as_mut_ptr().cast()
}

/// A word.
#[derive(Clone, Copy)]
pub(super) struct Slot<T>(*mut T);

impl<T> Slot<T> {
    pub(super) fn new(position: usize) -> Self {
        Slot(zeros(position))
    }

    #[inline(always)]
    pub(super) fn set(self, value: T) {
        // SAFETY: see the module.
        unsafe { self.0.write_volatile(value) }
    }
}

impl Slot<u64> {
    #[inline(always)]
    pub(super) fn add_one(self) {
        // SAFETY: see the module.
        unsafe { self.0.write_volatile(self.0.read_volatile() + 1) }
    }
}

impl Slot<u32> {
    #[inline(always)]
    pub(super) fn add_one(self) {
        // SAFETY: see the module.
        unsafe { self.0.write_volatile(self.0.read_volatile().wrapping_add(1)) }
    }
}

/// A counter that a thread-local pointer to a structure of pointers leads to.
pub(super) struct Thread {
    count: *mut u64,
}

thread_local! {
    static THREAD: Cell<*const Thread> = const { Cell::new(ptr::null()) };
}

impl Thread {
    pub(super) fn set_up() {
        THREAD.set(black_box(Box::leak(Box::new(Thread { count: zeros(0) }))));
    }

    #[inline(always)]
    pub(super) fn add_one() {
        let thread = THREAD.get();
        if !thread.is_null() {
            // SAFETY: see the module.
            unsafe {
                let count = (&raw const (*thread).count).read_volatile();
                count.write_volatile(count.read_volatile() + 1);
            }
        }
    }
}

/// A word that several threads could change.
#[derive(Clone, Copy)]
pub(super) struct SharedWord(&'static AtomicU64);

impl SharedWord {
    pub(super) fn new(position: usize) -> Self {
        // SAFETY: zeros are an atomic.
        SharedWord(unsafe { &*zeros(position) })
    }

    #[inline(always)]
    pub(super) fn add_one(self) {
        self.0.fetch_add(1, Relaxed);
    }

    #[inline(always)]
    pub(super) fn add_float(self) {
        let mut bits = self.0.load(Relaxed);
        while let Err(other) = self.0.compare_exchange_weak(
            bits,
            (f64::from_bits(bits) + 1.0).to_bits(),
            Relaxed,
            Relaxed,
        ) {
            bits = other;
        }
    }
}

/// Words that all threads could change, that a pointer to a structure of pointers leads to.
pub(super) struct Process {
    count: SharedWord,
    level: SharedWord,
}

static PROCESS: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

impl Process {
    pub(super) fn set_up() {
        let process = Process { count: SharedWord::new(0), level: SharedWord::new(1) };
        PROCESS.store(black_box(Box::leak(Box::new(process))), Release);
    }

    #[inline(always)]
    fn with(update: impl FnOnce(&Process)) {
        let process = PROCESS.load(Acquire);
        if !process.is_null() {
            // SAFETY: see the module.
            update(unsafe { &*process });
        }
    }

    #[inline(always)]
    pub(super) fn add_one() {
        Self::with(|process| process.count.add_one());
    }

    #[inline(always)]
    pub(super) fn add_float() {
        Self::with(|process| process.level.add_float());
    }
}

/// Version 1 as Python writes it: an index, then two unaligned values, of which readers take the
/// other one. Unaligned bytes can only be stored one by one without tearing a byte.
#[derive(Clone, Copy)]
pub(super) struct Python(&'static [AtomicU8; 17]);

impl Python {
    pub(super) fn new(position: usize) -> Self {
        // SAFETY: zeros are atomics.
        Python(unsafe { &*zeros(position) })
    }

    #[inline(always)]
    pub(super) fn add_one(self) {
        self.set(self.get() + 1);
    }

    #[inline(always)]
    fn get(self) -> u64 {
        let (index, values) = (&self.0[0], &self.0[1..]);
        let current = usize::from(index.load(Relaxed) & 1 ^ 1);
        let mut bytes = [0; 8];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = values[8 * current + i].load(Relaxed);
        }
        u64::from_ne_bytes(bytes)
    }

    #[inline(always)]
    fn set(self, value: u64) {
        let (index, values) = (&self.0[0], &self.0[1..]);
        let next = index.load(Relaxed) & 1;
        for (i, byte) in value.to_ne_bytes().into_iter().enumerate() {
            values[8 * usize::from(next) + i].store(byte, Relaxed);
        }
        index.store(next ^ 1, Release);
    }
}

/// Two buffers and a sequence; the value is kept beside the pointer.
pub(super) struct Latch {
    region: &'static ([AtomicU64; 2], AtomicU32),
    value: Cell<u64>,
}

impl Latch {
    pub(super) fn new(position: usize) -> Self {
        // SAFETY: zeros are atomics.
        Latch { region: unsafe { &*zeros(position) }, value: Cell::new(0) }
    }

    #[inline(always)]
    pub(super) fn add_one(&self) {
        let (buffers, sequence) = self.region;
        let next = sequence.load(Relaxed).wrapping_add(1);
        let value = self.value.get() + 1;
        fence(Release);
        buffers[next as usize & 1].store(value, Relaxed);
        sequence.store(next, Release);
        self.value.set(value);
    }
}

/// The same in words of 4 bytes.
pub(super) struct Words {
    region: &'static ([[AtomicU32; 2]; 2], AtomicU32),
    value: Cell<u64>,
}

impl Words {
    pub(super) fn new(position: usize) -> Self {
        // SAFETY: zeros are atomics.
        Words { region: unsafe { &*zeros(position) }, value: Cell::new(0) }
    }

    #[inline(always)]
    pub(super) fn add_one(&self) {
        let (buffers, sequence) = self.region;
        let next = sequence.load(Relaxed).wrapping_add(1);
        let value = self.value.get() + 1;
        let buffer = &buffers[next as usize & 1];
        fence(Release);
        buffer[0].store(value as u32, Relaxed);
        buffer[1].store((value >> 32) as u32, Relaxed);
        sequence.store(next, Release);
        self.value.set(value);
    }
}

/// Log-linear buckets and a sum, of 8 bytes each.
#[derive(Clone, Copy)]
pub(super) struct Histogram8<const P: u32, const N: u32>(*mut u64);

impl<const P: u32, const N: u32> Histogram8<P, N> {
    const BUCKETS: usize = ((N - P + 1) as usize) << P;

    pub(super) fn new(position: usize) -> Self {
        Histogram8(line(1 + Self::BUCKETS, position).as_mut_ptr())
    }

    #[inline(always)]
    fn bucket(value: u64) -> usize {
        if value >> N != 0 {
            Self::BUCKETS - 1
        } else if value < 2 << P {
            value as usize
        } else {
            let shift = value.ilog2() - P;
            ((shift as usize) << P) + (value >> shift) as usize
        }
    }

    /// As if several threads recorded.
    #[inline(always)]
    pub(super) fn record_shared(self, value: u64) {
        // SAFETY: see the module; a bucket is below `BUCKETS`, and the sum is the first word.
        unsafe {
            AtomicU64::from_ptr(self.0.add(1 + Self::bucket(value))).fetch_add(1, Relaxed);
            AtomicU64::from_ptr(self.0).fetch_add(value, Relaxed);
        }
    }

    #[inline(always)]
    pub(super) fn record(self, value: u64) {
        // SAFETY: see the module; a bucket is below `BUCKETS`, and the sum is the first word.
        unsafe {
            let count = self.0.add(1 + Self::bucket(value));
            count.write_volatile(count.read_volatile().wrapping_add(1));
            self.0.write_volatile(self.0.read_volatile().wrapping_add(value));
        }
    }
}

/// A text of 32 bytes in two buffers of words, and a sequence that is kept beside the pointer.
pub(super) struct TextLatch {
    region: &'static ([[AtomicU64; 4]; 2], AtomicU32),
    last: Cell<u32>,
}

impl TextLatch {
    pub(super) fn new(position: usize) -> Self {
        // SAFETY: zeros are atomics.
        TextLatch { region: unsafe { &*zeros(position) }, last: Cell::new(0) }
    }

    #[inline(always)]
    pub(super) fn set(&self, text: &str) {
        let bytes = &text.as_bytes()[..text.len().min(32)];
        let (buffers, sequence) = self.region;
        let next = self.last.get().wrapping_add(1);
        let buffer = &buffers[next as usize & 1];
        fence(Release);
        let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        let (words, rest) = (bytes.len() / 8, bytes.len() % 8);
        if words == 4 {
            for (i, to) in buffer.iter().enumerate() {
                to.store(word(8 * i), Relaxed);
            }
        } else {
            for (i, to) in buffer[..words].iter().enumerate() {
                to.store(word(8 * i), Relaxed);
            }
            // The end of a shorter text: its last bytes, and at least one NUL.
            let mut end = 0;
            if rest != 0 && words > 0 {
                end = word(bytes.len() - 8).to_le() >> (64 - 8 * rest);
            } else {
                for (i, byte) in bytes.iter().enumerate().take(rest) {
                    end |= u64::from(*byte) << (8 * i);
                }
            }
            buffer[words].store(end.to_le(), Relaxed);
        }
        sequence.store(next, Release);
        self.last.set(next);
    }
}

/// Two readings of the clock, a moving average of 100 and a histogram.
pub(super) struct TimerTwin {
    mean: Slot<u64>,
    histogram: Histogram8<3, 40>,
    window: [Cell<u64>; 100],
    next: Cell<usize>,
    count: Cell<usize>,
    sum: Cell<u64>,
    last: Cell<u64>,
}

impl TimerTwin {
    pub(super) fn new(position: usize) -> Self {
        TimerTwin {
            mean: Slot::new(position),
            histogram: Histogram8::new(position),
            window: [const { Cell::new(0) }; 100],
            next: Cell::new(0),
            count: Cell::new(0),
            sum: Cell::new(0),
            last: Cell::new(0),
        }
    }

    #[inline(always)]
    pub(super) fn time(&self) {
        let start = Instant::now();
        let nanoseconds = start.elapsed().as_nanos() as u64;
        self.last.set(nanoseconds);
        let next = self.next.get();
        let sum = self.sum.get() - self.window[next].replace(nanoseconds) + nanoseconds;
        self.sum.set(sum);
        self.next.set(if next + 1 < 100 { next + 1 } else { 0 });
        self.count.set((self.count.get() + 1).min(100));
        self.mean.set((sum as i64 as f64 / (self.count.get() as f64 * 1e9)).to_bits());
        self.histogram.record(nanoseconds);
    }
}
