//! The directory in flash: the region holds only a header and values.

mod common;

use common::{FieldValue, Shown, Stopped, dead, dead_outside, live_outside, region_in};
use mmstats_core::format::crc32;
use mmstats_core::format::v2::{EXTERNAL_DIRECTORY, Header, UNLOADED_DIRECTORY};
use mmstats_core::model::Recovery;
use mmstats_core::reader::{Directory, FormatError, header};
use mmstats_core::{
    AddError, Average, Constant, ConstantText, Counter, Flag, Gauge, Histogram, Model, RegionError,
    StaticRegion, Text, Timer, V2, model,
};
use proptest::prelude::*;
use std::mem::offset_of;
use zerocopy::IntoBytes;

model! {
    /// With every kind of field.
    struct Motor in "motor." {
        /// Since it was built.
        ///
        /// In two lines.
        boots: Counter<u32>,
        steps: Counter,
        interval: Histogram<2, 8, u32> [microseconds],
        temperature: Gauge<i16> = "temperature.winding" [celsius.e(-1)] => -10,
        moving: Flag,
        volts: Gauge<f64> [volts.over(3)],
        state: Text<12> => "idle",
        mean: Average,
        duration: Timer<Stopped, 2>,
        serial: Constant<u16> => 77,
        version: ConstantText<6> => "1.2",
    }

    /// The model of another program.
    struct Radio { received: Counter<u32>, sent: Counter<u32> }

    struct One { a: Counter<u32> }
    struct Three { a: Counter<u32>, b: Counter<u32>, c: Counter<u32> }
}

const WORDS: usize = Motor::<V2>::SIZE_WITH_FLASH / 8;

/// Publishes the motor, with its directory in flash or in the region, and writes all of it.
fn run(motor: &Motor<V2>) {
    motor.boots.incr();
    motor.steps.add(1 << 40);
    motor.interval.record(9);
    motor.interval.record(200);
    motor.temperature.set(300);
    motor.moving.set(true);
    motor.volts.set(3.3);
    motor.state.set("running");
    motor.mean.record(8.0);
    motor.duration.record(core::time::Duration::from_secs(2));
}

fn entries() -> &'static [u8] {
    Motor::<mmstats_core::V2>::directory().entries
}

#[test]
fn a_reader_shows_the_same_whether_the_directory_is_in_flash_or_in_the_region() {
    let (mut inside, mut outside) = ([0; Motor::SIZE / 8], [0; WORDS]);
    run(&Motor::<V2>::publish(region_in(&mut inside)).unwrap());
    run(&Motor::<V2>::publisher().directory_in_flash().publish(region_in(&mut outside)).unwrap());
    let expected = dead(inside.as_bytes());
    assert_eq!(expected.len(), 12, "a timer has two");
    assert_eq!(dead_outside(outside.as_bytes(), entries()), expected);
    assert_eq!(live_outside(&mut outside, entries()), expected, "and while it may be written");
}

#[test]
fn a_counter_takes_only_its_value_from_the_region() {
    assert_eq!(Three::<V2>::SIZE_WITH_FLASH, (Header::SIZE + 3 * 4).next_multiple_of(8));
    assert_eq!(One::<V2>::SIZE_WITH_FLASH, Header::SIZE + 8, "regions are multiples of 8");
}

#[test]
fn without_the_directory_the_error_has_its_address() {
    let mut memory = [0; WORDS];
    Motor::<V2>::publisher().directory_in_flash().publish(region_in(&mut memory)).unwrap();
    let address = entries().as_ptr().addr() as u64;
    let length = entries().len() as u32;
    assert_eq!(
        Directory::open(memory.as_bytes()).err(),
        Some(FormatError::ExternalDirectory { address, length })
    );
    assert_eq!(header(&memory.as_bytes()[..Header::SIZE]).unwrap().0.directory, address);
    for cut in [0, 4, entries().len() - 1] {
        let opened =
            Directory::open_external(memory.as_bytes(), memory.as_bytes(), &entries()[..cut]);
        assert_eq!(
            opened.err(),
            Some(FormatError::ExternalDirectory { address, length }),
            "{cut} bytes of it are not enough"
        );
    }
}

#[test]
fn a_directory_that_is_only_in_the_elf_file_is_not_looked_for_in_memory() {
    let mut memory = [0; WORDS];
    run(&Motor::<V2>::publisher().directory_in_elf_file().publish(region_in(&mut memory)).unwrap());
    let (head, _) = header(&memory.as_bytes()[..Header::SIZE]).unwrap();
    assert_eq!(head.flags, EXTERNAL_DIRECTORY | UNLOADED_DIRECTORY);
    let (address, length) = (head.directory, entries().len() as u32);
    assert_eq!(
        Directory::open(memory.as_bytes()).err(),
        Some(FormatError::UnloadedDirectory { address, length })
    );
    // Here the program is loaded as a whole, and the bytes in the ELF file are those in flash.
    let mut flash = [0; WORDS];
    run(&Motor::<V2>::publisher().directory_in_flash().publish(region_in(&mut flash)).unwrap());
    assert_eq!(
        dead_outside(memory.as_bytes(), entries()),
        dead_outside(flash.as_bytes(), entries())
    );
}

