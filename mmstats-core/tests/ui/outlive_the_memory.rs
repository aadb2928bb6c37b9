//! A handle does not outlive its memory.
//~ E0597 `memory` does not live long enough

use mmstats_core::{Counter, Region, V2, Writer};

/// Counts in memory that is, with the error, gone.
pub fn outlive() {
    let counter: Counter<u32>;
    {
        #[cfg(good)]
        let memory = Box::leak(Box::new([0; 32]));
        #[cfg(not(good))]
        let mut memory = [0; 32];
        #[cfg(not(good))]
        let memory = &mut memory;
        counter =
            Writer::<V2>::new(Region::new(memory)).unwrap().add(Counter::builder("count")).unwrap();
    }
    counter.incr();
}
