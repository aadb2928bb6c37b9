//! A device that starts continues the stats that it finds in its RAM, and reinitialises anything
//! else.
//!
//! The RAM is a file that outlives QEMU, so a test can change it between two runs.
#![cfg(feature = "devices")]

use mmstats_core::format::v2::Header;
use mmstats_tests::damage::Random;
use mmstats_tests::files::{Held, Values};
use mmstats_tests::firmware::{Live, probe};
use mmstats_tests::programs;
use mmstats_tests::qemu::{Machine, firmware};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A board whose RAM is a file.
#[derive(Clone, Copy)]
struct Board {
    machine: fn(&Path) -> Machine,
    triple: &'static str,
    program: &'static str,
    /// The offset of the persistent region in its RAM.
    kept: usize,
}

/// The bytes reserved for the persistent region.
const REGION_BYTES: usize = 4096;

const CORTEX_M3: Board = Board {
    machine: Machine::mps2_an385,
    triple: "thumbv7m-none-eabi",
    program: "mps2-an385",
    kept: 0,
};

/// A later version of the same program.
const UPDATED: Board = Board { program: "mps2-an385-updated", ..CORTEX_M3 };

const BOARDS: [Board; 3] = [
    CORTEX_M3,
    Board {
        machine: Machine::riscv_virt,
        triple: "riscv32imac-unknown-none-elf",
        program: "riscv-virt",
        kept: 4 << 20,
    },
    Board {
        machine: Machine::riscv_virt,
        triple: "riscv32imc-unknown-none-elf",
        program: "riscv-virt",
        kept: 4 << 20,
    },
];

impl Board {
    fn machine(&self) -> Machine {
        (self.machine)(&firmware(self.triple, self.program))
    }

    /// Starts it with this RAM, lets it make a few steps, and cuts its power. Returns its stats
    /// after those steps.
    fn run(&self, ram: &Path) -> Values {
        self.run_until(ram, self.machine(), |_| true)
    }

    /// Like [`Self::run`], but with many steps in virtual time.
    fn run_for_long(&self, ram: &Path) -> Values {
        self.run_until(ram, self.machine().hurried(), |values| values.count("motor.steps") > 20_000)
    }

    fn run_until(&self, ram: &Path, machine: Machine, is_enough: fn(&Values) -> bool) -> Values {
        // Until the program starts, its predecessor's stats are still readable.
        let found = Live::find(ram)
            .and_then(|live| live.values())
            .map(|values| values.count("motor.steps"));
        // After the second step, everything that the first one counts is visible.
        let begins = |values: &Values| {
            values.count("motor.steps") > 1
                && found.is_none_or(|found| values.count("motor.steps").abs_diff(found) > 1)
        };
        let device = machine.ram(ram).start();
        device.wait_for("steps", || {
            Live::find(ram)?.values().filter(|values| begins(values) && is_enough(values))
        })
    }

    /// Returns the bytes of the persistent region in its RAM.
    fn kept(&self, ram: &Path) -> Vec<u8> {
        fs::read(ram).unwrap()[self.kept..][..REGION_BYTES].to_vec()
    }

    fn generation(&self, ram: &Path) -> u32 {
        u32::from_le_bytes(*self.kept(ram)[Header::GENERATION..].first_chunk().unwrap())
    }
}

/// Returns all cumulative values.
fn counts(values: &Values) -> [u64; 4] {
    let Held::Spread { count, sum } = *values.get("motor.interval") else {
        panic!("{:?} is no histogram", values.get("motor.interval"))
    };
    [values.count("motor.steps"), values.count("motor.distance"), count, sum]
}

/// Checks that stats started with this run, not with `before`.
fn assert_reinitialised(values: &Values, before: &Values) {
    assert_eq!(values.count("motor.boots"), 1);
    let (now, before) = (counts(values), counts(before));
    assert!((0..4).all(|i| now[i] < before[i]), "{now:?} after {before:?}");
}

/// Checks that stats continue from `before`.
fn assert_continues(values: &Values, before: &Values) {
    assert_eq!(values.count("motor.boots"), before.count("motor.boots") + 1);
    let (now, before) = (counts(values), counts(before));
    assert!((0..4).all(|i| now[i] > before[i]), "{now:?} after {before:?}");
}

#[test]
fn counters_continue_after_a_reset() {
    for board in BOARDS {
        let device = board.machine().start();
        let live = device.wait_for("a region", || Live::find(device.ram()));
        let mut before = device
            .wait_for("steps", || live.values().filter(|values| values.count("motor.steps") > 100));
        for _ in 0..3 {
            device.reset();
            let boots = before.count("motor.boots");
            let is_later = |values: &Values| {
                values.count("motor.boots") > boots
                    && values.count("motor.steps") > before.count("motor.steps") + 100
            };
            let after = device.wait_for("steps after the reset", || live.values().filter(is_later));
            assert_continues(&after, &before);
            before = after;
        }
        assert_eq!(board.generation(device.ram()), 1);
    }
}

