//! How much memory answers take for as long as their clients have not read them.
//!
//! A client may take its time, and there may be hundreds of them. So what is large is counted until
//! it has been sent. If there is no room left, those who have been slow for long have to go (see
//! [`crate::mmash::server::write_timeout`]); what there is no room for even then is refused.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::mmash::server::response::HttpError;

/// Less than this is not counted: all connections together take little more by it.
const SMALL: usize = 64 << 10;

/// What a permit stands for, in bytes: there cannot be one for each byte.
const UNIT: usize = 1 << 10;

/// How long those who are slow have to go.
const MOMENT: Duration = Duration::from_secs(1);

/// So many answers may wait for that.
const WAITING: usize = 2;

/// The room for all answers together.
pub(crate) struct ResponseBudget {
    permits: Arc<Semaphore>,
    units: usize,
    waiting: Semaphore,
    /// Tells that there is no room left.
    pressure: Arc<Notify>,
}

/// Bytes, and the room that they take.
struct Held {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl ResponseBudget {
    /// ResponseBudget for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let units = bytes / UNIT;
        ResponseBudget {
            permits: Arc::new(Semaphore::new(units)),
            units,
            waiting: Semaphore::new(WAITING),
            pressure: Arc::default(),
        }
    }

    /// What tells that there is no room left.
    pub(crate) fn pressure(&self) -> Arc<Notify> {
        self.pressure.clone()
    }

    /// Counts bytes until the last of those that share them has dropped them.
    pub(crate) async fn hold(&self, mut bytes: Vec<u8>) -> Result<Bytes, HttpError> {
        // JSON is written into twice as much as it takes, at worst.
        bytes.shrink_to_fit();
        Ok(match self.take(bytes.capacity()).await? {
            Some(room) => Bytes::from_owner(Held { bytes, _room: room }),
            None => bytes.into(),
        })
    }

    /// Takes room until the result is dropped; none for what is small. What is larger than all of
    /// it has to be alone.
    pub(crate) async fn take(
        &self,
        bytes: usize,
    ) -> Result<Option<OwnedSemaphorePermit>, HttpError> {
        if bytes < SMALL {
            return Ok(None);
        }
        let units = u32::try_from(bytes.div_ceil(UNIT).min(self.units)).unwrap_or(u32::MAX);
        if let Ok(room) = self.permits.clone().try_acquire_many_owned(units) {
            return Ok(Some(room));
        }
        let full = || {
            HttpError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many large answers are still being read; in a moment there may be fewer",
            )
        };
        let _turn = self.waiting.try_acquire().map_err(|_| full())?;
        self.pressure.notify_waiters();
        let room = timeout(MOMENT, self.permits.clone().acquire_many_owned(units)).await;
        room.ok().and_then(Result::ok).map(Some).ok_or_else(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_has_not_been_read_is_bounded() {
        let room = ResponseBudget::new(1000 << 10);
        let mut held = Vec::new();
        while let Ok(bytes) = room.hold(vec![7; 300 << 10]).await {
            held.push(bytes);
        }
        assert_eq!(held.len(), 3);
        assert_eq!(
            room.hold(vec![0; 300 << 10]).await.unwrap_err().status,
            StatusCode::SERVICE_UNAVAILABLE
        );
        // One of many who share an answer may be slow.
        let slow = held[0].slice(200_000..);
        drop(held);
        assert!(room.hold(vec![0; 800 << 10]).await.is_err());
        assert!(slow.iter().all(|byte| *byte == 7));
        drop(slow);
        assert!(room.hold(vec![0; 800 << 10]).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_small_passes_and_what_is_too_large_does_so_alone() {
        let room = ResponseBudget::new(100 << 10);
        let whole = room.hold(vec![0; 1 << 20]).await.unwrap();
        assert!(room.hold(vec![0; 1 << 20]).await.is_err());
        assert!(room.hold(vec![0; 1 << 10]).await.is_ok());
        drop(whole);
        assert!(room.hold(vec![0; 1 << 20]).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_what_others_need_is_told() {
        let room = ResponseBudget::new(1 << 20);
        let held = room.hold(vec![0; 1 << 20]).await.unwrap();
        let pressed = room.pressure().notified_owned();
        tokio::spawn(async move {
            pressed.await;
            drop(held);
        });
        assert!(room.hold(vec![0; 1 << 20]).await.is_ok());
    }
}
