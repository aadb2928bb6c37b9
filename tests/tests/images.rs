//! Regions in raw memory images are found and read like files; anything else is reported with its
//! reason.

use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::Header;
use mmstats_tests::cli::{VersionOne, golden};
use mmstats_tests::damage::update_check;
use mmstats_tests::images::{
    Dir, assert_prints, assert_reports, image, native_core, native_program, pump, pump_at,
    pump_text, pumps,
};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

const MIB: usize = 1 << 20;

#[test]
fn without_a_load_address_regions_are_found_at_any_offset() {
    let dir = Dir::default();
    let [a, b, c, d, e] = [1, 2, 3, 4, 5].map(pump);
    // At the start, anywhere, across the end of a searched block, at its end, and at the very end.
    let places = [3, 1001, MIB - 20, 2 * MIB - 40 - a.len(), 3 * MIB - a.len()];
    dir.file(
        "ram",
        &image(
            3 * MIB,
            &[(places[0], &a), (places[1], &b), (places[2], &c), (places[3], &d), (places[4], &e)],
        ),
    );
    assert_prints(&dir.slurp(&["ram"]), &pumps("ram", &places.map(|at| at as u64)));
    let json = dir.slurp(&["--json", "-f", "pump.turns", "ram"]).out;
    assert!(
        json.lines().last().unwrap().contains(r#""value":5,"#)
            && json.contains(r#""file":"ram@0x3","#),
        "{json}"
    );
}

#[test]
fn at_known_addresses_regions_are_found_only_where_aligned() {
    let dir = Dir::default();
    let [a, b, c] = [1, 2, 3].map(pump);
    // The first byte is at an odd multiple of 4. At 0x0a00_0704 there is a copy that no program
    // made.
    dir.file("ram", &image(MIB, &[(4, &a), (0x1004, &b), (0x700, &c)]));
    assert_prints(
        &dir.slurp(&["--load-address", "0xa00_0004", "ram"]),
        &pumps("ram", &[0x0a00_0008, 0x0a00_1008]),
    );
    assert_prints(
        &dir.slurp(&["--load-address=0xffff_ffff_fff0_0004", "ram"]),
        &pumps("ram", &[0xffff_ffff_fff0_0008, 0xffff_ffff_fff0_1008]),
    );
}

#[test]
fn regions_can_be_selected_by_offset_or_address() {
    let dir = Dir::default();
    let [a, b] = [1, 2].map(pump);
    dir.file("ram", &image(MIB, &[(0x40, &a), (0x805, &b)]));
    assert_prints(
        &dir.slurp(&["ram", "--region-address", "0x40", "--region-address", "2_053"]),
        &pumps("ram", &[0x40, 0x805]),
    );
    assert_prints(
        &dir.slurp(&["--region-address=0x2000_0040", "--load-address=0x2000_0000", "ram"]),
        &pumps("ram", &[0x2000_0040]),
    );
    assert_prints(
        &dir.slurp(&["--region-address=0x40", "--region-address=64", "ram", "ram"]),
        &pumps("ram", &[0x40]).repeat(2),
    );
}

#[test]
fn golden_files_of_both_byte_orders_are_read_alike_inside_an_image() {
    let dir = Dir::default();
    let (mut whole, mut expected) = (image(1 << 16, &[]), String::new());
    let names = [
        "rust-little-8",
        "python-big-4",
        "python-big-8",
        "rust-little-4",
        "python-little-4",
        "python-little-8",
    ];
    for name in names {
        let path = golden().join("v2").join(name).with_extension("mmstats");
        let text = dir.slurp(&[&path]).out;
        let (_, fields) = text.split_once('\n').unwrap();
        expected += &format!("==> image@{:#x}\n{fields}", whole.len());
        whole.extend(fs::read(path).unwrap());
        whole.extend(image(100, &[]));
    }
    dir.file("image", &whole);
    let outcome = dir.slurp(&["image"]);
    assert_eq!((outcome.out, outcome.status), (expected, 0));
}

#[test]
fn version_1_is_read_at_a_given_address() {
    let dir = Dir::default();
    let (kinds, web) = (golden().join("v1/kinds.mmstats"), golden().join("v1/webstats.mmstats"));
    let files = [&kinds, &web].map(|path| fs::read(path).unwrap());
    dir.file(
        "image",
        &[image(777, &[]), files[0].clone(), image(55, &[]), files[1].clone(), image(99, &[])]
            .concat(),
    );
    let second = (777 + files[0].len() + 55).to_string();
    let outcome = dir.slurp(&["--region-address", "777", "--region-address", &second, "image"]);
    let named = |path: &PathBuf, at: &str| {
        dir.slurp(&[path])
            .out
            .replace(&format!("==> {}", path.display()), &format!("==> image@{at}"))
    };
    assert_prints(
        &outcome,
        &(named(&kinds, "0x309") + &named(&web, &format!("{:#x}", 777 + files[0].len() + 55))),
    );
    // The final label size can be cut off.
    let small = &VersionOne::default().field("x", "B", [5]).finish()[..9];
    dir.file("cut", &[&image(777, &[]), small].concat());
    assert_prints(&dir.slurp(&["--region-address", "777", "cut"]), "==> cut@0x309\n  x 5\n\n");
    // More fields than the first read covers.
    let many = (0..200)
        .fold(VersionOne::default(), |file, i| {
            file.field(format!("field.{i}"), "I", 7_u32.to_ne_bytes())
        })
        .finish();
    dir.file("many", &[&image(100, &[])[..], &many].concat());
    let outcome = dir.slurp(&["--region-address", "100", "many"]);
    assert_eq!((outcome.out.lines().count(), outcome.err.as_str(), outcome.status), (202, "", 0));
}

#[test]
fn an_image_can_start_like_a_stats_file() {
    let dir = Dir::default();
    let region = pump(1);
    for beginning in [
        &b"\x01\0\0\0"[..],
        b"\x01\0\0\x2a",
        b"\x01\x01\x02\x03",
        b"\0\0\0\0",
        b"\x02MMSTATS",
        b"\x07MMSTATS",
        b":10",
        b"S10",
        b"\x7fELG",
    ] {
        dir.file("ram", &image(9999, &[(0, beginning), (4444, &region)]));
        let outcome = dir.slurp(&["ram"]);
        assert_eq!(
            (outcome.out, outcome.status),
            (pumps("ram", &[4444]), 0),
            "{beginning:?}: {}",
            outcome.err
        );
    }
    // A file that starts with a region but continues after it is an image; one that ends with the
    // region is a stats file.
    dir.file("ram", &[&region[..], &image(100, &[]), &pump(2)].concat());
    assert_prints(&dir.slurp(&["ram"]), &pumps("ram", &[0, (region.len() + 100) as u64]));
    dir.file("file", &region);
    assert_prints(&dir.slurp(&["file"]), &format!("==> file\n{}\n", pump_text(1)));
    dir.file("empty", &VersionOne::default().finish());
    assert_prints(&dir.slurp(&["empty"]), "==> empty\n\n");
}

#[test]
fn an_image_can_be_larger_than_any_stats_file() {
    let dir = Dir::default();
    let file = File::create(dir.path().join("ram")).unwrap();
    file.set_len(3 << 30).unwrap();
    assert_reports(&dir.slurp(&["ram"]), &["ram: no stats found (it has 0x0 to 0xc0000000)"], "");
    let places = [0x1000, (1 << 30) - 8, 2_147_483_999];
    for (at, turns) in places.iter().zip(1..) {
        file.write_all_at(&pump(turns), *at).unwrap();
    }
    assert_prints(&dir.slurp(&["ram"]), &pumps("ram", &places));
}

#[test]
fn a_path_can_be_invalid_utf_8() {
    let dir = Dir::default();
    dir.file(OsStr::from_bytes(b"r\xffm"), &image(999, &[(64, &pump(1))]));
    assert_prints(&dir.slurp(&[OsStr::from_bytes(b"r\xffm")]), &pumps("r\\xffm", &[64]));
}

// Other content

/// Returns a region with these bytes at an offset of its header.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut region = pump(9);
    region[at..at + bytes.len()].copy_from_slice(bytes);
    region
}

#[test]
fn damaged_regions_are_reported_with_a_reason_and_the_others_are_shown() {
    let dir = Dir::default();
    let mut large = with(12, &(65_u32 << 20).to_ne_bytes());
    update_check(&mut large);
    let mut odd = with(10, &[2]);
    update_check(&mut odd);
    let being_made = with(0, &[0; 4]);
    // With another length.
    let becoming_another = [&being_made[..12], &[0xff], &being_made[13..]].concat();
    let damaged = with(24, &[1, 2, 3, 4]);
    let cases: [(&[u8], &str); 12] = [
        (&[0; 512], "only zeros: not published yet, or not readable"),
        (b"Dear reader", "not an mmstats file"),
        (&[&[0; 9], &[1; 100][..]].concat(), "not an mmstats file"),
        (&being_made, "half-initialised: its publication is in progress, or was interrupted"),
        (&becoming_another, "half-initialised: its publication is in progress, or was interrupted"),
        (&with(0, &[0; 8]), "half-initialised: its publication is in progress, or was interrupted"),
        (&damaged, "damaged header: check 0x04030201 ("),
        (&large, "too large: 68157440 bytes (at most 67108864 expected)"),
        (&odd, "invalid header: word is 0x2"),
        (&with(0, b"\x07"), "unknown version 7 (1 or 2 expected)"),
        (
            b"\x01\0\0\0\0\0\0\0",
            "not an mmstats file: it begins like version 1 (01) but has no fields",
        ),
        (b"\x09", "not an mmstats file"),
    ];
    for (bytes, reported) in cases {
        dir.file("ram", &image(8192, &[(64, &pump(1)), (1024, bytes), (4096, &pump(2))]));
        let outcome = dir.slurp(&[
            "ram",
            "--region-address",
            "64",
            "--region-address",
            "1024",
            "--region-address",
            "4096",
        ]);
        let expected = pump_at("ram", 0x40, 1) + &pump_at("ram", 0x1000, 2);
        assert_eq!((outcome.out.as_str(), outcome.status), (expected.as_str(), 1), "{reported}");
        assert!(
            outcome.err.starts_with(&format!("slurpstats: ram@0x400: {reported}"))
                && outcome.err.lines().count() == 1,
            "{reported}: {}",
            outcome.err
        );

        // Without a given address, only unmistakable regions are reported.
        let outcome = dir.slurp(&["ram"]);
        let is_ours = [&being_made[..], &damaged, &large, &odd].contains(&bytes);
        assert_eq!(
            (outcome.out.as_str(), outcome.status),
            (expected.as_str(), i32::from(is_ours)),
            "{reported}: {}",
            outcome.err
        );
        assert!(
            !is_ours || outcome.err.starts_with(&format!("slurpstats: ram@0x400: {reported}")),
            "{reported}: {}",
            outcome.err
        );
    }
    // Without another region.
    dir.file("ram", &image(8192, &[(1024, &being_made)]));
    assert_reports(
        &dir.slurp(&["ram"]),
        &["ram@0x400: half-initialised: its publication is in progress, or was interrupted"],
        "",
    );
    dir.file("ram", &image(8192, &[(64, &pump(1))]));
    let unreadable = "ram@0x2000: 0x2000 cannot be read: it has 0x0 to 0x2000";
    assert_reports(
        &dir.slurp(&["ram", "--region-address", "0x2000", "--region-address", "64"]),
        &[unreadable],
        &pumps("ram", &[64]),
    );
}

#[test]
fn a_truncated_region_shows_its_remaining_fields() {
    let dir = Dir::default();
    let (first, last) = (pump(1), pump(9));
    for length in (0..last.len()).rev() {
        dir.file("ram", &[&image(1000, &[(64, &first)]), &last[..length]].concat());
        let outcome = dir.slurp(&["ram"]);
        assert!(outcome.out.starts_with(&pumps("ram", &[64])), "{length}: {outcome:?}");
        // Shown values are correct.
        let rest = &outcome.out[pumps("ram", &[64]).len()..];
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let whole: Vec<_> = pump_text(9).lines().map(words).collect();
        assert!(
            rest.lines().all(|line| line.is_empty()
                || line == "==> ram@0x3e8"
                || whole.contains(&words(line))),
            "{length}: {rest}"
        );
        // Less than a magic is not a region.
        assert_eq!(outcome.status, i32::from(length >= MAGIC.len()), "{length}: {outcome:?}");
        if (MAGIC.len()..Header::SIZE).contains(&length) {
            let reported = format!(
                "slurpstats: ram@0x3e8: cut short: {length} bytes (at least 40 expected)\n"
            );
            assert_eq!((outcome.err, rest), (reported, ""));
        } else if length >= Header::SIZE {
            assert!(
                outcome.err.contains("cut off") || outcome.err.contains("cut short"),
                "{length}: {}",
                outcome.err
            );
        }
    }
}

#[test]
fn a_file_without_memory_is_reported_with_its_type() {
    let dir = Dir::default();
    dir.file("ram", &image(999, &[(64, &pump(1))]));
    dir.file("program", &native_program().build());
    dir.file("core", &native_core().build());
    dir.file("damaged", b"\x7fELF\x02\x01");
    fs::create_dir(dir.path().join("folder")).unwrap();
    for (arguments, reported) in [
        (&["program"][..], "program: a program, not a memory image (pass it with --elf)"),
        (&["damaged"], "damaged: a damaged ELF file: "),
        (&["core"], "core: no stats found (it has no memory at all)"),
        (&["core", "--region-address=0"], "core@0x0: 0x0 cannot be read: it has no memory at all"),
        (&["folder", "--region-address=0"], "folder: is a directory (a regular file expected)"),
        (&["/dev/zero", "--region-address=0"], "/dev/zero: is a device (a regular file expected)"),
        (&["nowhere", "--region-address=0"], "nowhere: No such file"),
        (&["ram", "--elf=core"], "core: an ELF core (a program's ELF file expected)"),
        (&["ram", "--elf=ram"], "ram: not an ELF file"),
        (&["ram", "--elf=damaged"], "damaged: a damaged ELF file: "),
        (&["ram", "--elf=/dev/zero"], "/dev/zero: is a device (a regular file expected)"),
        (&["ram", "--elf=nowhere"], "nowhere: No such file"),
    ] {
        let outcome = dir.slurp(arguments);
        assert_eq!(
            (outcome.out.as_str(), outcome.status),
            ("", 1),
            "{arguments:?}: {}",
            outcome.err
        );
        assert!(
            outcome.err.starts_with(&format!("slurpstats: {reported}"))
                && outcome.err.lines().count() == 1,
            "{arguments:?}: {}",
            outcome.err
        );
    }
    let outcome = dir.slurp(&["program", "ram", "damaged"]);
    assert_eq!(
        (outcome.out, outcome.status, outcome.err.lines().count()),
        (pumps("ram", &[64]), 1, 2)
    );
}

#[test]
fn wrong_usage_exits_with_2() {
    let dir = Dir::default();
    dir.file("ram", &image(999, &[(64, &pump(1))]));
    dir.file("fw.elf", &native_program().build());
    for (arguments, reported) in [
        (
            &["--region-address", "64"][..],
            "--region-address, --elf and --load-address need a FILE or device URL",
        ),
        (&["--load-address", "64"], "need a FILE or device URL"),
        (&["--elf", "fw.elf"], "need a FILE or device URL"),
        (&["ram", "--symbol", "X"], "--elf <FILE>"),
        (&["ram", "--region-address", "x"], "not a number (4096, 0x1000 or 0x2000_0000 expected)"),
        (&["ram", "--load-address", "0x1_0000_0000_0000_0000"], "larger than any address"),
    ] {
        let outcome = dir.slurp(arguments);
        assert_eq!(
            (outcome.out.as_str(), outcome.status),
            ("", 2),
            "{arguments:?}: {}",
            outcome.err
        );
        assert!(outcome.err.contains(reported), "{arguments:?}: {}", outcome.err);
    }
    let nobody = dir.slurp(&["ram", "--live"]);
    assert!(
        nobody.out.is_empty()
            && nobody.status == 0
            && nobody.err.contains("no live writer in 1 file"),
        "{nobody:?}"
    );
}
