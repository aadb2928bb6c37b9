//! A connection whose client has to take what it is sent at a least rate, so that nobody keeps an
//! answer in memory by reading a byte now and then; and sooner if others need that memory.

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

/// How long a client may take nothing at all: the patience that there is with it. It is used up
/// while something waits to be sent.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// So many bytes that it takes give back a second of patience.
const RATE: u32 = 16 << 10;

/// How long a client may take, or how much patience use up, while others need memory.
const HURRY: Duration = Duration::from_secs(5);

/// The connection.
pub(crate) struct WriteTimeout<S> {
    stream: S,
    /// Tells that others need memory.
    pressure: Arc<Notify>,
    /// What is left of it, while nothing waits.
    patience: Duration,
    waiting: Option<Waiting>,
}

/// What there is to send does not fit into the connection.
struct Waiting {
    since: Instant,
    /// When there is no patience left.
    until: Instant,
    timer: Pin<Box<Sleep>>,
    pressed: Pin<Box<OwnedNotified>>,
}

impl<S> WriteTimeout<S> {
    pub(crate) fn new(stream: S, pressure: Arc<Notify>) -> Self {
        WriteTimeout { stream, pressure, patience: GRACE, waiting: None }
    }

    /// Passes on how writing went, and ends it if it goes too slowly.
    fn watch(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        if let Poll::Ready(written) = written {
            let earned =
                Duration::from_secs_f64(*written.as_ref().unwrap_or(&0) as f64 / f64::from(RATE));
            match &mut self.waiting {
                Some(waiting) => waiting.until = (waiting.until + earned).min(now + GRACE),
                None => self.patience = (self.patience + earned).min(GRACE),
            }
            return Poll::Ready(written);
        }
        let pressed = || Box::pin(self.pressure.clone().notified_owned());
        let until = now + self.patience;
        let new = || Waiting {
            since: now,
            until,
            timer: Box::pin(sleep_until(until)),
            pressed: pressed(),
        };
        let waiting = self.waiting.get_or_insert_with(new);
        while waiting.pressed.as_mut().poll(context).is_ready() {
            if now >= waiting.since + HURRY || now + GRACE >= waiting.until + HURRY {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            waiting.pressed = pressed();
        }
        if waiting.timer.deadline() != waiting.until {
            waiting.timer.as_mut().reset(waiting.until);
        }
        ready!(waiting.timer.as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// This is called when all there was to send has been written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(waiting) = self.waiting.take() {
            self.patience = waiting.until.saturating_duration_since(Instant::now());
        }
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
        let (mut paced, start) = (WriteTimeout::new(ours, pressure.clone()), Instant::now());
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
            assert!(
                sent.is_ok() && took < Duration::from_secs(62),
                "{bytes}: {sent:?} after {took:?}"
            );
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
    async fn whoever_read_fast_before_has_no_more_patience_to_use_up() {
        let (ours, mut theirs) = duplex(64 << 10);
        let client = tokio::spawn(async move {
            theirs.read_exact(&mut vec![0; 50 << 20]).await.unwrap();
            take(theirs, 1000).await;
        });
        let (mut paced, start) = (WriteTimeout::new(ours, Arc::default()), Instant::now());
        let sent = paced.write_all(&vec![1; 60 << 20]).await;
        assert!(
            sent.is_err() && (GRACE..GRACE * 2).contains(&start.elapsed()),
            "{sent:?} after {:?}",
            start.elapsed()
        );
        client.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_pieces_is_no_excuse() {
        let (ours, theirs) = duplex(4 << 10);
        let client = tokio::spawn(take(theirs, 4 << 10));
        let (mut paced, start) = (WriteTimeout::new(ours, Arc::default()), Instant::now());
        let sent = async {
            for _ in 0..100 {
                paced.write_all(&[1; 100 << 10]).await?;
                paced.flush().await?;
            }
            Ok::<_, io::Error>(())
        };
        let sent = sent.await;
        assert!(
            sent.is_err() && start.elapsed() < GRACE * 2,
            "{sent:?} after {:?}",
            start.elapsed()
        );
        client.abort();
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
        let client = tokio::spawn(take(theirs, 20 << 10));
        let mut paced = WriteTimeout::new(ours, Arc::default());
        for _ in 0..5 {
            paced.write_all(&[1; 30 << 10]).await.unwrap();
            paced.flush().await.unwrap();
            sleep(GRACE * 2).await;
        }
        client.abort();
    }
}
