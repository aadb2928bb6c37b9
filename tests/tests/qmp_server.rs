//! A QEMU that fails, lies, answers slowly or dies never makes the client hang or return wrong
//! memory.

use mmstats_tools::source::qmp::Qmp;
use mmstats_tools::source::url::{Host, Socket};
use mmstats_tools::source::{Memory, MemoryError, RunState};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(600);

/// A server of one connection, with the requested addresses and lengths.
struct Server {
    socket: Socket,
    thread: JoinHandle<Vec<(u64, usize)>>,
}

/// Returns the byte of memory at an address.
fn byte_at(address: u64) -> u8 {
    (address ^ address >> 8) as u8
}

/// Acts like QEMU: writes the file and confirms it.
fn honest(command: &Value, stream: &mut TcpStream) {
    let arguments = &command["arguments"];
    if let (Some(address), Some(size), Some(name)) =
        (arguments["val"].as_u64(), arguments["size"].as_u64(), arguments["filename"].as_str())
    {
        fs::write(name, (address..address + size).map(byte_at).collect::<Vec<_>>()).unwrap();
    }
    say(stream, &json!({ "return": {}, "id": command["id"] }).to_string());
}

/// Sends a line and ignores errors.
fn say(stream: &mut TcpStream, line: &str) {
    let _ = stream.write_all(format!("{line}\r\n").as_bytes());
}

/// Starts a server with this greeting and these answers.
fn serve(
    greeting: &'static str,
    mut answer: impl FnMut(&Value, &mut TcpStream) + Send + 'static,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = Socket::Tcp(Host {
        name: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
    });
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        if !greeting.is_empty() {
            say(&mut stream, greeting);
        }
        let mut asked = Vec::new();
        for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
            let command: Value = serde_json::from_str(&line).unwrap();
            if command["execute"] == "pmemsave" {
                asked.push((
                    command["arguments"]["val"].as_u64().unwrap(),
                    command["arguments"]["size"].as_u64().unwrap() as usize,
                ));
            }
            answer(&command, &mut stream);
        }
        asked
    });
    Server { socket, thread }
}

const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}"#;

