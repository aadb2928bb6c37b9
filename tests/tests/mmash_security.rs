//! Attacks: each request is refused, reveals nothing, and leaves the server as it was.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mmstats_tests::cli::{VersionOne, program};
use mmstats_tests::http::{Response, connect, get, get_with, open, request, send};
use mmstats_tests::mmash::{Mmash, command, with_descriptors};
use mmstats_tests::programs::directory;
use mmstats_tools::scraper::raise_descriptors;
use tempfile::TempDir;

/// A label in a file outside the server's directory: no response may contain it.
const SECRET: &str = "secret.label";

struct Victim {
    _elsewhere: TempDir,
    directory: TempDir,
    server: Mmash,
}

impl Victim {
    fn new(arguments: &[&str]) -> Victim {
        let (elsewhere, directory) = (directory(), directory());
        fs::write(
            elsewhere.path().join("secret.mmstats"),
            VersionOne::default().field(SECRET, "B", [1]).finish(),
        )
        .unwrap();
        fs::write(
            directory.path().join("a.mmstats"),
            VersionOne::default().field("n", "B", [1]).finish(),
        )
        .unwrap();
        symlink(elsewhere.path(), directory.path().join("away")).unwrap();
        symlink(elsewhere.path().join("secret.mmstats"), directory.path().join("link.mmstats"))
            .unwrap();
        let server = Mmash::serve(directory.path(), arguments);
        Victim { _elsewhere: elsewhere, directory, server }
    }

    fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Sends bytes, and checks that nothing leaks and the server still responds.
    fn attack(&self, bytes: &[u8]) -> Option<Response> {
        let answer = send(self.address(), bytes);
        if let Some(answer) = &answer {
            let text = format!("{:?}{}", answer.headers, answer.text());
            for leak in [SECRET, "root:", "x:0:0", "daemon"] {
                assert!(!text.contains(leak), "{leak:?} leaks: {text}");
            }
            assert!(
                !answer.headers.iter().any(|(name, _)| name.starts_with("access-control-")),
                "{text}"
            );
        }
        assert_eq!(get(self.address(), "/stats/n").json(), serde_json::json!({ "n": [1] }));
        answer
    }
}

fn check_headers(answer: &Response, what: &str) {
    let policy =
        answer.header("content-security-policy").unwrap_or_else(|| panic!("{what}: {answer:?}"));
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part) && !policy.contains("unsafe"), "{what}: {policy}");
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}");
    }
    assert!(answer.header("cache-control").is_some(), "{what}");
}

const ROUTES: [&str; 12] = [
    "/",
    "/graph/",
    "/metrics",
    "/healthz",
    "/events",
    "/stats/",
    "/stats/n",
    "/files/",
    "/api/v1/stats",
    "/api/v1/query",
    "/static/x",
    "/nothing",
];

