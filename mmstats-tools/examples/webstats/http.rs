//! A minimal HTTP server: one request per connection, with limits so that no client occupies a
//! thread for long.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The time for reading a request, and for writing its response.
const IO_TIMEOUT: Duration = Duration::from_secs(5);
/// The time for draining the rest of a rejected request.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// The maximum size of a request's header, including the empty line after it.
const MAX_HEADER_BYTES: usize = 8192;

/// The first line of a request.
pub(crate) struct Request {
    line: String,
    /// The ends of the line's parts.
    method_end: usize,
    target_end: usize,
}

impl Request {
    /// Returns the method and the target.
    pub(crate) fn line(&self) -> &str {
        &self.line[..self.target_end]
    }

    /// Returns the target without its query.
    pub(crate) fn path(&self) -> &str {
        self.line[self.method_end + 1..self.target_end].split('?').next().unwrap_or_default()
    }

    /// Returns `true` if the response must not have a body.
    pub(crate) fn is_head(&self) -> bool {
        &self.line[..self.method_end] == "HEAD"
    }

    fn parse(header: &[u8]) -> Result<Request, Response> {
        let malformed =
            || Response::new(400, "invalid HTTP request (METHOD TARGET HTTP/1.x expected)\n");
        let line = header.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        let line = std::str::from_utf8(line).map_err(|_| malformed())?.to_owned();
        let (method, rest) = line.split_once(' ').ok_or_else(malformed)?;
        let (target, version) = rest.split_once(' ').ok_or_else(malformed)?;
        if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
            return Err(malformed());
        }
        if !matches!(method, "GET" | "HEAD") {
            return Err(Response::new(405, "method not allowed (GET or HEAD expected)\n"));
        }
        let method_end = method.len();
        let target_end = method_end + 1 + target.len();
        Ok(Request { line, method_end, target_end })
    }
}

/// A response with a plain-text body.
#[derive(Clone)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    body: String,
}

impl Response {
    /// Creates a response with this status and text.
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Response { status, body: body.to_owned() }
    }

    fn reason(&self) -> &'static str {
        match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            431 => "Request Header Fields Too Large",
            _ => "Internal Server Error",
        }
    }
}

/// Reads a request; returns the response to an invalid one as the inner error.
///
/// # Errors
/// If the connection fails or was closed.
pub(crate) fn read_request(mut connection: &TcpStream) -> io::Result<Result<Request, Response>> {
    let deadline = Instant::now() + IO_TIMEOUT;
    let mut buffer = [0; MAX_HEADER_BYTES];
    let mut length = 0;
    loop {
        if length == buffer.len() {
            return Ok(Err(Response::new(431, "header too long\n")));
        }
        // One deadline for the whole request, so that a slow client cannot extend it.
        let remaining =
            deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        connection.set_read_timeout(Some(remaining))?;
        match connection.read(&mut buffer[length..]) {
            Ok(0) if length == 0 => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(0) => return Ok(Err(Response::new(400, "incomplete request\n"))),
            Ok(count) => {
                // The empty line may have started in an earlier read.
                let from = length.saturating_sub(3);
                length += count;
                if has_empty_line(&buffer[from..length]) {
                    return Ok(Request::parse(&buffer[..length]));
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(Err(Response::new(408, "request timed out\n")));
            }
            Err(error) => return Err(error),
        }
        if Instant::now() >= deadline {
            return Ok(Err(Response::new(408, "request timed out\n")));
        }
    }
}

fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| four == b"\r\n\r\n") || bytes.windows(2).any(|two| two == b"\n\n")
}

/// Writes a response and closes the connection.
pub(crate) fn write_response(
    mut connection: &TcpStream,
    response: &Response,
    is_head: bool,
) -> io::Result<()> {
    let body = if is_head { "" } else { &response.body };
    let text = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        response.status,
        response.reason(),
        response.body.len(),
    );
    connection.set_write_timeout(Some(IO_TIMEOUT))?;
    connection.write_all(text.as_bytes())?;
    connection.shutdown(Shutdown::Write)?;
    if matches!(response.status, 400 | 405 | 408 | 431) {
        drain(connection)?;
    }
    Ok(())
}

/// Reads the rest of a rejected request. Closing a connection with unread bytes resets it, and the
/// client might not get its response.
fn drain(mut connection: &TcpStream) -> io::Result<()> {
    let deadline = Instant::now() + DRAIN_TIMEOUT;
    connection.set_read_timeout(Some(DRAIN_TIMEOUT))?;
    while Instant::now() < deadline && connection.read(&mut [0; MAX_HEADER_BYTES])? > 0 {}
    Ok(())
}
