//! The example web server, its stats and its shutdown.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use mmstats_tests::cli::{Outcome, program, run, without_environment};
use tempfile::TempDir;

/// A running server with its own directory of files.
struct Server {
    child: Child,
    address: SocketAddr,
    files: TempDir,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let mut command = Command::new(program("--example", "webstats"));
        command.args(["--port", "0"]).args(arguments).env("MMSTATS_PATH", files.path());
        let mut child = without_environment(&mut command).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next())
            .unwrap()
            .parse()
            .unwrap();
        Server { child, address, files }
    }

    fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        connection.write_all(bytes).unwrap();
        connection
    }

    /// Returns the response to these bytes.
    fn answer(&self, bytes: &[u8]) -> String {
        read(self.send(bytes))
    }

    fn get(&self, target: &str) -> String {
        self.answer(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
    }

    fn slurp(&self, arguments: &[&str]) -> Outcome {
        run(Command::new(program("--bin", "slurpstats")).args(arguments).arg(self.files.path()))
    }

    /// Returns the sum of a field over all files.
    fn total(&self, label: &str) -> u64 {
        let lines = self.slurp(&["-f", label]).out;
        lines
            .lines()
            .filter(|line| line.starts_with("  "))
            .map(|line| line.split_whitespace().last().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    fn signal(&self, name: &str) {
        assert!(
            Command::new("kill")
                .args(["-s", name, &self.child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(mut connection: TcpStream) -> String {
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    response
}

fn until(what: &str, mut happens: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happens() {
        assert!(start.elapsed() < Duration::from_secs(20), "timeout waiting for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn requests_are_answered_and_counted() {
    for format in ["1", "2"] {
        let server = Server::start(&["--threads", "2", "--format", format]);
        until("two files", || {
            fs::read_dir(server.files.path()).unwrap().filter(|file| !is_hidden(file)).count() == 2
        });
        assert!(server.get("/").starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(server.get("/500").starts_with("HTTP/1.1 500 "));
        assert!(server.get("/nowhere?x=1").starts_with("HTTP/1.1 404 "));
        let status = server.get("/status");
        assert!(
            status.ends_with(
                "\r\n\r\nthreads    2\nstatus.2XX 1\nstatus.3XX 0\nstatus.4XX 1\nstatus.5XX 1\n"
            ),
            "{status}"
        );
        assert!(server.answer(b"HEAD /status HTTP/1.0\n\n").ends_with("\r\n\r\n"));
        let totals = ["status.2XX", "status.3XX", "status.4XX", "status.5XX"]
            .map(|label| server.total(&format!("web.stats.{label}")));
        assert_eq!(totals, [3, 0, 1, 1]);
        let state = server.slurp(&["-f", "*worker.state", "--json", "--live"]).out;
        assert!(
            state.contains(r#""value":"waiting""#)
                && state.contains(&format!(r#""version":{format}"#)),
            "{state}"
        );
    }
}

fn is_hidden(file: &std::io::Result<fs::DirEntry>) -> bool {
    file.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')
}

#[test]
fn bad_clients_are_refused_and_others_are_served() {
    let server = Server::start(&["--threads", "2"]);
    for (bytes, status) in [
        (&b"\x16\x03\x01nonsense\r\n\r\n"[..], 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", 405),
        (&[b'x'; 20_000], 431),
    ] {
        assert!(
            server.answer(bytes).starts_with(&format!("HTTP/1.1 {status} ")),
            "{}",
            bytes.escape_ascii()
        );
    }
    // One that disconnects before its request, and one that disconnects within it.
    drop(server.send(b""));
    let unfinished = server.send(b"GET / HTT");
    unfinished.shutdown(Shutdown::Write).unwrap();
    assert!(read(unfinished).starts_with("HTTP/1.1 400 "));
    // A slow client blocks only one thread.
    let slow = server.send(b"GET / HTTP/1.1\r\n");
    assert!(server.get("/").starts_with("HTTP/1.1 200 "));
    until("reading", || server.slurp(&["-f", "*worker.state"]).out.contains("reading"));
    assert!(read(slow).starts_with("HTTP/1.1 408 "));
    assert_eq!(server.total("web.stats.status.4XX"), 7);
}

#[test]
fn a_signal_stops_it_and_removes_its_files() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start(&["--threads", "3"]);
        assert!(server.get("/").starts_with("HTTP/1.1 200 "));
        server.signal(signal);
        assert_eq!(server.child.wait().unwrap().code(), Some(0));
        assert_eq!(fs::read_dir(server.files.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_killed_server_leaves_readable_files() {
    let mut server = Server::start(&["--threads", "1"]);
    assert!(server.get("/500").starts_with("HTTP/1.1 500 "));
    server.signal("KILL");
    server.child.wait().unwrap();
    assert_eq!(server.total("web.stats.status.5XX"), 1);
    assert!(server.slurp(&["--json"]).out.contains(r#""liveness":"dead""#));
    let live = server.slurp(&["--live"]);
    assert!(live.out.is_empty() && live.err.contains("no live writer in 1 file"), "{live:?}");
}

#[test]
fn under_load_it_prints_its_stats_and_stops() {
    let files = tempfile::tempdir().unwrap();
    let mut command = Command::new(program("--example", "webstats"));
    let outcome = run(command
        .args(["--port", "0", "--threads", "3", "--load", "0.5"])
        .env("MMSTATS_PATH", files.path()));
    assert_eq!((outcome.status, outcome.err.as_str()), (0, ""), "{}", outcome.out);
    assert!(outcome.out.contains(" 0 requests failed"), "{}", outcome.out);
    assert_eq!(outcome.out.matches("==> ").count(), 3);
    for label in [
        "status.2XX",
        "status.3XX",
        "status.4XX",
        "status.5XX",
        "timers.last_hit",
        "timers.latency",
        "timers.latency.histogram",
    ] {
        assert_eq!(outcome.out.matches(&format!("\n  web.stats.{label} ")).count(), 3, "{label}");
    }
    let count = |line: &str| line.split_whitespace().last().unwrap().parse::<u64>().unwrap();
    assert!(
        outcome.out.lines().filter(|line| line.contains("status.2XX")).map(count).sum::<u64>() > 0
    );
    assert_eq!(fs::read_dir(files.path()).unwrap().count(), 0);
}
