//! The server-sent events of `mmash`.

use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use mmstats_tests::http::{open, request};
use mmstats_tests::mmash::{FAST, Mmash, command, shop, stat, with_descriptors};
use mmstats_tests::programs::directory;
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn streams_send_changes() {
    let directory = directory();
    let shop = shop(&directory, "shop.mmstats");
    let server = Mmash::serve(directory.path(), &FAST);
    let mut stream =
        open(server.address, &request(server.address, "GET", "/events?match=shop.orders", ""))
            .unwrap();
    assert_eq!(
        (stream.response.status, stream.response.header("content-type")),
        (200, Some("text/event-stream"))
    );
    assert_eq!(stream.response.header("x-accel-buffering"), Some("no"), "nginx would hold it back");
    let mut last = 0;
    for orders in 1..=5 {
        shop.orders.incr();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let (id, stats) = stream.event().unwrap();
            assert!(id > last, "{id} after {last}");
            last = id;
            if stat(&stats, "shop.orders")["value"] == orders {
                break;
            }
            assert!(Instant::now() < deadline);
        }
    }
}

#[test]
fn the_first_event_comes_at_once_and_the_others_at_the_requested_interval() {
    let directory = directory();
    let _shops = [shop(&directory, "a.mmstats"), shop(&directory, "b.mmstats")];
    let server = Mmash::serve(directory.path(), &["-d", "0.2"]);
    let mut stream = open(
        server.address,
        &request(server.address, "GET", "/events?match=shop.orders&by=label&interval=0.5", ""),
    )
    .unwrap();
    let events: Vec<(u64, Value)> = (0..4).map(|_| stream.event().unwrap()).collect();
    // Half a second is rounded up to three scrapes; on a loaded machine there may be more.
    assert!(events.windows(2).all(|pair| pair[1].0 >= pair[0].0 + 3), "{events:?}");
    assert!(events.windows(2).any(|pair| pair[1].0 == pair[0].0 + 3), "{events:?}");
    assert_eq!(stat(&events[0].1, "shop.orders")["writers"], 2);
}

#[test]
fn the_interval_holds_even_if_scrapes_are_late() {
    let directory = directory();
    let _shop = shop(&directory, "shop.mmstats");
    let server = Mmash::serve(directory.path(), &FAST);
    let mut stream =
        open(server.address, &request(server.address, "GET", "/events?interval=1", "")).unwrap();
    let reader = spawn(move || -> Vec<(u64, f64)> {
        let mut next =
            || stream.event().map(|(id, stats)| (id, stats["time"].as_f64().unwrap())).unwrap();
        (0..5).map(|_| next()).collect()
    });
    // Like a busy machine, which does not reach ten scrapes per second.
    while !reader.is_finished() {
        server.signal(Signal::STOP);
        sleep(Duration::from_millis(300));
        server.signal(Signal::CONT);
        sleep(Duration::from_millis(50));
    }
    let events = reader.join().unwrap();
    // By the wall clock, so a little may be missing.
    assert!(events.windows(2).all(|pair| pair[1].1 - pair[0].1 > 0.9), "{events:?}");
    assert!(events.windows(2).any(|pair| pair[1].0 < pair[0].0 + 10), "{events:?}");
}

#[test]
fn streams_leave_connections_for_other_requests() {
    let directory = directory();
    for (wanted, descriptors, streams) in [("520", 2048, 520), ("1000", 1024, 336)] {
        let arguments =
            ["-d", "60", "--max-sse-clients", wanted, directory.path().to_str().unwrap()];
        let server = Mmash::start(&mut with_descriptors(descriptors, &command(&arguments)));
        server.wait_for("/healthz", |health| health["scrapes"] == 1);
        // Streams do not end here.
        let opened: Vec<_> = (0..streams)
            .map(|_| open(server.address, &request(server.address, "GET", "/events", "")).unwrap())
            .collect();
        assert!(opened.iter().all(|stream| stream.response.status == 200), "{wanted}");
        assert_eq!(
            [
                server.get("/events").status,
                server.get("/healthz").status,
                server.get("/stats/").status
            ],
            [503, 200, 200],
            "{wanted}"
        );
        server.signal(Signal::TERM);
        let errors = server.end().errors;
        let is_reported = errors.contains("--max-sse-clients 1000")
            && errors.contains("336")
            && errors.contains("1024");
        assert!(if wanted == "1000" { is_reported } else { errors.is_empty() }, "{errors}");
    }
}

#[test]
fn comments_keep_an_idle_stream_alive() {
    let directory = directory();
    let server = Mmash::serve(directory.path(), &["-d", "60"]);
    let mut stream = open(server.address, &request(server.address, "GET", "/events", "")).unwrap();
    stream.event().unwrap();
    assert_eq!(stream.chunk().unwrap().unwrap(), b":\n\n");
}

#[test]
fn the_number_of_streams_is_limited() {
    let directory = directory();
    let server = Mmash::serve(directory.path(), &["-d", "0.1", "--max-sse-clients", "2"]);
    let stream = || open(server.address, &request(server.address, "GET", "/events", "")).unwrap();
    let mut streams = vec![stream(), stream()];
    // A server is not healthy before its first scrape.
    streams[0].event().unwrap();
    let refused = server.get("/events");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.json()["error"].as_str().unwrap().contains("--max-sse-clients"));
    assert_eq!(server.get("/healthz").status, 200);
    // A disconnected one makes room.
    drop(streams.pop());
    let deadline = Instant::now() + Duration::from_secs(60);
    while stream().response.status != 200 {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_head_request_for_a_stream_ends() {
    let directory = directory();
    let server = Mmash::serve(directory.path(), &[]);
    for target in ["/events", "/", "/metrics", "/api/v1/query", "/healthz", "/nothing"] {
        let [get, head] = ["GET", "HEAD"].map(|method| {
            open(server.address, &request(server.address, method, target, "")).unwrap()
        });
        assert_eq!(
            (get.response.status, get.response.header("content-type")),
            (head.response.status, head.response.header("content-type")),
            "{target}"
        );
    }
    // No body: the connection is closed.
    let mut head = open(server.address, &request(server.address, "HEAD", "/events", "")).unwrap();
    assert!(head.chunk().is_err());
}
