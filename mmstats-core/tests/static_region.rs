//! A static region is found in the memory of an optimised program that never reads it.
#![cfg(target_os = "linux")]

mod common;

use common::{FieldValue, dead, values};
use mmstats_core::format::MAGIC;
use mmstats_core::reader::Directory;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

/// The memory of a process, its program and constants too: address and bytes.
fn memory(pid: u32) -> Vec<(u64, Vec<u8>)> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let readable = maps.lines().filter_map(|line| {
        let mut parts = line.split_whitespace();
        let (range, rights) = (parts.next()?, parts.next()?);
        let (start, end) = range.split_once('-')?;
        let (start, end) =
            (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        let mut bytes = vec![0; (end - start) as usize];
        (rights.starts_with('r') && memory.read_exact_at(&mut bytes, start).is_ok())
            .then_some((start, bytes))
    });
    readable.collect()
}

/// Finds regions by FORMAT.md, "Finding regions": the magic at a multiple of 8, and a correct
/// check.
fn regions(memory: &[(u64, Vec<u8>)]) -> Vec<&[u8]> {
    let starts =
        memory.iter().flat_map(|(_, bytes)| (0..bytes.len()).step_by(8).map(|at| &bytes[at..]));
    starts.filter(|bytes| bytes.starts_with(&MAGIC) && Directory::open(bytes).is_ok()).collect()
}

#[test]
fn a_static_region_is_found_in_the_memory_of_a_release_build_that_never_reads_it() {
    let arguments =
        ["run", "--quiet", "--release", "--package", "mmstats-core", "--example", "never_reads"];
    let mut program = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let memory = memory(line.trim().parse().expect("the program's id"));
    drop(program.stdin.take());
    assert!(program.wait().unwrap().success());

    // One: no complete header stands among the constants, or a scan of flash would find it.
    let regions = regions(&memory);
    assert_eq!(regions.len(), 1, "regions in {} mappings", memory.len());
    let fields = dead(regions[0]);
    let expected = [
        ("motor.steps", FieldValue::Unsigned(4711)),
        ("motor.temperature", FieldValue::Signed(-215)),
        ("motor.state", "running".into()),
    ];
    assert_eq!(values(&fields), expected.each_ref().map(|(label, value)| (*label, value)));
    assert_eq!(fields[0].help, "Steps made.");
}
