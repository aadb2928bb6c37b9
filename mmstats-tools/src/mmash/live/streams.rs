//! The event streams, each shared by all clients with the same query.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::body::Bytes;
use tokio::sync::Mutex as AsyncMutex;

use crate::mmash::api::stats::Query;
use crate::mmash::server::response::HttpError;

/// The event streams of all queries that have clients.
#[derive(Default)]
pub(crate) struct SseStreams(Mutex<HashMap<String, Weak<SseStream>>>);

/// The events of one query, shared by its clients.
pub(super) struct SseStream {
    pub(super) query: Query,
    /// The number of the latest scrape that was sent, and its event.
    pub(super) event: AsyncMutex<(u64, Result<Bytes, HttpError>)>,
}

impl SseStreams {
    /// Returns the stream of a query.
    pub(super) fn open(&self, query: Query) -> Arc<SseStream> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|_, stream| stream.strong_count() > 0);
        let key = query.key();
        if let Some(stream) = streams.get(&key).and_then(Weak::upgrade) {
            return stream;
        }
        let stream = Arc::new(SseStream { query, event: AsyncMutex::new((0, Ok(Bytes::new()))) });
        streams.insert(key, Arc::downgrade(&stream));
        stream
    }
}
