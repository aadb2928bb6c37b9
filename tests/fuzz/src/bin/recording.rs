//! `pollstats --replay` of any recording, with all options that change its table.
#![no_main]

use std::sync::Mutex;

use libfuzzer_sys::fuzz_target;
use mmstats_fuzz::tool::{MemoryFile, check_json_lines, run};
use mmstats_tools::poll;

static FILE: Mutex<Option<MemoryFile>> = Mutex::new(None);

const HEADER: &[u8] = b"{\"mmstats-recording\":1}\n";
const COLUMNS: [&str; 4] = ["*", "a,b,c,h:p99,h:mean,h:rate,h", "h*:p99.9,*:rate", "a:rate"];

fuzz_target!(|data: &[u8]| {
    let Some((&mode, data)) = data.split_first() else { return };
    let mut file = FILE.lock().expect("one thread");
    let header = if mode & 0x80 == 0 { HEADER } else { &[] };
    let path = file.get_or_insert_default().fill(&[header, data].concat());
    let mut arguments = vec![COLUMNS[usize::from(mode & 3)]];
    arguments.extend(match mode & 0x0c {
        0x04 => vec!["--json"],
        0x08 => vec!["--csv"],
        0x0c => vec!["--group-by", "process"],
        _ => vec![],
    });
    arguments.extend(match mode & 0x30 {
        0x10 => vec!["--rate"],
        0x20 => vec!["--absolute"],
        0x30 => vec!["--agg", "max"],
        _ => vec![],
    });
    if mode & 0x40 != 0 {
        arguments.extend(["--where", "a=1"]);
    }
    arguments.extend(["--replay", &path]);
    let output = run("pollstats", poll::run, &arguments);
    if mode & 0x0c == 0x04 {
        check_json_lines(&output);
    }
});