#[test]
fn stats_with_their_directory_in_the_elf_file_go_on_after_a_reset() {
    let publisher = || Motor::<V2>::publisher().directory_in_elf_file();
    let mut memory = [0; WORDS];
    let (motor, recovery) = publisher().recover(region_in(&mut memory)).unwrap();
    assert_eq!(recovery, Recovery::Fresh);
    motor.boots.incr();
    let (motor, recovery) = publisher().recover(region_in(&mut memory)).unwrap();
    assert_eq!((motor.boots.get(), recovery), (1, Recovery::Resumed));
    let in_flash = Motor::<V2>::publisher().directory_in_flash();
    let (motor, recovery) = in_flash.recover(region_in(&mut memory)).unwrap();
    assert_eq!((motor.boots.get(), recovery), (0, Recovery::Fresh), "another program");
}

#[test]
fn the_flag_of_an_unloaded_directory_is_refused_without_that_of_an_external_one() {
    let mut memory = [0; WORDS];
    Motor::<V2>::publisher().directory_in_elf_file().publish(region_in(&mut memory)).unwrap();
    let bytes = memory.as_mut_bytes();
    bytes[offset_of!(Header, flags)] = UNLOADED_DIRECTORY;
    let check = crc32(0, &bytes[..Header::CHECKED]).to_ne_bytes();
    bytes[Header::CHECKED..][..4].copy_from_slice(&check);
    let expected = FormatError::BadHeader { what: "flags", found: UNLOADED_DIRECTORY.into() };
    assert_eq!(Directory::open(bytes).err(), Some(expected));
}

#[test]
fn a_directory_may_end_at_the_highest_address() {
    let mut memory = [0; WORDS];
    run(&Motor::<V2>::publisher().directory_in_flash().publish(region_in(&mut memory)).unwrap());
    let expected = dead_outside(memory.as_bytes(), entries());
    for address in [u64::MAX - 3, u64::MAX - 7, (u64::MAX - entries().len() as u64) & !3] {
        let mut bytes = memory.as_bytes().to_vec();
        bytes[offset_of!(Header, directory)..][..8].copy_from_slice(&address.to_ne_bytes());
        let check = crc32(0, &bytes[..Header::CHECKED]).to_ne_bytes();
        bytes[Header::CHECKED..][..4].copy_from_slice(&check);
        assert_eq!(dead_outside(&bytes, entries()), expected, "at {address:#x}");
    }
}

#[test]
fn a_directory_of_another_program_is_refused() {
    let mut memory = [0; WORDS];
    Motor::<V2>::publisher().directory_in_flash().publish(region_in(&mut memory)).unwrap();
    let mut wrong = entries().to_vec();
    let last = wrong.len() - 1;
    for at in [0, 30, last] {
        wrong[at] ^= 1;
        let opened = Directory::open_external(memory.as_bytes(), memory.as_bytes(), &wrong);
        assert!(matches!(opened, Err(FormatError::DirectoryMismatch { .. })), "{opened:?}");
        wrong[at] ^= 1;
    }
}

#[test]
fn bytes_after_the_directory_are_ignored() {
    let mut memory = [0; WORDS];
    run(&Motor::<V2>::publisher().directory_in_flash().publish(region_in(&mut memory)).unwrap());
    let mut more = entries().to_vec();
    more.extend([0xa5; 100]);
    assert_eq!(dead_outside(memory.as_bytes(), &more), dead_outside(memory.as_bytes(), entries()));
}

#[test]
fn the_header_has_the_address_and_the_crc_of_the_directory() {
    let directory = Motor::<mmstats_core::V2>::directory();
    assert_eq!(directory.entries.as_ptr().addr() % 4, 0);
    assert_eq!(directory.check, mmstats_core::format::crc32(0, directory.entries));
}

#[test]
fn totals_go_on_after_a_reset() {
    let mut memory = [u64::MAX; WORDS];
    let (motor, kept) =
        Motor::<V2>::publisher().directory_in_flash().recover(region_in(&mut memory)).unwrap();
    assert_eq!(kept, Recovery::Fresh);
    run(&motor);
    let (motor, kept) =
        Motor::<V2>::publisher().directory_in_flash().recover(region_in(&mut memory)).unwrap();
    assert_eq!(kept, Recovery::Resumed);
    motor.boots.incr();
    let shown = dead_outside(memory.as_bytes(), entries());
    let value = |label: &str| {
        shown.iter().find(|field| field.label == label).map(|field: &Shown| field.value.clone())
    };
    assert_eq!(value("motor.boots"), Some(FieldValue::Unsigned(2)));
    assert_eq!(value("motor.steps"), Some(FieldValue::Unsigned(1 << 40)));
    assert_eq!(
        value("motor.temperature.winding"),
        Some(FieldValue::Signed(-10)),
        "gauges start again"
    );
    assert_eq!(value("motor.state"), Some(FieldValue::Text("idle".into())));
    assert_eq!(value("motor.version"), Some(FieldValue::Text("1.2".into())));
}

