//! The cost of `mmash`, and the load of many clients. With `--release -- --nocapture` it is
//! measured for a minute, with limits; otherwise only briefly exercised.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mmstats_core::{Counter, Gauge, Text, Writer, units};
use mmstats_tests::http::{Open, connect, get_with, open, open_on, request};
use mmstats_tests::mmash::{Mmash, command, with_descriptors};
use mmstats_tests::programs::directory;
use mmstats_tests::regions::{bytes, leaked_region};
use rustix::net::sockopt::set_socket_recv_buffer_size;

const IS_MEASURED: bool = !cfg!(debug_assertions);

/// Writes files of 50 fields.
fn publish(directory: &Path, files: u64) {
    for number in 0..files {
        let region = leaked_region(1024);
        let view = region.view();
        let mut writer: Writer = Writer::with_immutable_layout(region).unwrap();
        for i in 0..50 {
            let (label, help) = (format!("bench.stats.field.{i:02}"), "One of the fields.");
            match i % 8 {
                0 => drop(
                    writer.add(Text::<16, _>::builder(&label).help(help).initial("idle")).unwrap(),
                ),
                1 => writer
                    .add(Counter::<u64, _>::builder(&label).help(help).unit(units::nanoseconds))
                    .unwrap()
                    .set(number * 1_234_567 + i),
                2 => writer
                    .add(Gauge::<f64, _>::builder(&label).help(help))
                    .unwrap()
                    .set(number as f64 / 7.0),
                _ => writer
                    .add(Counter::<u64, _>::builder(&label).help(help))
                    .unwrap()
                    .set(number * 50 + i),
            }
        }
        fs::write(directory.join(format!("bench-{number:04}.mmstats")), bytes(&view)).unwrap();
    }
}

/// Reads a stream until `is_over`, and returns the number of events.
fn listen(server: SocketAddr, is_over: &AtomicBool, total: &AtomicU64) -> u64 {
    let mut stream =
        open(server, &request(server, "GET", "/events?match=bench.stats.field.01", "")).unwrap();
    assert_eq!(stream.response.status, 200);
    let mut events = 0;
    while !is_over.load(Ordering::Relaxed) {
        let chunk = stream.chunk().unwrap().expect("the server goes on");
        assert!(chunk.starts_with(b"event: stats\nid: ") && chunk.ends_with(b"\n\n"));
        events += 1;
        total.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    events
}

#[test]
fn two_hundred_streams_and_one_that_is_not_read_do_no_harm() {
    let directory = directory();
    let files = if IS_MEASURED { 1000 } else { 20 };
    publish(directory.path(), files);
    let time = Duration::from_secs(if IS_MEASURED { 60 } else { 5 });
    // The history is full soon, so any later growth is a leak. There are fewer descriptors than
    // files and clients, as on most servers.
    let arguments = ["--history", "3s", directory.path().to_str().unwrap()];
    let server = Mmash::start(&mut with_descriptors(1024, &command(&arguments)));
    let mut stuck = open(server.address, &request(server.address, "GET", "/events", "")).unwrap();
    // Another one, with a small receive buffer.
    let small = connect(server.address);
    set_socket_recv_buffer_size(&small, 4096).unwrap();
    (&small).write_all(&request(server.address, "GET", "/events", "")).unwrap();
    let (is_over, total) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..200).map(|_| scope.spawn(|| listen(server.address, &is_over, &total))).collect();
        thread::sleep(Duration::from_secs(3));
        let (start, scrapes, memory, used) =
            (Instant::now(), server.scrapes(), server.resident(), server.processor_time());
        let mut most = memory;
        let mut slowest = Duration::ZERO;
        while start.elapsed() < time {
            thread::sleep(Duration::from_millis(500));
            most = most.max(server.resident());
            let asked = Instant::now();
            assert_eq!(server.get("/stats/bench.stats.field.01?aggr=sum").status, 200);
            slowest = slowest.max(asked.elapsed());
        }
        let (elapsed, scraped) = (start.elapsed().as_secs_f64(), server.scrapes() - scrapes);
        is_over.store(true, Ordering::Relaxed);
        let events: Vec<u64> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        let [fewest, greatest] =
            [events.iter().min(), events.iter().max()].map(|events| *events.unwrap());
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "{scraped} scrapes in {elapsed:.1} s; {fewest} to {greatest} events for each of 200 \
             clients; the slowest other response took {slowest:.1?}"
        );
        println!(
            "{:.1} MB a second in total; memory from {:.1} to {:.1} MB; {:.1} % of a processor",
            megabytes(total.load(Ordering::Relaxed)) / (elapsed + 3.0),
            megabytes(memory),
            megabytes(most),
            (server.processor_time() - used).as_secs_f64() / elapsed * 100.0,
        );
        assert!(fewest >= 1 && most - memory.min(most) < 32 << 20);
        let health = server.json("/healthz");
        assert_eq!(
            (health["files"].as_u64(), health["errors"].as_u64()),
            (Some(files), Some(0)),
            "{health}"
        );
        if IS_MEASURED {
            assert!(scraped as f64 >= elapsed.floor() - 2.0, "{scraped} scrapes in {elapsed} s");
            assert!(fewest as f64 >= elapsed * 0.9, "{fewest} events in {elapsed} s");
        }
    });
    if IS_MEASURED {
        // A client that reads nothing for 15 seconds is disconnected.
        let end = (0..1000).find_map(|_| stuck.event().err()).expect("an end");
        assert!(
            matches!(end.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof),
            "{end}"
        );
    } else {
        // A client that reads again continues.
        stuck.event().unwrap();
    }
}

