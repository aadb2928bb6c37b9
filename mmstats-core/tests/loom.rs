//! The protocols of `src/protocol.rs` under loom, which tries every order that the memory model
//! allows:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p mmstats-core --release --test loom
//! ```
//!
//! With `--cfg mmstats_without_writer_fence` the tests of the latch fail, with `--cfg
//! mmstats_without_reinit_fence` those of regions that are initialised again: so both fences are
//! necessary.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::sync::atomic::{AtomicU32, fence};
use loom::thread;
use mmstats_core::__private::{PendingSum, RegionSeqlock, latch_read, latch_write};
use mmstats_core::format::v2::{BYTE_ORDER, EntryHeader, Header, crc32};
use mmstats_core::format::{MAGIC, MAGIC_WORDS};
use mmstats_core::reader::{FormatError, ReadBuffers, ReadError, Source, Value, read};
use zerocopy::{FromBytes, IntoBytes};

/// A latched value of two words, which agree in every value ever written.
struct Latch {
    sequence: AtomicU32,
    buffers: [[AtomicU32; 2]; 2],
}

impl Latch {
    fn new() -> Arc<Latch> {
        Arc::new(Latch {
            sequence: AtomicU32::new(0),
            buffers: [(); 2].map(|()| [(); 2].map(|()| AtomicU32::new(0))),
        })
    }

    /// The first write is of 1, the next of 2.
    fn write(&self, value: u32) {
        let store =
            |buffer: usize| self.buffers[buffer].iter().for_each(|word| word.store(value, Relaxed));
        assert_eq!(latch_write(&self.sequence, value - 1, store), value);
    }

    fn read(&self) -> Option<[u32; 2]> {
        latch_read(&self.sequence, |buffer: usize| {
            [0, 1].map(|word: usize| self.buffers[buffer][word].load(Relaxed))
        })
    }

    /// A whole value that is no older than one seen before, or none.
    fn read_after(&self, seen: u32) -> u32 {
        let Some([first, second]) = self.read() else { return seen };
        assert_eq!(first, second, "torn");
        assert!(first >= seen, "{first} after {seen}");
        first
    }
}

#[test]
fn a_latched_value_is_never_torn() {
    loom::model(|| {
        let latch = Latch::new();
        let writer = thread::spawn({
            let latch = latch.clone();
            move || (1..=3).for_each(|value| latch.write(value))
        });
        latch.read_after(0);
        writer.join().unwrap();
        assert_eq!(latch.read(), Some([3, 3]), "what was written last is what stays");
    });
}

#[test]
fn a_latched_value_is_never_older_than_one_seen_before() {
    loom::model(|| {
        let latch = Latch::new();
        let writer = thread::spawn({
            let latch = latch.clone();
            move || (1..=2).for_each(|value| latch.write(value))
        });
        let seen = latch.read_after(0);
        latch.read_after(seen);
        writer.join().unwrap();
    });
}

#[test]
fn a_writer_that_died_between_two_writes_left_a_whole_value() {
    loom::model(|| {
        let latch = Latch::new();
        latch.write(1);
        let writer = thread::spawn({
            let latch = latch.clone();
            // Half a write: the words of the buffer that readers do not use, and no sequence.
            move || latch.buffers[0].iter().for_each(|word| word.store(2, Relaxed))
        });
        assert_eq!(latch.read(), Some([1, 1]));
        writer.join().unwrap();
        assert_eq!(latch.read(), Some([1, 1]));
    });
}

/// A region of a label and a value that is only right under it: `10 * label` and `10 * label + 1`.
struct Region {
    magic: [AtomicU32; 2],
    generation: AtomicU32,
    label: AtomicU32,
    value: AtomicU32,
}

impl Region {
    /// Published, with this label.
    fn new(label: u32) -> Arc<Region> {
        let magic = MAGIC_WORDS.map(AtomicU32::new);
        Arc::new(Region {
            magic,
            generation: AtomicU32::new(7),
            label: AtomicU32::new(label),
            value: AtomicU32::new(10 * label),
        })
    }

