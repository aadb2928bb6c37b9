//! A GDB server that is silent, slow, floods, or dies does not block the client.

use mmstats_tests::gdb_script::{
    HASTY, PATIENT, at_once, lie, play, play_within, read_twice, source,
};
use mmstats_tests::gdb_server::{BASE, Scripted, asked, honest};
use mmstats_tools::source::gdb::GdbLimits;
use mmstats_tools::source::url::Host;
use mmstats_tools::source::{Gdb, Memory, MemoryError};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_late_answer_is_not_taken_for_the_next_one() {
    let mut turns = 0;
    let server = Scripted::start(move |request, talk| {
        let is_memory = asked(request).is_some();
        if is_memory {
            turns += 1;
            thread::sleep(if turns == 1 { HASTY.reply * 2 } else { Duration::ZERO });
            talk.reply(&honest(request));
        }
        is_memory
    });
    let mut gdb = Gdb::connect_within(&server.host, HASTY).unwrap();
    let error = gdb.read(BASE.into(), &mut [0; 4]).unwrap_err();
    assert_eq!(error.to_string(), "no answer to \"m20000100,4\" within 1.5 s");
    thread::sleep(HASTY.reply);
    let error = gdb.read(u64::from(BASE) + 4, &mut [0; 4]).unwrap_err();
    assert!(source(&error).starts_with("an earlier request was not answered"), "{error}");
}

#[test]
fn a_server_that_disconnects_at_any_time_is_reported() {
    let complete = play(|_, _| false).1.len();
    at_once(0..complete, |stage| {
        for part in [&b""[..], b"+", b"+$", b"+$00", b"+$00#", b"+$00#6"] {
            let mut requests = 0;
            let (result, _) = play(move |request, talk| {
                requests += 1;
                if requests <= stage || request == "+" {
                    return false;
                }
                talk.send(part);
                talk.close();
                true
            });
            match result {
                Err(MemoryError::Io(error)) => {
                    let kinds = [
                        ErrorKind::UnexpectedEof,
                        ErrorKind::ConnectionReset,
                        ErrorKind::BrokenPipe,
                    ];
                    assert!(kinds.contains(&error.kind()), "{error:?} at stage {stage}");
                }
                // Disconnecting is a valid answer to a request to detach.
                Ok(()) => assert!(stage + 2 >= complete, "at stage {stage} of {complete}"),
                Err(other) => panic!("{other:?} at stage {stage}"),
            }
        }
    });
}

#[test]
fn a_server_that_falls_silent_at_any_time_is_reported() {
    at_once(["qSupported:hwbreak+", "?", "m20000100,800", "m20000900,800"], |silent| {
        let (result, heard) = play_within(HASTY, move |request, _| request == silent);
        let MemoryError::Timeout { asked, waited } = result.unwrap_err() else { panic!() };
        assert_eq!((asked, waited), (format!("\"{silent}\""), HASTY.reply));
        assert!(heard.contains(&"D".to_owned()), "{heard:?}");
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = Host { name: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    // The connection is not even accepted.
    let start = Instant::now();
    assert!(matches!(read_twice(&host, HASTY), Err(MemoryError::Timeout { .. })));
    assert!(start.elapsed() < HASTY.reply * 10);
}

#[test]
fn a_slow_server_does_not_extend_its_time_limit() {
    at_once([&b"$"[..], b"", b"+"], |beginning| {
        let error = lie(2, HASTY, move |_, talk| {
            talk.send(beginning);
            while !talk.is_deaf() {
                thread::sleep(Duration::from_millis(100));
                talk.send(b"0");
            }
        });
        assert!(matches!(error, MemoryError::Timeout { .. }), "{error:?}");
    });
}

#[test]
fn a_flooding_server_fills_neither_memory_nor_time() {
    at_once(
        [&b"$T05#b9"[..], b"$#00", b"$O6869#2c", b"%Stop:T05#00", b"++++", b"00000000", b"$"],
        |flood| {
            let error = lie(1, HASTY, move |_, talk| {
                let many = flood.repeat(1000);
                while !talk.is_deaf() {
                    talk.send(&many);
                    // Leaves the processor to other tests.
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let is_expected = match &error {
                MemoryError::Timeout { .. } => true,
                MemoryError::Source(what) => what.contains("unsolicited replies while waiting for"),
                _ => false,
            };
            assert!(is_expected, "{error:?}");
        },
    );
    let error = lie(1, HASTY, |_, talk| talk.send(&[b"$".to_vec(), vec![b'0'; 1 << 20]].concat()));
    assert!(matches!(error, MemoryError::Timeout { .. }), "{error:?}");
}

#[test]
fn all_requests_together_have_a_time_limit() {
    let server = Scripted::start(|request, _| {
        thread::sleep(if asked(request).is_some() {
            Duration::from_millis(100)
        } else {
            Duration::ZERO
        });
        false
    });
    let limits = GdbLimits { session: Duration::from_secs(2), ..PATIENT };
    let start = Instant::now();
    let mut gdb = Gdb::connect_within(&server.host, limits).unwrap();
    let error = (0..).find_map(|_| gdb.read(BASE.into(), &mut [0; 4]).err()).unwrap();
    assert_eq!(error.to_string(), "no answer to all requests together within 2 s");
    assert!(start.elapsed() < limits.session + limits.reply);
    drop(gdb);
    assert!(server.heard().contains(&"D".to_owned()));
}

#[test]
fn a_missing_server_is_reported() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for name in ["127.0.0.1", "localhost"] {
        let MemoryError::Io(error) =
            Gdb::connect(&Host { name: name.to_owned(), port }).unwrap_err()
        else {
            panic!()
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    let error = Gdb::connect(&Host { name: "no-such-host.invalid".to_owned(), port }).unwrap_err();
    assert!(matches!(error, MemoryError::Io(_)), "{error:?}");
}
