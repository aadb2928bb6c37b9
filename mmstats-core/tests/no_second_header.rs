//! A writer leaves no second copy of its header in memory, which a scan would mistake for a region.
#![cfg(target_os = "linux")]

mod common;

use common::region_in;
use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::BYTE_ORDER;
use mmstats_core::{Counter, Text, V2, model};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bytes of stack that are searched, below the test's own.
const STACK: usize = 1 << 16;

model! { struct Motor { steps: Counter<u32>, state: Text<12> => "idle" } }

/// Counts the beginnings of headers: the magic, then the byte order.
fn headers(bytes: &[u8]) -> usize {
    let beginning = [&MAGIC[..], &BYTE_ORDER.to_ne_bytes()].concat();
    bytes.windows(beginning.len()).filter(|window| *window == beginning).count()
}

#[inline(never)]
fn publish(memory: &mut [u64]) {
    Motor::<V2>::publish(region_in(memory)).unwrap();
}

#[inline(never)]
fn publish_with_flash(memory: &mut [u64]) {
    Motor::<V2>::publisher().directory_in_flash().publish(region_in(memory)).unwrap();
}

#[inline(never)]
fn resume(memory: &mut [u64]) {
    Motor::<V2>::publisher().recover(region_in(memory)).unwrap();
}

fn leaves_none(publish: fn(&mut [u64])) {
    let on_the_stack = 0_u64;
    let below = (&raw const on_the_stack).addr() - STACK;
    // Whatever needs much stack is done before the stack is searched.
    let own_memory = File::open("/proc/self/mem").unwrap();
    let mut stack = vec![0; STACK];
    let mut memory = vec![0; Motor::<V2>::SIZE / 8];
    for _ in 0..2 {
        publish(&mut memory);
        own_memory.read_exact_at(&mut stack, below as u64).unwrap();
        assert_eq!(headers(&stack), 0);
    }
}

#[test]
fn publishing_leaves_no_second_header() {
    leaves_none(publish);
}

#[test]
fn publishing_with_the_directory_in_flash_leaves_no_second_header() {
    leaves_none(publish_with_flash);
}

#[test]
fn resuming_leaves_no_second_header() {
    leaves_none(resume);
}
