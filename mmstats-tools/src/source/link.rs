//! A connection whose waits end with bytes, at a deadline, or on a signal.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::memory::MemoryError;
use super::url::Host;
use crate::shutdown::Hold;

/// How often a wait checks its deadline and for signals.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The deadline of a request.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    asked: String,
    timeout: Duration,
    end: Instant,
}

impl Wait {
    /// Creates a deadline that starts now.
    pub(super) fn new(asked: impl Into<String>, timeout: Duration) -> Wait {
        Wait::since(Instant::now(), asked, timeout)
    }

    /// Creates a deadline that started at `start`.
    pub(super) fn since(start: Instant, asked: impl Into<String>, timeout: Duration) -> Wait {
        Wait { asked: asked.into(), timeout, end: start + timeout }
    }

    fn left(&self) -> Result<Duration, MemoryError> {
        match self.end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => {
                Err(MemoryError::Timeout { asked: self.asked.clone(), waited: self.timeout })
            }
            left => Ok(left),
        }
    }
}

/// A connection. While it exists, a signal does not end the program but every wait, until
/// `ignores_signals` is set.
#[derive(Debug)]
pub(super) struct Link {
    stream: Stream,
    /// The bytes from `start` to `end` have been received and not been read yet.
    inbox: Box<[u8; 4096]>,
    start: usize,
    end: usize,
    /// Whether waits go on in spite of a signal, to release the target.
    pub(super) ignores_signals: bool,
    hold: Hold,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Link {
    /// Connects to the first address of a host that answers.
    pub(super) fn to_host(host: &Host, timeout: Duration) -> Result<Link, MemoryError> {
        let hold = Hold::new()?;
        let wait = Wait::new("a connection", timeout);
        let mut error = MemoryError::Source("the host has no address".to_owned());
        for address in addresses(host, &wait, &hold)? {
            check(&wait, &hold)?;
            match TcpStream::connect_timeout(&address, wait.left()?) {
                Ok(stream) => return Link::new(Stream::Tcp(stream), hold),
                Err(found) => {
                    if found.kind() == ErrorKind::TimedOut {
                        wait.left()?;
                    }
                    error = found.into();
                }
            }
        }
        Err(error)
    }

    /// Connects to a Unix socket.
    pub(super) fn to_path(path: &Path, timeout: Duration) -> Result<Link, MemoryError> {
        let hold = Hold::new()?;
        let path = path.to_owned();
        // Connecting blocks without a timeout while the socket's queue is full.
        let stream = run_in_thread(&Wait::new("a connection", timeout), &hold, move || {
            UnixStream::connect(path)
        })?;
        Link::new(Stream::Unix(stream), hold)
    }

    fn new(stream: Stream, hold: Hold) -> Result<Link, MemoryError> {
        match &stream {
            Stream::Tcp(stream) => {
                // Otherwise small packets wait for delayed acknowledgements.
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(POLL_INTERVAL))?;
                stream.set_write_timeout(Some(POLL_INTERVAL))?;
            }
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(POLL_INTERVAL))?;
                stream.set_write_timeout(Some(POLL_INTERVAL))?;
            }
        }
        Ok(Link {
            stream,
            inbox: Box::new([0; 4096]),
            start: 0,
            end: 0,
            ignores_signals: false,
            hold,
        })
    }

    /// Sends all bytes.
    pub(super) fn send(&mut self, mut bytes: &[u8], wait: &Wait) -> Result<(), MemoryError> {
        while !bytes.is_empty() {
            self.check(wait)?;
            let sent = match &mut self.stream {
                Stream::Tcp(stream) => stream.write(bytes),
                Stream::Unix(stream) => stream.write(bytes),
            };
            match sent {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Receives the next byte.
    pub(super) fn receive(&mut self, wait: &Wait) -> Result<u8, MemoryError> {
        while self.start == self.end {
            self.check(wait)?;
            match self.fill() {
                Ok(0) => {
                    return Err(io::Error::new(
                        ErrorKind::UnexpectedEof,
                        "the server has closed the connection",
                    )
                    .into());
                }
                Ok(_) => {}
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let byte = self.inbox[self.start];
        self.start += 1;
        Ok(byte)
    }

    /// Discards the bytes received so far, up to a limit if more keep arriving.
    pub(super) fn discard_received(&mut self) -> Result<(), MemoryError> {
        self.set_nonblocking(true)?;
        // An error here occurs again at the next use.
        (0..256).take_while(|_| matches!(self.fill(), Ok(1..))).for_each(drop);
        self.start = self.end;
        self.set_nonblocking(false)?;
        Ok(())
    }

    fn fill(&mut self) -> io::Result<usize> {
        let count = match &mut self.stream {
            Stream::Tcp(stream) => {
                // A server that waits for acknowledgements between its own small packets would
                // otherwise take 40 ms for each reply. The kernel resets this with each packet
                // sent; without the option, reading is only slower.
                #[cfg(target_os = "linux")]
                let _ = rustix::net::sockopt::set_tcp_quickack(&*stream, true);
                stream.read(&mut self.inbox[..])?
            }
            Stream::Unix(stream) => stream.read(&mut self.inbox[..])?,
        };
        (self.start, self.end) = (0, count);
        Ok(count)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match &self.stream {
            Stream::Tcp(stream) => stream.set_nonblocking(nonblocking),
            Stream::Unix(stream) => stream.set_nonblocking(nonblocking),
        }
    }

    fn check(&self, wait: &Wait) -> Result<(), MemoryError> {
        if self.ignores_signals { wait.left().map(drop) } else { check(wait, &self.hold) }
    }
}

fn check(wait: &Wait, hold: &Hold) -> Result<(), MemoryError> {
    if hold.is_interrupted() {
        return Err(MemoryError::Interrupted);
    }
    wait.left().map(drop)
}

/// Returns `true` for a timeout of one poll interval or an interrupted system call.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn addresses(host: &Host, wait: &Wait, hold: &Hold) -> Result<Vec<SocketAddr>, MemoryError> {
    let Host { name, port } = host.clone();
    let found = run_in_thread(wait, hold, move || {
        (name.as_str(), port).to_socket_addrs().map(Vec::from_iter)
    })?;
    Ok(found)
}

/// Does work that has no timeout in a thread, which is abandoned if it takes too long.
fn run_in_thread<T: Send + 'static>(
    wait: &Wait,
    hold: &Hold,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, MemoryError> {
    let (sender, receiver) = channel();
    // Sending fails once the work has been abandoned.
    thread::Builder::new().spawn(move || drop(sender.send(work())))?;
    loop {
        check(wait, hold)?;
        match receiver.recv_timeout(POLL_INTERVAL) {
            Ok(done) => return done.map_err(MemoryError::from),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the connecting thread has ended").into());
            }
        }
    }
}

/// Quotes the beginning of bytes sent or received for messages, without control characters.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const MAX_SHOWN_BYTES: usize = 100;
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_SHOWN_BYTES)]);
    let shown = shown.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let rest = if bytes.len() > MAX_SHOWN_BYTES { "…" } else { "" };
    format!("\"{}{rest}\"", shown.collect::<String>())
}
