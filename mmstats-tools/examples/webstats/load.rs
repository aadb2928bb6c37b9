//! Clients that keep the server busy.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// What they ask for, again and again.
const TARGETS: [&str; 8] = ["/", "/", "/status", "/", "/500", "/", "/nowhere", "/"];
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of the requests.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sent {
    /// Those that were answered.
    pub(crate) answered: u64,
    /// Those that were not.
    pub(crate) failed: u64,
}

/// Sends requests from so many threads for so long.
pub(crate) fn drive(server: SocketAddr, time: Duration, clients: u16) -> Sent {
    let start = Instant::now();
    let client = || {
        let mut sent = Sent::default();
        for target in TARGETS.iter().cycle() {
            if start.elapsed() >= time {
                break;
            }
            match get(server, target) {
                Ok(()) => sent.answered += 1,
                Err(_) => {
                    sent.failed += 1;
                    // Perhaps all ports are taken by connections that were closed just now.
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
        sent
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        threads.into_iter().fold(Sent::default(), |total, thread| {
            let sent = thread.join().unwrap_or_default();
            Sent { answered: total.answered + sent.answered, failed: total.failed + sent.failed }
        })
    })
}

fn get(server: SocketAddr, target: &str) -> io::Result<()> {
    let mut connection = TcpStream::connect_timeout(&server, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    write!(connection, "GET {target} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut response = Vec::new();
    connection.read_to_end(&mut response)?;
    if response.starts_with(b"HTTP/1.1 ") { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
