//! The open connections, and which one is closed to make room for another.
//!
//! A client that sends the header of its request slowly, or none at all, occupies a connection. If
//! there are no more, the one that has been in its header for the longest time is closed, so that
//! no number of such clients keeps others out. A client that has its share of all connections loses
//! one of its own instead.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

use crate::mmash::server::limits::{Limits, SPARE_CONNECTIONS};

/// The number of clients that have closed their side and still get an answer: most such clients
/// have ended, and each answer costs the same.
const MAX_HALF_CLOSED: usize = 8;

/// All open connections.
pub(super) struct Connections {
    limits: Limits,
    open: Mutex<Vec<Arc<Connection>>>,
    /// Notified when a connection ends.
    pub(super) ended: Notify,
    /// A permit for each client that has closed its side and still gets an answer.
    half_closed: Arc<Semaphore>,
}

/// An open connection.
#[derive(Default)]
pub(super) struct Connection {
    peer: Option<IpAddr>,
    /// Whether it is beyond the limits, and only for health checks.
    pub(super) is_spare: bool,
    task: OnceLock<AbortHandle>,
    state: Mutex<State>,
}

/// The state of a connection.
#[derive(Default)]
struct State {
    /// Whether a request is being answered.
    is_answering: bool,
    /// Whether the answer is for a client that may have closed its side.
    serves_half_closed: bool,
    /// Since when the header of the next request is waited for, and whether bytes are missing.
    header_since: Option<Instant>,
    is_incomplete: bool,
}

/// A connection's place among the others, which it leaves when this is dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    pub(super) connection: Arc<Connection>,
}

impl Place {
    /// Returns the permits for clients that have closed their side.
    pub(super) fn half_closed(&self) -> Arc<Semaphore> {
        self.connections.half_closed.clone()
    }
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        let half_closed = Arc::new(Semaphore::new(MAX_HALF_CLOSED));
        Connections { limits, open: Mutex::default(), ended: Notify::new(), half_closed }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if there is no connection.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Returns a place for a connection from this peer, after closing another one if necessary;
    /// `None` if all are in use.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let peer = Some(peer.to_canonical());
        let mut open = self.lock();
        let is_peers = |connection: &Connection| connection.peer == peer;
        let shared = open.iter().filter(|connection| is_peers(connection)).count();
        let has_share = shared < self.limits.per_peer;
        let is_spare = (!has_share || open.len() >= self.limits.connections)
            && !close_slowest(&mut open, |connection| has_share || is_peers(connection));
        if is_spare && open.len() >= self.limits.connections + SPARE_CONNECTIONS {
            return None;
        }
        let connection = Arc::new(Connection { peer, is_spare, ..Connection::default() });
        open.push(connection.clone());
        Some(Place { connections: self.clone(), connection })
    }
}

/// Closes the connection that has been in its header for the longest time, of those that may be
/// closed. Returns `true` if there is one.
fn close_slowest(open: &mut Vec<Arc<Connection>>, may_close: impl Fn(&Connection) -> bool) -> bool {
    let candidates = open.iter().enumerate().filter(|(_, connection)| may_close(connection));
    let waiting =
        candidates.filter_map(|(index, connection)| Some((connection.in_header_since()?, index)));
    let Some((_, index)) = waiting.min() else { return false };
    if let Some(task) = open.swap_remove(index).task.get() {
        task.abort();
    }
    true
}

impl Connection {
    /// Sets the task that serves it, which ends if the connection is to be closed.
    pub(super) fn set_task(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_header_since(&self) -> Option<Instant> {
        let state = self.lock();
        state.header_since.filter(|_| state.is_incomplete && !state.is_answering)
    }

    /// Records that bytes of a header were read, or are waited for.
    pub(super) fn record_read(&self, is_incomplete: bool) {
        let mut state = self.lock();
        state.is_incomplete = is_incomplete;
        state.header_since.get_or_insert_with(Instant::now);
    }

    /// Records that a request has been read, until the result is dropped.
    pub(super) fn begin_answer(self: &Arc<Self>) -> Arc<Answering> {
        *self.lock() = State { is_answering: true, serves_half_closed: true, ..State::default() };
        Arc::new(Answering(self.clone()))
    }

    /// Records that the answer is a stream, which ends only with its client.
    pub(super) fn end_with_client(&self) {
        self.lock().serves_half_closed = false;
    }

    /// Returns `true` if a request is being answered whose client may have closed its side.
    pub(super) fn serves_half_closed(&self) -> bool {
        self.lock().serves_half_closed
    }
}

/// A request that is being answered.
pub(super) struct Answering(pub(super) Arc<Connection>);

impl Drop for Answering {
    fn drop(&mut self) {
        *self.0.lock() = State::default();
    }
}

/// The body of a response, which ends the answer when it has been sent.
pub(super) struct AnswerBody {
    pub(super) body: Body,
    pub(super) _answering: Arc<Answering>,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.retain(|connection| !Arc::ptr_eq(connection, &self.connection));
        self.connections.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { connections: 4, streams: 2, per_peer: 3 };

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn is_open(connections: &Connections, place: &Place) -> bool {
        connections.lock().iter().any(|connection| Arc::ptr_eq(connection, &place.connection))
    }

    #[test]
    fn the_connection_that_is_longest_in_its_header_makes_room() {
        let connections = Arc::new(Connections::new(LIMITS));
        let places: Vec<Place> =
            (0..4).map(|last| connections.admit(peer(last)).unwrap()).collect();
        // The first has sent its header, the second sends bytes now and then.
        places.iter().for_each(|place| place.connection.record_read(true));
        places[0].connection.record_read(false);
        places[1].connection.record_read(false);
        places[1].connection.record_read(true);
        let next = connections.admit(peer(9)).unwrap();
        let open: Vec<bool> = places.iter().map(|place| is_open(&connections, place)).collect();
        assert!(!next.connection.is_spare);
        assert_eq!(open, [true, false, true, true]);
    }

    #[test]
    fn a_peer_with_its_share_makes_room_among_its_own() {
        let connections = Arc::new(Connections::new(LIMITS));
        let other = connections.admit(peer(1)).unwrap();
        other.connection.record_read(true);
        let greedy: Vec<Place> = (0..3).map(|_| connections.admit(peer(2)).unwrap()).collect();
        assert!(connections.admit(peer(2)).unwrap().connection.is_spare);
        greedy[1].connection.record_read(true);
        assert!(!connections.admit(peer(2)).unwrap().connection.is_spare);
        assert!(is_open(&connections, &other) && !is_open(&connections, &greedy[1]));
    }

    #[test]
    fn busy_connections_leave_spare_ones_for_health_checks() {
        let connections = Arc::new(Connections::new(LIMITS));
        let busy: Vec<Place> = (0..4).map(|last| connections.admit(peer(last)).unwrap()).collect();
        let spare: Vec<Place> =
            (0..SPARE_CONNECTIONS).map(|_| connections.admit(peer(9)).unwrap()).collect();
        assert!(spare.iter().all(|place| place.connection.is_spare));
        assert!(connections.admit(peer(9)).is_none());
        drop((busy, spare));
        assert!(connections.is_empty());
    }
}
