//! A raw HTTP client: sends requests as they are, valid or not.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The time after which a server counts as hung.
const TIMEOUT: Duration = Duration::from_secs(180);

/// A response.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its headers, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// Its body, with chunks joined.
    pub body: Vec<u8>,
}

impl Response {
    /// Returns the value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as text; invalid UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Parses the body as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }
}

/// A connection on which the header of a response has been read.
pub struct Open {
    reader: BufReader<TcpStream>,
    /// The response, without its body.
    pub response: Response,
}

/// Connects to a server.
///
/// # Panics
/// If the connection fails.
#[must_use]
pub fn connect(server: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect_timeout(&server, TIMEOUT).expect("the server listens");
    connection.set_read_timeout(Some(TIMEOUT)).expect("a socket");
    connection.set_write_timeout(Some(TIMEOUT)).expect("a socket");
    connection
}

/// Sends these bytes, and reads the header of the response.
///
/// # Errors
/// If the server closes the connection, or does not respond in HTTP.
pub fn open(server: SocketAddr, request: &[u8]) -> io::Result<Open> {
    open_on(connect(server), request)
}

/// Like [`open`], on an existing connection.
///
/// # Errors
/// As [`open`].
pub fn open_on(mut connection: TcpStream, request: &[u8]) -> io::Result<Open> {
    // A server may refuse a request before it has read all of it.
    let _ = connection.write_all(request);
    let mut reader = BufReader::new(connection);
    let mut response = Response::default();
    let first = line(&mut reader)?;
    response.status = first
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    loop {
        let line = line(&mut reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        response.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Open { reader, response })
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

impl Open {
    /// Reads the body.
    ///
    /// # Errors
    /// If it ends early.
    pub fn finish(mut self) -> io::Result<Response> {
        if let Some(length) = self.response.header("content-length") {
            let length: usize = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            self.response.body.resize(length, 0);
            self.reader.read_exact(&mut self.response.body)?;
        } else if self.response.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk()? {
                self.response.body.extend(chunk);
            }
        } else {
            self.reader.read_to_end(&mut self.response.body)?;
        }
        Ok(self.response)
    }

    /// Reads the next chunk; `None` at the end.
    ///
    /// # Errors
    /// If the connection ends early.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let length = line(&mut self.reader)?;
        let length = usize::from_str_radix(&length, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut chunk = vec![0; length + 2];
        self.reader.read_exact(&mut chunk)?;
        chunk.truncate(length);
        Ok((length > 0).then_some(chunk))
    }

    /// Reads the next server-sent event: its id and data.
    ///
    /// # Errors
    /// If the stream ends.
    pub fn event(&mut self) -> io::Result<(u64, Value)> {
        loop {
            let chunk = self.chunk()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let text = String::from_utf8_lossy(&chunk).into_owned();
            let Some(rest) = text.strip_prefix("event: stats\nid: ") else { continue };
            let (id, data) = rest.split_once("\ndata: ").ok_or(io::ErrorKind::InvalidData)?;
            let data = data.strip_suffix("\n\n").ok_or(io::ErrorKind::InvalidData)?;
            return Ok((
                id.parse().map_err(|_| io::ErrorKind::InvalidData)?,
                serde_json::from_str(data)?,
            ));
        }
    }
}

/// Sends these bytes, and reads the response; `None` without one.
#[must_use]
pub fn send(server: SocketAddr, request: &[u8]) -> Option<Response> {
    let is_head = request.starts_with(b"HEAD ");
    let opened = open(server, request).ok()?;
    if is_head { Some(opened.response) } else { opened.finish().ok() }
}

/// Builds a valid request with additional headers, each ended by a line break.
#[must_use]
pub fn request(server: SocketAddr, method: &str, target: &str, headers: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{headers}\r\n")
        .into_bytes()
}

/// Sends a GET request.
///
/// # Panics
/// If there is no response.
#[must_use]
pub fn get(server: SocketAddr, target: &str) -> Response {
    get_with(server, target, "")
}

/// Like [`get`], with additional headers.
///
/// # Panics
/// If there is no response.
#[must_use]
pub fn get_with(server: SocketAddr, target: &str, headers: &str) -> Response {
    let opened = open(server, &request(server, "GET", target, headers))
        .unwrap_or_else(|error| panic!("{target}: {error}"));
    opened.finish().unwrap_or_else(|error| panic!("{target}: {error}"))
}