    fn seqlock(&self) -> RegionSeqlock<'_> {
        RegionSeqlock { magic: [&self.magic[0], &self.magic[1]], generation: &self.generation }
    }

    fn initialize(&self, label: u32) {
        let seqlock = self.seqlock();
        seqlock.write_begin();
        self.label.store(label, Relaxed);
        self.value.store(10 * label, Relaxed);
        seqlock.write_end();
    }

    /// Writes as the handle does when the region is valid.
    fn update(&self) {
        self.value.store(self.value.load(Relaxed) + 1, Relaxed);
    }

    fn check(label: u32, value: u32) {
        assert_eq!(value / 10, label, "the value {value} under the label {label}");
    }

    /// Takes one sample without an earlier one; returns the generation.
    fn sample(&self) -> Option<u32> {
        let generation = self.seqlock().read_begin()?;
        let (label, value) = (self.label.load(Relaxed), self.value.load(Relaxed));
        self.seqlock().read_validate(generation).then(|| Region::check(label, value))?;
        Some(generation)
    }
}

#[test]
fn no_value_is_accepted_under_a_label_of_another_generation() {
    loom::model(|| {
        let region = Region::new(1);
        let writer = thread::spawn({
            let region = region.clone();
            move || {
                region.initialize(2);
                region.update();
            }
        });
        region.sample();
        writer.join().unwrap();
        assert_eq!(region.sample(), Some(8), "once initialised, it is valid");
    });
}

#[test]
fn no_value_is_accepted_under_another_label_however_often_a_region_is_initialised() {
    loom::model(|| {
        let region = Region::new(1);
        let writer = thread::spawn({
            let region = region.clone();
            move || {
                region.update();
                region.initialize(2);
                region.initialize(3);
            }
        });
        region.sample();
        writer.join().unwrap();
    });
}