#[test]
fn foreign_hosts_are_refused_on_every_route() {
    let victim = Victim::new(&[]);
    let port = victim.address().port();
    let mut attacks = 0;
    for host in [
        "evil.org".to_owned(),
        format!("evil.org:{port}"),
        format!("localhost.evil.org:{port}"),
        format!("127.0.0.1.evil.org:{port}"),
        "localhost:".to_owned(),
        "localhost:65536".to_owned(),
        format!("localhost:{port}:80"),
        format!("localhost@evil.org:{port}"),
        format!("evil.org@localhost:{port}"),
        format!("evil.org,localhost:{port}"),
        format!("evil.org#localhost:{port}"),
        format!("localhost:{port}/evil.org"),
        "localhost.".to_owned(),
        "127.1".to_owned(),
        "0x7f000001".to_owned(),
        "2130706433".to_owned(),
        "0.0.0.0".to_owned(),
        "[::ffff:7f00:1]".to_owned(),
        "[::1".to_owned(),
        "*".to_owned(),
        String::new(),
    ] {
        for route in ROUTES {
            let request =
                format!("GET {route} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = victim
                .attack(request.as_bytes())
                .unwrap_or_else(|| panic!("{host} {route}: no answer"));
            assert_eq!(answer.status, 421, "{host} {route}: {}", answer.text());
            check_headers(&answer, &host);
            attacks += 1;
        }
    }
    let no_host = b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_eq!(victim.attack(no_host).unwrap().status, 400);
    for head in [
        format!("Host: localhost:{port}\r\nHost: localhost:{port}\r\n"),
        format!("Host: localhost:{port}\r\nHost: evil.org\r\n"),
        format!("Host: evil.org\r\nHost: localhost:{port}\r\n"),
    ] {
        for (route, version) in [("/", "1.1"), ("/metrics", "1.1"), ("/metrics", "1.0")] {
            let answer = victim
                .attack(format!("GET {route} HTTP/{version}\r\n{head}\r\n").as_bytes())
                .unwrap();
            assert_eq!(answer.status, 400, "{head} {route}");
            attacks += 1;
        }
    }
    for host in [
        "evil.org",
        "localhost@evil.org",
        "evil.org@localhost",
        "evil.org:1",
        "user:password@127.0.0.1",
    ] {
        let request = format!(
            "GET http://{host}/stats/ HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
        );
        let answer = victim.attack(request.as_bytes()).unwrap();
        assert!([400, 421].contains(&answer.status), "{host}: {}", answer.status);
        attacks += 1;
    }
    assert!(attacks > 250);
}

#[test]
fn the_refusal_of_a_host_names_the_accepted_ones() {
    let directory = directory();
    let server = Mmash::start(
        Command::new(program("--bin", "mmash"))
            .args(["--listen", "127.0.0.9:0"])
            .arg(directory.path()),
    );
    let port = server.address.port();
    let sent = |target: &str, host: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        send(server.address, request.as_bytes()).unwrap()
    };
    for (target, host, named, option) in [
        ("/", "Stats:80", "Stats:80", "--allow-host stats:80\n"),
        ("http://other:80/", "localhost", "other:80", "--allow-host other:80\n"),
        ("/", "\u{fc}ber", "ber", "--allow-host NAME\n"),
    ] {
        let refused = sent(target, host);
        let text = refused.text();
        assert_eq!(refused.status, 421, "{text}");
        for part in
            [named, &port.to_string(), option, "localhost", "127.0.0.1", "[::1]", "127.0.0.9"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    for host in ["localhost", "127.0.0.1", "[::1]", "127.0.0.9"] {
        assert_eq!(
            [sent("/static/x", host).status, sent("/static/x", &format!("{host}:{port}")).status],
            [404, 404],
            "{host}"
        );
    }
}

#[test]
fn the_servers_own_names_are_accepted() {
    let victim = Victim::new(&["--allow-host", "stats.example.org", "--allow-host", "tunnel:8080"]);
    let port = victim.address().port();
    for host in
        ["localhost", "LocalHost", "127.0.0.1", "[::1]", "stats.example.org", "Stats.Example.Org"]
    {
        for host in [host.to_owned(), format!("{host}:{port}")] {
            let request =
                format!("GET /stats/n HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            assert_eq!(send(victim.address(), request.as_bytes()).unwrap().status, 200, "{host}");
        }
    }
    // Another port of a loopback address may be forwarded to this server.
    for (host, status) in [
        ("tunnel:8080", 200),
        ("tunnel:8081", 421),
        ("tunnel", 421),
        ("localhost:9000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:65535", 200),
    ] {
        assert_eq!(
            send(
                victim.address(),
                format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()
            )
            .unwrap()
            .status,
            status,
            "{host}"
        );
    }
    let absolute = format!(
        "GET http://localhost:{port}/stats/n HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(send(victim.address(), absolute.as_bytes()).unwrap().status, 200);
}

#[test]
fn only_get_and_head_are_accepted() {
    let victim = Victim::new(&[]);
    for method in
        ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "GETX", "QUERY"]
    {
        for route in ROUTES {
            let body = request(
                victim.address(),
                method,
                route,
                "Content-Length: 5\r\nOrigin: http://evil.org\r\n",
            );
            let answer = victim
                .attack(&[&body[..], b"hello"].concat())
                .unwrap_or_else(|| panic!("{method} {route}: no answer"));
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some("GET, HEAD")),
                "{method} {route}"
            );
            check_headers(&answer, method);
        }
    }
    let connect = format!(
        "CONNECT localhost:{0} HTTP/1.1\r\nHost: localhost:{0}\r\n\r\n",
        victim.address().port()
    );
    assert_eq!(victim.attack(connect.as_bytes()).unwrap().status, 405);
}

#[test]
fn globs_cannot_leave_the_directory() {
    let victim = Victim::new(&[]);
    let outside = victim._elsewhere.path().to_str().unwrap();
    let escaped = outside.replace('/', "%2f");
    let name = Path::new(outside).file_name().unwrap().to_str().unwrap();
    let globs = [
        "..",
        "../",
        "../*",
        "../../*",
        "..%2f*",
        "%2e%2e/*",
        "%2E%2E%2F*",
        "%2e./*",
        ".%2e/*",
        "a/../../*",
        "a/..%2f..%2f*",
        "*/../*",
        "./../*",
        "..//..//*",
        "/etc/*",
        "%2fetc%2fpasswd",
        "//etc/passwd",
        "%2F%2Fetc/*",
        "..%5c*",
        "%5cetc",
        "..%5c..%5c*",
        "a%00.mmstats",
        "%00",
        "a.mmstats%00../../etc/passwd",
        "%252e%252e/*",
        "%252fetc%252fpasswd",
        "%25%32%65%25%32%65/*",
        "..%c0%af*",
        "%c0%ae%c0%ae/*",
        "%e0%80%ae%e0%80%ae/*",
        "%ff",
        "%fe%ff",
        "%",
        "%2",
        "%zz",
        "a%0a",
        "a%0d%0aX-Evil:%201",
        "%7f",
        "[",
        "a[",
        "[a-",
        "%5b",
    ];
    for glob in globs.map(str::to_owned).into_iter().chain([
        format!("../{name}/*"),
        format!("{escaped}%2f*"),
        format!("/{outside}/*"),
    ]) {
        for target in [
            format!("/files/{glob}"),
            format!("/stats/?glob={glob}"),
            format!("/stats/secret?glob={glob}"),
            format!("/stats/n?glob={glob}&aggr=sum"),
        ] {
            let answer = victim
                .attack(&request(victim.address(), "GET", &target, ""))
                .unwrap_or_else(|| panic!("{target}: no answer"));
            assert_eq!(answer.status, 400, "{target}: {}", answer.text());
            check_headers(&answer, &target);
        }
    }
    // Links out of the directory are not followed.
    for glob in [
        "away/*",
        "away/secret.mmstats",
        "link.mmstats",
        "link*",
        "*/*",
        "~/*",
        "{..,a}/*",
        "[.][.]/*",
        "%3f./*",
        "**/*",
        "...",
        ".",
        "%2e",
    ] {
        let answer = victim
            .attack(&request(victim.address(), "GET", &format!("/files/{glob}"), ""))
            .unwrap();
        assert_eq!((answer.status, answer.text()), (200, "{\"files\":[]}".to_owned()), "{glob}");
        let answer = victim
            .attack(&request(victim.address(), "GET", &format!("/stats/?glob={glob}"), ""))
            .unwrap();
        assert_eq!((answer.status, answer.text()), (200, "{\"stats\":[]}".to_owned()), "{glob}");
    }
    assert!(victim.directory.path().join("link.mmstats").exists());
}

#[test]
fn paths_cannot_leave_the_embedded_files() {
    let victim = Victim::new(&[]);
    for target in [
        "/static/../../etc/passwd",
        "/static/..%2f..%2fetc%2fpasswd",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/%00",
        "/static/",
        "/..%2f",
        "/../etc/passwd",
        "//etc/passwd",
        "/%2e%2e/etc/passwd",
        "/.git/config",
        "/static/.",
        "/graph/../stats/",
        "/api/v1/../../stats/",
        "/api/v1/",
        "/api/v1/stats/",
        "/;/stats/",
        "/metrics/x",
    ] {
        let answer = victim.attack(&request(victim.address(), "GET", target, "")).unwrap();
        assert_eq!(answer.status, 404, "{target}: {}", answer.text());
        check_headers(&answer, target);
    }
    // Redirects never lead to another server.
    for (target, location) in [
        ("/graph?x=//evil.org", "graph/?x=//evil.org"),
        ("/stats", "stats/"),
        ("/files?//evil.org", "files/?//evil.org"),
    ] {
        assert_eq!(
            victim
                .attack(&request(victim.address(), "GET", target, ""))
                .unwrap()
                .header("location"),
            Some(location),
            "{target}"
        );
    }
}

#[test]
fn invalid_requests_end_only_their_own_connection() {
    let victim = Victim::new(&[]);
    let host = format!("Host: {}\r\n", victim.address());
    let long = "x".repeat(100_000);
    let many: String = (0..500).map(|i| format!("X-{i}: y\r\n")).collect();
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET /\r\n\r\n".to_vec(),
        format!("GET / HTTP/9.9\r\n{host}\r\n").into_bytes(),
        format!("GET  /  HTTP/1.1\r\n{host}\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}Bad Header: x\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}: nothing\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}X: a\0b\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n {host}\r\n").into_bytes(),
        format!("GET /\0 HTTP/1.1\r\n{host}\r\n").into_bytes(),
        format!("GET /{long} HTTP/1.1\r\n{host}\r\n").into_bytes(),
        format!("GET /?match={long} HTTP/1.1\r\n{host}\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}X: {long}\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}{many}\r\n").into_bytes(),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
            .into_bytes(),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}Transfer-Encoding: gzip\r\n\r\n").into_bytes(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n".to_vec(),
    ] {
        let what = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let answer = victim.attack(&bytes);
        assert!(
            answer.as_ref().is_none_or(|answer| (400..=505).contains(&answer.status)),
            "{what:?}: {answer:?}"
        );
    }
    // A request smuggled after another is parsed as a request, and refused.
    let smuggled = format!(
        "GET /healthz HTTP/1.1\r\n{host}\r\nGET /stats/ HTTP/1.1\r\nHost: evil.org\r\nConnection: close\r\n\r\n"
    );
    let mut connection = connect(victim.address());
    connection.write_all(smuggled.as_bytes()).unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    assert!(
        text.contains("HTTP/1.1 200")
            && text.contains("HTTP/1.1 421")
            && !text.contains("\"stats\""),
        "{text}"
    );
}

