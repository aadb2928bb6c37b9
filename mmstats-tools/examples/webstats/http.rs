//! As much of HTTP as the example needs: one request for each connection, with limits, so that no
//! client holds a thread for long.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// For a client to send its request, and again to take the response.
const PATIENCE: Duration = Duration::from_secs(5);
/// For a client that was refused to end what it sends.
const LAST_PATIENCE: Duration = Duration::from_millis(500);
/// Bytes of a request, up to the empty line behind its header.
const LARGEST: usize = 8192;

/// A request without its header.
pub(crate) struct Request {
    line: String,
    /// Where the parts of the line end.
    method: usize,
    target: usize,
}

impl Request {
    /// Method and target.
    pub(crate) fn line(&self) -> &str {
        &self.line[..self.target]
    }

    /// The target without a query.
    pub(crate) fn path(&self) -> &str {
        self.line[self.method + 1..self.target].split('?').next().unwrap_or_default()
    }

    /// Whether only the response's header is wanted.
    pub(crate) fn is_head(&self) -> bool {
        &self.line[..self.method] == "HEAD"
    }

    fn parse(header: &[u8]) -> Result<Request, Response> {
        let malformed = || Response::new(400, "This is not HTTP.\n");
        let line = header.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        let line = std::str::from_utf8(line).map_err(|_| malformed())?.to_owned();
        let (method, rest) = line.split_once(' ').ok_or_else(malformed)?;
        let (target, version) = rest.split_once(' ').ok_or_else(malformed)?;
        if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
            return Err(malformed());
        }
        if !matches!(method, "GET" | "HEAD") {
            return Err(Response::new(405, "GET and HEAD can be used.\n"));
        }
        let (method, target) = (method.len(), method.len() + 1 + target.len());
        Ok(Request { line, method, target })
    }
}

/// A response of plain text.
#[derive(Clone)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    body: String,
}

impl Response {
    /// A response with this status and text.
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

/// Reads a request, or tells how to refuse what came instead. An error is a client that is gone.
pub(crate) fn read(mut connection: &TcpStream) -> io::Result<Result<Request, Response>> {
    let deadline = Instant::now() + PATIENCE;
    let mut buffer = [0; LARGEST];
    let mut length = 0;
    loop {
        if length == buffer.len() {
            return Ok(Err(Response::new(431, "The header is too long.\n")));
        }
        // What is left of the whole time: a client that sends byte after byte gets no more than
        // others.
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        connection.set_read_timeout(Some(left))?;
        match connection.read(&mut buffer[length..]) {
            Ok(0) if length == 0 => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(0) => return Ok(Err(Response::new(400, "The request ends early.\n"))),
            Ok(more) => {
                // The empty line may have begun in what was there before.
                let from = length.saturating_sub(3);
                length += more;
                if has_empty_line(&buffer[from..length]) {
                    return Ok(Request::parse(&buffer[..length]));
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(Err(Response::new(408, "The request took too long.\n")));
            }
            Err(error) => return Err(error),
        }
        if Instant::now() >= deadline {
            return Ok(Err(Response::new(408, "The request took too long.\n")));
        }
    }
}

fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| four == b"\r\n\r\n") || bytes.windows(2).any(|two| two == b"\n\n")
}

/// Writes a response and ends the connection.
pub(crate) fn write(
    mut connection: &TcpStream,
    response: &Response,
    only_header: bool,
) -> io::Result<()> {
    let body = if only_header { "" } else { &response.body };
    let text = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        response.status,
        response.reason(),
        response.body.len(),
    );
    connection.set_write_timeout(Some(PATIENCE))?;
    connection.write_all(text.as_bytes())?;
    connection.shutdown(Shutdown::Write)?;
    if matches!(response.status, 400 | 405 | 408 | 431) {
        drain(connection)?;
    }
    Ok(())
}

/// Reads what a refused client still sends: a connection closed over unread bytes is reset, and the
/// client might never see its response.
fn drain(mut connection: &TcpStream) -> io::Result<()> {
    let deadline = Instant::now() + LAST_PATIENCE;
    connection.set_read_timeout(Some(LAST_PATIENCE))?;
    while Instant::now() < deadline && connection.read(&mut [0; LARGEST])? > 0 {}
    Ok(())
}
