//! A dump of a device has the same stats as the device, in any format and from any tool; so has the
//! core of a Linux process.
#![cfg(feature = "devices")]

use mmstats_tests::cli::{program, run};
use mmstats_tests::images::Dir;
use mmstats_tests::programs::{Program, tool};
use mmstats_tests::qemu::{Device, Machine, firmware};
use serde_json::json;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A board that was halted during its work.
struct Board {
    device: Device,
    elf: PathBuf,
    dir: Dir,
    /// The address of its RAM, and the number of dumped bytes.
    ram: (u64, u64),
}

impl Board {
    /// Starts it, and halts it after some steps of its motor.
    fn stopped(triple: &str, name: &str, machine: fn(&Path) -> Machine, ram: (u64, u64)) -> Board {
        let elf = firmware(triple, name);
        let device = machine(&elf).gdb().start();
        let board = Board { device, elf, dir: Dir::default(), ram };
        board.device.wait_for("steps", || {
            board.save("look", ram);
            let looked = board.dir.slurp(&[
                "--elf",
                board.elf(),
                "--load-address",
                &ram.0.to_string(),
                "look",
                "-f",
                "motor.steps",
            ]);
            let steps = looked.out.lines().nth(1)?.split_whitespace().last()?.parse::<u32>().ok();
            steps.filter(|steps| *steps > 50)
        });
        board.device.qmp("stop", &json!({}));
        board.save("look", ram);
        board
    }

    /// Lets the emulator save memory as the processor sees it, as a raw image.
    fn save(&self, name: &str, (address, size): (u64, u64)) {
        self.device.qmp(
            "memsave",
            &json!({ "val": address, "size": size, "filename": self.dir.path().join(name) }),
        );
    }

    fn mps2_an385() -> Board {
        Self::stopped(
            "thumbv7m-none-eabi",
            "mps2-an385",
            Machine::mps2_an385,
            (0x2100_0000, 1 << 14),
        )
    }

    fn riscv_virt() -> Board {
        Self::stopped(
            "riscv32imac-unknown-none-elf",
            "riscv-virt",
            Machine::riscv_virt,
            (0x8040_0000, 1 << 14),
        )
    }

    fn microbit() -> Board {
        Self::stopped("thumbv6m-none-eabi", "microbit", Machine::microbit, (0x2000_0000, 16 << 10))
    }

    fn elf(&self) -> &str {
        self.elf.to_str().unwrap()
    }

    /// Returns the address and the content of its region.
    fn expected(&self) -> (u64, String) {
        let regions = read(
            &self.dir,
            &["--elf", self.elf(), "--load-address", &self.ram.0.to_string(), "look"],
        );
        let [(at, fields)] = &regions[..] else { panic!("one region, not {regions:?}") };
        assert!(fields.contains("motor.state ") && fields.contains("motor.interval "), "{fields}");
        (*at, fields.clone())
    }

    /// Runs commands in a debugger.
    fn debug(&self, commands: &[String]) {
        let port = self.device.gdb().port();
        let mut debugger = tool("gdb-multiarch");
        debugger.current_dir(self.dir.path()).args([
            "-batch",
            "-nx",
            "-ex",
            &format!("target remote 127.0.0.1:{port}"),
        ]);
        let outcome = run(debugger
            .args(commands.iter().flat_map(|command| ["-ex", command]).chain(["-ex", "disconnect"]))
            .arg(&self.elf));
        assert_eq!(outcome.status, 0, "{outcome:?}");
    }

    /// Dumps memory by the debugger: raw, Intel HEX, S-records, and further commands.
    fn dump_by_debugger(&self, more: Option<&str>) {
        let (start, end) = (self.ram.0, self.ram.0 + self.ram.1);
        let dumps = ["binary", "ihex", "srec"]
            .map(|format| format!("dump {format} memory {format} {start:#x} {end:#x}"));
        self.debug(&dumps.into_iter().chain(more.map(str::to_owned)).collect::<Vec<_>>());
    }