#[test]
fn after_an_update_of_the_program_the_stats_begin_at_zero() {
    let mut memory = [0; WORDS];
    run(&Motor::<V2>::publisher().directory_in_flash().recover(region_in(&mut memory)).unwrap().0);
    let (radio, kept) =
        Radio::<V2>::publisher().directory_in_flash().recover(region_in(&mut memory)).unwrap();
    assert_eq!((kept, radio.received.get()), (Recovery::Fresh, 0));
    let (_, kept) =
        Motor::<V2>::publisher().directory_in_flash().recover(region_in(&mut memory)).unwrap();
    assert_eq!(kept, Recovery::Fresh);
    let generation = header(memory.as_bytes()).unwrap().0.generation;
    assert_eq!(generation, 3, "readers notice each time");
}

#[test]
fn a_changed_constant_makes_the_stats_begin_at_zero() {
    model! {
        struct Unit {
            version: ConstantText<6> => VERSION.with(core::cell::Cell::get),
            count: Counter<u32>,
        }
    }
    thread_local! { static VERSION: core::cell::Cell<&'static str> = const { core::cell::Cell::new("1.2") } }
    let mut memory = [0; Unit::<V2>::SIZE_WITH_FLASH / 8];
    let mut publish = || {
        let (unit, kept) =
            Unit::<V2>::publisher().directory_in_flash().recover(region_in(&mut memory)).unwrap();
        unit.count.incr();
        (unit.count.get(), kept)
    };
    assert_eq!([publish(), publish()], [(1, Recovery::Fresh), (2, Recovery::Resumed)]);
    VERSION.with(|version| version.set("1.3"));
    assert_eq!(publish(), (1, Recovery::Fresh));
}

#[test]
fn a_region_that_is_too_small_is_an_error_and_one_that_is_larger_is_not() {
    let mut memory = [0; WORDS - 1];
    let length = size_of_val(&memory);
    assert_eq!(
        Motor::<V2>::publisher().directory_in_flash().publish(region_in(&mut memory)).err(),
        Some(AddError::Full { length })
    );
    assert_eq!(memory, [0; WORDS - 1], "and nothing is written");
    let mut memory = [0; WORDS + 100];
    run(&Motor::<V2>::publisher().directory_in_flash().publish(region_in(&mut memory)).unwrap());
    assert_eq!(dead_outside(memory.as_bytes(), entries()).len(), 12);
    assert_eq!(memory[WORDS..], [0; 100]);
}

#[test]
fn a_static_region_is_published_once() {
    static REGION: StaticRegion<{ Three::<V2>::SIZE_WITH_FLASH }> = StaticRegion::new();
    let three = Three::publisher().directory_in_flash().publish(&REGION).unwrap();
    three.b.add(3);
    assert_eq!(
        Three::publisher().directory_in_flash().publish(&REGION).err(),
        Some(AddError::Region(RegionError::AlreadyTaken))
    );
    let mut bytes = [0; Three::<V2>::SIZE_WITH_FLASH / 8];
    assert_eq!(REGION.view().read_at(0, &mut bytes), Three::<V2>::SIZE_WITH_FLASH);
    let shown = dead_outside(bytes.as_bytes(), Three::<mmstats_core::V2>::directory().entries);
    assert_eq!(
        shown.iter().map(|field| &field.value).collect::<Vec<_>>(),
        [&FieldValue::Unsigned(0), &FieldValue::Unsigned(3), &FieldValue::Unsigned(0)]
    );
}

proptest! {
    #[test]
    fn no_bytes_of_region_or_directory_make_a_reader_panic(
        flips in prop::collection::vec((0..WORDS * 8, 0..8u32), 0..4),
        directory_flips in prop::collection::vec((0..500usize, 0..8u32), 0..3),
        cut in 0..WORDS * 8,
        swapped_check: bool,
    ) {
        let mut memory = [0; WORDS];
        let publisher = Motor::publisher().directory_in_flash();
        run(&publisher.publish(region_in(&mut memory)).unwrap());
        let mut directory = entries().to_vec();
        for (at, bit) in directory_flips {
            let at = at % directory.len();
            directory[at] ^= 1 << bit;
        }
        let bytes = memory.as_mut_bytes();
        for (at, bit) in flips {
            bytes[at] ^= 1 << bit;
        }
        if swapped_check {
            // The CRC-32 that a writer of such a directory stores, so that its entries are read.
            let crc = mmstats_core::format::crc32(0, &directory);
            bytes[Header::LAYOUT..][..4].copy_from_slice(&crc.to_ne_bytes());
        }
        for bytes in [&bytes[..], &bytes[..cut]] {
            if let Ok(opened) = Directory::open_external(bytes, bytes, &directory) {
                let snapshot = mmstats_core::reader::Snapshot::from_static_bytes(bytes);
                for entry in opened.entries().flatten() {
                    let _ = snapshot.value(&entry.location);
                }
            }
        }
    }
}
