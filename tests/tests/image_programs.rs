//! A program's ELF file has the addresses of regions, and the directory of those that keep it in
//! flash.

use mmstats_tests::cli::golden;
use mmstats_tests::elf::Elf;
use mmstats_tests::hex::{lines, texts};
use mmstats_tests::images::{
    Dir, assert_prints, assert_reports, image, native_core, native_program, pump, pump_at,
    pump_with_flash, pumps,
};
use std::fs;

/// Returns the descriptor of a region at this address.
fn descriptor(address: usize) -> Vec<u8> {
    [&b"\x02MMSTATD"[..], &address.to_ne_bytes(), &512_u32.to_ne_bytes()].concat()
}

#[test]
fn a_directory_in_flash_comes_from_the_elf_file_or_from_the_same_memory() {
    let dir = Dir::default();
    let (region, directory) = pump_with_flash(1);
    let ram = image(4096, &[(64, &region), (2048, &pump(2))]);
    let firmware = native_program()
        .constants(directory.address - 16, &[&[0xff; 16], directory.entries, &[0xff; 100]].concat())
        .zeros(0x2000_0000, 4096);
    dir.file("fw.elf", &firmware.build());
    dir.file("ram", &ram);
    dir.file("core", &native_core().physical(0x2000_0000, 0, &ram).build());
    dir.file("hex", texts(&lines(0x2000_0000, &ram, 32))[0].as_bytes());
    assert_prints(&dir.slurp(&["--elf", "fw.elf", "ram"]), &pumps("ram", &[64, 2048]));
    assert_prints(
        &dir.slurp(&["--elf", "fw.elf", "ram", "--load-address=0x20000000"]),
        &pumps("ram", &[0x2000_0040, 0x2000_0800]),
    );
    assert_prints(
        &dir.slurp(&["--elf", "fw.elf", "ram", "--region-address=64"]),
        &pumps("ram", &[64]),
    );
    assert_prints(
        &dir.slurp(&["--elf", "fw.elf", "core"]),
        &pumps("core", &[0x2000_0040, 0x2000_0800]),
    );
    assert_prints(
        &dir.slurp(&["--elf", "fw.elf", "hex"]),
        &pumps("hex", &[0x2000_0040, 0x2000_0800]),
    );

    let address = directory.address;
    let needed = format!(
        "the directory is in the program's flash, {} bytes at {address:#x}",
        directory.entries.len()
    );
    let needed = format!("core@0x20000040: {needed}: its ELF file or flash is needed (see --elf)");
    let other = pump_at("core", 0x2000_0800, 2);
    assert_reports(&dir.slurp(&["core"]), &[&needed], &other);

    // The dump has it; the ELF file is that of the boot loader.
    dir.file("loader.elf", &native_program().constants(0x100, b"code").build());
    dir.file(
        "whole",
        &native_core().constants(address, directory.entries).physical(0x2000_0000, 0, &ram).build(),
    );
    for arguments in
        [&["whole"][..], &["whole", "--elf", "loader.elf"], &["whole", "--elf", "fw.elf"]]
    {
        assert_prints(&dir.slurp(arguments), &pumps("whole", &[0x2000_0040, 0x2000_0800]));
    }
}

#[test]
fn a_directory_in_flash_is_read_in_the_devices_own_byte_order_and_width() {
    let dir = Dir::default();
    for (name, wide, big) in
        [("python-flash-big-4", false, true), ("python-flash-little-8", true, false)]
    {
        let file = |extension: &str| {
            fs::read(golden().join("v2").join(name).with_extension(extension)).unwrap()
        };
        let (region, directory) = (file("mmstats"), file("mmstats.directory"));
        let address: [u8; 8] = region[16..24].try_into().unwrap();
        let address = if big { u64::from_be_bytes(address) } else { u64::from_le_bytes(address) };
        dir.file("fw.elf", &Elf::program(wide, big).constants(address, &directory).build());
        dir.file("ram", &image(20_000, &[(40, &region)]));
        let outcome = dir.slurp(&["--json", "--elf", "fw.elf", "ram"]);
        assert_eq!((outcome.err.as_str(), outcome.status), ("", 0));
        let label =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["label"].clone();
        let expected: Vec<serde_json::Value> =
            serde_json::from_slice(&file("mmstats.json")).unwrap();
        let labels: Vec<_> = expected.iter().map(|field| field["label"].clone()).collect();
        assert_eq!(outcome.out.lines().map(label).collect::<Vec<_>>(), labels);
    }
}