    /// Returns a core written by the emulator.
    fn dump_by_emulator(&self) {
        let file = self.dir.path().join("qcore");
        self.device.qmp(
            "dump-guest-memory",
            &json!({ "paging": false, "protocol": format!("file:{}", file.display()) }),
        );
    }

    /// Checks that each of these has the address and the content of the region.
    #[track_caller]
    fn assert_same(&self, expected: &(u64, String), ways: &[&[&str]]) {
        for way in ways {
            assert_eq!(read(&self.dir, way), std::slice::from_ref(expected), "{way:?}");
        }
    }
}

/// Returns the address and output of each region that `slurpstats` finds; all have to be intact.
#[track_caller]
fn read(dir: &Dir, arguments: &[&str]) -> Vec<(u64, String)> {
    let outcome = dir.slurp(arguments);
    assert_eq!((outcome.err.as_str(), outcome.status), ("", 0), "{arguments:?}");
    let regions = outcome.out.split_terminator("\n\n").map(|region| {
        let (name, fields) = region.split_once('\n').unwrap_or((region, ""));
        let (_, address) = name.rsplit_once("@0x").expect("a name with an address");
        (u64::from_str_radix(address, 16).expect("an address"), fields.to_owned())
    });
    regions.collect()
}

#[test]
fn every_dump_of_a_cortex_m3_has_the_same_stats() {
    let board = Board::mps2_an385();
    let expected = board.expected();
    let (start, elf) = (board.ram.0.to_string(), board.elf());
    board.dump_by_debugger(Some("generate-core-file gcore"));
    board.dump_by_emulator();
    for elf in [
        &["--elf", elf][..],
        &["--elf", elf, "--symbol", "REGION"],
        &["--region-address", &expected.0.to_string()],
        &[],
    ] {
        let with = |name| [elf, &[name]].concat();
        let loaded = [elf, &["--load-address", &start, "binary"]].concat();
        board.assert_same(
            &expected,
            &[&with("ihex"), &with("srec"), &with("gcore"), &with("qcore"), &loaded],
        );
    }
    // An image without an address, and the RAM itself, which is longer.
    let offset = (expected.0 - board.ram.0, expected.1.clone());
    let ram = board.device.ram().to_str().unwrap();
    board.assert_same(&offset, &[&["binary"], &[ram]]);
}

#[test]
fn every_dump_of_a_risc_v_has_the_same_stats() {
    let board = Board::riscv_virt();
    let expected = board.expected();
    let (start, elf) = (board.ram.0.to_string(), board.elf());
    // No core by the debugger: it would take a minute, as all RAM is one section of the program.
    board.dump_by_debugger(None);
    board.dump_by_emulator();
    board.assert_same(
        &expected,
        &[
            &["ihex"],
            &["srec"],
            &["qcore"],
            &["--load-address", &start, "binary"],
            &["--elf", elf, "qcore"],
        ],
    );
}

#[test]
fn a_directory_in_flash_is_read_from_the_program_or_from_a_dump_of_it() {
    let board = Board::microbit();
    let expected = board.expected();
    let (start, elf) = (board.ram.0.to_string(), board.elf());
    board.dump_by_debugger(Some("generate-core-file gcore"));
    for name in ["ihex", "srec", "gcore"] {
        board.assert_same(
            &expected,
            &[&["--elf", elf, name], &["--elf", elf, "--symbol", "microbit::REGION", name]],
        );
    }
    board.assert_same(&expected, &[&["--elf", elf, "--load-address", &start, "binary"]]);
    board
        .assert_same(&(expected.0 - board.ram.0, expected.1.clone()), &[&["--elf", elf, "binary"]]);
    let alone = board.dir.slurp(&["ihex"]);
    assert!(
        alone.status == 1
            && alone.out.is_empty()
            && alone.err.contains("the directory is in the program's flash"),
        "{alone:?}"
    );
    let other = firmware("thumbv7m-none-eabi", "mps2-an385");
    let other = board.dir.slurp(&["ihex", "--elf", other.to_str().unwrap()]);
    assert!(
        other.status == 1
            && other.out.is_empty()
            && other.err.contains("from other firmware than mps2-an385"),
        "{other:?}"
    );

    // The address space up to the end of RAM, as one sparse image that includes flash.
    let all = File::create(board.dir.path().join("all")).unwrap();
    for (at, size) in [(0, 256 << 10), board.ram] {
        board.save("part", (at, size));
        all.write_all_at(&fs::read(board.dir.path().join("part")).unwrap(), at).unwrap();
    }
    board.assert_same(&expected, &[&["all"], &["--load-address", "0", "all"]]);
}

