//! A load generator: clients in threads of this process.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// The targets of the requests, in a cycle.
const TARGETS: [&str; 8] = ["/", "/", "/status", "/", "/500", "/", "/nowhere", "/"];
/// The timeout of each step of a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The numbers of requests by result.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Requests with a response.
    pub(crate) answered: u64,
    /// Requests without a response.
    pub(crate) failed: u64,
}

/// Sends requests from `clients` threads for this duration.
pub(crate) fn generate(server: SocketAddr, duration: Duration, clients: u16) -> Counts {
    let start = Instant::now();
    let client = || {
        let mut counts = Counts::default();
        for target in TARGETS.iter().cycle() {
            if start.elapsed() >= duration {
                break;
            }
            match send_request(server, target) {
                Ok(()) => counts.answered += 1,
                Err(_) => {
                    counts.failed += 1;
                    // Recently closed connections may still occupy all ports.
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
        counts
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        threads.into_iter().fold(Counts::default(), |total, thread| {
            let counts = thread.join().unwrap_or_default();
            Counts {
                answered: total.answered + counts.answered,
                failed: total.failed + counts.failed,
            }
        })
    })
}

fn send_request(server: SocketAddr, target: &str) -> io::Result<()> {
    let mut connection = TcpStream::connect_timeout(&server, TIMEOUT)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    write!(connection, "GET {target} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut response = Vec::new();
    connection.read_to_end(&mut response)?;
    if response.starts_with(b"HTTP/1.1 ") { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
