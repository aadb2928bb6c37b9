//! `seeded FAULT`: a program with a fault that a sanitizer has to report.
//!
//! Each fault is of a kind that this project could have: in the memory of a region, between
//! accesses of the library and others.
#![allow(unsafe_code, reason = "the faults")]

use mmstats_core::{Counter, Region, model};
use mmstats_std::{Options, publish};
use std::fs;
use std::hint::black_box;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

model! {
    struct Stats {
        count: Counter,
    }
}

fn main() {
    let fault = std::env::args().nth(1).unwrap_or_default();
    match fault.as_str() {
        "race" => race(),
        "out_of_bounds" => out_of_bounds(),
        "after_free" => after_free(),
        other => panic!("race, out_of_bounds or after_free, not {other:?}"),
    }
}

/// A thread reads the mapping of a file without atomics after another has counted in it, which a
/// relaxed flag does not order.
fn race() {
    static IS_COUNTED: AtomicBool = AtomicBool::new(false);
    let stats = publish::<Stats>(&Options::new()).expect("there is a directory");
    let (start, end) = mapping(stats.path().to_str().expect("UTF-8"));
    let read = thread::spawn(move || {
        while !IS_COUNTED.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        for word in (start..end).step_by(8) {
            // SAFETY: mapped and aligned; that it was written is the fault.
            black_box(unsafe { *ptr::with_exposed_provenance::<u64>(word) });
        }
    });
    stats.count.incr();
    IS_COUNTED.store(true, Ordering::Relaxed);
    read.join().expect("it does not panic");
}

/// Returns the addresses between which this process has mapped a file.
fn mapping(path: &str) -> (usize, usize) {
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    let line = maps.lines().find(|line| line.ends_with(path)).expect("it is mapped");
    let (start, rest) = line.split_once('-').expect("a range");
    let (end, _) = rest.split_once(' ').expect("more than a range");
    let parse = |number| usize::from_str_radix(number, 16).expect("hexadecimal");
    (parse(start), parse(end))
}

/// Memory for the stats that is `missing` bytes too short.
fn memory(missing: usize) -> Vec<u64> {
    vec![0; Stats::SIZE.div_ceil(8) - missing / 8]
}

/// # Safety
/// There is none: the memory may be too short, and freed while the stats are used.
unsafe fn stats_in(memory: &mut [u64]) -> Stats {
    // SAFETY: aligned and initialised; the rest is the fault.
    let region = unsafe { Region::from_raw(NonNull::from(memory).cast(), Stats::SIZE) };
    Stats::publish(region.expect("it is aligned")).expect("it has room")
}

/// A region claims more memory than there is.
fn out_of_bounds() {
    let mut memory = memory(8);
    // SAFETY: none.
    unsafe { stats_in(&mut memory) }.count.incr();
}

/// The memory of a region is freed before its stats.
fn after_free() {
    let mut memory = memory(0);
    // SAFETY: none.
    let stats = unsafe { stats_in(&mut memory) };
    drop(memory);
    stats.count.incr();
}
