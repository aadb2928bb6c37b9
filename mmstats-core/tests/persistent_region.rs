//! Regions over a reset: resumed if they hold exactly the model, otherwise initialised.

mod common;

use common::{FieldValue, Shown, Stopped, distribution, region_in, shown};
use core::time::Duration;
use mmstats_core::format::v2::{Header, crc32};
use mmstats_core::model::Recovery;
use mmstats_core::reader::{Directory, Storage};
use mmstats_core::{
    AddError, Average, Constant, ConstantText, Counter, Format, Gauge, Histogram, Latched, Model,
    MovingAverage, Text, Timer, V1, V1Exact, V2, V2Narrow, Writer, model,
};
use proptest::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

model! {
    /// With every type of field.
    struct Motor {
        boots: Counter<u32>,
        /// Since it was built.
        steps: Counter,
        latched: Counter<Latched<u64>> => Latched(5),
        interval: Histogram<2, 8, u32>,
        temperature: Gauge<i16> [celsius.e(-1)] => -10,
        volts: Gauge<f64>,
        state: Text<12> => "idle",
        last_error: Text<5>,
        mean: Average,
        recent: MovingAverage<2>,
        duration: Timer<Stopped, 2>,
        serial: Constant<u16> => 77,
        version: ConstantText<6> => "1.2",
    }
}

/// Larger than any model here needs, so that the header of all is the same.
const WORDS: usize = 500;

/// Publishes the model as after a reset: only the memory is left of the run before.
fn publish<M: Model, F: Format>(memory: &mut [u64]) -> Recovery {
    <M::In<F>>::publisher().recover(region_in(memory)).map(|(_, kept)| kept).unwrap()
}

/// Publishes the motor and writes all of its fields.
fn run<F: Format>(memory: &mut [u64]) -> Recovery {
    let (motor, kept) = Motor::<F>::publisher().recover(region_in(memory)).unwrap();
    motor.boots.incr();
    motor.steps.add(1 << 40);
    motor.latched.add(Latched(1));
    motor.interval.record(9);
    motor.interval.record(200);
    motor.temperature.set(300);
    motor.volts.set(3.3);
    motor.state.set("running");
    motor.last_error.set("none");
    motor.mean.record(8.0);
    motor.recent.record(8.0);
    motor.duration.record(Duration::from_secs(2));
    kept
}

/// Returns what the motor shows after it was published for the `runs + 1`st time.
fn started_after(runs: u64, version_2: bool) -> Vec<(String, FieldValue)> {
    let twice = |values: &[u64]| values.repeat(runs as usize);
    let fields = [
        ("boots", FieldValue::Unsigned(runs)),
        ("steps", FieldValue::Unsigned(runs << 40)),
        ("latched", FieldValue::Unsigned(5 + runs)),
        ("interval", distribution(2, 8, &twice(&[9, 200]))),
        ("temperature", FieldValue::Signed(-10)),
        ("volts", 0.0.into()),
        ("state", "idle".into()),
        ("last_error", "".into()),
        ("mean", 0.0.into()),
        ("recent", 0.0.into()),
        ("duration", 0.0.into()),
        ("duration.histogram", distribution(3, 40, &twice(&[2_000_000_000]))),
        ("serial", FieldValue::Unsigned(77)),
        ("version", "1.2".into()),
    ];
    let all = fields
        .into_iter()
        .filter(|(_, value)| version_2 || !matches!(value, FieldValue::Histogram(..)));
    all.map(|(label, value)| (label.into(), value)).collect()
}

fn fields(memory: &mut [u64]) -> Vec<(String, FieldValue)> {
    shown(&region_in(memory).view())
        .into_iter()
        .map(|Shown { label, value, .. }| (label, value))
        .collect()
}

fn header(memory: &[u64]) -> Header {
    Header::read_from_prefix(memory.as_bytes()).unwrap().0
}

