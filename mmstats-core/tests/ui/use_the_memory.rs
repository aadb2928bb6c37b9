//! While a handle exists, no other code gets at its memory.
//~ E0503 cannot use `memory[_]` because it was mutably borrowed

use mmstats_core::{Counter, Region, V2, Writer};

/// Writes into memory that is a region.
pub fn both() {
    let memory: &'static mut [u64] = vec![0; 32].leak();
    let counter: Counter<u32> =
        Writer::<V2>::new(Region::new(memory)).unwrap().add(Counter::builder("count")).unwrap();
    #[cfg(not(good))]
    {
        memory[3] += 1;
    }
    counter.incr();
}
