//! A region that is initialised repeatedly while it is read: no reader shows a value under another
//! label.
#![allow(unsafe_code, reason = "memory that is a region repeatedly")]

mod common;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use mmstats_core::format::v2::Header;
use mmstats_core::reader::{
    Entry, FormatError, Lossy, ReadBuffers, ReadError, ReadPlan, Snapshot, Value, ValueError,
    ValueLocation, read,
};
use mmstats_core::{
    Counter, Format, Gauge, Histogram, Latched, Model, Region, Text, V2, V2Narrow, View, model,
};
use std::time::{Duration, Instant};
use zerocopy::FromBytes;

model! {
    /// Everything under a label with `even` is even.
    struct Even {
        even_word: Gauge<u64>,
        even_latch: Gauge<Latched<u64>>,
        even_text: Text<20> => "even",
        even_small: Gauge<u8>,
    }

    /// Everything under a label with `odd` is odd, and lies where even values lay.
    struct Odd {
        odd_small: Gauge<u8> => 1,
        odd_text: Text<9> => "odd",
        odd_latch: Gauge<Latched<u64>> => Latched(1),
        /// Moves the following fields.
        odd_more: Counter => 1,
        odd_word: Gauge<u64> => 1,
        spread: Histogram<1, 4, u32>,
    }
}

const WORDS: usize = 80;

/// Memory that outlives all of its regions, in atomics that 32-bit machines have too.
#[repr(align(8))]
struct Shared([AtomicU32; 2 * WORDS]);

impl Shared {
    fn base(&self) -> NonNull<u8> {
        NonNull::from(&self.0).cast()
    }

    /// # Safety
    /// There is no other region on it.
    unsafe fn region(&self) -> Region {
        // SAFETY: atomics may be written through a shared reference; the rest is the caller's.
        unsafe { Region::from_raw(self.base(), 8 * WORDS) }.unwrap()
    }

    fn view(&self) -> View<'_> {
        // SAFETY: atomics, that are as long as that.
        unsafe { View::from_raw(self.base(), 8 * WORDS) }.unwrap()
    }
}

/// Stops the other threads, also if this one panics.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Initialises the region, with one and the other model in turn, and returns how often.
fn write<F: Format>(memory: &Shared, done: &AtomicBool, pause: Duration) -> u32 {
    let _done = Done(done);
    let mut times = 0;
    while !done.load(Relaxed) {
        // SAFETY: the handles of the one before are gone, and no other thread writes.
        let even = Even::<F>::publish(unsafe { memory.region() }).unwrap();
        for value in (2..20).step_by(2) {
            even.even_word.set(u64::MAX - 1 - value);
            even.even_latch.set(Latched(value << 32 | value));
            even.even_text.set(if value % 4 == 0 { "even" } else { "even and longer" });
            even.even_small.set(value as u8);
        }
        std::thread::sleep(pause);
        // SAFETY: as above.
        let odd = Odd::<F>::publish(unsafe { memory.region() }).unwrap();
        for value in (1..19).step_by(2) {
            odd.odd_small.set(value as u8);
            odd.odd_text.set(if value % 4 == 1 { "odd" } else { "odd longer" });
            odd.odd_latch.set(Latched(value << 32 | value));
            odd.odd_more.add(2);
            odd.odd_word.set(u64::MAX - 1 - value);
            odd.spread.record(value);
        }
        std::thread::sleep(pause);
        times += 2;
    }
    times
}

/// Returns `true` if there was a value; panics if it does not belong to its label.
fn check(label: &[u8], value: Result<Value<'_>, ValueError>) -> bool {
    let even = label.starts_with(b"even");
    assert!(even || label.starts_with(b"odd") || label == b"spread", "{}", Lossy(label));
    match value {
        Err(ValueError::Contended) => return false,
        Err(error) => panic!("{}: {error}", Lossy(label)),
        Ok(Value::Unsigned(number)) => {
            assert_eq!(number % 2 == 0, even, "{number} under {}", Lossy(label));
            // Both halves of a latched value were written together.
            let halves = (number >> 32, number & 0xffff_ffff);
            assert!(
                !label.ends_with(b"latch") || halves.0 == halves.1 || number == 1,
                "{number:#x} under {}",
                Lossy(label)
            );
        }
        Ok(Value::Text(text)) => {
            let known: &[&[u8]] =
                if even { &[b"even", b"even and longer"] } else { &[b"odd", b"odd longe"] };
            assert!(known.contains(&text), "{} under {}", Lossy(text), Lossy(label));
        }
        Ok(Value::Histogram(distribution)) => {
            assert!(label == b"spread" && distribution.count() <= 9 && distribution.sum <= 81);
        }
        Ok(other) => panic!("{other:?} under {}", Lossy(label)),
    }
    true
}

