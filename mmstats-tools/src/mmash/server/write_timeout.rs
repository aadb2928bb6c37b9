//! A connection that is closed if its client reads too slowly, so that no client keeps a response
//! in memory by reading a byte now and then. A client that has closed its own side still gets its
//! response.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::mmash::server::connections::Connection;

/// How long writing may be blocked while the client reads nothing.
pub(super) const MAX_BLOCKED: Duration = Duration::from_secs(15);

/// The rate at which a client has to read in the long run: this many bytes make up for a second
/// during which writing was blocked.
const MIN_BYTES_PER_SECOND: u32 = 16 << 10;

/// A connection with a time limit on blocked writes.
pub(super) struct WriteTimeout<S> {
    stream: S,
    connection: Arc<Connection>,
    half_closed: Arc<Semaphore>,
    /// For an answer to a client that has closed its side.
    permit: Option<OwnedSemaphorePermit>,
    /// How much longer writing may be blocked, counted from the start of `blocked`.
    remaining: Duration,
    blocked: Option<Blocked>,
}

/// A write that waits for the client to read.
struct Blocked {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S> WriteTimeout<S> {
    /// Wraps a connection.
    pub(super) fn new(stream: S, connection: Arc<Connection>, half_closed: Arc<Semaphore>) -> Self {
        let (permit, remaining, blocked) = (None, MAX_BLOCKED, None);
        WriteTimeout { stream, connection, half_closed, permit, remaining, blocked }
    }

    /// Returns `true` if the end of the client's side is not to be noticed yet, as the server would
    /// give up the answer.
    fn holds_end(&mut self) -> bool {
        if !self.connection.serves_half_closed() && self.blocked.is_none() {
            return false;
        }
        if self.permit.is_none() {
            self.permit = self.half_closed.clone().try_acquire_owned().ok();
        }
        self.permit.is_some()
    }

    /// Passes on the result of a write; an error if the client has been too slow.
    fn check(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        if let Poll::Ready(Ok(written)) = result {
            let spent = self.blocked.take().map_or(Duration::ZERO, |blocked| now - blocked.since);
            let earned = Duration::from_secs_f64(written as f64 / f64::from(MIN_BYTES_PER_SECOND));
            self.remaining = (self.remaining.saturating_sub(spent) + earned).min(MAX_BLOCKED);
        }
        if result.is_ready() {
            return result;
        }
        let until = now + self.remaining;
        let start = || Blocked { since: now, timer: Box::pin(sleep_until(until)) };
        ready!(self.blocked.get_or_insert_with(start).timer.as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        let is_end = matches!(result, Poll::Ready(Ok(()))) && buffer.filled().len() == filled;
        if is_end && self.holds_end() {
            return Poll::Pending;
        }
        self.connection.record_read(result.is_pending() && self.blocked.is_none());
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.check(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.check(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::sleep;

    /// Sends a megabyte to a client that reads this many bytes each second. Returns how long it
    /// took.
    async fn send(bytes_per_second: usize) -> (io::Result<()>, Duration) {
        let (server, client) = duplex(64 << 10);
        let client = tokio::spawn(read_slowly(client, bytes_per_second));
        let (mut stream, start) = (
            WriteTimeout::new(server, Arc::default(), Arc::new(Semaphore::new(1))),
            Instant::now(),
        );
        let sent = async {
            stream.write_all(&vec![1; 1 << 20]).await?;
            stream.flush().await
        };
        let sent = sent.await;
        client.abort();
        (sent, start.elapsed())
    }

    async fn read_slowly(mut stream: DuplexStream, bytes_per_second: usize) {
        let mut bytes = vec![0; bytes_per_second];
        loop {
            sleep(Duration::from_secs(1)).await;
            if bytes_per_second > 0 && stream.read_exact(&mut bytes).await.is_err() {
                return;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_steadily_gets_everything() {
        for bytes in [17 << 10, 100 << 10, 1 << 20] {
            let (sent, duration) = send(bytes).await;
            assert!(
                sent.is_ok() && duration < Duration::from_secs(62),
                "{bytes}: {sent:?} after {duration:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_next_to_nothing_is_disconnected() {
        for bytes in [0, 1, 1000, 8 << 10] {
            let (sent, duration) = send(bytes).await;
            assert_eq!(sent.map_err(|error| error.kind()), Err(ErrorKind::TimedOut), "{bytes}");
            assert!((MAX_BLOCKED..MAX_BLOCKED * 3).contains(&duration), "{bytes}: {duration:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_was_fast_before_may_not_be_slower_for_it() {
        let (server, mut client) = duplex(64 << 10);
        let client = tokio::spawn(async move {
            client.read_exact(&mut vec![0; 50 << 20]).await.unwrap();
            read_slowly(client, 1000).await;
        });
        let (mut stream, start) = (
            WriteTimeout::new(server, Arc::default(), Arc::new(Semaphore::new(1))),
            Instant::now(),
        );
        let sent = stream.write_all(&vec![1; 60 << 20]).await;
        assert!(
            sent.is_err() && (MAX_BLOCKED..MAX_BLOCKED * 2).contains(&start.elapsed()),
            "{sent:?} after {:?}",
            start.elapsed()
        );
        client.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_in_pieces_has_the_same_limit() {
        let (server, client) = duplex(4 << 10);
        let client = tokio::spawn(read_slowly(client, 4 << 10));
        let (mut stream, start) = (
            WriteTimeout::new(server, Arc::default(), Arc::new(Semaphore::new(1))),
            Instant::now(),
        );
        let sent = async {
            for _ in 0..100 {
                stream.write_all(&[1; 100 << 10]).await?;
                stream.flush().await?;
            }
            Ok::<_, io::Error>(())
        };
        let sent = sent.await;
        assert!(
            sent.is_err() && start.elapsed() < MAX_BLOCKED * 2,
            "{sent:?} after {:?}",
            start.elapsed()
        );
        client.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn time_between_responses_does_not_count() {
        let (server, client) = duplex(1 << 10);
        let client = tokio::spawn(read_slowly(client, 20 << 10));
        let mut stream = WriteTimeout::new(server, Arc::default(), Arc::new(Semaphore::new(1)));
        for _ in 0..5 {
            stream.write_all(&[1; 30 << 10]).await.unwrap();
            stream.flush().await.unwrap();
            sleep(MAX_BLOCKED * 4).await;
        }
        client.abort();
    }
}
