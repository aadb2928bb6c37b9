//! The cost of counting in machine instructions.

use mmstats_tests::builds::release;
use mmstats_tests::programs::{directory, tool};
use std::fs;

const CALLS: u64 = 100_000;

#[test]
fn counting_takes_at_most_six_instructions_including_the_return() {
    let exe = release("one_count");
    let directory = directory();
    let profile = directory.path().join("profile");
    let mut command = tool("valgrind");
    command.args([
        "--tool=callgrind",
        "--collect-atstart=no",
        "--toggle-collect=one_count::count*",
    ]);
    command
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(exe)
        .arg(CALLS.to_string());
    let output =
        command.env("MMSTATS_PATH", directory.path()).env_remove("MMSTATS_FILES").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let profile = fs::read_to_string(profile).unwrap();
    let total: u64 = profile
        .lines()
        .find_map(|line| line.strip_prefix("summary: "))
        .and_then(|total| total.trim().parse().ok())
        .expect("a total");
    println!("{total} instructions in {CALLS} calls: {} each", total as f64 / CALLS as f64);
    assert!(total >= 2 * CALLS, "{total} instructions: the function was not measured");
    assert!(total <= 6 * CALLS, "{total} instructions in {CALLS} calls");
}