#[test]
fn no_value_is_accepted_under_a_label_that_a_reader_kept_from_another_generation() {
    loom::model(|| {
        let region = Region::new(1);
        let writer = thread::spawn({
            let region = region.clone();
            move || region.initialize(2)
        });
        // Parsed once, and used as long as the generation is the same.
        let mut parsed = None;
        for _ in 0..2 {
            let Some(generation) = region.seqlock().read_begin() else { continue };
            let known = parsed.filter(|(of, _)| *of == generation).map(|(_, label)| label);
            let label = known.unwrap_or_else(|| region.label.load(Relaxed));
            let value = region.value.load(Relaxed);
            if region.seqlock().read_validate(generation) {
                Region::check(label, value);
                parsed = Some((generation, label));
            }
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_region_is_complete_as_soon_as_it_is_valid() {
    loom::model(|| {
        let zero = || AtomicU32::new(0);
        let region = Arc::new(Region {
            magic: [zero(), zero()],
            generation: zero(),
            label: zero(),
            value: zero(),
        });
        let writer = thread::spawn({
            let region = region.clone();
            move || region.initialize(1)
        });
        if let Some(generation) = region.sample() {
            assert_eq!(generation, 1);
            assert_eq!(region.label.load(Relaxed), 1, "not before its fields");
        }
        writer.join().unwrap();
        assert_eq!(region.sample(), Some(1));
    });
}

/// A whole region of one field, a `u32` under a label of one byte. Words that change when it is
/// initialised are atomics.
struct Whole {
    still: [u32; Whole::WORDS],
    /// By their place in words of 4 bytes.
    moving: [(usize, AtomicU32); 5],
}

impl Whole {
    const WORDS: usize = (Header::SIZE + EntryHeader::SIZE + 4 + 8) / 4;
    const GENERATION: usize = Header::GENERATION / 4;
    const PUBLISHED: usize = Header::PUBLISHED / 4;
    const LABEL: usize = (Header::SIZE + EntryHeader::SIZE) / 4;
    const VALUE: usize = Whole::LABEL + 1;

    fn new() -> Arc<Whole> {
        let length = 4 * Whole::WORDS as u32;
        let header = Header {
            magic: MAGIC,
            byte_order: BYTE_ORDER,
            word: 4,
            flags: 0,
            length,
            directory: Header::SIZE as u64,
            check: 0,
            // No test checks it, so that loom has one atomic less to explore.
            layout: 0,
            generation: 7,
            published: Whole::ENTRY,
        };
        let header = Header { check: crc32(0, &header.as_bytes()[..Header::CHECKED]), ..header };
        let bytes = [
            header.as_bytes(),
            Whole::entry().as_bytes(),
            &Whole::label(1).to_ne_bytes(),
            &10_u32.to_ne_bytes(),
            &[0; 4],
        ]
        .concat();
        let still: [u32; Whole::WORDS] = FromBytes::read_from_bytes(&bytes).unwrap();
        let places = [0, Whole::GENERATION, Whole::PUBLISHED, Whole::LABEL, Whole::VALUE];
        Arc::new(Whole { still, moving: places.map(|place| (place, AtomicU32::new(still[place]))) })
    }

    const ENTRY: u32 = EntryHeader::SIZE as u32 + 4;

    fn entry() -> EntryHeader {
        let (length, value) = (Whole::ENTRY, 4 * Whole::VALUE as u32);
        EntryHeader {
            length,
            value,
            size: 4,
            kind: 1,
            ty: b'I',
            access: 1,
            scale: 0,
            divisor: 1,
            label: 1,
            help: 0,
            unit: 0,
            grouping_power: 0,
            max_power: 0,
            flags: 0,
        }
    }

    fn label(label: u8) -> u32 {
        u32::from_ne_bytes([label, 0, 0, 0])
    }

    fn word(&self, place: usize) -> Option<&AtomicU32> {
        self.moving.iter().find(|(at, _)| *at == place).map(|(_, word)| word)
    }

    fn initialize(&self, label: u8) {
        let word = |place| self.word(place).unwrap();
        // The second half of the magic never changes.
        let seqlock = RegionSeqlock {
            magic: [word(0), &AtomicU32::new(MAGIC_WORDS[1])],
            generation: word(Whole::GENERATION),
        };
        seqlock.write_begin();
        word(Whole::PUBLISHED).store(0, Relaxed);
        seqlock.write_end();
        word(Whole::VALUE).store(10 * u32::from(label), Relaxed);
        word(Whole::LABEL).store(Whole::label(label), Relaxed);
        word(Whole::PUBLISHED).store(Whole::ENTRY, Release);
    }
}

/// A source that copies a region's words in either order.
struct Copies {
    of: Arc<Whole>,
    backwards: bool,
}

impl Source for Copies {
    type Error = core::convert::Infallible;

    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, Self::Error> {
        let there = to.len().min(Whole::WORDS / 2 - at / 8);
        let mut copy = |i: usize| {
            let place = at / 4 + i;
            let word = self.of.word(place).map_or(self.of.still[place], |word| word.load(Relaxed));
            to.as_mut_bytes()[4 * i..][..4].copy_from_slice(&word.to_ne_bytes());
        };
        if self.backwards {
            (0..2 * there).rev().for_each(&mut copy)
        } else {
            (0..2 * there).for_each(&mut copy)
        }
        Ok(8 * there)
    }

    fn fence(&self) {
        fence(Acquire);
    }
}

fn a_reader_that_copies_is_right(backwards: bool) {
    let mut model = loom::model::Builder::new();
    // A whole reader takes too many steps for all orders: two preemptions are enough for an error.
    model.preemption_bound = Some(2);
    model.check(move || {
        let whole = Whole::new();
        let writer = thread::spawn({
            let whole = whole.clone();
            move || whole.initialize(2)
        });
        let mut copies = [0; ReadBuffers::words(4 * Whole::WORDS)];
        match read(&Copies { of: whole, backwards }, &mut ReadBuffers::new(&mut copies)) {
            Err(ReadError::Format(FormatError::Uninitialised | FormatError::Contended)) => {}
            Err(error) => panic!("{error:?}"),
            Ok((directory, snapshot)) => {
                for entry in directory.entries().flatten() {
                    let Ok(Value::Unsigned(value)) = snapshot.value(&entry.location) else {
                        panic!("no number")
                    };
                    Region::check(entry.label[0].into(), value as u32);
                }
            }
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_reader_that_copies_shows_no_value_under_another_label() {
    a_reader_that_copies_is_right(false);
}

#[test]
fn a_reader_that_copies_backwards_shows_no_value_under_another_label() {
    a_reader_that_copies_is_right(true);
}

/// A value of two words that several writers add to: the second word is the complement.
#[derive(Default)]
struct Sum {
    value: [AtomicU32; 2],
}

impl Sum {
    /// Adds, as the only writer at this time.
    fn apply(&self, n: u64) {
        let [value, complement] = [0, 1].map(|word: usize| self.value[word].load(Relaxed));
        assert_eq!(value, !complement, "two writers applied at once");
        self.value[0].store(value + n as u32, Relaxed);
        self.value[1].store(!(value + n as u32), Relaxed);
    }
}

#[test]
fn nothing_that_several_writers_add_is_lost_or_left_behind() {
    loom::model(|| {
        let shared = Arc::new((PendingSum::new(), Sum::default()));
        shared.1.value[1].store(u32::MAX, Relaxed);
        let add = |n: u32| {
            let shared = shared.clone();
            thread::spawn(move || shared.0.add(n.into(), |sum| shared.1.apply(sum)))
        };
        for thread in [add(1), add(4)] {
            thread.join().unwrap();
        }
        assert_eq!(shared.1.value[0].load(Relaxed), 5);
    });
}
