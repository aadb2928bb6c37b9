//! The protocols of `src/protocol.rs` under loom, which tries every order that the memory model allows:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p mmstats-core --release --test loom
//! ```
//!
//! With `--cfg mmstats_without_writer_fence` the tests of the latch fail, with `--cfg mmstats_without_anew_fence` those of regions made anew: a fence that
//! no test misses could go, and here none can.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::AtomicU32;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;
use mmstats_core::{Validity, format::MAGIC_WORDS, latch_read, latch_write};

/// A latched value of two words, which agree in every value ever written.
struct Latch {
    sequence: AtomicU32,
    buffers: [[AtomicU32; 2]; 2],
}

impl Latch {
    fn new() -> Arc<Latch> {
        Arc::new(Latch { sequence: AtomicU32::new(0), buffers: [(); 2].map(|()| [(); 2].map(|()| AtomicU32::new(0))) })
    }

    fn write(&self, value: u32) {
        latch_write(&self.sequence, |buffer| self.buffers[buffer].iter().for_each(|word| word.store(value, Relaxed)));
    }

    fn read(&self) -> Option<[u32; 2]> {
        latch_read(&self.sequence, |buffer| [0, 1].map(|word| self.buffers[buffer][word].load(Relaxed)))
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
            // Half a write: the words of the buffer that nobody takes, and no sequence.
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
        Arc::new(Region { magic, generation: AtomicU32::new(7), label: AtomicU32::new(label), value: AtomicU32::new(10 * label) })
    }

    fn validity(&self) -> Validity<'_> {
        Validity { magic: [&self.magic[0], &self.magic[1]], generation: &self.generation }
    }

    fn make_anew(&self, label: u32) {
        let validity = self.validity();
        validity.begin_anew();
        self.label.store(label, Relaxed);
        self.value.store(10 * label, Relaxed);
        validity.finish_anew();
    }

    /// What its handle does when it is valid.
    fn update(&self) {
        self.value.store(self.value.load(Relaxed) + 1, Relaxed);
    }

    fn check(label: u32, value: u32) {
        assert_eq!(value / 10, label, "the value {value} under the label {label}");
    }

    /// One sample that keeps nothing from before; tells the generation.
    fn sample(&self) -> Option<u32> {
        let generation = self.validity().begin_sample()?;
        let (label, value) = (self.label.load(Relaxed), self.value.load(Relaxed));
        self.validity().end_sample(generation).then(|| Region::check(label, value))?;
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
                region.make_anew(2);
                region.update();
            }
        });
        region.sample();
        writer.join().unwrap();
        assert_eq!(region.sample(), Some(8), "once made anew, it is valid");
    });
}

#[test]
fn no_value_is_accepted_under_another_label_however_often_a_region_is_made_anew() {
    loom::model(|| {
        let region = Region::new(1);
        let writer = thread::spawn({
            let region = region.clone();
            move || {
                region.update();
                region.make_anew(2);
                region.make_anew(3);
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
            move || region.make_anew(2)
        });
        // Parsed once, and used as long as the generation is the same.
        let mut parsed = None;
        for _ in 0..2 {
            let Some(generation) = region.validity().begin_sample() else { continue };
            let known = parsed.filter(|(of, _)| *of == generation).map(|(_, label)| label);
            let label = known.unwrap_or_else(|| region.label.load(Relaxed));
            let value = region.value.load(Relaxed);
            if region.validity().end_sample(generation) {
                Region::check(label, value);
                parsed = Some((generation, label));
            }
        }
        writer.join().unwrap();
    });
}

#[test]
fn what_is_published_for_the_first_time_is_complete_when_it_is_valid() {
    loom::model(|| {
        let zero = || AtomicU32::new(0);
        let region = Arc::new(Region { magic: [zero(), zero()], generation: zero(), label: zero(), value: zero() });
        let writer = thread::spawn({
            let region = region.clone();
            move || region.make_anew(1)
        });
        if let Some(generation) = region.sample() {
            assert_eq!(generation, 1);
            assert_eq!(region.label.load(Relaxed), 1, "not before its fields");
        }
        writer.join().unwrap();
        assert_eq!(region.sample(), Some(1));
    });
}
