//! Handles have no lifetime, so they need memory that stays.
//~ E0597 `memory` does not live long enough

use mmstats_core::{Counter, Region, V2, Writer};

/// Publishes in memory that, with the error, does not stay.
pub fn publish() -> Counter {
    #[cfg(good)]
    let memory: &'static mut [u64] = vec![0; 32].leak();
    #[cfg(not(good))]
    let mut memory = vec![0; 32];
    #[cfg(not(good))]
    let memory = &mut memory[..];
    Writer::<V2>::new(Region::new(memory)).unwrap().add(Counter::builder("count")).unwrap()
}