#[test]
fn the_elf_file_of_another_program_is_detected() {
    let dir = Dir::default();
    let (region, directory) = pump_with_flash(1);
    let ram = image(4096, &[(64, &region), (2048, &pump(2))]);
    dir.file("ram", &ram);
    let other = pump_at("ram", 0x800, 2);
    let mut entries = directory.entries.to_vec();
    entries[40] ^= 1;
    dir.file("v2.elf", &native_program().constants(directory.address, &entries).build());
    let [found, computed] =
        [directory.entries, &entries].map(|entries| mmstats_core::format::crc32(0, entries));
    let reported = format!(
        "ram@0x40: from other firmware than v2.elf: directory checksum {found:#010x} (v2.elf has {computed:#010x})"
    );
    assert_reports(&dir.slurp(&["--elf", "v2.elf", "ram"]), &[&reported], &other);
    // Without the directory, and with a part of it.
    for constants in [&b"code"[..], &directory.entries[..100]] {
        dir.file("v3.elf", &native_program().constants(directory.address, constants).build());
        let reported = format!(
            "does not have the {} bytes of its directory at {:#x}",
            directory.entries.len(),
            directory.address
        );
        assert_reports(
            &dir.slurp(&["--elf", "v3.elf", "ram"]),
            &[&format!("ram@0x40: from other firmware than v3.elf, which {reported}")],
            &other,
        );
    }
    // The memory at that address is not the directory either.
    dir.file(
        "core",
        &native_core()
            .constants(directory.address, &entries)
            .physical(0x2000_0000, 0, &ram[..2048])
            .build(),
    );
    let reported = format!(
        "external directory not in this memory: checksum {computed:#010x} ({found:#010x} expected)"
    );
    assert_reports(
        &dir.slurp(&["core"]),
        &[&format!("core@0x20000040: {reported}: pass --elf, or --load-address for a raw image")],
        "",
    );
    dir.file("loader.elf", &native_program().constants(0x100, b"code").build());
    let reported = format!(
        "does not have the {} bytes of its directory at {:#x}",
        directory.entries.len(),
        directory.address
    );
    let reported =
        format!("core@0x20000040: from other firmware than loader.elf, which {reported}");
    assert_reports(&dir.slurp(&["core", "--elf", "loader.elf"]), &[&reported], "");
}

#[test]
fn a_symbol_locates_a_region() {
    let dir = Dir::default();
    let regions: Vec<_> = (1..=6).map(pump).collect();
    let at = |i: usize| 0x2000_0000 + 512 * (i as u64 - 1);
    let places: Vec<_> =
        regions.iter().enumerate().map(|(i, region)| (512 * i, &region[..])).collect();
    dir.file("ram", &image(4096, &places));
    let firmware = native_program()
        .zeros(0x2000_0000, 4096)
        .data("in_c", at(1), 512)
        .data("_ZN3app6REGION17h0123456789abcdefE", at(2), 512)
        .data("_RNvCseYV3ueqwcpP_3app5BOARD", at(3), 512)
        // A persistent region, its handle, and a static region with the same name elsewhere.
        .data("_RNvNvCseYV3ueqwcpP_3app4KEPT6MEMORY", at(4), 512)
        .data("_RNvCseYV3ueqwcpP_3app4KEPT", 0x2000_0f00, 12)
        .data("_ZN5other4KEPT17h0123456789abcdefE", at(5), 512)
        .absolute("__stats", at(6))
        .constants(0x100, b"code")
        .code("stats", 0x100, 4)
        .code("_ZN3lib6REGION17h0123456789abcdefE", 0x100, 4);
    dir.file("fw.elf", &firmware.build());
    let slurp = |name: &str| {
        dir.slurp(&["--elf", "fw.elf", "--load-address=0x20000000", "--symbol", name, "ram"])
    };
    for (name, found) in [
        ("in_c", &[1][..]),
        ("REGION", &[2]),
        ("app::REGION", &[2]),
        ("BOARD", &[3]),
        ("app::KEPT", &[4]),
        ("app::KEPT::MEMORY", &[4]),
        ("MEMORY", &[4]),
        ("other::KEPT", &[5]),
        ("KEPT", &[4, 5]),
        ("__stats", &[6]),
    ] {
        let expected: String = found.iter().map(|i| pump_at("ram", at(*i), *i as u32)).collect();
        assert_prints(&slurp(name), &expected);
    }
    for name in
        ["", "EGION", "p::REGION", "other::REGION", "stats", "lib::REGION", "region", "::REGION"]
    {
        assert_reports(&slurp(name), &[&format!("ram: no data symbol {name} in fw.elf")], "");
    }
    let both = dir.slurp(&[
        "--elf",
        "fw.elf",
        "--symbol",
        "BOARD",
        "--symbol",
        "in_c",
        "--region-address=0x20000400",
        "ram",
        "--load-address=0x20000000",
    ]);
    assert_prints(&both, &(pump_at("ram", at(3), 3) + &pump_at("ram", at(1), 1)));
    let raw = dir.slurp(&["--elf", "fw.elf", "--symbol", "BOARD", "ram"]);
    assert_reports(&raw, &["ram: --symbol needs --load-address for a raw image"], "");
    let elsewhere =
        dir.slurp(&["--elf", "fw.elf", "--symbol", "BOARD", "ram", "--load-address=0x1000"]);
    assert_reports(
        &elsewhere,
        &["ram@0x20000400: 0x20000400 cannot be read: it has 0x1000 to 0x2000"],
        "",
    );
    dir.file("fw.elf", &firmware.stripped().build());
    assert_reports(&slurp("REGION"), &["ram: fw.elf has no symbols: it is stripped"], "");
}

