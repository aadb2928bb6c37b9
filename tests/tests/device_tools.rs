//! The tools that scrape repeatedly, with running devices.
#![cfg(feature = "devices")]

use mmstats_tests::cli::{Outcome, program, run};
use mmstats_tests::firmware::Live;
use mmstats_tests::qemu::{Machine, firmware};
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Checks that each row of `pollstats` has the motor's state and steps (not the first row if the
/// device has just started).
fn poll(what: &str, source: &[OsString]) {
    let mut command = Command::new(program("--bin", "pollstats"));
    let outcome = run(command
        .args(["--json", "-c", "5", "-d", "0.2", "motor.steps,motor.interval:p50,motor.state"])
        .args(source));
    assert_eq!(outcome.status, 0, "{what}: {outcome:?}");
    let rows: Vec<Value> =
        outcome.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 5, "{what}: {outcome:?}");
    for (index, row) in rows.iter().enumerate() {
        assert!(
            row["values"]["motor.steps"].as_u64().is_some_and(|steps| steps > 0 || index == 0),
            "{what}: {outcome:?}"
        );
        assert!(row["values"]["motor.state"].is_string(), "{what}: {outcome:?}");
    }
}

fn batch(source: &[OsString]) -> Outcome {
    run(Command::new(program("--bin", "topstats")).args(["-b", "-d", "0.2"]).args(source))
}

fn arguments(arguments: &[&dyn AsRef<Path>]) -> Vec<OsString> {
    arguments.iter().map(|argument| argument.as_ref().as_os_str().to_owned()).collect()
}

#[test]
fn memory_in_a_file_is_polled() {
    let device = Machine::mps2_an385(&firmware("thumbv7m-none-eabi", "mps2-an385")).start();
    device.wait_for("a region", || Live::find(device.ram()));
    let source = arguments(&[&device.ram()]);
    poll("a file", &source);
    let outcome = batch(&source);
    assert!(outcome.status == 0 && outcome.out.contains("motor.steps"), "{outcome:?}");
}

#[test]
fn a_gdb_server_is_polled() {
    let elf = firmware("thumbv6m-none-eabi", "microbit");
    let device = Machine::microbit(&elf).gdb().start();
    let source = arguments(&[&"--elf", &elf, &format!("gdb://{}", device.gdb())]);
    let read = || run(Command::new(program("--bin", "slurpstats")).args(&source));
    device.wait_for("steps", || Some(read()).filter(|outcome| outcome.status == 0));
    poll("a debug server", &source);
    let outcome = batch(&source);
    assert!(outcome.status == 0 && outcome.out.contains("motor.steps"), "{outcome:?}");
}

#[test]
fn an_emulator_is_polled_without_halting() {
    let elf = firmware("thumbv7m-none-eabi", "mps2-an385");
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("qmp");
    let device = Machine::mps2_an385(&elf)
        .args(&["-qmp", &format!("unix:{},server=on,wait=off", socket.display())])
        .start();
    device.wait_for("a region", || Live::find(device.ram()));
    let source = arguments(&[&"--elf", &elf, &"--no-halt", &format!("qmp://{}", socket.display())]);
    poll("an emulator", &source);
    let outcome = batch(&source);
    assert!(outcome.status == 0 && outcome.out.contains("motor.steps"), "{outcome:?}");
}

#[test]
fn cleanstats_refuses_devices() {
    let elf = firmware("thumbv7m-none-eabi", "mps2-an385");
    let device = Machine::mps2_an385(&elf).gdb().start();
    device.wait_for("a region", || Live::find(device.ram()));
    let outcome = run(Command::new(program("--bin", "cleanstats"))
        .arg(device.ram())
        .arg(format!("gdb://{}", device.gdb())));
    assert!(
        device.ram().exists() && outcome.out.ends_with("Removed 0  -  0 alive\n"),
        "{outcome:?}"
    );
}