/// Sends a request and does not read the response.
fn ask(server: SocketAddr, target: &str) -> Open {
    let connection = connect(server);
    set_socket_recv_buffer_size(&connection, 4096).unwrap();
    open_on(connection, &request(server, "GET", target, "")).unwrap()
}

#[test]
fn unread_responses_take_a_limited_amount_of_memory() {
    const RESPONSE_BUDGET: u64 = 128 << 20;
    let directory = directory();
    let (files, clients) = if IS_MEASURED { (1000, 60) } else { (100, 10) };
    publish(directory.path(), files);
    let server = Mmash::serve(directory.path(), &["--history-bytes", "16M"]);
    // Several copies of the history are larger than the present values.
    server.wait_for("/healthz", |health| health["scrapes"].as_u64() > Some(3));
    for target in ["/api/v1/stats", "/api/v1/query", "/metrics", "/events"] {
        let memory = server.resident();
        let asked: Vec<Open> = (0..clients).map(|_| ask(server.address, target)).collect();
        let [answered, refused] = [200, 503]
            .map(|status| asked.iter().filter(|asked| asked.response.status == status).count());
        let more = server.resident().saturating_sub(memory);
        println!(
            "{target}: {answered} unread responses, {refused} refused: {:.1} MB more",
            more as f64 / 1e6
        );
        assert!(answered > 0 && answered + refused == asked.len(), "{target}");
        assert!(more < RESPONSE_BUDGET + (64 << 20), "{target}: {more} bytes");
        // Small responses are always served.
        assert_eq!(server.get("/stats/bench.stats.field.01?aggr=sum").status, 200);
        if IS_MEASURED && target == "/api/v1/stats" {
            assert!(answered > 5 && refused > 0, "{answered} and {refused}");
            let full = asked.iter().find(|asked| asked.response.status == 503).unwrap();
            assert!(full.response.header("retry-after").is_some());
            // Clients that read nothing are disconnected, which frees their memory.
            let start = Instant::now();
            while server.get(target).status != 200 {
                assert!(start.elapsed() < Duration::from_secs(25));
                thread::sleep(Duration::from_millis(100));
            }
            println!("{target}: another client is served after {:.1?}", start.elapsed());
        }
        drop(asked);
        let start = Instant::now();
        while server.get("/api/v1/stats").status != 200 {
            assert!(start.elapsed() < Duration::from_secs(120));
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Returns the least processor time that a request takes, of several rounds.
fn cost(server: &Mmash, target: &str, headers: &str) -> Duration {
    const REQUESTS: u32 = 10;
    let round = || {
        let before = server.processor_time();
        for _ in 0..REQUESTS {
            assert_eq!(get_with(server.address, target, headers).status, 200);
        }
        (server.processor_time() - before) / REQUESTS
    };
    (0..3).map(|_| round()).min().unwrap()
}

/// Returns the least time that this thread takes to parse the values of a page of metrics and to
/// write its lines again.
fn rewrite_cost(page: &str) -> Duration {
    let rewrite = || {
        let (start, mut out) = (Instant::now(), String::new());
        for line in page.lines() {
            let (name, value) = line.rsplit_once(' ').unwrap();
            match value.parse::<f64>() {
                Ok(value) => writeln!(out, "{name} {value}").unwrap(),
                Err(_) => writeln!(out, "{line}").unwrap(),
            }
        }
        black_box(out);
        start.elapsed()
    };
    (0..5).map(|_| rewrite()).min().unwrap()
}

#[test]
fn disconnected_clients_cause_no_work() {
    let directory = directory();
    publish(directory.path(), if IS_MEASURED { 1000 } else { 100 });
    let server = Mmash::serve(directory.path(), &["-d", "60"]);
    let (target, headers) = ("/api/v1/stats", "Accept-Encoding: gzip\r\n");
    let one = cost(&server, target, headers);
    let before = server.processor_time();
    const GONE: u32 = 300;
    for _ in 0..GONE {
        connect(server.address)
            .write_all(&request(server.address, "GET", target, headers))
            .unwrap();
    }
    // Served after all others.
    assert_eq!(server.get(target).status, 200);
    let used = server.processor_time() - before;
    println!(
        "{GONE} clients that do not wait take {used:?} of processor time, one that waits {one:?}"
    );
    assert!(used < one * GONE / 3, "{used:?}");
}

#[test]
fn a_thousand_files_of_fifty_fields_are_served_quickly() {
    let directory = directory();
    publish(directory.path(), if IS_MEASURED { 1000 } else { 50 });
    let server = Mmash::serve(directory.path(), &["-d", "60"]);
    let sums = Mmash::serve(directory.path(), &["-d", "60", "--sum"]);
    let limit = 4 * rewrite_cost(&server.get("/metrics").text());
    println!("at most {limit:?} for a page of metrics");
    for (server, name, target, headers) in [
        (&server, "metrics", "/metrics", ""),
        (&server, "metrics, compressed", "/metrics", "Accept-Encoding: gzip\r\n"),
        (&server, "metrics, OpenMetrics", "/metrics", "Accept: application/openmetrics-text\r\n"),
        (&sums, "sums", "/metrics", ""),
        (&server, "stats", "/api/v1/stats", ""),
        (&server, "stats by label", "/api/v1/stats?by=label", ""),
        (&server, "labels", "/stats/", ""),
    ] {
        let size = get_with(server.address, target, headers).body.len();
        let cost = cost(server, target, headers);
        println!("{name}: {size} bytes, {cost:?} of processor time");
        assert!(
            !IS_MEASURED || !target.starts_with("/metrics") || cost < limit,
            "{name}: {cost:?}"
        );
    }
    let load = || {
        let start = Instant::now();
        let page = server.get("/");
        (start.elapsed(), page.status, page.body.len())
    };
    let (took, status, size) = (0..3).map(|_| load()).min().unwrap();
    println!("the page: {size} bytes in {took:?}");
    assert_eq!(status, 200);
    assert!(!IS_MEASURED || took < Duration::from_secs(1), "{took:?}");
    // The cost of repeated scrapes.
    let busy = Mmash::serve(directory.path(), &[]);
    busy.wait_for("/healthz", |health| health["scrapes"].as_u64() > Some(3));
    let (start, used, scrapes) = (Instant::now(), busy.processor_time(), busy.scrapes());
    thread::sleep(Duration::from_secs(if IS_MEASURED { 10 } else { 2 }));
    let (used, scraped) = (busy.processor_time() - used, busy.scrapes() - scrapes);
    let health = busy.json("/healthz");
    println!(
        "{scraped} scrapes in {:.1?}: {used:?} of processor time, {:.1} MB of memory, {health}",
        start.elapsed(),
        busy.resident() as f64 / 1e6
    );
}