fn totals_go_on<F: Format>() {
    let mut memory = vec![0; WORDS];
    let version_2 = F::WORD > 1 && F::VERSION.number() == 2;
    assert_eq!(run::<F>(&mut memory), Recovery::Fresh);
    let before = header(&memory);
    for runs in 1..5 {
        assert_eq!(publish::<Motor, F>(&mut memory), Recovery::Resumed);
        assert_eq!(fields(&mut memory), started_after(runs, version_2));
        assert_eq!(run::<F>(&mut memory), Recovery::Resumed);
        assert!(!version_2 || header(&memory) == before, "the generation is still the same");
    }
}

#[test]
fn over_a_reset_counters_and_histograms_go_on_and_everything_else_starts_again() {
    totals_go_on::<V2>();
    totals_go_on::<V2Narrow>();
    totals_go_on::<V1>();
    totals_go_on::<V1Exact>();
}

const NONE: mmstats_core::Unit = mmstats_core::Unit::NONE;

model! {
    struct Plain { a: Counter<u32>, b: Gauge<u16> => 3, c: Constant<u8> => 1 }
    struct OtherLabel { a: Counter<u32>, x: Gauge<u16> => 3, c: Constant<u8> => 1 }
    struct OtherPrefix in "p" { a: Counter<u32>, b: Gauge<u16> => 3, c: Constant<u8> => 1 }
    struct OtherOrder { b: Gauge<u16> => 3, a: Counter<u32>, c: Constant<u8> => 1 }
    struct OtherType { a: Counter<u32>, b: Gauge<i16> => 3, c: Constant<u8> => 1 }
    struct OtherWidth { a: Counter<u64>, b: Gauge<u16> => 3, c: Constant<u8> => 1 }
    struct OtherConstant { a: Counter<u32>, b: Gauge<u16> => 3, c: Constant<u8> => 2 }
    struct Fewer { a: Counter<u32>, b: Gauge<u16> => 3 }
    struct Fewest { a: Counter<u32> }
    struct More { a: Counter<u32>, b: Gauge<u16> => 3, c: Constant<u8> => 1, d: Text<3> }
    struct OtherKind { a: Gauge<u32>, b: Gauge<u16> => 3, c: Constant<u8> => 1 }
    struct OtherUnit { a: Counter<u32>, b: Gauge<u16> [seconds] => 3, c: Constant<u8> => 1 }
    struct OtherScale { a: Counter<u32>, b: Gauge<u16> [NONE.e(1)] => 3, c: Constant<u8> => 1 }
    struct OtherDivisor { a: Counter<u32>, b: Gauge<u16> [NONE.over(2)] => 3, c: Constant<u8> => 1 }
    struct OtherHelp { a: Counter<u32>, /** Help. */ b: Gauge<u16> => 3, c: Constant<u8> => 1 }
}

/// How each of several models is published.
type Publish = fn(&mut [u64]) -> Recovery;

fn in_every_format<F: Format>() -> Vec<Publish> {
    vec![
        publish::<Plain, F>,
        publish::<OtherLabel, F>,
        publish::<OtherPrefix, F>,
        publish::<OtherOrder, F>,
        publish::<OtherType, F>,
        publish::<OtherWidth, F>,
        publish::<OtherConstant, F>,
        publish::<Fewer, F>,
        publish::<Fewest, F>,
        publish::<More, F>,
    ]
}

/// Returns models that only version 2 distinguishes.
fn in_version_2<F: Format>() -> Vec<Publish> {
    let only_here: [Publish; 5] = [
        publish::<OtherKind, F>,
        publish::<OtherUnit, F>,
        publish::<OtherScale, F>,
        publish::<OtherDivisor, F>,
        publish::<OtherHelp, F>,
    ];
    in_every_format::<F>().into_iter().chain(only_here).collect()
}

