//! Two cores that share memory: one publishes, the other reads; or both update the same fields.
//!
//! Each core has its own thread in QEMU; with one thread for both, they would take turns and hardly
//! ever overlap.
#![cfg(feature = "devices")]

use mmstats_tests::qemu::{End, Machine, firmware};
use std::time::Duration;

/// The time limit of 1 000 000 reads on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(300);

fn run(program: &str) -> End {
    let machine = Machine::riscv_virt(&firmware("riscv32imac-unknown-none-elf", program));
    machine.args(&["-smp", "2", "-accel", "tcg,thread=multi"]).start().end_within(TIMEOUT)
}

/// Returns one of the numbers in the device's output: `read 1000000, new 221853, went back 0, …`.
fn count(end: &End, name: &str) -> u64 {
    let output = String::from_utf8_lossy(&end.output);
    let number = output
        .trim_end()
        .split(", ")
        .find_map(|count| count.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    number.unwrap_or_else(|| {
        panic!("no count of \"{name}\" in {output:?}; {}, {:?}", end.status, end.errors)
    })
}

#[test]
fn a_core_reads_whole_values_of_another_in_order() {
    let end = run("two-cores");
    assert_eq!((count(&end, "torn"), count(&end, "went back")), (0, 0), "{end:?}");
    assert!(end.status.success(), "{end:?}");
    assert!(count(&end, "read") >= 1_000_000, "{end:?}");
    assert!(
        count(&end, "new") >= 100_000 && count(&end, "retried") > 0,
        "reads and writes did not meet often enough to prove anything: {end:?}"
    );
}

#[test]
fn without_a_latch_the_same_reads_are_torn() {
    let end = run("two-cores-unprotected");
    assert!(count(&end, "torn") > 0, "{end:?}");
    assert_eq!(end.status.code(), Some(1), "{end:?}");
}

#[test]
fn both_cores_update_shared_fields_and_no_update_is_lost() {
    let end = run("two-cores-shared");
    assert!(end.status.success(), "{end:?}");
    let updates = count(&end, "updates");
    assert!(updates > 100_000 && count(&end, "overlaps") >= 100, "{end:?}");
    assert_eq!((count(&end, "count"), count(&end, "wide")), (updates, updates << 20), "{end:?}");
    assert_eq!(count(&end, "recorded"), updates, "{end:?}");
}
