//! A handle does not outlive the memory that it borrowed.
//~ E0597 `memory` does not live long enough

use mmstats_core::{Borrowed, Counter, Region, Writer};

/// Counts in memory that is, with the error, gone.
pub fn outlive() {
    #[cfg(good)]
    let mut memory = [0; 32];
    let counter: Counter<u32, Borrowed<'_>>;
    {
        #[cfg(not(good))]
        let mut memory = [0; 32];
        counter = Writer::<Borrowed<'_>>::new(Region::new(&mut memory)).unwrap().add(Counter::builder("count")).unwrap();
    }
    counter.incr();
}
