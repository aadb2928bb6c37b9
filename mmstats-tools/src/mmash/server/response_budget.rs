//! The memory of responses that clients have not read yet.
//!
//! A client may take its time, and there may be hundreds of them. So large responses are counted
//! until they have been sent, and refused if they exceed the budget.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::mmash::server::response::HttpError;

/// Smaller responses are not counted: those of all connections together take little memory.
const MIN_COUNTED_BYTES: usize = 64 << 10;

/// The bytes of one permit: a semaphore has too few permits for one per byte.
const PERMIT_BYTES: usize = 1 << 10;

/// The memory limit of all responses together.
pub(crate) struct ResponseBudget {
    permits: Arc<Semaphore>,
    total: usize,
}

/// Bytes, and their part of the budget.
struct CountedBytes {
    bytes: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl ResponseBudget {
    /// Creates a budget of this many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let total = bytes / PERMIT_BYTES;
        ResponseBudget { permits: Arc::new(Semaphore::new(total)), total }
    }

    /// Counts bytes until the last clone of the result is dropped.
    ///
    /// # Errors
    /// 503 if the budget is exceeded.
    pub(crate) fn count(&self, mut bytes: Vec<u8>) -> Result<Bytes, HttpError> {
        // A buffer that JSON was written to has up to twice the capacity that it needs.
        bytes.shrink_to_fit();
        Ok(match self.reserve(bytes.capacity())? {
            Some(permit) => Bytes::from_owner(CountedBytes { bytes, _permit: permit }),
            None => bytes.into(),
        })
    }

    /// Reserves memory until the result is dropped; `None` if it is too little to be counted. A
    /// response larger than the whole budget takes all of it.
    ///
    /// # Errors
    /// 503 if the budget is exceeded.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, HttpError> {
        if bytes < MIN_COUNTED_BYTES {
            return Ok(None);
        }
        let permits = u32::try_from(bytes.div_ceil(PERMIT_BYTES).min(self.total));
        let reserved = self.permits.clone().try_acquire_many_owned(permits.unwrap_or(u32::MAX));
        reserved.map(Some).map_err(|_| {
            HttpError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many large responses have not been read yet; try again later",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_responses_are_bounded() {
        let budget = ResponseBudget::new(1000 << 10);
        let mut held = Vec::new();
        while let Ok(bytes) = budget.count(vec![7; 300 << 10]) {
            held.push(bytes);
        }
        assert_eq!(held.len(), 3);
        assert_eq!(
            budget.count(vec![0; 300 << 10]).unwrap_err().status,
            StatusCode::SERVICE_UNAVAILABLE
        );
        // One of several clients that share a response may be slow.
        let slow = held[0].slice(200_000..);
        drop(held);
        assert!(budget.count(vec![0; 800 << 10]).is_err());
        assert!(slow.iter().all(|byte| *byte == 7));
        drop(slow);
        assert!(budget.count(vec![0; 800 << 10]).is_ok());
    }

    #[test]
    fn small_responses_always_pass_and_the_largest_only_alone() {
        let budget = ResponseBudget::new(100 << 10);
        let whole = budget.count(vec![0; 1 << 20]).unwrap();
        assert!(budget.count(vec![0; 1 << 20]).is_err());
        assert!(budget.count(vec![0; 1 << 10]).is_ok());
        drop(whole);
        assert!(budget.count(vec![0; 1 << 20]).is_ok());
    }
}