#[test]
fn pages_of_other_sites_can_only_link() {
    let victim = Victim::new(&[]);
    let sent = |target: &str, headers: &str| get_with(victim.address(), target, headers).status;
    for site in ["cross-site", "same-site"] {
        let fetch = format!(
            "Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nOrigin: http://evil.org\r\n"
        );
        let image = format!(
            "Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n"
        );
        let frame = format!(
            "Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n"
        );
        let link = format!(
            "Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
        );
        assert_eq!(
            [
                sent("/events", &fetch),
                sent("/stats/", &fetch),
                sent("/", &image),
                sent("/", &frame),
                sent("/events", &link),
                sent("/", &link)
            ],
            [403, 403, 403, 403, 403, 200]
        );
    }
    let own = "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";
    assert_eq!(
        [
            sent("/stats/", own),
            sent("/stats/", "Sec-Fetch-Site: none\r\n"),
            sent("/stats/", "Origin: http://evil.org\r\n")
        ],
        [200, 200, 200]
    );
}

#[test]
fn too_many_requests_are_refused_for_a_while() {
    let victim = Victim::new(&["--max-requests-per-second", "5"]);
    let answers: Vec<Response> = (0..40).map(|_| get(victim.address(), "/stats/n")).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("a refusal");
    assert!(
        answers[0].status == 200
            && refused.header("retry-after") == Some("1")
            && refused.text().contains("--max-requests-per-second"),
        "{refused:?}"
    );
    check_headers(refused, "429");
    let deadline = Instant::now() + Duration::from_secs(60);
    while get(victim.address(), "/stats/n").status != 200 {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn clients_that_never_finish_are_disconnected() {
    let victim = Victim::new(&[]);
    let slow: Vec<_> = (0..100)
        .map(|i| {
            let mut connection = connect(victim.address());
            // From nothing to everything but the last line.
            connection
                .write_all(&request(victim.address(), "GET", "/", "X: y\r\n")[..i / 2])
                .unwrap();
            connection
        })
        .collect();
    assert_eq!(get(victim.address(), "/stats/n").status, 200);
    let start = Instant::now();
    for mut connection in slow {
        // The connection ends, with or without a response, before the read timeout of a minute.
        let mut rest = Vec::new();
        let end = connection.read_to_end(&mut rest);
        assert!(end.as_ref().is_ok() || start.elapsed() < Duration::from_secs(59), "{end:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(59), "{:?}", start.elapsed());
}

/// A number of slow clients that is more than the server's connections.
const SLOW_CLIENTS: usize = 2000;

#[test]
fn slow_clients_do_not_keep_scrapes_out() {
    let victim = Victim::new(&[]);
    assert!(raise_descriptors() > SLOW_CLIENTS + 100, "more open files are needed");
    let header = request(victim.address(), "GET", "/", "X: y\r\n");
    let mut slow: Vec<_> = (0..SLOW_CLIENTS).map(|_| connect(victim.address())).collect();
    let start = Instant::now();
    for sent in 0..20 {
        // Each sends a byte now and then; those that were disconnected come back.
        for connection in &mut slow {
            if connection.write_all(&header[sent..=sent]).is_err() && sent % 5 == 0 {
                *connection = connect(victim.address());
            }
        }
        assert_eq!(get(victim.address(), "/metrics").status, 200);
        assert_eq!(get(victim.address(), "/healthz").status, 200);
    }
    // A slow client is disconnected after ten seconds; scrapes do not wait for that.
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
}

#[test]
fn health_checks_are_answered_while_all_connections_are_busy() {
    let (elsewhere, arguments) = (directory(), ["--max-requests-per-second", "100000"]);
    let limited = with_descriptors(160, &command(&arguments));
    let server = Mmash::start({ limited }.arg(elsewhere.path()));
    let unread = request(server.address, "GET", "/static/uplot/uPlot.iife.min.js", "");
    let unread = String::from_utf8(unread).unwrap().replace("Connection: close\r\n", "");
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut busy = Vec::new();
    // Clients that ask for far more than they read.
    let refused = loop {
        let mut connection = connect(server.address);
        connection.write_all(unread.repeat(1000).as_bytes()).unwrap();
        busy.push(connection);
        let answer = get(server.address, "/metrics");
        if answer.status != 200 {
            break answer;
        }
        assert!(Instant::now() < deadline, "{} busy connections", busy.len());
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text().contains("too many connections"), "{}", refused.text());
    for _ in 0..50 {
        assert_eq!(get(server.address, "/healthz").status, 200);
    }
}

#[test]
fn event_streams_at_their_limit_leave_room_for_scrapes() {
    let directory = directory();
    let limited = with_descriptors(160, &command(&[]));
    let server = Mmash::start({ limited }.arg(directory.path()));
    let stream = || open(server.address, &request(server.address, "GET", "/events", "")).unwrap();
    let mut streams = Vec::new();
    let refused = loop {
        let next = stream();
        if next.response.status != 200 {
            break next.response.status;
        }
        streams.push(next);
        assert!(streams.len() < 160);
    };
    assert_eq!(refused, 503);
    for _ in 0..50 {
        assert_eq!(get(server.address, "/metrics").status, 200);
        assert_eq!(stream().response.status, 503);
    }
}

#[test]
fn names_that_alternate_between_files_and_links_reveal_nothing() {
    let (elsewhere, directory) = (directory(), directory());
    let secrets = ["secret.mmstats", "passwords"].map(|name| elsewhere.path().join(name));
    fs::write(&secrets[0], VersionOne::default().field(SECRET, "B", [1]).finish()).unwrap();
    fs::write(&secrets[1], "hunter2:x:0:0\n").unwrap();
    let harmless = VersionOne::default().field("n", "B", [1]).finish();
    let server = Mmash::serve(directory.path(), &["-d", "0.1"]);
    let mut leaks = Vec::new();
    for round in 0..150 {
        for name in 0..20 {
            let path = directory.path().join(format!("{name}.mmstats"));
            let next = directory.path().join("next");
            match (round + name) % 2 {
                0 => symlink(&secrets[name % 2], &next).unwrap(),
                _ => fs::write(&next, &harmless).unwrap(),
            }
            fs::rename(&next, &path).unwrap();
        }
        if round % 10 == 0 {
            for target in ["/api/v1/stats", "/api/v1/files", "/metrics", "/"] {
                let text = server.get(target).text();
                let all = [SECRET, "secret_label", "hunter2", "68 75 6e"];
                leaks.extend(all.into_iter().filter(|leak| text.contains(leak)));
            }
        }
    }
    assert_eq!(leaks, [""; 0]);
}

#[test]
fn a_client_that_closes_its_side_gets_its_answer() {
    let victim = Victim::new(&[]);
    for (method, target, status) in [
        ("GET", "/metrics", "200"),
        ("GET", "/healthz", "200"),
        ("GET", "/", "200"),
        ("GET", "/api/v1/query", "200"),
        ("HEAD", "/events", "200"),
        ("GET", "/events?interval=-1", "400"),
        ("HEAD", "/events?match=[", "400"),
        ("POST", "/events", "405"),
    ] {
        let mut connection = connect(victim.address());
        // As of `printf 'GET …' | nc -N`, without asking for the end of the connection.
        let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(expected.as_bytes()), "{method} {target}: {answer:?}");
    }
}

#[test]
fn a_stream_ends_if_its_client_closes_its_side() {
    let victim = Victim::new(&["-d", "60", "--max-sse-clients", "1"]);
    // More than the clients that have closed their side and get their answer.
    for _ in 0..20 {
        let mut connection = connect(victim.address());
        connection.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        // The connection ends within its timeout.
        let _ = connection.read_to_end(&mut Vec::new()).unwrap();
    }
    victim.attack(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
}

#[test]
fn a_request_of_http_1_0_needs_no_host() {
    let victim = Victim::new(&[]);
    for target in ["/metrics", "/healthz", "/"] {
        let answer = send(victim.address(), format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes());
        assert_eq!(answer.unwrap().status, 200, "{target}");
    }
    let foreign = send(victim.address(), b"GET / HTTP/1.0\r\nHost: evil.org\r\n\r\n");
    assert_eq!(foreign.unwrap().status, 421);
}

#[test]
fn a_thousand_connections_are_queued() {
    let victim = Victim::new(&[]);
    // More than are served at once; silent ones are disconnected after a while.
    let waiting: Vec<_> = (0..1000).map(|_| connect(victim.address())).collect();
    let answer = open(victim.address(), &request(victim.address(), "GET", "/stats/n", "")).unwrap();
    assert_eq!(answer.response.status, 200);
    drop(waiting);
    assert_eq!(get(victim.address(), "/stats/n").status, 200);
}
