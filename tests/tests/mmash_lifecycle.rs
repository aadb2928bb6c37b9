//! The start and the end of `mmash`, and the files that it reads.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmstats_tests::cli::{VersionOne, program, run};
use mmstats_tests::http::{open, request};
use mmstats_tests::mmash::{FAST, Mmash, command, shop};
use mmstats_tests::programs::{Program, directory};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

/// Returns the time that a server with two hundred streams takes to exit after this signal.
fn ending(signal: Signal) -> Duration {
    let directory = directory();
    let _shop = shop(&directory, "shop.mmstats");
    let server = Mmash::serve(directory.path(), &FAST);
    let stream = || {
        let mut stream =
            open(server.address, &request(server.address, "GET", "/events", "")).unwrap();
        stream.event().unwrap();
        stream
    };
    let streams: Vec<_> = (0..200).map(|_| stream()).collect();
    let start = Instant::now();
    server.signal(signal);
    let end = server.end();
    let took = start.elapsed();
    assert!(end.status.success() && end.errors.is_empty(), "{signal:?}: {end:?}");
    drop(streams);
    took
}

#[test]
fn a_server_with_streams_ends_within_a_second() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        // A machine that is busy with other tests can need another try.
        let tries: Vec<Duration> = (0..5)
            .map(|_| ending(signal))
            .take_while(|took| *took >= Duration::from_secs(1))
            .collect();
        assert!(tries.len() < 5, "{signal:?}: {tries:?}");
    }
}

#[test]
fn a_port_in_use_is_reported() {
    let directory = directory();
    let server = Mmash::serve(directory.path(), &[]);
    let port = server.address.port().to_string();
    let outcome =
        run(Command::new(program("--bin", "mmash")).args(["--port", &port]).arg(directory.path()));
    assert_eq!((outcome.status, outcome.out.as_str()), (1, ""));
    assert!(
        outcome.err.contains(&port)
            && outcome.err.contains("in use")
            && outcome.err.contains("--port"),
        "{}",
        outcome.err
    );
}

#[test]
fn other_users_can_read_stats_only_if_allowed() {
    for address in ["0.0.0.0", "[::]", "192.0.2.1:80", "::ffff:192.0.2.1"] {
        let outcome = run(Command::new(program("--bin", "mmash")).args(["--listen", address]));
        assert_eq!((outcome.status, outcome.out.as_str()), (2, ""), "{address}");
        assert!(outcome.err.contains("--allow-remote"), "{address}: {}", outcome.err);
    }
    let directory = directory();
    let mut command = Command::new(program("--bin", "mmash"));
    command
        .args(["--listen", "0.0.0.0:0", "--allow-remote", "--allow-host", "stats.example.org"])
        .arg(directory.path());
    let server = Mmash::start(&mut command);
    let address = ([127, 0, 0, 1], server.address.port()).into();
    let status_of = |target: &str, host: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        open(address, request.as_bytes()).unwrap().response.status
    };
    // Waits for the first scrape: before it, the server is not healthy.
    assert_eq!(status_of("/stats/", "127.0.0.1"), 200);
    let status = |host: &str| status_of("/healthz", host);
    assert_eq!(
        [
            status("stats.example.org"),
            status("stats.example.org:443"),
            status("127.0.0.1"),
            status("example.org")
        ],
        [200, 200, 200, 421]
    );
}

#[test]
fn a_server_with_a_hanging_scrape_is_not_healthy() {
    // A device that accepts connections and sends nothing.
    let device = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("gdb://{}", device.local_addr().unwrap());
    let server = Mmash::start(&mut command(&["-d", "0.1", "--region-address", "0x20000000", &url]));
    let health = server.get("/healthz");
    assert_eq!((health.status, &health.json()["status"]), (503, &json!("late")));
    server.signal(Signal::TERM);
    assert!(server.end().status.success());
}

#[test]
fn links_in_the_directory_and_pipes_are_not_followed() {
    let (directory, other) = (directory(), with_secret());
    let _shop = shop(&directory, "shop.mmstats");
    symlink(other.path().join("secret.mmstats"), directory.path().join("link.mmstats")).unwrap();
    symlink("shop.mmstats", directory.path().join("beside.mmstats")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        directory.path().join("pipe.mmstats"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let server = Mmash::serve(directory.path(), &[]);
    for target in ["/", "/stats/", "/metrics", "/api/v1/stats", "/events"] {
        let mut opened = open(server.address, &request(server.address, "GET", target, "")).unwrap();
        let text = if target == "/events" {
            opened.event().unwrap().1.to_string()
        } else {
            opened.finish().unwrap().text()
        };
        assert!(!text.contains("secret.label") && text.contains("shop"), "{target}");
    }
    let files = server.json("/api/v1/files");
    assert_eq!(
        (files["files"].as_array().unwrap().len(), files["errors"].as_array().unwrap().len()),
        (1, 3),
        "{files}"
    );
}

/// Returns the number of voluntary context switches of a process.
fn waits(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn the_textfile_writer_sleeps_until_the_next_scrape_or_a_signal() {
    let (directory, out) = (directory(), directory());
    let file = out.path().join("mmstats.prom");
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let program = Program::spawn(
            Command::new(program("--bin", "mmash"))
                .args(["-d", "1h", "--textfile"])
                .arg(&file)
                .arg(directory.path()),
        );
        let start = Instant::now();
        while !file.exists() {
            assert!(start.elapsed() < Duration::from_secs(60));
            sleep(Duration::from_millis(10));
        }
        let before = waits(program.pid());
        sleep(Duration::from_secs(1));
        let waited = waits(program.pid()) - before;
        assert!(waited < 10, "{waited} times in a second");
        let pid = Pid::from_raw(i32::try_from(program.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let end = program.end();
        assert!(end.status.success() && end.errors.is_empty(), "{signal:?}: {end:?}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn the_textfile_writer_continues_if_all_signals_are_ignored() {
    let (directory, out) = (directory(), directory());
    let file = out.path().join("mmstats.prom");
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' INT TERM HUP && exec \"$0\" \"$@\""])
        .arg(program("--bin", "mmash"));
    let _program =
        Program::spawn(command.args(["-d", "0.1", "--textfile"]).arg(&file).arg(directory.path()));
    for _ in 0..3 {
        let start = Instant::now();
        while fs::remove_file(&file).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60));
            sleep(Duration::from_millis(10));
        }
    }
}

fn with_secret() -> TempDir {
    let other = directory();
    fs::write(
        other.path().join("secret.mmstats"),
        VersionOne::default().field("secret.label", "B", [1]).finish(),
    )
    .unwrap();
    other
}
