//! `/events`: stats as they change, as server-sent events.
//!
//! An event is made once for all clients with the same query, and only when one of them can take
//! it: a client that is slow misses looks, and nothing waits for it or in line.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, watch};
use tokio::time::sleep;

use crate::mmash::api::stats::{Query, render};
use crate::mmash::live::scrape_loop::Snapshot;
use crate::mmash::server::Server;
use crate::mmash::server::parameters::Parameters;
use crate::mmash::server::response::{HttpError, fresh};

/// After so long without an event there is a comment, so that nobody in between takes the
/// connection for dead.
const SILENCE: Duration = Duration::from_secs(15);

/// By how much a look may be late, because the machine is busy.
const LATE: Duration = Duration::from_millis(100);

/// All questions that somebody listens to the answers of.
#[derive(Default)]
pub(crate) struct SseStreams(Mutex<HashMap<String, Weak<SseStream>>>);

/// The events for one query.
struct SseStream {
    query: Query,
    /// The number of the last look that was asked for, and its event.
    event: AsyncMutex<(u64, Result<Bytes, HttpError>)>,
}

impl SseStreams {
    fn get(&self, query: Query) -> Arc<SseStream> {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let key = query.key();
        if let Some(feed) = feeds.get(&key).and_then(Weak::upgrade) {
            return feed;
        }
        let feed = Arc::new(SseStream { query, event: AsyncMutex::new((0, Ok(Bytes::new()))) });
        feeds.insert(key, Arc::downgrade(&feed));
        feed
    }
}

impl SseStream {
    /// The event of a look.
    async fn event(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        server: &Server,
    ) -> Result<Bytes, HttpError> {
        let mut event = self.event.lock().await;
        if event.0 != snapshot.number {
            let (feed, scrape, interval) =
                (self.clone(), snapshot.clone(), server.interval.as_secs_f64());
            // What was sent last is not kept beside it.
            *event = (0, Ok(Bytes::new()));
            let made = server.work(move || write(&scrape, interval, &feed.query)).await;
            *event = (
                snapshot.number,
                match made {
                    Ok(bytes) => server.room.hold(bytes).await,
                    Err(error) => Err(error),
                },
            );
        }
        event.1.clone()
    }
}

fn write(snapshot: &Snapshot, interval: f64, query: &Query) -> Vec<u8> {
    let head = format!("event: stats\nid: {}\ndata: ", snapshot.number);
    // JSON has no line breaks of its own.
    [head.into_bytes(), render(snapshot, interval, query), b"\n\n".to_vec()].concat()
}

/// A client.
struct Client {
    server: Arc<Server>,
    feed: Arc<SseStream>,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    shutdown: watch::Receiver<bool>,
    /// The least time from one look that is sent to the next.
    pause: Duration,
    /// The number of the last one.
    last: u64,
    /// When the next one is wanted, by the clock of looks.
    due: Duration,
    _permit: OwnedSemaphorePermit,
}

/// Answers.
pub(crate) async fn events(
    State(server): State<Arc<Server>>,
    RawQuery(query): RawQuery,
) -> Result<Response, HttpError> {
    let parameters = Parameters::parse(query.as_deref(), &["match", "by", "interval"])?;
    let query = Query::from_parameters(&parameters)?;
    let pause = match parameters.number("interval")? {
        Some(interval) if interval < 0.0 => {
            return Err(HttpError::bad_request(format!(
                "interval={interval}: negative; accepted are seconds from 0 on"
            )));
        }
        Some(interval) => pause(interval, server.interval),
        None => Duration::ZERO,
    };
    let full = |_| {
        HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "too many streams; see --max-sse-clients")
    };
    let permit = server.streams.clone().try_acquire_owned().map_err(full)?;
    let (feed, snapshots, shutdown) =
        (server.feeds.get(query), server.latest.snapshot.clone(), server.shutdown.clone());
    let client = Client {
        server,
        feed,
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
    Ok(fresh("text/event-stream", Body::from_stream(stream)))
}

/// The least time between looks that are sent, for an event in so many seconds. Looks are not
/// counted, for they may take longer than they should.
fn pause(seconds: f64, between_looks: Duration) -> Duration {
    let interval = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if interval <= between_looks {
        return Duration::ZERO;
    }
    // After a look that came late, the next one seems to come soon.
    interval - LATE.min(between_looks / 4)
}

impl Client {
    /// What to send next. This is not asked for before the client took what was sent before.
    async fn next(&mut self) -> Option<Bytes> {
        let (last, due) = (self.last, self.due);
        let is_due =
            |snapshot: &Arc<Snapshot>| snapshot.number > last && snapshot.scrape.elapsed >= due;
        let snapshot = tokio::select! {
            biased;
            _ = self.shutdown.wait_for(|is_ending| *is_ending) => return None,
            snapshot = self.snapshots.wait_for(|snapshot| snapshot.as_ref().is_some_and(is_due)) => snapshot.ok()?.clone()?,
            () = sleep(SILENCE) => return Some(Bytes::from_static(b":\n\n")),
        };
        (self.last, self.due) =
            (snapshot.number, snapshot.scrape.elapsed.saturating_add(self.pause));
        match self.feed.event(&snapshot, &self.server).await {
            Ok(event) => Some(event),
            // There may be for the next one.
            Err(error) if error.status == StatusCode::SERVICE_UNAVAILABLE => {
                Some(Bytes::from_static(b": no room for this look\n\n"))
            }
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the looks at these times, in milliseconds, are sent.
    fn sent(interval: f64, between_looks: u64, scrapes: impl Iterator<Item = u64>) -> usize {
        let pause = pause(interval, Duration::from_millis(between_looks));
        let mut due = Duration::ZERO;
        let is_sent = |time: &Duration| {
            let is_due = *time >= due;
            due = if is_due { time.saturating_add(pause) } else { due };
            is_due
        };
        scrapes.map(Duration::from_millis).filter(is_sent).count()
    }

    #[test]
    fn an_interval_is_of_time_however_long_looks_take() {
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
    fn looks_that_come_a_little_late_or_soon_are_not_left_out() {
        let scrapes = (0..100).map(|scrape| scrape * 1000 + [0, 90, 30, 60][scrape as usize % 4]);
        assert_eq!(
            [1.0, 2.0, 4.0].map(|interval| sent(interval, 1000, scrapes.clone())),
            [100, 50, 25]
        );
    }
}
