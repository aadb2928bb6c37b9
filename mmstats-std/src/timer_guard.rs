//! Timers that run across threads.

use crate::per_thread::PerThread;
use mmstats_core::{Clock, Model, Timer};
use std::fmt;
use std::mem;
use std::time::Duration;

impl<M: Model> PerThread<M> {
    /// Starts a timer that records the time when it is stopped or dropped, in the stats of the
    /// thread that does so: for a task that may continue on another thread after an `.await`.
    ///
    /// ```
    /// use mmstats_std::{Timer, model, per_thread};
    /// model! { struct Server { latency: Timer } }
    /// per_thread! { static SERVER: Server; }
    ///
    /// let timing = SERVER.start_timer(|server| &server.latency);
    /// std::thread::spawn(move || drop(timing)).join().unwrap();
    /// ```
    pub fn start_timer<C: Clock, const N: usize>(
        &'static self,
        timer: fn(&M) -> &Timer<C, N, M::Format>,
    ) -> OwnedTimerGuard<M, C, N> {
        OwnedTimerGuard { stats: self, timer, start: C::now() }
    }
}

/// A running timer that belongs to no thread, created by [`PerThread::start_timer`].
#[must_use = "the time is recorded when the guard is dropped"]
pub struct OwnedTimerGuard<M: Model + 'static, C: Clock, const N: usize> {
    stats: &'static PerThread<M>,
    timer: fn(&M) -> &Timer<C, N, M::Format>,
    start: C::Instant,
}

impl<M: Model, C: Clock, const N: usize> OwnedTimerGuard<M, C, N> {
    /// Records the time and returns it.
    pub fn stop(self) -> Duration {
        let duration = self.record();
        mem::forget(self);
        duration
    }

    /// Stops without recording the time.
    pub fn discard(self) {
        mem::forget(self);
    }

    fn record(&self) -> Duration {
        self.stats.with(|stats| (self.timer)(stats).record_since(self.start))
    }
}

impl<M: Model, C: Clock, const N: usize> Drop for OwnedTimerGuard<M, C, N> {
    fn drop(&mut self) {
        self.record();
    }
}

impl<M: Model, C: Clock, const N: usize> fmt::Debug for OwnedTimerGuard<M, C, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedTimerGuard").field("stats", self.stats).finish_non_exhaustive()
    }
}
