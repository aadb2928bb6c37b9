//! While a handle is there, nobody else gets at its memory.
//~ E0503 cannot use `memory[_]` because it was mutably borrowed

use mmstats_core::{Borrowed, Counter, Region, Writer};

/// Writes into memory that, with the error, is a region still.
pub fn both() {
    let mut memory = [0_u64; 32];
    let counter: Counter<u32, Borrowed<'_>> =
        Writer::<Borrowed<'_>>::new(Region::new(&mut memory)).unwrap().add(Counter::builder("count")).unwrap();
    #[cfg(good)]
    counter.incr();
    memory[3] += 1;
    #[cfg(not(good))]
    counter.incr();
}
