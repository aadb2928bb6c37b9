//! Two cores update the same fields at the same time: no update is lost.
#![no_std]
#![no_main]

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use mmstats_core::reader::{ReadBuffers, Value, read};
use mmstats_core::{Counter, Gauge, Highest, Histogram, Model, Shared, StaticRegion, model};
use semihosting::{println, process};
use two_cores::{Handover, start_the_other};

model! {
    /// Updated by both cores.
    pub struct Board {
        /// A word.
        count: Counter<u32>,
        /// Wider than the words of this machine.
        wide: Counter,
        /// Raised by one core, lowered by the other.
        balance: Gauge<i32>,
        /// The highest of both.
        highest: Highest<u32>,
        /// Values from 0 to 7.
        sizes: Histogram<2, 8, u32>,
    }
}

static REGION: StaticRegion<{ Board::<Shared>::SIZE }> = StaticRegion::new();
static BOARD: Handover<Board<Shared>> = Handover::new();
/// Whether core 1 is to end.
static END: AtomicBool = AtomicBool::new(false);
/// The number of updates by core 1; 0 while it has not ended.
static UPDATES_OF_CORE_1: AtomicU32 = AtomicU32::new(0);

/// The fewest updates of core 0.
const MIN_UPDATES: u32 = 100_000;
/// How often, at least, core 0 has to find that core 1 has counted since its own last update:
/// otherwise they did not run at the same time.
const MIN_OVERLAPS: u32 = 100;

/// Runs on both cores.
#[riscv_rt::entry]
fn main(core: usize) -> ! {
    if core == 1 {
        let (updates, _) = update(BOARD.borrow(), -1, |_, _| END.load(Ordering::Relaxed));
        // Partner: the Acquire load of the other core.
        UPDATES_OF_CORE_1.store(updates, Ordering::Release);
        loop {
            spin_loop();
        }
    }
    let board = Board::<Shared>::publish(&REGION).expect("the region is free");
    start_the_other();
    BOARD.lend(&board, |board| {
        let is_enough = |updates, overlaps| updates >= MIN_UPDATES && overlaps >= MIN_OVERLAPS;
        let (updates, overlaps) = update(board, 1, is_enough);
        END.store(true, Ordering::Relaxed);
        let others = loop {
            // Partner: the Release store of the other core.
            match UPDATES_OF_CORE_1.load(Ordering::Acquire) {
                0 => spin_loop(),
                others => break others,
            }
        };
        check(board, [updates, others], overlaps)
    })
}

/// Updates all fields; returns how often, and how often the other core counted in between.
fn update(board: &Board<Shared>, change: i32, is_enough: impl Fn(u32, u32) -> bool) -> (u32, u32) {
    let (mut updates, mut overlaps) = (0, 0);
    let mut last = board.count.get();
    loop {
        board.count.incr();
        board.wide.add(1 << 20);
        board.balance.add(change);
        board.highest.record(updates);
        board.sizes.record(u64::from(updates % 8));
        updates += 1;
        let now = board.count.get();
        overlaps += u32::from(now.wrapping_sub(last) > 1);
        last = now;
        if is_enough(updates, overlaps) {
            return (updates, overlaps);
        }
    }
}

fn check(board: &Board<Shared>, updates: [u32; 2], overlaps: u32) -> ! {
    let [own, others] = updates;
    let all = own + others;
    let (count, wide, balance) = (board.count.get(), board.wide.get(), board.balance.get());
    let (highest, recorded) = (board.highest.get(), recorded());
    println!(
        "updates {all}, count {count}, wide {wide}, recorded {recorded}, balance {balance}, \
         highest {highest}, overlaps {overlaps}"
    );
    let is_exact = count == all
        && wide == u64::from(all) << 20
        && recorded == u64::from(all)
        && balance == own.wrapping_sub(others) as i32
        && highest == own.max(others) - 1;
    process::exit(if is_exact { 0 } else { 1 })
}

/// Returns the number of values in the histogram, as a reader sees it.
fn recorded() -> u64 {
    let mut memory = [0; ReadBuffers::words(Board::<Shared>::SIZE)];
    let mut buffers = ReadBuffers::new(&mut memory);
    let view = REGION.view();
    let (directory, snapshot) = read(&view, &mut buffers).expect("it is published");
    let values = directory.entries().flatten().map(|entry| snapshot.value(&entry.location));
    values
        .filter_map(|value| match value {
            Ok(Value::Histogram(distribution)) => Some(distribution.count()),
            _ => None,
        })
        .sum()
}
