//! The server. Each thread accepts connections, answers requests and updates its own stats.

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use mmstats_core::reader::Value;
use mmstats_std::read::Reader;
use mmstats_std::{Format, Publication, clock};

use crate::http::{self, Request, Response};
use crate::stats::{STATUS_LABELS, WebStats};

/// The state that the threads share. Stats are not shared.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    is_stopping: AtomicBool,
    files: Mutex<Vec<PathBuf>>,
}

impl Server {
    /// Creates a server that accepts connections of this listener.
    pub(crate) fn new(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Server {
            listener,
            address,
            is_stopping: AtomicBool::new(false),
            files: Mutex::default(),
        })
    }

    /// Returns the address of the listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the stats files of the threads that have started.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.lock_files().clone()
    }

    fn lock_files(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves in this thread until `stop` is called.
    pub(crate) fn run_worker<F: Format>(&self, stats: &WebStats<F>, publication: &Publication) {
        if let Publication::File(path) = publication {
            self.lock_files().push(path.clone());
        }
        while !self.is_stopping.load(Ordering::Relaxed) {
            stats.worker.set("waiting");
            match self.listener.accept() {
                Ok(_) if self.is_stopping.load(Ordering::Relaxed) => {}
                // An error of a connection concerns only its client.
                Ok((connection, _)) => drop(self.serve(stats, &connection)),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                    ) => {}
                // Probably too many open files; tries again soon.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Reads and answers a request, and updates the stats.
    fn serve<F: Format>(&self, stats: &WebStats<F>, connection: &TcpStream) -> io::Result<()> {
        stats.worker.set("reading");
        let request = http::read_request(connection)?;
        // Measures until the end of this function, without the time that the client needed to
        // send its request.
        let _timing = stats.latency.start();
        stats.last_hit.set(clock::unix_time());
        let response = match &request {
            Ok(request) => {
                stats.worker.set(request.line());
                self.answer(request)
            }
            Err(response) => response.clone(),
        };
        match response.status {
            200..=299 => stats.status2xx.incr(),
            300..=399 => stats.status3xx.incr(),
            400..=499 => stats.status4xx.incr(),
            _ => stats.status5xx.incr(),
        }
        http::write_response(connection, &response, request.is_ok_and(|request| request.is_head()))
    }

    fn answer(&self, request: &Request) -> Response {
        match request.path() {
            "/" => Response::new(200, "Hello! See /status, or run slurpstats.\n"),
            "/500" => Response::new(500, "an error for testing\n"),
            "/status" => Response::new(200, &self.render_status()),
            _ => Response::new(404, "not found (/, /500 and /status exist)\n"),
        }
    }

    /// Returns the sums over all threads. They are read from the files, as for any other program.
    fn render_status(&self) -> String {
        let mut reader = Reader::new();
        let mut totals = [0_u64; STATUS_LABELS.len()];
        let files = self.files();
        for path in &files {
            let Ok(sample) = reader.read(path) else { continue };
            for (label, total) in STATUS_LABELS.iter().zip(&mut totals) {
                if let Some(Value::Unsigned(count)) = sample.find(label) {
                    *total = total.wrapping_add(count);
                }
            }
        }
        let mut text = format!("threads    {}\n", files.len());
        for (label, total) in STATUS_LABELS.iter().zip(totals) {
            let _ = writeln!(text, "{label} {total}");
        }
        text
    }

    /// Stops the threads, after each has answered its current request.
    pub(crate) fn stop(&self, threads: u16) {
        self.is_stopping.store(true, Ordering::Relaxed);
        for _ in 0..threads {
            // Wakes a thread that waits for a connection.
            drop(TcpStream::connect(self.address));
        }
    }
}