fn others_are_initialised(models: &[Publish], version_2: bool) {
    for (i, first) in models.iter().enumerate() {
        for (j, second) in models.iter().enumerate() {
            let mut fresh = vec![0; 32];
            second(&mut fresh);
            let mut memory = vec![0; 32];
            first(&mut memory);
            let kept = second(&mut memory);
            assert_eq!(
                kept,
                if i == j { Recovery::Resumed } else { Recovery::Fresh },
                "{i} then {j}"
            );
            assert_eq!(fields(&mut memory), fields(&mut fresh), "{i} then {j}");
            if version_2 {
                assert_eq!(header(&memory).generation, if i == j { 1 } else { 2 }, "{i} then {j}");
            }
        }
    }
}

#[test]
fn a_region_of_another_layout_is_initialised() {
    others_are_initialised(&in_version_2::<V2>(), true);
    others_are_initialised(&in_version_2::<V2Narrow>(), true);
    others_are_initialised(&in_every_format::<V1>(), false);
    others_are_initialised(&in_every_format::<V1Exact>(), false);
}

#[test]
fn a_region_of_another_format_is_initialised() {
    let of = [
        publish::<Plain, V2>,
        publish::<Plain, V2Narrow>,
        publish::<Plain, V1>,
        publish::<Plain, V1Exact>,
    ];
    for (i, first) in of.iter().enumerate() {
        for (j, second) in of.iter().enumerate() {
            let mut memory = vec![0; 32];
            first(&mut memory);
            // On a 32-bit machine the first two are one.
            let same = i == j || V2::WORD == V2Narrow::WORD && i + j == 1;
            assert_eq!(
                second(&mut memory),
                if same { Recovery::Resumed } else { Recovery::Fresh },
                "{i} then {j}"
            );
            assert_eq!(fields(&mut memory).len(), 3);
        }
    }
}

#[test]
fn a_region_of_another_length_is_initialised() {
    let mut memory = vec![0; 64];
    assert_eq!(publish::<Plain, V2>(&mut memory[..32]), Recovery::Fresh);
    assert_eq!(publish::<Plain, V2>(&mut memory), Recovery::Fresh);
    assert_eq!(publish::<Plain, V2>(&mut memory[..32]), Recovery::Fresh);
    let too_small = <Plain<V2>>::publisher().recover(region_in(&mut memory[..9])).map(|_| ());
    assert_eq!(too_small, Err(AddError::Full { length: 72 }));
}

/// The meaning of a byte.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Part {
    /// The layout.
    Layout,
    /// Values, free memory, the generation: they may be anything.
    Value,
    /// An index of version 1: its lowest bit belongs to the value, the others are layout.
    Index,
}

fn parts(memory: &[u64]) -> Vec<Part> {
    let bytes = memory.as_bytes();
    let directory = Directory::open(bytes).unwrap();
    let mut parts = vec![Part::Layout; bytes.len()];
    if directory.header().is_some() {
        parts[Header::GENERATION..Header::PUBLISHED].fill(Part::Value);
        parts[Header::SIZE + directory.bytes().len()..].fill(Part::Value);
        return parts;
    }
    let mut end = 0;
    for entry in directory.entries().flatten() {
        let range = entry.location.range();
        // A constant is stored like any other value, but is part of the model.
        if ![b"serial".as_slice(), b"version"].contains(&entry.label) {
            parts[range.clone()].fill(Part::Value);
            parts[range.start] =
                if entry.location.storage == Storage::Double { Part::Index } else { Part::Layout };
        }
        end = range.end;
    }
    // Two zeros end the fields.
    parts[end + 2..].fill(Part::Value);
    parts
}

fn flipped_bits_are_detected<F: Format>() {
    let mut original = vec![0; WORDS];
    run::<F>(&mut original);
    let parts = parts(&original);
    assert!(parts.contains(&Part::Value));
    for (at, part) in parts.iter().enumerate() {
        // One bit is enough for buckets and free memory.
        for bit in if *part == Part::Value { 7..8 } else { 0..8 } {
            let mut memory = original.clone();
            memory.as_mut_bytes()[at] ^= 1 << bit;
            let kept = publish::<Motor, F>(&mut memory);
            let expected = if *part == Part::Value || *part == Part::Index && bit == 0 {
                Recovery::Resumed
            } else {
                Recovery::Fresh
            };
            assert_eq!(kept, expected, "bit {bit} of byte {at}");
            if kept == Recovery::Fresh && bit == 0 {
                assert_eq!(
                    fields(&mut memory),
                    started_after(0, F::VERSION.number() == 2),
                    "bit {bit} of byte {at}"
                );
            }
        }
    }
}

