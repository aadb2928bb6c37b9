//! With any memory image, `slurpstats` ends in time, with values or a reason; and a damaged region
//! never hides another.

use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::Header;
use mmstats_tests::cli::VersionOne;
use mmstats_tests::damage::{Random, update_check};
use mmstats_tests::elf::Elf;
use mmstats_tests::hex::{lines, texts};
use mmstats_tests::images::{Dir, image, pump, pump_at, pump_with_flash};
use mmstats_tools::console::Console;
use mmstats_tools::slurp;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Much more than any of these runs takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Runs `slurpstats`; returns its output, its errors, and `true` for success.
fn called(arguments: &[String]) -> (String, String, bool) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let mut console = Console {
        name: "slurpstats",
        out: Box::new(&mut out),
        err: Box::new(&mut err),
        is_terminal: false,
        colour: false,
    };
    let status = slurp::run(
        ["slurpstats"].map(String::from).iter().chain(arguments).map(Into::into),
        &mut console,
    );
    drop(console);
    assert!(start.elapsed() < TIMEOUT, "{:?} for {arguments:?}", start.elapsed());
    let [out, err] = [out, err].map(|text| String::from_utf8(text).expect("UTF-8"));
    (out, err, format!("{status:?}") == format!("{:?}", std::process::ExitCode::SUCCESS))
}

/// Returns a region whose changed header has a valid check.
fn sound_header(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut region = pump(1);
    region[at..at + bytes.len()].copy_from_slice(bytes);
    update_check(&mut region);
    region
}

/// A part of a memory image.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let memory = || image(700, &[(8, &pump(1)), (400, &pump_with_flash(2).0)]);
    let core = move |wide, big| {
        Elf::core(wide, big)
            .physical(0x2000_0000, 0, &memory())
            .process(0x1040, &["/dev/shm/x.mmstats"])
            .build()
    };
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (0..5000_usize, prop_oneof![Just(0), any::<u8>()])
            .prop_map(|(length, byte)| vec![byte; length]),
        (0..=8_usize).prop_map(|length| MAGIC[..length].to_vec()),
        (0..=8_usize).prop_map(|cleared| [&[0; 8][..cleared], &pump(1)[cleared..]].concat()),
        (8..Header::SIZE - 8, prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, bytes)| sound_header(at, &bytes)),
        any::<u64>().prop_map(|seed| Random(seed).damage(&pump(1))),
        any::<u64>().prop_map(|seed| Random(seed).damage(&pump_with_flash(1).0)),
        (1..9_u32, any::<bool>()).prop_map(|(turns, flash)| if flash {
            pump_with_flash(turns).0
        } else {
            pump(turns)
        }),
        Just(VersionOne::default().field("x", "B", [5]).finish()),
        (1..64_usize, 0..2_usize).prop_map(move |(length, format)| texts(&lines(
            0x2000_0000,
            &memory(),
            length
        ))[format]
            .clone()
            .into_bytes()),
        (any::<bool>(), any::<bool>()).prop_map(move |(wide, big)| core(wide, big)),
        (any::<bool>(), any::<bool>())
            .prop_map(|(wide, big)| Elf::program(wide, big).zeros(0x2000_0000, 700).build()),
    ]
}

/// Bytes with a few changed or cut off.
fn damaged(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (bytes, changes, prop::option::weighted(0.2, any::<prop::sample::Index>())).prop_map(
        |(mut bytes, changes, cut)| {
            if !bytes.is_empty() {
                for (at, byte) in changes {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
            }
            bytes
        },
    )
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..6000_u64,
        0x1fff_ff00..0x2000_1000_u64,
        Just(u64::MAX),
        u64::MAX - 6000..u64::MAX,
        any::<u64>()
    ]
}

/// Options for the location of regions.
fn options() -> impl Strategy<Value = Vec<String>> {
    let one = prop_oneof![
        number().prop_map(|at| vec!["--region-address".to_owned(), at.to_string()]),
        Just(vec!["--elf".to_owned(), "fw.elf".to_owned()]),
        Just(["--elf", "fw.elf", "--symbol", "STATS"].map(str::to_owned).to_vec()),
    ];
    let several = prop_oneof![4 => Just(Vec::new()), 2 => one];
    let load =
        prop::option::weighted(0.2, number().prop_map(|at| format!("--load-address={at:#x}")));
    let form = prop::option::of(Just("--json".to_owned()));
    (several, load, form)
        .prop_map(|(several, load, form)| several.into_iter().chain(load).chain(form).collect())
}

