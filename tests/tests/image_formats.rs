//! Regions in Intel HEX, S-records and ELF cores are found and read; damage does not hide intact
//! regions.

use mmstats_tests::cli::{program, run};
use mmstats_tests::elf::Elf;
use mmstats_tests::hex::{lines, texts};
use mmstats_tests::images::{Dir, assert_prints, assert_reports, image, pump, pump_at, pumps};
use std::process::Command;

// Intel HEX and S-records

#[test]
fn hex_and_s_records_are_read_in_any_order_of_their_lines() {
    let dir = Dir::default();
    let memory = image(1000, &[(8, &pump(1)), (504, &pump(2))]);
    let mut all = lines(0x2000_fff0, &memory, 16);
    for turn in 0..4 {
        match turn {
            1 => all.reverse(),
            2 => all.rotate_left(17),
            // Overlaps existing lines without matching their bounds.
            3 => all.extend(lines(0x2001_0002, &memory[18..][..200], 33)),
            _ => {}
        }
        for text in texts(&all) {
            dir.file("dump", text.as_bytes());
            assert_prints(&dir.slurp(&["dump"]), &pumps("dump", &[0x2000_fff8, 0x2001_01e8]));
            dir.file(
                "dump",
                text.replace('\n', "\r\n").to_lowercase().replace('s', "S").as_bytes(),
            );
            assert_prints(
                &dir.slurp(&["dump", "--region-address=0x2001_01e8"]),
                &pump_at("dump", 0x2001_01e8, 2),
            );
        }
    }
}

#[test]
fn data_after_a_gap_is_reported_and_the_rest_is_shown() {
    let dir = Dir::default();
    let (first, second) = (pump(1), pump(2));
    let directory = first.len() - 48;
    let all = [
        lines(0x1000, &first[..directory], 16),
        lines(0x1000 + first.len() as u32 - 8, &first[first.len() - 8..], 8),
        lines(0x4000, &second, 32),
    ];
    for text in texts(&all.concat()) {
        dir.file("dump", text.as_bytes());
        let outcome = dir.slurp(&["dump"]);
        assert!(outcome.out.ends_with(&pump_at("dump", 0x4000, 2)), "{}", outcome.out);
        for field in ["turns", "pressure", "state"] {
            assert!(
                outcome.err.contains(&format!("dump@0x1000: field \"pump.{field}\"")),
                "{}",
                outcome.err
            );
        }
        assert!(
            outcome.err.lines().all(|line| line.contains("cut off")) && outcome.status == 1,
            "{}",
            outcome.err
        );
    }
}

#[test]
fn a_damaged_line_does_not_hide_earlier_ones() {
    let dir = Dir::default();
    let all = [lines(0x1000, &pump(1), 16), lines(0x4000, &pump(2), 16)];
    let bad = all[0].len();
    for (text, format) in texts(&all.concat()).into_iter().zip(["Intel HEX", "S-records"]) {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = if format == "Intel HEX" { 2 * bad } else { bad + 1 };
        lines[at].replace_range(9..10, "X");
        dir.file("dump", lines.join("\n").as_bytes());
        let outcome = dir.slurp(&["dump"]);
        assert_eq!((outcome.out, outcome.status), (pumps("dump", &[0x1000]), 1));
        assert!(
            outcome.err.starts_with(&format!("slurpstats: dump: line {} of {format}: ", at + 1)),
            "{}",
            outcome.err
        );
        assert!(outcome.err.ends_with(" (the rest is not read)\n"), "{}", outcome.err);
    }
    // The title of S-records is ignored.
    for title in ["S0021FDE", "S004FFFFFFFE", "S0030000FC"] {
        dir.file("dump", format!("{title}\n{}", texts(&all.concat())[1]).as_bytes());
        assert_prints(&dir.slurp(&["dump"]), &pumps("dump", &[0x1000, 0x4000]));
    }
}

// Cores

#[test]
fn cores_of_both_widths_and_byte_orders_are_read() {
    let dir = Dir::default();
    let memory = image(2000, &[(80, &pump(1)), (1000, &pump(2))]);
    for (wide, big) in [(true, false), (true, true), (false, false), (false, true)] {
        // A debugger's core, with virtual addresses only, and an emulator's.
        dir.file("core", &Elf::core(wide, big).physical(0x2000_0000, 0, &memory).build());
        assert_prints(&dir.slurp(&["core"]), &pumps("core", &[0x2000_0050, 0x2000_03e8]));
        let elf = Elf::core(wide, big)
            .physical(0x2000_0000, 0x8000_0000, &memory)
            .physical(0, 0, b"flash");
        dir.file("core", &elf.build());
        assert_prints(&dir.slurp(&["core"]), &pumps("core", &[0x8000_0050, 0x8000_03e8]));
        assert_prints(
            &dir.slurp(&["core", "--region-address", "0x8000_0050"]),
            &pumps("core", &[0x8000_0050]),
        );
    }
}

#[test]
fn parts_of_a_core_can_touch_overlap_and_be_many() {
    let dir = Dir::default();
    let memory = image(3000, &[(1000, &pump(1)), (2008, &pump(2))]);
    let parts = [(1500, 3000), (0, 1050), (1050, 1500), (900, 1100)];
    let core = parts.iter().fold(Elf::core(true, false), |core, (from, to)| {
        core.constants(0x5000 + *from as u64, &memory[*from..*to])
    });
    dir.file("core", &core.build());
    assert_prints(&dir.slurp(&["core"]), &pumps("core", &[0x5000 + 1000, 0x5000 + 2008]));
    // Like a process with many mappings: more than there are descriptors.
    let many = (0..3000)
        .fold(Elf::core(true, false), |core, i| core.constants(0x10_0000 + i * 0x2000, b"some"));
    dir.file("core", &many.constants(0x1000, &pump(1)).build());
    let slurpstats = program("--bin", "slurpstats");
    let outcome = run(Command::new("sh")
        .current_dir(dir.path())
        .args(["-c", r#"ulimit -n 50 && exec "$0" core"#])
        .arg(slurpstats));
    assert_prints(&outcome, &pumps("core", &[0x1000]));
}

#[test]
fn a_truncated_core_is_reported_and_its_rest_is_read() {
    let dir = Dir::default();
    let core = Elf::core(true, false)
        .constants(0x1000, &pump(1))
        .constants(0x8000, &image(5000, &[(104, &pump(2)), (4000, &pump(3))]))
        .build();
    // Contents are padded to a multiple of 8; there are no symbols.
    let end = core.len() - 32;
    dir.file("core", &core[..end - 4000]);
    let cut = "core: cut short: 4000 bytes of its memory are missing";
    assert_reports(&dir.slurp(&["core"]), &[cut], &pumps("core", &[0x1000, 0x8068]));
    let unreadable =
        "core@0x8fa0: 0x8fa0 cannot be read: it has 0x1000 to 0x1110, 0x8000 to 0x83e8";
    assert_reports(&dir.slurp(&["core", "--region-address=0x8fa0"]), &[unreadable, cut], "");
}
