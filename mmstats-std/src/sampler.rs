//! A thread that samples values at an interval.

use crate::error::PublishError;
use crate::memory::ForkGeneration;
use crate::options::Options;
use crate::publish::publish;
use mmstats_core::Model;
use std::any::Any;
use std::fmt;
use std::mem;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A thread that publishes a model and sets its values at an interval: for values that must be
/// polled, such as the length of a queue or the memory that a process uses.
///
/// Dropping it ends the thread and removes the file, unless [`Options::keep`] is set. It waits for
/// a call of `sample` that is running, so do not hold a lock that `sample` takes. Dropped by
/// `sample` itself, it does not wait: the thread ends after that call. If `sample` panics, the
/// thread ends and the file is removed at once. A file that somebody else has removed is replaced
/// at the next sample.
///
/// A forked child has neither the thread nor the file: start another sampler there.
///
/// ```
/// use mmstats_std::{Gauge, Options, Sampler, model};
/// use std::time::Duration;
/// model! { struct Pool { idle: Gauge<u64> = "pool.idle" } }
///
/// let sampler = Sampler::every(Duration::from_secs(10), &Options::new(), |pool: &Pool| {
///     pool.idle.set(3);
/// })?;
/// assert!(sampler.path().exists());
/// # Ok::<(), mmstats_std::PublishError>(())
/// ```
pub struct Sampler {
    /// The path of the first file.
    path: PathBuf,
    interval: Duration,
    running: Option<Running>,
    /// The fork generation of the process that has the thread.
    fork_generation: ForkGeneration,
}

struct Running {
    /// Dropping it ends the thread.
    _stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Sampler {
    /// Starts the thread. It calls `sample` once before this returns, and then at each multiple of
    /// the interval; it skips those that have passed when `sample` takes longer.
    ///
    /// # Errors
    /// If the file cannot be created, or the thread cannot be started.
    ///
    /// # Panics
    /// If the first call of `sample` panics.
    pub fn every<M: Model + 'static>(
        interval: Duration,
        options: &Options,
        sample: impl FnMut(&M) + Send + 'static,
    ) -> Result<Sampler, PublishError> {
        let options = *options;
        let (stop, stopped) = mpsc::channel();
        let (started, start) = mpsc::channel();
        let run = move || run(interval, &options, sample, &started, &stopped);
        let thread = thread::Builder::new()
            .name("mmstats-sampler".to_owned())
            .spawn(run)
            .map_err(|error| PublishError::new(Path::new(""), "cannot start a thread", error))?;
        let Ok(path) = start.recv() else {
            // The thread has ended before it could send.
            panic::resume_unwind(thread.join().err().unwrap_or_else(no_reason));
        };
        let running = Some(Running { _stop: stop, thread });
        Ok(Sampler { path: path?, interval, running, fork_generation: ForkGeneration::current() })
    }

    /// Returns the path of the file that was created first; empty if publishing is switched off.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn no_reason() -> Box<dyn Any + Send> {
    Box::new("the sampling thread has ended")
}

fn run<M: Model>(
    interval: Duration,
    options: &Options,
    mut sample: impl FnMut(&M),
    started: &Sender<Result<PathBuf, PublishError>>,
    stopped: &Receiver<()>,
) {
    let published = match publish::<M>(options) {
        Ok(published) => published,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let start = Instant::now();
    sample(&published);
    let _ = started.send(Ok(published.path()));
    loop {
        let wait = until_next(start.elapsed(), interval);
        if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        // Replaces a lost file.
        published.publication();
        sample(&published);
    }
}

/// Returns the time to the next multiple of an interval; an interval of zero is a nanosecond.
fn until_next(elapsed: Duration, interval: Duration) -> Duration {
    let interval = interval.as_nanos().max(1);
    let wait = interval - elapsed.as_nanos() % interval;
    Duration::from_nanos(wait.try_into().unwrap_or(u64::MAX))
}

impl Drop for Sampler {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        if self.fork_generation != ForkGeneration::current() {
            // The thread is the parent's, and may have held the channel's lock.
            return mem::forget(running);
        }
        let Running { _stop: stop, thread } = running;
        drop(stop);
        if thread.thread().id() == thread::current().id() {
            return;
        }
        // A panic has been printed.
        let _ = thread.join();
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler")
            .field("path", &self.path)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_at_multiples_of_the_interval() {
        let wait = |elapsed, interval| {
            until_next(Duration::from_millis(elapsed), Duration::from_millis(interval)).as_millis()
        };
        assert_eq!([wait(0, 10), wait(1, 10), wait(9, 10), wait(10, 10)], [10, 9, 1, 10]);
        assert_eq!(wait(25, 10), 5);
        assert!(until_next(Duration::ZERO, Duration::MAX) > Duration::from_secs(1 << 30));
        assert_eq!(until_next(Duration::from_secs(1), Duration::ZERO), Duration::from_nanos(1));
    }
}