/// The layout that a reader keeps.
struct Layout {
    header: Header,
    fields: Vec<(Vec<u8>, ValueLocation)>,
    plan: ReadPlan,
}

impl Layout {
    fn new<'b>(header: Header, entries: impl Iterator<Item = Entry<'b>>) -> Layout {
        let fields: Vec<(Vec<u8>, ValueLocation)> =
            entries.map(|entry| (entry.label.to_vec(), entry.location)).collect();
        let plan =
            fields.iter().fold(ReadPlan::default(), |plan, (_, location)| plan.with(location));
        Layout { header, fields, plan }
    }

    /// Returns how many values of a sample were valid, if it has this layout.
    fn check(&self, buffers: &ReadBuffers<'_>) -> Option<usize> {
        let header = Header::read_from_prefix(buffers.header()).unwrap().0;
        let snapshot: Snapshot<'_> = buffers.snapshot();
        let same =
            |header: &Header| (header.check, header.layout, header.generation, header.published);
        if !snapshot.is_consistent() || same(&header) != same(&self.header) {
            return None;
        }
        Some(
            self.fields
                .iter()
                .filter(|(label, location)| check(label, snapshot.value(location)))
                .count(),
        )
    }
}

/// Counts what a reader saw.
#[derive(Debug, Default)]
struct Seen {
    parsed: usize,
    sampled: usize,
    values: usize,
    generations: usize,
}

/// Reads until it has enough values: everything, then by the known layout as long as that is valid.
fn poll(memory: &Shared, done: &AtomicBool, each_latch: bool, enough: usize) -> Seen {
    let view = memory.view();
    let mut copies = vec![0; ReadBuffers::words(8 * WORDS)];
    let mut buffers = ReadBuffers::new(&mut copies);
    let mut seen = Seen::default();
    let (start, mut last) = (Instant::now(), None);
    while (seen.values < enough || seen.generations < 100) && !done.load(Relaxed) {
        assert!(start.elapsed() < Duration::from_secs(60), "{seen:?}");
        let layout = match read(&view, &mut buffers) {
            Err(ReadError::Format(FormatError::Uninitialised | FormatError::Contended)) => continue,
            Err(error) => panic!("{error}"),
            Ok((directory, snapshot)) => {
                let entries = || {
                    directory.entries().map(|entry| entry.unwrap_or_else(|error| panic!("{error}")))
                };
                seen.values += entries()
                    .filter(|entry| check(entry.label, snapshot.value(&entry.location)))
                    .count();
                seen.parsed += 1;
                Layout::new(*directory.header().unwrap(), entries())
            }
        };
        seen.generations +=
            usize::from(last.replace(layout.header.generation) != Some(layout.header.generation));
        if layout.fields.is_empty() {
            continue;
        }
        for _ in 0..20 {
            let latched = layout
                .fields
                .iter()
                .map(|(_, location)| location)
                .filter(|location| location.is_latched());
            let Ok(complete) = if each_latch {
                buffers.sample_each_latch(&view, &layout.plan, latched)
            } else {
                buffers.sample(&view, &layout.plan)
            };
            assert!(complete);
            let Some(values) = layout.check(&buffers) else { break };
            seen.sampled += 1;
            seen.values += values;
        }
    }
    seen
}

fn torture<F: Format>(pause: Duration) {
    let memory = Shared([const { AtomicU32::new(0) }; 2 * WORDS]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (memory, done) = (&memory, &done);
        let writer = scope.spawn(move || write::<F>(memory, done, pause));
        let readers =
            [true, false].map(|each| scope.spawn(move || poll(memory, done, each, 20_000)));
        let seen = readers.map(std::thread::ScopedJoinHandle::join);
        drop(Done(done));
        let times = writer.join().unwrap();
        let seen = seen.map(Result::unwrap);
        assert!(
            seen.iter().all(|seen| seen.parsed > 0 && seen.sampled > 0 && seen.generations >= 100)
                && times >= 100,
            "{seen:?} of {times} regions"
        );
    });
}

#[test]
fn no_reader_shows_a_value_under_another_label() {
    torture::<V2>(Duration::from_micros(50));
}

#[test]
fn no_reader_shows_a_value_under_another_label_of_a_32_bit_machine() {
    torture::<V2Narrow>(Duration::from_micros(50));
}

#[test]
fn no_reader_shows_a_value_under_another_label_however_fast_the_writer_is() {
    torture::<V2>(Duration::ZERO);
}