/// Returns the ELF file of the program whose directory is in flash.
fn firmware() -> Vec<u8> {
    let (_, directory) = pump_with_flash(1);
    let [wide, big] = [cfg!(target_pointer_width = "64"), cfg!(target_endian = "big")];
    let descriptor = [&b"\x02MMSTATD"[..], &0x2000_0008_usize.to_ne_bytes(), &[0; 4]].concat();
    let constants = Elf::program(wide, big)
        .constants(directory.address, directory.entries)
        .constants(0x100, &descriptor);
    constants
        .zeros(0x2000_0000, 700)
        .data("_ZN3app5STATS17h0123456789abcdefE", 0x2000_0008, 400)
        .build()
}

proptest! {
    #[test]
    fn any_file_gives_values_or_a_reason(
        file in damaged(prop::collection::vec(piece(), 0..6).prop_map(|pieces| pieces.concat())),
        firmware in damaged(Just(firmware())),
        options in options(),
    ) {
        let dir = Dir::default();
        dir.file("memory", &file);
        dir.file("fw.elf", &firmware);
        let path = |name: &str| dir.path().join(name).into_os_string().into_string().unwrap();
        let mut arguments: Vec<String> = options.into_iter().map(|option| if option == "fw.elf" { path("fw.elf") } else { option }).collect();
        arguments.push(path("memory"));
        let (out, err, well) = called(&arguments);
        prop_assert!(well == err.is_empty(), "{arguments:?}: {out}{err}");
        prop_assert!(well || err.lines().all(|line| line.starts_with("slurpstats: /dev/shm/mmstats-test-")), "{arguments:?}: {err}");
        prop_assert!(!well || !out.is_empty() || arguments.contains(&"--json".to_owned()), "{arguments:?}: neither values nor a reason");
    }

    #[test]
    fn damage_to_one_region_never_hides_another(
        gaps in [0..3000_usize, 0..3000, 0..3000, 0..3000],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        mended: bool,
        is_first_in_flash: bool,
    ) {
        let dir = Dir::default();
        dir.file("fw.elf", &firmware());
        let first = if is_first_in_flash { pump_with_flash(1).0 } else { pump(1) };
        let mut second = pump(2);
        for (at, byte) in changes {
            let at = at.index(second.len());
            second[at] = byte;
        }
        if mended {
            update_check(&mut second);
        }
        let mut memory = Vec::new();
        let mut places = Vec::new();
        for (gap, region) in gaps.iter().zip([first, second, pump(3)]) {
            memory.extend(image(*gap, &[]));
            places.push(memory.len());
            memory.extend(region);
        }
        memory.extend(image(gaps[3], &[]));
        let path = dir.file("ram", &memory).into_os_string().into_string().unwrap();
        let (out, err, _) = called(&["--elf".to_owned(), dir.path().join("fw.elf").to_str().unwrap().to_owned(), path.clone()]);
        for (place, turns) in [(places[0], 1), (places[2], 3)] {
            prop_assert!(out.contains(&pump_at(&path, place as u64, turns)), "{out}{err}");
        }
        let about_others = err.lines().find(|line| !line.starts_with(&format!("slurpstats: {path}@{:#x}: ", places[1])));
        prop_assert_eq!(about_others, None);
    }

    #[test]
    fn a_program_that_is_damaged_gives_addresses_or_a_reason(
        file in damaged(damaged(Just(firmware())))
    ) {
        let dir = Dir::default();
        let path = dir.file("fw.elf", &file);
        if let Ok(firmware) = mmstats_tools::source::Firmware::open(&path) {
            let _ = (firmware.candidates(), firmware.writable(), firmware.symbol("STATS"));
            let address = pump_with_flash(1).1.address;
            for at in [address, address + 100, 0, u64::MAX] {
                prop_assert!(firmware.bytes(at, 200).len() <= 200);
            }
            let _ = firmware.loaded(u64::MAX).candidates();
        }
    }
}
