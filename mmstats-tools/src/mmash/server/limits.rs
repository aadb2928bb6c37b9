//! How many clients and requests there may be.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Connections that are not event streams.
const OTHER_CONNECTIONS: usize = 256;

/// Connections beyond the limit that only answer health checks.
pub(super) const SPARE_CONNECTIONS: usize = 16;

/// File descriptors that are neither a connection nor a file of stats.
const OTHER_DESCRIPTORS: usize = 64;

/// Limits on clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Connections at a time; for more, one that is still in its header is closed.
    pub(crate) connections: usize,
    /// Connections of one peer at a time.
    pub(crate) per_peer: usize,
    /// Event streams at a time; more are refused.
    pub(crate) streams: usize,
}

impl Limits {
    /// Returns the limits for the wanted number of streams in a process that may have this many
    /// open files. Half of the descriptors are for files of stats, and some connections for other
    /// requests.
    pub(crate) fn new(wanted_streams: usize, descriptors: usize) -> Self {
        let available = (descriptors / 2).saturating_sub(OTHER_DESCRIPTORS);
        let connections = (wanted_streams + OTHER_CONNECTIONS).min(available).max(2);
        let reserved = connections.div_ceil(4).min(OTHER_CONNECTIONS);
        // Behind a proxy, all clients are one peer, which needs all the streams.
        let per_peer = connections - reserved.div_ceil(2);
        Limits { connections, per_peer, streams: wanted_streams.min(connections - reserved) }
    }

    /// Returns the number of descriptors that are not for files of stats.
    pub(crate) fn descriptors(self) -> usize {
        self.connections + OTHER_DESCRIPTORS
    }
}

/// A limit on requests per second: a token bucket, of which each request takes a token.
pub(crate) struct RateLimiter {
    per_second: f64,
    /// The tokens that are left, and when they were counted.
    tokens: Mutex<(f64, Instant)>,
}

impl RateLimiter {
    /// Creates a limiter that allows bursts of twice the rate.
    pub(crate) fn new(per_second: f64) -> Self {
        RateLimiter { per_second, tokens: Mutex::new((per_second * 2.0, Instant::now())) }
    }

    /// Returns `true` if another request is within the limit.
    pub(crate) fn try_acquire(&self) -> bool {
        self.try_acquire_at(Instant::now())
    }

    fn try_acquire_at(&self, now: Instant) -> bool {
        let mut guard = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, counted) = *guard;
        let tokens = (tokens + now.duration_since(counted).as_secs_f64() * self.per_second)
            .min(self.per_second * 2.0);
        let is_allowed = tokens >= 1.0;
        *guard = (if is_allowed { tokens - 1.0 } else { tokens }, now);
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn streams_leave_connections_for_others_and_descriptors_for_files() {
        assert_eq!(
            Limits::new(256, usize::MAX),
            Limits { connections: 512, per_peer: 448, streams: 256 }
        );
        assert_eq!(
            Limits::new(256, 1024),
            Limits { connections: 448, per_peer: 392, streams: 256 }
        );
        for wanted in [0, 1, 2, 256, 1000, 65_535] {
            for descriptors in [0, 130, 256, 1024, 4096, 20_000, 1 << 20] {
                let limits = Limits::new(wanted, descriptors);
                assert!(
                    limits.streams <= limits.per_peer
                        && limits.per_peer < limits.connections
                        && limits.streams <= wanted,
                    "{wanted} {descriptors}: {limits:?}"
                );
                assert!(
                    descriptors <= 132 || limits.descriptors() <= descriptors / 2,
                    "{wanted} {descriptors}: {limits:?}"
                );
            }
        }
        assert_eq!(Limits::new(65_535, 1 << 20).streams, 65_535);
    }

    #[test]
    fn a_token_bucket_runs_dry_and_fills_again() {
        let limiter = RateLimiter::new(20.0);
        let start = Instant::now();
        assert_eq!((0..100).filter(|_| limiter.try_acquire_at(start)).count(), 40);
        let later = start + Duration::from_millis(200);
        assert_eq!((0..100).filter(|_| limiter.try_acquire_at(later)).count(), 4);
    }
}
