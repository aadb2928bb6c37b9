//! A static region is given out once, however many callers take it at the same time.
//!
//! With `--cfg mmstats_splitter` this tests the loads and stores that targets without
//! compare-and-swap use; there, callers at the same time may all be refused.

use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use mmstats_core::{Counter, StaticRegion, model, persistent_region};
use std::sync::Mutex;

const ROUNDS: usize = 20_000;
const THREADS: usize = 8;

static REGIONS: [StaticRegion<8>; ROUNDS] = [const { StaticRegion::new() }; ROUNDS];

#[test]
fn one_of_eight_threads_that_take_a_region_at_once_gets_it() {
    let arrived: Vec<AtomicUsize> = (0..ROUNDS).map(|_| AtomicUsize::new(0)).collect();
    let taken = Mutex::new(vec![0; ROUNDS]);
    // More threads than processors rarely meet, so most rounds have two threads, which do.
    for threads in [2, THREADS] {
        let rounds = if threads == 2 { 0..ROUNDS - 500 } else { ROUNDS - 500..ROUNDS };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    for round in rounds.clone() {
                        arrived[round].fetch_add(1, SeqCst);
                        let mut spins = 0;
                        while arrived[round].load(SeqCst) < threads {
                            spins += 1;
                            if spins % 1000 == 0 {
                                std::thread::yield_now();
                            }
                        }
                        mine.extend(REGIONS[round].take().map(|_| round).ok());
                    }
                    let mut taken = taken.lock().unwrap();
                    mine.into_iter().for_each(|round| taken[round] += 1);
                });
            }
        });
    }
    let taken = taken.into_inner().unwrap();
    let given = taken.iter().filter(|times| **times == 1).count();
    assert!(taken.iter().all(|times| *times <= 1), "given out twice");
    if cfg!(mmstats_splitter) {
        assert!(given > 0, "{given} of {ROUNDS}");
    } else {
        assert_eq!(given, ROUNDS, "given out to nobody");
    }
    assert!(REGIONS.iter().all(|region| region.take().is_err()), "given out again");
}

model! {
    struct Motor { steps: Counter<u32> }
}

#[test]
fn a_caller_alone_gets_the_region_and_the_next_does_not() {
    static REGION: StaticRegion<{ Motor::SIZE }> = StaticRegion::new();
    persistent_region! { static KEPT: PersistentRegion<{ Motor::SIZE }> in ".uninit.mmstats_test"; }
    let motors = [REGION.take(), KEPT.take()]
        .map(|region| Motor::publish(region.expect("the first to ask")).unwrap());
    assert!(REGION.take().is_err() && KEPT.take().is_err());
    motors.iter().for_each(|motor| motor.steps.incr());
    assert_eq!(motors.map(|motor| motor.steps.get()), [1, 1]);
    assert_eq!((REGION.view().len(), KEPT.view().len()), (Motor::SIZE, Motor::SIZE));
}
