//! `/events`: values at every scrape, as server-sent events.
//!
//! An event is made once for all clients with the same query, and only when one of them can send
//! it: a slow client misses scrapes, but delays no other.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;

use crate::mmash::api::stats::{Query, render};
use crate::mmash::live::snapshot::Snapshot;
use crate::mmash::live::streams::SseStream;
use crate::mmash::server::response::{HttpError, with_type};
use crate::mmash::server::{Call, Server};

/// After this time without an event a comment is sent, so that no proxy closes the connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How late a scrape may be because the machine is busy.
const MAX_JITTER: Duration = Duration::from_millis(100);

fn write_event(snapshot: &Snapshot, interval: f64, query: &Query) -> Vec<u8> {
    let head = format!("event: stats\nid: {}\ndata: ", snapshot.number);
    // The JSON has no line breaks, which would end the data.
    [head.into_bytes(), render(snapshot, interval, query), b"\n\n".to_vec()].concat()
}

/// A client of a stream.
struct SseClient {
    server: Arc<Server>,
    stream: Arc<SseStream>,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    shutdown: watch::Receiver<bool>,
    /// The minimum time between two scrapes that are sent.
    pause: Duration,
    /// The number of the last scrape that was sent.
    last: u64,
    /// When the next one is due, by the clock of scrapes.
    due: Duration,
    _permit: OwnedSemaphorePermit,
}

/// Handles `/events`.
pub(crate) async fn events(call: Call) -> Result<Response, HttpError> {
    let parameters = call.parameters(&["match", "by", "interval"])?;
    let server = call.server;
    let query = Query::from_parameters(&parameters)?;
    let pause = match parameters.number("interval")? {
        Some(interval) if interval < 0.0 => {
            return Err(HttpError::bad_request(format!(
                "interval={interval}: negative (0 or more seconds expected)"
            )));
        }
        Some(interval) => pause(interval, server.interval),
        None => Duration::ZERO,
    };
    let full = |_| {
        HttpError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many event streams; see --max-sse-clients",
        )
    };
    let permit = server.stream_permits.clone().try_acquire_owned().map_err(full)?;
    let (stream, snapshots, shutdown) =
        (server.streams.open(query), server.latest.snapshot.clone(), server.shutdown.clone());
    let client = SseClient {
        server,
        stream,
        snapshots,
        shutdown,
        pause,
        last: 0,
        due: Duration::ZERO,
        _permit: permit,
    };
    let stream = stream::unfold(client, |mut client| async move {
        let bytes = client.next().await?;
        Some((Ok::<_, Infallible>(bytes), client))
    });
    let mut response = with_type("text/event-stream", Body::from_stream(stream));
    // Without this, nginx holds events back.
    let no_buffering =
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.headers_mut().extend([no_buffering]);
    Ok(response)
}

/// Returns the minimum time between two scrapes that are sent, for one event in `seconds`. This
/// does not count scrapes, as these may be late.
fn pause(seconds: f64, scrape_interval: Duration) -> Duration {
    let interval = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if interval <= scrape_interval {
        return Duration::ZERO;
    }
    // After a late scrape, the next one comes early.
    interval - MAX_JITTER.min(scrape_interval / 4)
}

impl SseClient {
    /// Returns the next bytes to send. It is called once the client has taken the previous ones.
    async fn next(&mut self) -> Option<Bytes> {
        let (last, due) = (self.last, self.due);
        let is_due =
            |snapshot: &Arc<Snapshot>| snapshot.number > last && snapshot.scrape.elapsed >= due;
        let snapshot = tokio::select! {
            biased;
            _ = self.shutdown.wait_for(|is_ending| *is_ending) => return None,
            snapshot = self.snapshots.wait_for(|snapshot| snapshot.as_ref().is_some_and(is_due)) => snapshot.ok()?.clone()?,
            () = sleep(KEEP_ALIVE_INTERVAL) => return Some(Bytes::from_static(b":\n\n")),
        };
        (self.last, self.due) =
            (snapshot.number, snapshot.scrape.elapsed.saturating_add(self.pause));
        match self.event(&snapshot).await {
            Ok(event) => Some(event),
            // There may be memory for the next event.
            Err(error) if error.status == StatusCode::SERVICE_UNAVAILABLE => {
                Some(Bytes::from_static(b": skipped, too many unread responses\n\n"))
            }
            // Each scrape would fail, and so would a client that connects again.
            Err(error) if error.status == StatusCode::BAD_REQUEST => {
                self.last = u64::MAX;
                Some(Bytes::from(format!(": stopped, {}\n\n", error.message)))
            }
            Err(_) => None,
        }
    }

    /// Returns the event of a scrape.
    async fn event(&self, snapshot: &Arc<Snapshot>) -> Result<Bytes, HttpError> {
        let mut event = self.stream.event.lock().await;
        if event.0 != snapshot.number {
            let (stream, scrape, interval) =
                (self.stream.clone(), snapshot.clone(), self.server.interval.as_secs_f64());
            // Frees the previous event first.
            *event = (0, Ok(Bytes::new()));
            let made =
                self.server.run_job(move || write_event(&scrape, interval, &stream.query)).await;
            *event = (snapshot.number, made.and_then(|bytes| self.server.budget.count(bytes)));
        }
        event.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many of the scrapes at these times, in milliseconds, are sent.
    fn sent(interval: f64, scrape_interval: u64, scrapes: impl Iterator<Item = u64>) -> usize {
        let pause = pause(interval, Duration::from_millis(scrape_interval));
        let mut due = Duration::ZERO;
        let is_sent = |time: &Duration| {
            let is_due = *time >= due;
            due = if is_due { time.saturating_add(pause) } else { due };
            is_due
        };
        scrapes.map(Duration::from_millis).filter(is_sent).count()
    }

    #[test]
    fn an_interval_counts_time_even_if_scrapes_are_late() {
        let scrapes = |milliseconds: u64| (0..100).map(move |scrape| scrape * milliseconds);
        assert_eq!(
            [0.0, 0.1, 1.0, 2.0, 1e300].map(|interval| sent(interval, 100, scrapes(200))),
            [100, 100, 20, 10, 1]
        );
        assert_eq!(
            [0.5, 1.0, 2.0, 2.5, 3.0].map(|interval| sent(interval, 1000, scrapes(1000))),
            [100, 100, 50, 34, 34]
        );
        assert_eq!([0.5, 0.6].map(|interval| sent(interval, 200, scrapes(200))), [34, 34]);
        assert_eq!([60.0, 61.0].map(|interval| sent(interval, 60_000, scrapes(60_000))), [100, 50]);
    }

    #[test]
    fn scrapes_that_are_slightly_late_or_early_are_sent() {
        let scrapes = (0..100).map(|scrape| scrape * 1000 + [0, 90, 30, 60][scrape as usize % 4]);
        assert_eq!(
            [1.0, 2.0, 4.0].map(|interval| sent(interval, 1000, scrapes.clone())),
            [100, 50, 25]
        );
    }
}
