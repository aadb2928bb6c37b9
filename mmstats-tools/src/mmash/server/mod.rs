//! What all requests share.

pub(super) mod limits;
pub(super) mod listener;
pub(super) mod middleware;
pub(super) mod parameters;
pub(super) mod response;
pub(super) mod response_budget;
mod write_timeout;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::sync::{Semaphore, watch};
use tokio::task;
use tokio::time::timeout;

use crate::mmash::exporter::dropped_fields::DroppedFields;
use crate::mmash::live::events::SseStreams;
use crate::mmash::live::scrape_loop::{Latest, Snapshot};
use crate::mmash::server::limits::Limits;
use crate::mmash::server::response::{HttpError, pack, takes_gzip};
use crate::mmash::server::response_budget::ResponseBudget;
use crate::options::mmash::Options;
use crate::render::metrics::Settings;

/// How many answers are made at a time, in threads beside the one that serves.
const JOBS: usize = 2;

/// Bytes of answers that have not been read yet.
const ROOM: usize = 128 << 20;

/// How long a request waits for the first look.
const PATIENCE: Duration = Duration::from_secs(10);

/// The server.
pub(crate) struct Server {
    /// What is sampled.
    pub(crate) latest: Latest,
    /// The time between two looks.
    pub(crate) interval: Duration,
    /// What metrics are wanted.
    pub(crate) metrics: Settings,
    /// Names that it answers to besides its own, in lower case.
    pub(crate) hosts: Vec<String>,
    /// A permit for each stream.
    pub(crate) streams: Arc<Semaphore>,
    /// How often requests may come.
    pub(crate) rate: Rate,
    /// What answers take.
    pub(crate) room: ResponseBudget,
    /// What streams send.
    pub(crate) feeds: SseStreams,
    /// Becomes true when it is to end.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// What was said about pages for Prometheus that were not complete.
    pub(crate) told: DroppedFields,
    jobs: Arc<Semaphore>,
}

impl Server {
    pub(crate) fn new(
        options: &Options,
        limits: Limits,
        metrics: Settings,
        latest: Latest,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        Server {
            latest,
            interval: options.interval,
            metrics,
            hosts: options.allow_host.clone(),
            streams: Arc::new(Semaphore::new(limits.streams)),
            rate: Rate::new(options.max_requests_per_second.get().into()),
            room: ResponseBudget::new(ROOM),
            feeds: SseStreams::default(),
            shutdown,
            told: DroppedFields::default(),
            jobs: Arc::new(Semaphore::new(JOBS)),
        }
    }

    /// The latest look. Only the first one may have to be waited for.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>, HttpError> {
        let mut receiver = self.latest.snapshot.clone();
        let first = timeout(PATIENCE, receiver.wait_for(Option::is_some)).await;
        let snapshot = first.ok().and_then(Result::ok).and_then(|first| first.clone());
        snapshot.ok_or_else(|| {
            HttpError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the first look at the stats is not over yet",
            )
        })
    }

    /// Does what takes a while, where it holds up nobody. If whoever asked for it goes away before
    /// its turn has come, it is not done.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HttpError> {
        let failed =
            || HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be made");
        let turn = self.jobs.clone().acquire_owned().await.map_err(|_| failed())?;
        let job = move || {
            // What has begun goes on, whoever has gone; nothing else begins before that.
            let _turn = turn;
            job()
        };
        task::spawn_blocking(job).await.map_err(|_| failed())
    }

    /// Answers with bytes of a type, which take a while to make; compressed, if the client can read
    /// that.
    pub(crate) async fn answer(
        &self,
        content_type: &'static str,
        headers: &HeaderMap,
        make: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Result<Response, HttpError> {
        let compress = takes_gzip(headers);
        self.work(move || pack(make(), compress)).await?.answer(content_type, &self.room).await
    }
}

/// A bucket of tokens: so many are added a second, and each request takes one.
pub(crate) struct Rate {
    per_second: f64,
    tokens: Mutex<(f64, Instant)>,
}

impl Rate {
    fn new(per_second: f64) -> Self {
        Rate { per_second, tokens: Mutex::new((per_second * 2.0, Instant::now())) }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&self) -> bool {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> bool {
        let mut guard = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, filled) = *guard;
        let tokens = (tokens + now.duration_since(filled).as_secs_f64() * self.per_second)
            .min(self.per_second * 2.0);
        let has_one = tokens >= 1.0;
        *guard = (if has_one { tokens - 1.0 } else { tokens }, now);
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_of_tokens_runs_dry_and_fills_again() {
        let rate = Rate::new(20.0);
        let start = Instant::now();
        assert_eq!((0..100).filter(|_| rate.take_at(start)).count(), 40);
        assert_eq!(
            (0..100).filter(|_| rate.take_at(start + Duration::from_millis(200))).count(),
            4
        );
    }
}
