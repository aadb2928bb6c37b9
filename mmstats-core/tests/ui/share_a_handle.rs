//! A handle is for one thread at a time: it can be moved, not shared.
//~ E0277 cannot be shared between threads safely

use mmstats_core::Counter;

/// Counts in a thread, and with the error also here.
pub fn share(counter: Counter) {
    #[cfg(good)]
    std::thread::spawn(move || counter.incr());
    #[cfg(not(good))]
    std::thread::scope(|scope| {
        scope.spawn(|| counter.incr());
        counter.incr();
    });
}
