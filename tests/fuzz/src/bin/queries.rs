//! All addresses of `mmash` with any path and query, raw or encoded, over HTTP: each is answered,
//! with the right status, by JSON, metrics or a page.
#![no_main]

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::Duration;
use std::{fs, thread};

use libfuzzer_sys::fuzz_target;
use mmstats_fuzz::metrics::check_page;
use mmstats_fuzz::tool::empty_directory;
use mmstats_tools::console::Console;
use mmstats_tools::mmash;

const TARGETS: [&str; 16] = [
    "/?q=",
    "/graph/?plot=",
    "/api/v1/stats?match=",
    "/api/v1/stats?by=label&match=",
    "/api/v1/query?match=",
    "/api/v1/query?by=label&since=",
    "/stats/?glob=",
    "/stats/",
    "/stats/a?aggr=",
    "/stats/a?exact&aggr=sum&glob=",
    "/files/",
    "/metrics?",
    "/healthz?",
    "/static/",
    "/events?match=",
    "/",
];

/// The server, and a connection that is kept while it can be.
struct Server {
    port: u16,
    connection: Option<BufReader<TcpStream>>,
}

static SERVER: Mutex<Option<Server>> = Mutex::new(None);

impl Server {
    /// Starts the server on a file with every kind of field.
    fn start() -> Server {
        let directory = empty_directory("queries");
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../golden/v2/rust-little-8.mmstats");
        fs::copy(golden, directory.join("a.mmstats")).expect("a golden file");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let options = ["mmash", "-d", "1h", "--max-requests-per-second", "1000000", "--port"];
        let mut arguments: Vec<OsString> = options.map(OsString::from).into();
        arguments.extend([port.to_string().into(), directory.into()]);
        thread::spawn(move || {
            let (out, err) = (Box::new(io::sink()), Box::new(io::sink()));
            let mut console =
                Console { name: "mmash", out, err, is_terminal: false, colour: false };
            mmash::run(arguments, &mut console);
            panic!("the server has ended");
        });
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            thread::sleep(Duration::from_millis(10));
        }
        Server { port, connection: None }
    }

    /// Sends a request, and returns the status, the content type and the body; no body if it is a
    /// stream.
    fn get(&mut self, target: &[u8]) -> io::Result<(u16, String, String)> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?),
        };
        let mut connection = connection;
        let mut request = b"GET ".to_vec();
        request.extend(target);
        request.extend(format!(" HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", self.port).bytes());
        connection.get_mut().write_all(&request)?;
        let (mut status, mut content_type, mut length, mut is_kept) =
            (0, String::new(), None, true);
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().expect("a status");
            }
            match line.split_once(": ") {
                Some(("content-type", value)) => content_type = value.to_owned(),
                Some(("content-length", value)) => length = value.parse().ok(),
                Some(("connection", value)) => is_kept = value != "close",
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        // A stream, of which nothing is read.
        let Some(length) = length else { return Ok((status, String::new(), String::new())) };
        let mut body = vec![0; length];
        connection.read_exact(&mut body)?;
        self.connection = Some(connection).filter(|_| is_kept);
        Ok((status, content_type, String::from_utf8(body).expect("UTF-8")))
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&mode, data)) = data.split_first() else { return };
    let mut target = TARGETS[usize::from(mode & 15)].as_bytes().to_vec();
    for byte in data {
        match byte {
            b'&' | b'=' if mode & 0x20 != 0 => target.push(*byte),
            b'a'..=b'z' | b'0'..=b'9' => target.push(*byte),
            _ if mode & 0x10 != 0 => target.extend(format!("%{byte:02X}").bytes()),
            // These would end the request line.
            b' ' | b'\r' | b'\n' => target.push(b'+'),
            byte => target.push(*byte),
        }
    }
    let mut server = SERVER.lock().expect("one thread");
    let server = server.get_or_insert_with(Server::start);
    let is_reused = server.connection.is_some();
    // A connection that was idle may have been closed meanwhile.
    let response = match server.get(&target) {
        Err(_) if is_reused => server.get(&target),
        response => response,
    };
    let (status, content_type, body) = response.expect("a response");
    assert!(matches!(status, 200 | 304 | 308 | 400 | 404 | 414 | 431), "{status}: {body}");
    if status == 200 && content_type.starts_with("application/json") {
        serde_json::from_str::<serde_json::Value>(&body).expect("JSON");
    } else if status == 200 && content_type.starts_with("text/plain; version=0.0.4") {
        check_page(&body, false);
    }
});