#[test]
fn counters_continue_after_a_reset_of_a_micro_bit() {
    let device = Machine::microbit(&firmware("thumbv6m-none-eabi", "microbit")).start();
    let stats = || probe(&device, 0x2000_0000, 16 << 10);
    let before =
        device.wait_for("steps", || stats().filter(|values| values.count("motor.steps") > 100));
    device.reset();
    let after = device.wait_for("steps after the reset", || {
        stats().filter(|values| {
            values.count("motor.boots") > 1
                && values.count("motor.steps") > before.count("motor.steps") + 1
        })
    });
    assert_continues(&after, &before);
}

#[test]
fn counters_continue_after_a_power_cut_at_any_moment_if_ram_is_kept() {
    for board in BOARDS {
        let directory = programs::directory();
        let ram = directory.path().join("ram");
        let mut before = board.run_for_long(&ram);
        for _ in 0..4 {
            let after = board.run(&ram);
            assert_continues(&after, &before);
            // It made more steps before it ended.
            before = Live::find(&ram).unwrap().values().unwrap();
        }
        assert_eq!(board.generation(&ram), 1);
    }
}

#[test]
fn a_changed_layout_is_reinitialised() {
    let directory = programs::directory();
    let ram = directory.path().join("ram");
    let old = CORTEX_M3.run_for_long(&ram);
    assert!(!old.0.contains_key("motor.missed"));

    let first = UPDATED.run(&ram);
    assert_reinitialised(&first, &old);
    assert_eq!(first.count("motor.missed"), 0);
    assert_eq!(UPDATED.generation(&ram), 2, "the same memory, reinitialised");
    let second = UPDATED.run_for_long(&ram);
    assert_continues(&second, &first);

    let back = CORTEX_M3.run(&ram);
    assert_reinitialised(&back, &second);
    assert!(!back.0.contains_key("motor.missed"));
    assert_eq!(CORTEX_M3.generation(&ram), 3);
}

#[test]
fn random_memory_is_never_taken_for_stats() {
    for (board, seed) in BOARDS.into_iter().flat_map(|board| (0..4).map(move |seed| (board, seed)))
    {
        let directory = programs::directory();
        let ram = directory.path().join("ram");
        let mut random = Random(seed);
        let noise: Vec<u8> = (0..1 << 20).map(|_| random.below(256) as u8).collect();
        fs::write(&ram, noise.repeat(16)).unwrap();
        let found = board.run(&ram);
        assert_eq!(found.count("motor.boots"), 1, "with seed {seed}");
        assert!(counts(&found)[0] < 1000, "{:?} with seed {seed}", counts(&found));

        let kept = board.kept(&ram);
        let length = u32::from_le_bytes(*kept[12..].first_chunk().unwrap()) as usize;
        assert!(
            kept[length..] == noise[board.kept % noise.len()..][length..REGION_BYTES],
            "the memory was not random when the program began"
        );
        assert_continues(&board.run(&ram), &found);
    }
}

#[test]
fn one_flipped_bit_in_header_or_directory_causes_reinitialisation() {
    let mut random = Random(1);
    for board in &BOARDS[..2] {
        let directory = programs::directory();
        let ram = directory.path().join("ram");
        let before = board.run_for_long(&ram);
        let kept = board.kept(&ram);
        let published =
            u32::from_le_bytes(*kept[Header::PUBLISHED..].first_chunk().unwrap()) as usize;
        let flip = |bit: usize| {
            let mut kept = kept.clone();
            kept[bit / 8] ^= 1 << (bit % 8);
            File::options()
                .write(true)
                .open(&ram)
                .unwrap()
                .write_all_at(&kept, board.kept as u64)
                .unwrap();
        };

        let every_header_field =
            [0, 7, 8, 10, 11, 12, 16, 24, 28, 36].map(|at| at * 8 + random.below(8));
        let some_of_the_directory: [usize; 10] =
            std::array::from_fn(|_| Header::SIZE * 8 + random.below(published * 8));
        for bit in every_header_field.into_iter().chain(some_of_the_directory) {
            flip(bit);
            let after = board.run(&ram);
            assert_eq!(
                after.count("motor.boots"),
                1,
                "with bit {} of byte {} flipped",
                bit % 8,
                bit / 8
            );
            assert_reinitialised(&after, &before);
            assert!(
                after.0.keys().eq(before.0.keys()),
                "with bit {} of byte {} flipped: {:?}",
                bit % 8,
                bit / 8,
                after.0.keys()
            );
        }

        // The generation belongs to no layout; the region was continued unchanged.
        flip(Header::GENERATION * 8 + 4);
        assert_continues(&board.run(&ram), &before);
        assert_eq!(board.generation(&ram), 0x11);
    }
}
