//! How much memory answers take for as long as their clients have not read them.
//!
//! A client may take its time, and there may be hundreds of them. So what is large is counted until it has been sent; what there is no room for is refused.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::reply::Refusal;

/// Less than this is not counted: every connection has buffers of that size anyway.
const SMALL: usize = 16 << 10;

/// What a permit stands for, in bytes: there cannot be one for each byte.
const UNIT: usize = 1 << 10;

/// The room for all answers together.
#[derive(Clone)]
pub(super) struct Room {
    permits: Arc<Semaphore>,
    units: usize,
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

impl Room {
    /// Room for so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let units = bytes / UNIT;
        Room { permits: Arc::new(Semaphore::new(units)), units }
    }

    /// Counts bytes until the last of those that share them has dropped them.
    pub(super) fn hold(&self, mut bytes: Vec<u8>) -> Result<Bytes, Refusal> {
        if bytes.len() < SMALL {
            return Ok(bytes.into());
        }
        // JSON is written into twice as much as it takes, at worst.
        bytes.shrink_to_fit();
        let room = self.take(bytes.capacity())?;
        Ok(Bytes::from_owner(Held { bytes, _room: room }))
    }

    /// Takes room until the result is dropped. What is larger than all of it has to be alone.
    pub(super) fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let units = u32::try_from(bytes.div_ceil(UNIT).min(self.units)).unwrap_or(u32::MAX);
        let full = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many large answers are still being read; in a moment there may be fewer");
        self.permits.clone().try_acquire_many_owned(units).map_err(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_been_read_is_bounded() {
        let room = Room::new(100 << 10);
        let held: Vec<Bytes> = (0..10).map_while(|_| room.hold(vec![7; 30 << 10]).ok()).collect();
        assert_eq!(held.len(), 3);
        assert_eq!(room.hold(vec![0; 30 << 10]).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        // One of many who share an answer may be slow.
        let slow = held[0].slice(20_000..);
        drop(held);
        assert!(room.hold(vec![0; 80 << 10]).is_err());
        assert!(slow.iter().all(|byte| *byte == 7));
        drop(slow);
        assert!(room.hold(vec![0; 80 << 10]).is_ok());
    }

    #[test]
    fn what_is_small_passes_and_what_is_too_large_does_so_alone() {
        let room = Room::new(100 << 10);
        let whole = room.hold(vec![0; 1 << 20]).unwrap();
        assert!(room.hold(vec![0; 1 << 20]).is_err());
        assert!(room.hold(vec![0; 1 << 10]).is_ok());
        drop(whole);
        assert!(room.hold(vec![0; 1 << 20]).is_ok());
    }
}