#[test]
fn a_descriptor_reports_an_unpublished_region() {
    let dir = Dir::default();
    let constants = [
        &[7; 20][..],
        &descriptor(0x2000_0040),
        &descriptor(0x2000_0041),
        &[0; 3],
        &descriptor(0x2000_0080),
        &[0; 20],
    ]
    .concat();
    dir.file(
        "fw.elf",
        &native_program().constants(0x100, &constants).zeros(0x2000_0000, 4096).build(),
    );
    dir.file("core", &native_core().physical(0x2000_0000, 0, &[0; 4096]).build());
    let zeros = "core@0x20000040: only zeros: not published yet, or not readable";
    assert_reports(&dir.slurp(&["--elf", "fw.elf", "core"]), &[zeros], "");
    // Found regions take precedence; and offsets of an image are not addresses.
    dir.file(
        "core",
        &native_core().physical(0x2000_0000, 0, &image(4096, &[(1024, &pump(1))])).build(),
    );
    assert_prints(&dir.slurp(&["--elf", "fw.elf", "core"]), &pumps("core", &[0x2000_0400]));
    dir.file("ram", &[0; 4096]);
    assert_reports(
        &dir.slurp(&["--elf", "fw.elf", "ram"]),
        &["ram: no stats found (it has 0x0 to 0x1000)"],
        "",
    );
    let reported = dir.slurp(&["--elf", "fw.elf", "ram", "--load-address=0x20000000"]);
    assert_reports(&reported, &[&zeros.replace("core", "ram")], "");
}

#[test]
fn a_process_is_read_at_any_load_address() {
    let dir = Dir::default();
    let (region, directory) = pump_with_flash(1);
    let shift = 0x5000;
    let [wide, big] = [cfg!(target_pointer_width = "64"), cfg!(target_endian = "big")];
    let program = Elf::loadable_anywhere(wide, big, 0x1040)
        .constants(directory.address - shift, directory.entries);
    dir.file("program", &program.zeros(0x9000, 4096).data("STATS", 0x9040, 512).build());
    let memory = image(4096, &[(64, &region), (2048, &pump(2))]);
    let mapped = ["/usr/bin/program", "/dev/shm/program-1-1.mmstats"];
    dir.file(
        "core",
        &native_core()
            .process(0x1040 + shift, &mapped)
            .physical(0x9000 + shift, 0, &memory)
            .build(),
    );
    assert_prints(&dir.slurp(&["--elf", "program", "core"]), &pumps("core", &[0xe040, 0xe800]));
    assert_prints(
        &dir.slurp(&["--elf", "program", "core", "--symbol", "STATS"]),
        &pumps("core", &[0xe040]),
    );
    // At another load address it is not the running program.
    dir.file(
        "core",
        &native_core()
            .process(0x1040 + 2 * shift, &mapped)
            .physical(0x9000 + shift, 0, &memory)
            .build(),
    );
    let outcome = dir.slurp(&["--elf", "program", "core"]);
    assert!(
        outcome.err.starts_with("slurpstats: core@0xe040: from other firmware than program, ")
            && outcome.status == 1,
        "{}",
        outcome.err
    );
    // The kernel omits mapped files.
    dir.file(
        "core",
        &native_core().process(0x1040 + shift, &mapped).physical(0x9000, 0, &[1; 64]).build(),
    );
    let why = "no stats found (it has 0x9000 to 0x9040); its process had mapped /dev/shm/program-1-1.mmstats, which may still exist; \
               the core leaves it out (see coredump_filter in core(5))";
    assert_reports(&dir.slurp(&["core"]), &[&format!("core: {why}")], "");
}
