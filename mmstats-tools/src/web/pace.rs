//! A connection whose client has to take what it is sent at a least rate, so that nobody keeps an answer in memory by reading a byte now and then; and sooner if
//! others need that memory.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may take nothing at all.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// Bytes a second that it has to take apart from that.
const RATE: u32 = 16 << 10;

/// How long an answer may take while others need its memory.
const HURRY: Duration = Duration::from_secs(5);

/// The connection.
pub(super) struct Paced<S> {
    stream: S,
    /// Tells that others need memory.
    pressure: Arc<Notify>,
    waiting: Option<Waiting>,
}

/// What there is to send does not fit into the connection.
struct Waiting {
    since: Instant,
    /// Bytes that the client has taken since then.
    taken: usize,
    timer: Pin<Box<Sleep>>,
    pressed: Pin<Box<OwnedNotified>>,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pressure: Arc<Notify>) -> Self {
        Paced { stream, pressure, waiting: None }
    }

    /// Passes on how writing went, and ends it if it goes too slowly.
    fn watch(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            if let (Some(waiting), Ok(bytes)) = (&mut self.waiting, &written) {
                waiting.taken += bytes;
            }
            return Poll::Ready(written);
        }
        let now = Instant::now();
        let pressed = || Box::pin(self.pressure.clone().notified_owned());
        let new = || Waiting { since: now, taken: 0, timer: Box::pin(sleep_until(now + GRACE)), pressed: pressed() };
        let waiting = self.waiting.get_or_insert_with(new);
        while waiting.pressed.as_mut().poll(context).is_ready() {
            if now >= waiting.since + HURRY {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            waiting.pressed = pressed();
        }
        let deadline = waiting.since + GRACE + Duration::from_secs_f64(waiting.taken as f64 / f64::from(RATE));
        if waiting.timer.deadline() != deadline {
            waiting.timer.as_mut().reset(deadline);
        }
        ready!(waiting.timer.as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// This is called when all there was to send has been written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting = None;
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

    /// Sends a megabyte to a client that takes so many bytes each second; tells how long that took.
    async fn send(bytes_a_second: usize, pressure: &Arc<Notify>) -> (io::Result<()>, Duration) {
        let (ours, theirs) = duplex(64 << 10);
        let client = tokio::spawn(take(theirs, bytes_a_second));
        let (mut paced, start) = (Paced::new(ours, pressure.clone()), Instant::now());
        let sent = async {
            paced.write_all(&vec![1; 1 << 20]).await?;
            paced.flush().await
        };
        let sent = sent.await;
        client.abort();
        (sent, start.elapsed())
    }

    async fn take(mut from: DuplexStream, bytes_a_second: usize) {
        let mut bytes = vec![0; bytes_a_second];
        loop {
            sleep(Duration::from_secs(1)).await;
            if bytes_a_second > 0 && from.read_exact(&mut bytes).await.is_err() {
                return;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_steadily_gets_everything() {
        for bytes in [17 << 10, 100 << 10, 1 << 20] {
            let (sent, took) = send(bytes, &Arc::default()).await;
            assert!(sent.is_ok() && took < Duration::from_secs(62), "{bytes}: {sent:?} after {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_next_to_nothing_is_left() {
        for bytes in [0, 1, 1000, 8 << 10] {
            let (sent, took) = send(bytes, &Arc::default()).await;
            assert_eq!(sent.map_err(|error| error.kind()), Err(ErrorKind::TimedOut), "{bytes}");
            assert!((GRACE..GRACE * 3).contains(&took), "{bytes}: {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_slow_goes_when_others_need_the_memory() {
        let pressure = Arc::new(Notify::new());
        let others = pressure.clone();
        tokio::spawn(async move {
            loop {
                sleep(Duration::from_secs(1)).await;
                others.notify_waiters();
            }
        });
        let (sent, took) = send(100 << 10, &pressure).await;
        assert!(sent.is_err() && (HURRY..HURRY * 2).contains(&took), "{sent:?} after {took:?}");
        let (sent, took) = send(500 << 10, &pressure).await;
        assert!(sent.is_ok() && took < HURRY, "{sent:?} after {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_between_answers_costs_no_patience() {
        let (ours, theirs) = duplex(1 << 10);
        let client = tokio::spawn(take(theirs, 4 << 10));
        let mut paced = Paced::new(ours, Arc::default());
        for _ in 0..5 {
            paced.write_all(&[1; 6 << 10]).await.unwrap();
            paced.flush().await.unwrap();
            sleep(GRACE * 2).await;
        }
        client.abort();
    }
}
