//! `slurpstats` on any file: regions, images, HEX, S-record and ELF files, in all its formats.
#![no_main]

use std::sync::Mutex;

use libfuzzer_sys::fuzz_target;
use mmstats_fuzz::metrics::check_page;
use mmstats_fuzz::tool::{MemoryFile, check_json_lines, run};
use mmstats_tools::slurp;

static FILE: Mutex<Option<MemoryFile>> = Mutex::new(None);

fuzz_target!(|data: &[u8]| {
    let Some((&mode, data)) = data.split_first() else { return };
    let mut file = FILE.lock().expect("one thread");
    let path = file.get_or_insert_default().fill(data);
    let mut arguments = match mode & 7 {
        0 => vec![],
        1 => vec!["--json"],
        2 => vec!["--prometheus"],
        3 => vec!["--prometheus=openmetrics"],
        4 => vec!["--verbose"],
        5 => vec!["--prometheus", "--sum"],
        6 => vec!["--filter", "*a*", "--exclude", "*b*"],
        _ => vec!["--json", "--live"],
    };
    if mode & 8 != 0 {
        arguments.extend(["--elf", &path]);
    }
    arguments.extend(match mode & 0x30 {
        0x10 => vec!["--load-address", "0x20000000"],
        0x20 => vec!["--region-address", "0x0", "--region-address", "0xfffffffffffffff8"],
        0x30 => vec!["--load-address", "0xffffffffffffff00"],
        _ => vec![],
    });
    arguments.push(&path);
    let output = run("slurpstats", slurp::run, &arguments);
    match mode & 7 {
        1 | 7 => check_json_lines(&output),
        2 | 5 => check_page(&output, false),
        // Arguments that are refused print no page.
        3 if !output.is_empty() => check_page(&output, true),
        _ => {}
    }
});