fn read(socket: &Socket, address: u64, length: usize) -> Result<Vec<u8>, MemoryError> {
    let start = Instant::now();
    let result = Qmp::connect_within(socket, TIMEOUT).and_then(|mut qmp| {
        let mut bytes = vec![0xee; length];
        let count = qmp.read(address, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    });
    assert!(start.elapsed() < 4 * TIMEOUT, "{:?} for {result:?}", start.elapsed());
    result
}

/// Returns the error of reading memory from a server that answers like this.
fn lie(mut answer: impl FnMut(&Value, &mut TcpStream) + Send + 'static) -> MemoryError {
    let server = serve(GREETING, move |command, stream| {
        if command["execute"] == "pmemsave" {
            answer(command, stream);
        } else {
            honest(command, stream);
        }
    });
    let error = read(&server.socket, 0x2000_0000, 40).unwrap_err();
    server.thread.join().unwrap();
    error
}

/// Returns the message of a source error.
fn source(error: &MemoryError) -> &str {
    let MemoryError::Source(what) = error else { panic!("{error:?}") };
    what
}

#[test]
fn memory_is_read_at_any_address_and_length_in_whole_words() {
    for (address, length) in
        [(0, 1), (1, 1), (3, 2), (0x2000_0001, 6), (0x2000_0002, 4096), (7, 3 << 20), (5, 0)]
    {
        let server = serve(GREETING, honest);
        let expected: Vec<u8> = (address..address + length as u64).map(byte_at).collect();
        assert!(
            read(&server.socket, address, length).unwrap() == expected,
            "{length} bytes at {address:#x}"
        );
        let asked = server.thread.join().unwrap();
        assert!(
            asked
                .iter()
                .all(|(address, length)| address % 4 == 0 && length % 4 == 0 && *length <= 1 << 20),
            "{asked:x?}"
        );
    }
}

#[test]
fn the_machine_is_not_halted_and_no_file_is_left() {
    let mut name = String::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = serve(GREETING, move |command, stream| {
        honest(command, stream);
        if let Some(file) = command["arguments"]["filename"].as_str() {
            file.clone_into(&mut name);
            sender.send(name.clone()).unwrap();
        }
    });
    let mut qmp = Qmp::connect(&server.socket).unwrap();
    assert_eq!(qmp.run_state(), RunState::Running { word: 4 });
    assert!(qmp.ranges().is_empty());
    qmp.read(0, &mut [0; 4]).unwrap();
    let file = receiver.recv().unwrap();
    assert!(fs::exists(&file).unwrap());
    assert_eq!(Box::new(qmp).close().unwrap().halted, None);
    assert!(
        !fs::exists(&file).unwrap()
            && !fs::exists(std::path::Path::new(&file).parent().unwrap()).unwrap()
    );
}

#[test]
fn unrelated_messages_are_skipped() {
    let server = serve(GREETING, |command, stream| {
        say(stream, r#"{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}}"#);
        say(stream, r#"{"return": {}}"#);
        say(stream, r#"{"return": {}, "id": 4711}"#);
        say(
            stream,
            r#"{"error": {"class": "GenericError", "desc": "of somebody else"}, "id": "x"}"#,
        );
        say(stream, "17");
        honest(command, stream);
    });
    assert_eq!(read(&server.socket, 8, 2).unwrap(), [8, 9]);
}

#[test]
fn refusals_are_reported_with_qemus_reason() {
    let error = lie(|command, stream| {
        let error = json!({ "class": "GenericError", "desc": "Could not open '\u{1b}': Permission denied" });
        say(stream, &json!({ "error": error, "id": command["id"] }).to_string());
    });
    assert_eq!(
        source(&error),
        "QEMU refuses pmemsave: \"Could not open '\u{fffd}': Permission denied\""
    );
    let error = lie(|_, stream| {
        say(stream, r#"{"error": {"class": "GenericError", "desc": "JSON parse error"}}"#);
    });
    assert_eq!(source(&error), "QEMU refuses pmemsave: \"JSON parse error\"");
    let error =
        lie(|command, stream| say(stream, &json!({ "error": 7, "id": command["id"] }).to_string()));
    assert_eq!(source(&error), "QEMU refuses pmemsave: \"without a reason\"");
}

#[test]
fn a_file_with_the_wrong_size_is_rejected() {
    let wrote = |content: Option<&'static [u8]>| {
        lie(move |command, stream| {
            if let Some(content) = content {
                fs::write(command["arguments"]["filename"].as_str().unwrap(), content).unwrap();
            }
            say(stream, &json!({ "return": {}, "id": command["id"] }).to_string());
        })
    };
    for (content, bytes) in
        [(None, 0), (Some(&b""[..]), 0), (Some(b"0123"), 4), (Some(&[7; 41]), 41)]
    {
        let error = wrote(content);
        assert!(
            source(&error).starts_with(&format!("QEMU wrote {bytes} of 40 bytes to ")),
            "{error}"
        );
        assert!(
            source(&error).ends_with("it must run on this machine and see its files"),
            "{error}"
        );
    }
}

#[test]
fn memory_of_an_earlier_read_is_never_returned() {
    let mut turns = 0;
    let server = serve(GREETING, move |command, stream| {
        turns += 1;
        if turns < 3 {
            honest(command, stream);
        } else {
            say(stream, &json!({ "return": {}, "id": command["id"] }).to_string());
        }
    });
    let mut qmp = Qmp::connect_within(&server.socket, TIMEOUT).unwrap();
    qmp.read(0, &mut [0; 40]).unwrap();
    source(&qmp.read(0, &mut [0; 40]).unwrap_err());
}

#[test]
fn another_protocol_is_reported() {
    for greeting in [
        "SSH-2.0-OpenSSH_9.2",
        "{}",
        "[]",
        r#"{"return": {}}"#,
        "HTTP/1.1 400 Bad Request",
        "\u{1b}[2J",
        "null",
    ] {
        let server = serve(greeting, |_, _| {});
        let error = read(&server.socket, 0, 4).unwrap_err();
        assert!(source(&error).starts_with("not QEMU's machine protocol: "), "{error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
    let error = lie(|_, stream| say(stream, "QEMU 7.2.0 monitor"));
    assert!(
        source(&error).starts_with("not QEMU's machine protocol: \"QEMU 7.2.0 monitor"),
        "{error}"
    );
    let error = lie(|_, stream| say(stream, &"0".repeat(1 << 20)));
    assert_eq!(source(&error), "a message of more than 65536 bytes");
}

#[test]
fn a_server_that_is_silent_slow_flooding_or_closing_is_reported() {
    // A QEMU that serves another client does not greet.
    let server = serve("", |_, _| {});
    let error = read(&server.socket, 0, 4).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no answer to a connection (QEMU accepts one client at a time) within 0.6 s"
    );
    assert!(matches!(lie(|_, _| {}), MemoryError::Timeout { .. }));
    let drips = lie(|_, stream| {
        while stream.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert!(matches!(drips, MemoryError::Timeout { .. }), "{drips:?}");
    for line in ["{\"event\": \"RTC_CHANGE\"}\n", " "] {
        let floods =
            lie(move |_, stream| while stream.write_all(line.repeat(1000).as_bytes()).is_ok() {});
        source(&floods);
    }
    let closes = lie(|_, stream| stream.shutdown(std::net::Shutdown::Both).unwrap());
    assert!(matches!(closes, MemoryError::Io(_)), "{closes:?}");
}

#[test]
fn a_socket_without_a_server_does_not_block_the_client() {
    let directory = mmstats_tests::programs::directory();
    let path = directory.path().join("qmp");
    let missing = Qmp::connect(&Socket::Unix(path.clone())).unwrap_err();
    assert!(matches!(missing, MemoryError::Io(_)), "{missing:?}");
    let _listener = UnixListener::bind(&path).unwrap();
    // Clients can connect until its queue is full.
    for _ in 0..3 {
        let error = read(&Socket::Unix(path.clone()), 0, 4).unwrap_err();
        assert!(matches!(error, MemoryError::Timeout { .. }), "{error:?}");
    }
}
