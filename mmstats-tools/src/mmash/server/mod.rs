//! The HTTP server, and the state that all requests share.
//!
//! - `listener` accepts connections; `routes` maps paths to handlers;
//! - `middleware` checks every request: by whom, for what, and how often;
//! - `parameters` decodes queries and paths; `response` builds and compresses responses;
//! - the cost of clients is bounded: `limits` and `connections` bound their number and requests,
//!   `response_budget` the memory of unread responses, `write_timeout` how slowly they may read.

mod connections;
pub(super) mod limits;
pub(super) mod listener;
pub(super) mod middleware;
pub(super) mod parameters;
pub(super) mod response;
pub(super) mod response_budget;
mod routes;
mod write_timeout;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use tokio::sync::{Semaphore, watch};
use tokio::task;
use tokio::time::timeout;

use crate::label_glob::limit_steps;
use crate::mmash::exporter::dropped_field_log::DroppedFieldLog;
use crate::mmash::live::scrape_loop::Latest;
use crate::mmash::live::snapshot::Snapshot;
use crate::mmash::live::streams::SseStreams;
use crate::mmash::server::limits::{Limits, RateLimiter};
use crate::mmash::server::parameters::Parameters;
use crate::mmash::server::response::{HttpError, accepts_gzip, gzip, set_encoding, with_type};
use crate::mmash::server::response_budget::ResponseBudget;
use crate::options::mmash::Options;
use crate::render::metrics::Settings;

/// The maximum number of responses that are made at a time, in threads other than the server's.
const MAX_JOBS: usize = 2;

/// The number of comparisons with patterns that end a job: some tenths of a second.
const MAX_STEPS: u64 = 50_000_000;

/// The memory limit of responses that have not been read yet.
const RESPONSE_BUDGET_BYTES: usize = 128 << 20;

/// How long a request waits for the first scrape.
const FIRST_SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

/// The state that all requests share.
pub(crate) struct Server {
    /// The latest scrapes.
    pub(crate) latest: Latest,
    /// The time between two scrapes.
    pub(crate) interval: Duration,
    /// Which metrics are exported.
    pub(crate) metrics: Settings,
    /// Host names that are accepted besides the server's own, in lower case.
    pub(crate) hosts: Vec<String>,
    /// A permit for each event stream.
    pub(crate) stream_permits: Arc<Semaphore>,
    /// The limit on requests per second.
    pub(crate) rate_limiter: RateLimiter,
    /// The memory limit of responses.
    pub(crate) budget: ResponseBudget,
    /// The event streams that clients share.
    pub(crate) streams: SseStreams,
    /// Becomes true when the program is to end.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Which missing metrics have been logged.
    pub(crate) dropped_fields: DroppedFieldLog,
    jobs: Arc<Semaphore>,
}

impl Server {
    /// Creates the state.
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
            stream_permits: Arc::new(Semaphore::new(limits.streams)),
            rate_limiter: RateLimiter::new(options.max_requests_per_second.get().into()),
            budget: ResponseBudget::new(RESPONSE_BUDGET_BYTES),
            streams: SseStreams::default(),
            shutdown,
            dropped_fields: DroppedFieldLog::default(),
            jobs: Arc::new(Semaphore::new(MAX_JOBS)),
        }
    }

    /// Returns the latest scrape; waits for the first one.
    ///
    /// # Errors
    /// 503 if the first scrape takes too long.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>, HttpError> {
        let mut receiver = self.latest.snapshot.clone();
        let first = timeout(FIRST_SCRAPE_TIMEOUT, receiver.wait_for(Option::is_some)).await;
        let snapshot = first.ok().and_then(Result::ok).and_then(|first| first.clone());
        snapshot.ok_or_else(|| {
            HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "the first scrape is not finished yet")
        })
    }

    /// Runs a job that takes a while in another thread. It is not started if its client disconnects
    /// while it waits for its turn. Its client's patterns cannot occupy the thread for long.
    ///
    /// # Errors
    /// 400 if it makes too many comparisons with patterns, 500 if it panics.
    pub(crate) async fn run_job<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HttpError> {
        let failed =
            || HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "failed to make the response");
        let permit = self.jobs.clone().acquire_owned().await.map_err(|_| failed())?;
        let job = move || {
            // A started job runs to its end even if its client is gone, so it keeps the permit.
            let _permit = permit;
            limit_steps(MAX_STEPS, job)
        };
        task::spawn_blocking(job).await.map_err(|_| failed())?.ok_or_else(|| {
            HttpError::bad_request(format!(
                "too many comparisons of labels with patterns (fewer than {MAX_STEPS} characters \
                 expected): use fewer or shorter patterns"
            ))
        })
    }
}

/// A request, and the state of the server: what a handler needs.
pub(crate) struct Call {
    pub(crate) server: Arc<Server>,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

impl FromRequestParts<Arc<Server>> for Call {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<Server>,
    ) -> Result<Self, Infallible> {
        let (uri, headers) = (parts.uri.clone(), parts.headers.clone());
        Ok(Call { server: server.clone(), uri, headers })
    }
}

impl Call {
    /// Decodes the query, which may have these parameters.
    ///
    /// # Errors
    /// If it is not encoded properly, or has others.
    pub(crate) fn parameters(&self, known: &[&str]) -> Result<Parameters, HttpError> {
        Parameters::parse(self.uri.query(), known)
    }

    /// Makes a body in another thread and returns it as a response, compressed if the client
    /// accepts that.
    pub(crate) async fn respond(
        &self,
        content_type: &'static str,
        make: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Result<Response, HttpError> {
        let compress = accepts_gzip(&self.headers);
        let (body, is_compressed) = self.server.run_job(move || gzip(make(), compress)).await?;
        Ok(set_encoding(with_type(content_type, self.server.budget.count(body)?), is_compressed))
    }

    /// Like [`Call::respond`], with a body made of the latest scrape.
    pub(crate) async fn respond_with_scrape(
        &self,
        content_type: &'static str,
        make: impl FnOnce(&Snapshot) -> Vec<u8> + Send + 'static,
    ) -> Result<Response, HttpError> {
        let snapshot = self.server.snapshot().await?;
        self.respond(content_type, move || make(&snapshot)).await
    }
}