#[test]
fn one_flipped_bit_of_header_or_directory_is_detected_in_version_2() {
    flipped_bits_are_detected::<V2>();
}

#[test]
fn one_flipped_bit_of_header_or_directory_is_detected_in_version_2_of_a_32_bit_machine() {
    flipped_bits_are_detected::<V2Narrow>();
}

#[test]
fn one_flipped_bit_of_the_directory_is_detected_in_version_1() {
    flipped_bits_are_detected::<V1>();
    flipped_bits_are_detected::<V1Exact>();
}

#[test]
fn a_region_that_was_published_in_part_is_initialised() {
    let mut memory = vec![0; 32];
    for fields in 0..3 {
        let mut writer = Writer::<V2>::new(region_in(&mut memory)).unwrap();
        if fields > 0 {
            writer.add::<Counter<u32, _>>(Counter::builder("a")).unwrap().add(9);
        }
        if fields > 1 {
            writer.add::<Gauge<u16, _>>(Gauge::builder("b")).unwrap();
        }
        assert_eq!(publish::<Plain, V2>(&mut memory), Recovery::Fresh, "{fields} fields");
        assert_eq!(
            self::fields(&mut memory)[0],
            ("a".into(), FieldValue::Unsigned(0)),
            "{fields} fields"
        );
    }
    // All fields are there, but the reset came before `published` was stored.
    publish::<Plain, V2>(&mut memory);
    memory.as_mut_bytes()[Header::PUBLISHED..][..4].fill(0);
    assert_eq!(publish::<Plain, V2>(&mut memory), Recovery::Fresh);
    // The reset came while the region was being initialised.
    publish::<Plain, V2>(&mut memory);
    memory.as_mut_bytes()[..4].fill(0);
    assert_eq!(publish::<Plain, V2>(&mut memory), Recovery::Fresh);
}

fn random(words: usize) -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(any::<u64>(), words)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_memory_is_never_mistaken_for_stats(
        memory in random(64),
        first in 0..4_usize,
        sound: bool,
    ) {
        for (publish, starts) in [
            (publish::<Plain, V2> as Publish, 2),
            (publish::<Plain, V2Narrow>, 2),
            (publish::<Plain, V1>, 1),
            (publish::<Plain, V1Exact>, 1),
        ] {
            let mut memory = memory.clone();
            // Makes it resemble a region.
            memory.as_mut_bytes()[0] = if first > 0 { starts } else { memory.as_bytes()[0] };
            if first > 1 {
                publish(&mut memory.clone());
                let one = 1_u16.to_ne_bytes();
                let version_1 = [b"\x01".as_slice(), &one, b"a", &one, b"I\xff"].concat();
                memory.as_mut_bytes()[..8].copy_from_slice(if starts == 2 { b"\x02MMSTATS" } else { &version_1 });
            }
            if sound && starts == 2 {
                let mut other = memory.clone();
                publish(&mut other);
                let length = Header::LAYOUT;
                memory.as_mut_bytes()[..length].copy_from_slice(&other.as_bytes()[..length]);
                let crc = crc32(0, &memory.as_bytes()[Header::SIZE..]);
                memory.as_mut_bytes()[Header::LAYOUT..][..4].copy_from_slice(&crc.to_ne_bytes());
                let published = ((first * 32) as u32).to_ne_bytes();
                memory.as_mut_bytes()[Header::PUBLISHED..][..4].copy_from_slice(&published);
            }
            prop_assert_eq!(publish(&mut memory), Recovery::Fresh);
            let fields: Vec<(String, FieldValue)> = self::fields(&mut memory);
            let expected = [("a", 0), ("b", 3), ("c", 1)].map(|(label, value)| (label.to_owned(), FieldValue::Unsigned(value)));
            prop_assert_eq!(fields, expected);
        }
    }

    #[test]
    fn values_of_any_bits_are_resumed(garbage in random(WORDS)) {
        let mut memory = vec![0; WORDS];
        run::<V2>(&mut memory);
        let directory = Directory::open(memory.as_bytes()).unwrap().bytes().len();
        let values = (Header::SIZE + directory).div_ceil(8);
        memory[values..].copy_from_slice(&garbage[values..]);
        let before = fields(&mut memory);
        prop_assert_eq!(publish::<Motor, V2>(&mut memory), Recovery::Resumed);
        let after = fields(&mut memory);
        for (before, after) in before.iter().zip(&after).filter(|(before, _)| ["boots", "steps", "latched", "interval", "duration.histogram"].contains(&before.0.as_str())) {
            prop_assert_eq!(before, after);
        }
        prop_assert_eq!(&after[4], &("temperature".to_owned(), FieldValue::Signed(-10)));
        prop_assert_eq!(&after[6], &("state".to_owned(), FieldValue::from("idle")));
        prop_assert_eq!(run::<V2>(&mut memory), Recovery::Resumed);
    }
}

