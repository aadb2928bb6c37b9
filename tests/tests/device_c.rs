//! The motor in C does what the motor in Rust does, on both boards and wherever its directory is.
#![cfg(feature = "devices")]

use mmstats_tests::cli::{program, run};
use mmstats_tests::qemu::{Device, Machine, firmware};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// A board and the folder of its program.
#[derive(Clone, Copy)]
struct Board {
    machine: fn(&Path) -> Machine,
    triple: &'static str,
    program: &'static str,
    /// The address of its RAM, and the offset of the region in it.
    ram: u64,
    region: u64,
}

const CORTEX_M3: Board = Board {
    machine: Machine::mps2_an385,
    triple: "thumbv7m-none-eabi",
    program: "mps2-an385",
    ram: 0x2100_0000,
    region: 0,
};

const RISC_V: Board = Board {
    machine: Machine::riscv_virt,
    triple: "riscv32imac-unknown-none-elf",
    program: "riscv-virt",
    ram: 0x8000_0000,
    region: 4 << 20,
};

const BOARDS: [Board; 3] =
    [CORTEX_M3, RISC_V, Board { triple: "riscv32imc-unknown-none-elf", ..RISC_V }];

/// The ends of programs' names: with the directory in flash, and in RAM.
const VARIANTS: [&str; 2] = ["-c", "-c-ram"];

/// A running board.
struct Running {
    device: Device,
    /// The arguments that find its stats.
    arguments: Vec<OsString>,
}

impl Running {
    fn start(board: Board, variant: &str, prepare: fn(Machine) -> Machine) -> Running {
        let elf = firmware(board.triple, &format!("{}{variant}", board.program));
        let device = prepare((board.machine)(&elf)).start();
        let arguments = match variant {
            // The program has the directory, and its symbols the region's address.
            "-c" | "-c-contended" => {
                let address = board.ram.to_string().into();
                vec!["--elf".into(), elf.into(), "--load-address".into(), address]
            }
            _ => vec!["--region-address".into(), board.region.to_string().into()],
        };
        Running { device, arguments }
    }

    /// Returns the lines of `slurpstats` about its fields; `None` while there are no stats.
    fn fields(&self) -> Option<String> {
        let mut slurpstats = Command::new(program("--bin", "slurpstats"));
        let outcome = run(slurpstats.args(&self.arguments).arg(self.device.ram()));
        let (_, fields) = outcome.out.split_once('\n').filter(|_| outcome.status == 0)?;
        Some(fields.trim_end().to_owned())
    }

    /// Returns the values of these fields; `None` while there are none.
    fn values<const N: usize>(&self, labels: [&str; N]) -> Option<[u64; N]> {
        let fields = self.fields()?;
        let mut values = [0; N];
        for (value, label) in values.iter_mut().zip(labels) {
            let line = fields.lines().find_map(|line| line.trim().strip_prefix(label))?;
            *value = line.trim().parse().ok()?;
        }
        Some(values)
    }

    /// Waits until it has made more than this many steps, and returns how often it was started and
    /// the steps.
    fn after(&self, steps: u64) -> [u64; 2] {
        self.device.wait_for("steps", || {
            self.values(["motor.boots", "motor.steps"]).filter(|found| found[1] > steps)
        })
    }
}

#[test]
fn the_motor_in_c_ends_as_that_in_rust() {
    let expected = include_str!("../../targets/mps2-an385/expected.txt").trim_end();
    for board in BOARDS {
        for variant in VARIANTS {
            let running = Running::start(board, variant, Machine::hurried);
            let end = running.device.wait_for("the end of its work", || {
                let is_end = |fields: &String| {
                    fields.ends_with("motor.state       done")
                        && fields.contains("motor.temperature 20\n")
                };
                running.fields().filter(is_end)
            });
            assert_eq!(end, expected, "{}{variant}", board.program);
        }
    }
}

#[test]
fn counters_in_c_continue_after_a_reset() {
    for board in BOARDS {
        for variant in VARIANTS {
            let running = Running::start(board, variant, |machine| machine);
            let [boots, steps] = running.after(100);
            assert_eq!(boots, 1);
            running.device.reset();
            let [boots, _] = running.after(steps + 100);
            assert_eq!(boots, 2, "{}{variant}", board.program);
        }
    }
}

#[test]
fn an_interrupt_and_main_lose_no_count_of_shared_fields() {
    for board in BOARDS {
        // Only while it counts instructions does QEMU interrupt between any two of them.
        let running = Running::start(board, "-c-contended", Machine::hurried);
        let fields = running.device.wait_for("the end of its work", || {
            running.fields().filter(|fields| fields.ends_with("done     True"))
        });
        let labels = ["by_main", "by_timer", "narrow", "wide", "byte", "balance", "highest"];
        let [by_main, by_timer, narrow, wide, byte, balance, highest] =
            running.values(labels).expect("they are there");
        assert_eq!(narrow, by_main + by_timer, "{fields}");
        assert_eq!((wide, byte, balance), (narrow << 30, narrow & 0xff, 0), "{fields}");
        assert_eq!(highest, by_main.max(by_timer), "{fields}");
        assert!(fields.contains(&format!(" count {narrow}, mean 5, ")), "{fields}");
    }
}
