//! The defmt log of a device.
#![cfg(feature = "devices")]

use mmstats_tests::programs;
use mmstats_tests::qemu::{Machine, firmware};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// Decodes a log, whose texts are in the program, with a tool of the other workspace, which is
/// built if necessary.
fn decoded(program: &Path, log: &[u8]) -> String {
    let directory = programs::directory();
    let path = directory.path().join("log");
    fs::write(&path, log).expect("space for the log");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "run",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "defmt-decode",
        "--manifest-path",
    ]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../targets/Cargo.toml")).arg("--").arg(program);
    let output =
        cargo.stdin(File::open(&path).expect("it was written")).output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_device_logs_errors_and_all_its_stats() {
    let program = firmware("thumbv7m-none-eabi", "defmt-log");
    let end = Machine::mps2_an385(&program).start().end();
    assert!(end.status.success(), "{end:?}");
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../targets/defmt-log/log.out");
    assert_eq!(
        decoded(&program, &end.output),
        fs::read_to_string(kept).expect("a file next to the source")
    );
}