#[test]
fn the_ram_of_a_device_that_was_killed_is_read() {
    let dir = Dir::default();
    let ram = dir.path().join("ram");
    let device =
        Machine::mps2_an385(&firmware("thumbv7m-none-eabi", "mps2-an385")).ram(&ram).start();
    let steps =
        || dir.slurp(&["--json", "-f", "motor.steps", "ram"]).out.lines().next().map(str::to_owned);
    let before =
        device.wait_for("steps", || steps().filter(|line| !line.contains(r#""value":0,"#)));
    drop(device);
    let after = read(&dir, &["ram"]);
    assert!(
        after.len() == 1 && steps().is_some_and(|line| line.contains(r#""value":"#)),
        "{before} and then {after:?}"
    );
    assert_eq!(fs::metadata(ram).unwrap().len(), 16 << 20);
}

/// Returns a core of a process that publishes, with this core filter.
fn process_core(dir: &Dir, filter: &str) -> (String, String) {
    let mut process = Program::start(env!("CARGO_BIN_EXE_holds_regions"), dir.path(), &[]);
    let file = process.line();
    process.expect("ready");
    fs::write(format!("/proc/{}/coredump_filter", process.pid()), filter).unwrap();
    let core = dir.path().join(filter);
    let outcome = run(Command::new("gcore").arg("-o").arg(&core).arg(process.pid().to_string()));
    assert_eq!(outcome.status, 0, "this test needs gcore (apt-get install gdb): {outcome:?}");
    (file, format!("{filter}.{}", process.pid()))
}

#[test]
fn the_core_of_a_process_has_its_static_regions_and_mapped_files() {
    let dir = Dir::default();
    let elf = env!("CARGO_BIN_EXE_holds_regions");
    let statics = [
        "  kept.things 33",
        "  inside.things 11\n  inside.level  0.5",
        "  outside.things  22\n  outside.version 1.2.3",
    ];
    let fields = |regions: Vec<(u64, String)>| {
        regions.into_iter().map(|(_, fields)| fields).collect::<Vec<_>>()
    };

    let (file, core) = process_core(&dir, "0x3f");
    let text = run(Command::new(program("--bin", "slurpstats")).arg(&file)).out;
    let (_, in_file) = text.split_once('\n').unwrap();
    let found = fields(read(&dir, &["--elf", elf, &core]));
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(
        statics.iter().all(|text| found.contains(&(*text).to_owned()))
            && found.contains(&in_file.trim_end().to_owned()),
        "{found:#?}"
    );
    for (symbol, text) in
        [("KEPT", statics[0]), ("holds_regions::INSIDE", statics[1]), ("OUTSIDE", statics[2])]
    {
        assert_eq!(fields(read(&dir, &["--elf", elf, "--symbol", symbol, &core])), [text]);
    }

    // Only anonymous memory.
    let (_, core) = process_core(&dir, "0x1");
    let mut found = fields(read(&dir, &["--elf", elf, &core]));
    found.sort();
    assert_eq!(found, [statics[1], statics[0], statics[2]]);
}
