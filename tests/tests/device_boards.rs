//! Every board starts in QEMU, is read while it runs, and ends with the output kept next to its
//! source.
#![cfg(feature = "devices")]

use mmstats_tests::cli::{program, run};
use mmstats_tests::files::{Held, Values};
use mmstats_tests::firmware::{Live, probe, regions};
use mmstats_tests::qemu::{Device, Machine, firmware};
use std::convert::identity;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Targets with atomic instructions, and without.
const RISC_V: [&str; 2] = ["riscv32imac-unknown-none-elf", "riscv32imc-unknown-none-elf"];

/// The address and size of a micro:bit's RAM.
const MICROBIT_RAM: (u64, u64) = (0x2000_0000, 16 << 10);

/// A running board.
struct Board {
    device: Device,
    program: PathBuf,
    /// Its stats; `None` if its RAM is not a file.
    live: Option<Live>,
}

impl Board {
    fn mps2_an385(prepare: fn(Machine) -> Machine) -> Board {
        Self::with_file(firmware("thumbv7m-none-eabi", "mps2-an385"), |program| {
            prepare(Machine::mps2_an385(program))
        })
    }

    fn riscv_virt(triple: &str, prepare: fn(Machine) -> Machine) -> Board {
        Self::with_file(firmware(triple, "riscv-virt"), |program| {
            prepare(Machine::riscv_virt(program))
        })
    }

    fn with_file(program: PathBuf, machine: impl FnOnce(&Path) -> Machine) -> Board {
        let device = machine(&program).start();
        let live = device.wait_for("a region", || Live::find(device.ram()));
        Board { device, program, live: Some(live) }
    }

    fn microbit(prepare: fn(Machine) -> Machine) -> Board {
        let program = firmware("thumbv6m-none-eabi", "microbit");
        Board { device: prepare(Machine::microbit(&program)).gdb().start(), program, live: None }
    }

    fn values(&self) -> Option<Values> {
        match &self.live {
            Some(live) => live.values(),
            None => probe(&self.device, MICROBIT_RAM.0, MICROBIT_RAM.1),
        }
    }

    /// Waits for values that satisfy a condition, and returns them.
    fn values_when(&self, what: &str, holds: impl Fn(&Values) -> bool) -> Values {
        self.device.wait_for(what, || self.values().filter(&holds))
    }

    /// Reads it twice while it runs.
    fn advances(&self) {
        let first = self.values_when("steps", |values| values.count("motor.steps") > 0);
        let then = first.count("motor.steps");
        let second =
            self.values_when("more steps", |values| values.count("motor.steps") > then + 100);
        assert!(second.count("motor.distance") > first.count("motor.distance"));
        assert!(intervals(&second) > intervals(&first));
        assert_eq!((first.count("motor.boots"), second.count("motor.boots")), (1, 1));
    }

    /// Waits until it has done its work, and compares the output of its memory with the file next
    /// to the program's source.
    fn ends_as_expected(&self, kept: &str) {
        self.values_when("the end of its work", |values| {
            values.text("motor.state") == "done" && values.count("motor.temperature") == 200
        });
        let mut slurpstats = Command::new(program("--bin", "slurpstats"));
        match self.live {
            Some(_) => slurpstats.arg(self.device.ram()),
            None => slurpstats
                .arg("--elf")
                .arg(&self.program)
                .arg(format!("gdb://{}", self.device.gdb())),
        };
        let outcome = run(&mut slurpstats);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let (_, printed) =
            outcome.out.split_once('\n').expect("a line that names the file, and others");
        assert_eq!(printed.trim_end(), kept.trim_end());
    }
}

fn intervals(values: &Values) -> u64 {
    match values.get("motor.interval") {
        Held::Spread { count, .. } => *count,
        other => panic!("{other:?} is not a histogram"),
    }
}

#[test]
fn a_cortex_m3_is_read_while_it_runs() {
    Board::mps2_an385(identity).advances();
}

#[test]
fn a_cortex_m3_ends_as_expected() {
    Board::mps2_an385(Machine::hurried)
        .ends_as_expected(include_str!("../../targets/mps2-an385/expected.txt"));
}

#[test]
fn a_cortex_m0_is_read_while_it_runs() {
    Board::microbit(identity).advances();
}

#[test]
fn a_cortex_m0_ends_as_expected() {
    Board::microbit(Machine::hurried)
        .ends_as_expected(include_str!("../../targets/microbit/expected.txt"));
}

#[test]
fn a_risc_v_is_read_while_it_runs() {
    for triple in RISC_V {
        Board::riscv_virt(triple, identity).advances();
    }
}

#[test]
fn a_risc_v_ends_as_expected() {
    for triple in RISC_V {
        Board::riscv_virt(triple, Machine::hurried)
            .ends_as_expected(include_str!("../../targets/riscv-virt/expected.txt"));
    }
}

#[test]
fn a_directory_that_takes_no_memory_is_read_from_the_elf_file_alone() {
    let path = |name| firmware("thumbv6m-none-eabi", name);
    let device = Machine::microbit(&path("microbit-elf")).gdb().start();
    let slurpstats = |arguments: &[&str]| {
        let url = format!("gdb://{}", device.gdb());
        run(Command::new(program("--bin", "slurpstats")).args(arguments).arg(url))
    };
    let address = device.wait_for("a region", || {
        let ram = device.memory(MICROBIT_RAM.0, MICROBIT_RAM.1);
        regions(&ram).first().map(|at| (MICROBIT_RAM.0 + *at as u64).to_string())
    });
    let (own, other) = (path("microbit-elf"), path("microbit"));

    let read = slurpstats(&["--elf", own.to_str().unwrap()]);
    assert_eq!(read.status, 0, "{read:?}");
    for label in ["motor.boots", "motor.steps", "motor.interval", "motor.temperature"] {
        assert!(read.out.contains(label), "{read:?}");
    }

    let refused = slurpstats(&["--region-address", &address]);
    assert_eq!((refused.status, refused.out.as_str()), (1, ""), "{refused:?}");
    let expected = "the directory is only in the program's ELF file, ";
    assert!(refused.err.contains(expected) && refused.err.contains("--elf"), "{refused:?}");

    let refused = slurpstats(&["--elf", other.to_str().unwrap(), "--region-address", &address]);
    assert_eq!((refused.status, refused.out.as_str()), (1, ""), "{refused:?}");
    let expected = "from other firmware than microbit, whose section .mmstats does not have the ";
    assert!(refused.err.contains(expected), "{refused:?}");
}

#[test]
fn an_interrupt_and_main_of_a_cortex_m0_lose_no_count_of_shared_fields() {
    // Only while it counts instructions does QEMU interrupt between any two of them.
    let program = firmware("thumbv6m-none-eabi", "microbit-shared");
    let device = Machine::microbit(&program).hurried().start();
    let values = device.wait_for("the end of its work", || {
        probe(&device, MICROBIT_RAM.0, MICROBIT_RAM.1)
            .filter(|values| values.0.get("done") == Some(&Held::Flag(true)))
    });
    let [by_main, by_timer, narrow] =
        ["by_main", "by_timer", "narrow"].map(|label| values.count(label));
    assert!(by_main > 1000 && by_timer == 3000, "{values:?}");
    assert_eq!(narrow, by_main + by_timer);
    assert_eq!(values.count("wide"), narrow << 30);
    assert_eq!(values.count("balance"), 0);
    assert_eq!(values.count("highest"), by_main.max(by_timer));
    assert_eq!(*values.get("sizes"), Held::Spread { count: narrow, sum: 5 * narrow });
}