fn more_can_be_added<F: Format>() {
    let mut memory = vec![0; 64];
    {
        let mut writer = Writer::<F>::new(region_in(&mut memory)).unwrap();
        writer.add::<Counter<u64, _>>(Counter::builder("a")).unwrap().add(3);
        writer.add::<Gauge<u16, _>>(Gauge::builder("b")).unwrap().set(4);
    }
    let mut writer = Writer::<F>::resume(region_in(&mut memory)).unwrap();
    assert!(!writer.is_resumed());
    let a: Counter<u64, _> = writer.add(Counter::builder("a")).unwrap();
    assert!(!writer.is_resumed(), "one is still missing");
    writer.add::<Gauge<u16, _>>(Gauge::builder("b").initial(9_u16)).unwrap();
    assert!(writer.is_resumed());
    writer.add::<Gauge<u8, _>>(Gauge::builder("c").initial(5)).unwrap();
    a.incr();
    let expected = [("a", 4), ("b", 9), ("c", 5)]
        .map(|(label, value)| (label.to_owned(), FieldValue::Unsigned(value)));
    assert_eq!(fields(&mut memory), expected);

    let mut writer = Writer::<F>::resume(region_in(&mut memory)).unwrap();
    let other = writer.add::<Counter<u64, _>>(Counter::builder("x")).map(|_| ());
    assert_eq!(other, Err(AddError::LayoutDiffers));
    assert_eq!(fields(&mut memory), expected, "a region that differs is unchanged");
    assert!(Writer::<F>::resume(region_in(&mut [0; 64])).is_err(), "there is nothing to resume");
}

#[test]
fn a_layout_crc_that_is_ahead_is_corrected_when_all_fields_are_resumed() {
    let mut memory = vec![0; 64];
    Writer::<V2>::new(region_in(&mut memory))
        .unwrap()
        .add::<Counter<u32, _>>(Counter::builder("a"))
        .unwrap();
    let layout = header(&memory).layout;
    // The writer died before it published one more field, and the memory of that was used
    // otherwise.
    memory.as_mut_bytes()[Header::LAYOUT..][..4].copy_from_slice(&(!layout).to_ne_bytes());
    Writer::<V2>::resume(region_in(&mut memory))
        .unwrap()
        .add::<Counter<u32, _>>(Counter::builder("a"))
        .unwrap();
    assert_eq!(header(&memory).layout, layout);
}

#[test]
fn fields_can_be_added_after_those_that_are_resumed() {
    more_can_be_added::<V2>();
    more_can_be_added::<V2Narrow>();
    more_can_be_added::<V1>();
    more_can_be_added::<V1Exact>();
}
