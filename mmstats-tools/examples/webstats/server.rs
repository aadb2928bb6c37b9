//! The server. Each of its threads accepts, reads, answers and counts by itself.

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
use crate::stats::{STATUS, WebStats};

/// What the threads share. The stats are not among it.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    is_stopping: AtomicBool,
    files: Mutex<Vec<PathBuf>>,
}

impl Server {
    /// A server behind this listener.
    pub(crate) fn new(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Server {
            listener,
            address,
            is_stopping: AtomicBool::new(false),
            files: Mutex::default(),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The files of its threads, so far.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.lock_files().clone()
    }

    fn lock_files(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves in this thread until the server is stopped.
    pub(crate) fn work<F: Format>(&self, stats: &WebStats<F>, publication: &Publication) {
        if let Publication::File(path) = publication {
            self.lock_files().push(path.clone());
        }
        while !self.is_stopping.load(Ordering::Relaxed) {
            stats.worker.set("waiting");
            match self.listener.accept() {
                Ok(_) if self.is_stopping.load(Ordering::Relaxed) => {}
                // Whatever goes wrong with a connection is its client's loss alone.
                Ok((connection, _)) => drop(self.serve(stats, &connection)),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                    ) => {}
                // Most likely there are too many open files; there may be fewer in a moment.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Reads a request and answers it. This is where everything is counted.
    fn serve<F: Format>(&self, stats: &WebStats<F>, connection: &TcpStream) -> io::Result<()> {
        stats.worker.set("reading");
        let request = http::read(connection)?;
        // Runs until the end of this function. The time that a client takes for its request is not
        // ours.
        let _timing = stats.latency.start();
        stats.last_hit.set(clock::unix_time());
        let response = match &request {
            Ok(request) => {
                stats.worker.set(request.line());
                self.answer(request)
            }
            Err(refusal) => refusal.clone(),
        };
        match response.status {
            200..=299 => stats.status2xx.incr(),
            300..=399 => stats.status3xx.incr(),
            400..=499 => stats.status4xx.incr(),
            _ => stats.status5xx.incr(),
        }
        http::write(connection, &response, request.is_ok_and(|request| request.is_head()))
    }

    fn answer(&self, request: &Request) -> Response {
        match request.path() {
            "/" => Response::new(200, "Hello! See /status, or run slurpstats.\n"),
            "/500" => Response::new(500, "This is what was asked for.\n"),
            "/status" => Response::new(200, &self.status()),
            _ => Response::new(404, "There are /, /500 and /status.\n"),
        }
    }

    /// The totals over all threads. They are read like those of any other program, out of the
    /// files.
    fn status(&self) -> String {
        let mut reader = Reader::new();
        let mut totals = [0_u64; STATUS.len()];
        let files = self.files();
        for path in &files {
            let Ok(sample) = reader.read(path) else { continue };
            for (label, total) in STATUS.iter().zip(&mut totals) {
                if let Some(Value::Unsigned(count)) = sample.find(label) {
                    *total = total.wrapping_add(count);
                }
            }
        }
        let mut text = format!("threads    {}\n", files.len());
        for (label, total) in STATUS.iter().zip(totals) {
            let _ = writeln!(text, "{label} {total}");
        }
        text
    }

    /// Ends the work of so many threads, once each has answered what it is at.
    pub(crate) fn stop(&self, threads: u16) {
        self.is_stopping.store(true, Ordering::Relaxed);
        for _ in 0..threads {
            // Wakes one that waits for a connection.
            drop(TcpStream::connect(self.address));
        }
    }
}
