//! `/events`: stats as they change, as server-sent events.
//!
//! An event is made once for all clients with the same question, and only when one of them can take it: a client that is slow misses looks, and nothing waits
//! for it or in line.

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

use super::parameters::Parameters;
use super::reply::{Refusal, fresh};
use super::sampling::Snapshot;
use super::server::Server;
use super::stats::{Question, render};

/// After so long without an event there is a comment, so that nobody in between takes the connection for dead.
const SILENCE: Duration = Duration::from_secs(15);

/// All questions that somebody listens to the answers of.
#[derive(Default)]
pub(super) struct Feeds(Mutex<HashMap<String, Weak<Feed>>>);

/// The events for one question.
struct Feed {
    question: Question,
    /// The number of the last look that was asked for, and its event.
    event: AsyncMutex<(u64, Result<Bytes, Refusal>)>,
}

impl Feeds {
    fn get(&self, question: Question) -> Arc<Feed> {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let key = question.key();
        if let Some(feed) = feeds.get(&key).and_then(Weak::upgrade) {
            return feed;
        }
        let feed = Arc::new(Feed { question, event: AsyncMutex::new((0, Ok(Bytes::new()))) });
        feeds.insert(key, Arc::downgrade(&feed));
        feed
    }
}

impl Feed {
    /// The event of a look.
    async fn event(self: &Arc<Self>, snapshot: &Arc<Snapshot>, server: &Server) -> Result<Bytes, Refusal> {
        let mut event = self.event.lock().await;
        if event.0 != snapshot.number {
            let (feed, look, interval) = (self.clone(), snapshot.clone(), server.interval.as_secs_f64());
            // What was sent last is not kept beside it.
            *event = (0, Ok(Bytes::new()));
            let made = server.work(move || write(&look, interval, &feed.question)).await;
            *event = (
                snapshot.number,
                match made {
                    Ok(bytes) => server.room.hold(bytes).await,
                    Err(refusal) => Err(refusal),
                },
            );
        }
        event.1.clone()
    }
}

fn write(snapshot: &Snapshot, interval: f64, question: &Question) -> Vec<u8> {
    let head = format!("event: stats\nid: {}\ndata: ", snapshot.number);
    // JSON has no line breaks of its own.
    [head.into_bytes(), render(snapshot, interval, question), b"\n\n".to_vec()].concat()
}

/// A client.
struct Client {
    server: Arc<Server>,
    feed: Arc<Feed>,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    ending: watch::Receiver<bool>,
    /// One of so many looks is wanted.
    every: u64,
    /// The first one that is wanted next.
    due: u64,
    _permit: OwnedSemaphorePermit,
}

/// Answers.
pub(super) async fn events(State(server): State<Arc<Server>>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let parameters = Parameters::parse(query.as_deref(), &["match", "by", "interval"])?;
    let question = Question::of(&parameters)?;
    let every = match parameters.number("interval")? {
        Some(interval) if interval < 0.0 => return Err(Refusal::bad("interval: negative; a number of seconds is accepted")),
        // A float becomes the nearest integer that there is.
        Some(interval) => (interval / server.interval.as_secs_f64() - 1e-6).ceil().max(1.0) as u64,
        None => 1,
    };
    let full = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many streams; see --max-streams");
    let permit = server.streams.clone().try_acquire_owned().map_err(full)?;
    let (feed, snapshots, ending) = (server.feeds.get(question), server.latest.snapshot.clone(), server.ending.clone());
    let client = Client { server, feed, snapshots, ending, every, due: 0, _permit: permit };
    let stream = stream::unfold(client, |mut client| async move {
        let bytes = client.next().await?;
        Some((Ok::<_, Infallible>(bytes), client))
    });
    Ok(fresh("text/event-stream", Body::from_stream(stream)))
}

impl Client {
    /// What to send next. This is not asked for before the client took what was sent before.
    async fn next(&mut self) -> Option<Bytes> {
        let due = self.due;
        let is_due = |snapshot: &Option<Arc<Snapshot>>| snapshot.as_ref().is_some_and(|snapshot| snapshot.number >= due);
        let snapshot = tokio::select! {
            biased;
            _ = self.ending.wait_for(|is_ending| *is_ending) => return None,
            snapshot = self.snapshots.wait_for(is_due) => snapshot.ok()?.clone()?,
            () = sleep(SILENCE) => return Some(Bytes::from_static(b":\n\n")),
        };
        self.due = snapshot.number.saturating_add(self.every);
        match self.feed.event(&snapshot, &self.server).await {
            Ok(event) => Some(event),
            // There may be for the next one.
            Err(refusal) if refusal.status == StatusCode::SERVICE_UNAVAILABLE => Some(Bytes::from_static(b": no room for this look\n\n")),
            Err(_) => None,
        }
    }
}
