//! A server for debuggers that errs, lies, drips or dies never makes the client hang or take anything else for memory; and the target runs on afterwards.

use mmstats_tests::damage::Random;
use mmstats_tests::gdb_server::{BASE, LENGTH, Scripted, Talk, asked, hex, honest, packet, part};
use mmstats_tests::gdb_stub::Honest;
use mmstats_tools::source::gdb::Limits;
use mmstats_tools::source::url::Host;
use mmstats_tools::source::{Gdb, Memory, MemoryError, Motion};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for an answer on a busy machine.
const PATIENT: Limits = Limits { connect: Duration::from_secs(3), reply: Duration::from_secs(6), session: Duration::from_secs(30) };

/// Short enough for a test in which no answer comes.
const HASTY: Limits = Limits { connect: Duration::from_secs(3), reply: Duration::from_millis(1500), session: Duration::from_secs(6) };

/// Connects and reads some memory, twice.
fn read_twice(host: &Host, limits: Limits) -> Result<(), MemoryError> {
    let mut gdb = Gdb::connect_within(host, limits)?;
    for (address, length) in [(BASE, 5000), (BASE + 5001, 40)] {
        let mut bytes = vec![0xee; length];
        assert_eq!(gdb.read(address.into(), &mut bytes)?, length);
        assert_eq!(bytes, part(address, length), "it was fooled");
    }
    Box::new(gdb).close().map(drop)
}

/// What comes of reading from a server that plays like this, and what it heard.
fn play(play: impl FnMut(&str, &mut Talk) -> bool + Send + 'static) -> (Result<(), MemoryError>, Vec<String>) {
    play_within(PATIENT, play)
}

fn play_within(limits: Limits, play: impl FnMut(&str, &mut Talk) -> bool + Send + 'static) -> (Result<(), MemoryError>, Vec<String>) {
    let server = Scripted::start(play);
    let start = Instant::now();
    let result = read_twice(&server.host, limits);
    // One wait that is in vain, and letting go.
    assert!(start.elapsed() < limits.reply * 4, "{:?} for {result:?}", start.elapsed());
    (result, server.heard())
}

/// The same for a server that answers the `turn`-th request for memory like this. The client must tell an error, and let the target go.
fn lie(turn: usize, limits: Limits, mut answer: impl FnMut(usize, &mut Talk) + Send + 'static) -> MemoryError {
    let mut turns = 0;
    let (result, heard) = play_within(limits, move |request, talk| {
        let Some((_, length)) = asked(request) else { return false };
        turns += 1;
        if turns == turn {
            answer(length, talk);
        }
        turns == turn
    });
    assert!(heard.iter().any(|request| request == "D"), "the target was not let go: … {:?}", &heard[heard.len().saturating_sub(20)..]);
    result.expect_err("a lie was believed")
}

/// Tests every case at the same time: most of it is waiting.
fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            let test = &test;
            scope.spawn(move || test(case));
        }
    });
}

/// The message of an error that has to be of this kind.
fn source(error: &MemoryError) -> &str {
    let MemoryError::Source(what) = error else { panic!("{error:?}") };
    what
}

#[test]
fn what_a_server_has_is_read_at_any_address_and_length() {
    let server = Honest::start();
    let start = Instant::now();
    let mut gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
    assert_eq!(gdb.motion(), Motion::Still);
    assert!(gdb.ranges().is_empty());
    let mut random = Random(7);
    for i in 0..100 {
        let most = [16, 300, 3000][i % 3];
        let length = random.below(most + 1);
        let at = BASE + random.below(LENGTH - length + 1) as u32;
        let mut bytes = vec![0xee; length];
        assert_eq!(gdb.read(at.into(), &mut bytes).unwrap(), length);
        assert_eq!(bytes, part(at, length), "{length} bytes at {at:#x}");
    }
    let halted = Box::new(gdb).close().unwrap().halted.unwrap();
    assert!(halted > Duration::ZERO && halted < start.elapsed(), "{halted:?}");
    assert!(server.was_left_running());
}

#[test]
fn memory_is_read_to_its_end_and_no_further() {
    // gdbstub gives fewer bytes at the end of memory, the other server an error.
    let (stub, scripted) = (Honest::start(), Scripted::start(|_, _| false));
    for host in [&stub.host, &scripted.host] {
        let mut gdb = Gdb::connect_within(host, PATIENT).unwrap();
        for there in [1, 3, 4, 5, 1000, 4099] {
            let at = BASE + (LENGTH - there) as u32;
            let mut bytes = vec![0xee; there + 5000];
            assert_eq!(gdb.read(at.into(), &mut bytes).unwrap(), there);
            assert_eq!(bytes[..there], part(at, there));
            assert!(bytes[there..].iter().all(|byte| *byte == 0xee));
        }
        for address in [0, BASE - 5, BASE + LENGTH as u32, u32::MAX - 8] {
            let error = gdb.read(address.into(), &mut [0; 4]).unwrap_err();
            let MemoryError::Unreadable { address: found, .. } = error else { panic!("{error:?}") };
            assert_eq!(found, u64::from(address));
        }
        // And on with what there is.
        assert_eq!(gdb.read(BASE.into(), &mut [0; 4]).unwrap(), 4);
    }
    assert!(stub.was_left_running());
}

#[test]
fn the_last_byte_of_all_is_read_and_nothing_behind_it() {
    let server = Scripted::start(|request, talk| {
        let is_last = request == "mfffffffffffffffc,4";
        if is_last {
            talk.reply("01020304");
        }
        is_last
    });
    let mut gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
    let mut bytes = [0xee; 8];
    assert_eq!(gdb.read(u64::MAX - 2, &mut bytes).unwrap(), 3);
    assert_eq!(bytes, [2, 3, 4, 0xee, 0xee, 0xee, 0xee, 0xee]);
}

#[test]
fn requests_are_whole_words_and_no_longer_than_the_server_takes() {
    for (says, most) in [
        ("PacketSize=1000", 2048),
        ("swbreak+;PacketSize=4000;x-", 2048),
        ("PacketSize=3fb", 508),
        ("PacketSize=9", 4),
        ("", 200),
        ("PacketSize=many", 200),
        ("E01", 200),
    ] {
        let server = Scripted::start(move |request, talk| {
            let is_question = request.starts_with("qSupported");
            if is_question {
                talk.reply(says);
            }
            is_question
        });
        let mut gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
        let mut bytes = vec![0; 4097];
        assert_eq!(gdb.read(u64::from(BASE) + 3, &mut bytes).unwrap(), bytes.len());
        drop(gdb);
        let heard = server.heard();
        assert!(heard.iter().all(|request| !request.contains("multiprocess")));
        let requests: Vec<_> = heard.iter().filter_map(|request| asked(request)).collect();
        assert!(requests.iter().all(|(address, length)| address % 4 == 0 && length % 4 == 0), "{requests:x?}");
        assert_eq!(requests.iter().map(|(_, length)| *length).max(), Some(most), "{says}");
    }
}

#[test]
fn a_server_whose_packets_are_too_short_for_any_memory_is_refused() {
    let (result, heard) = play(|request, talk| {
        let is_question = request.starts_with("qSupported");
        if is_question {
            talk.reply("PacketSize=7");
        }
        is_question
    });
    assert_eq!(source(&result.unwrap_err()), "the server takes packets of 7 bytes (at least 8 are needed)");
    assert!(heard.contains(&"D".to_owned()));
}

#[test]
fn errors_are_unreadable_memory_at_its_address() {
    let error = |reply: &'static str| {
        let server = Scripted::start(move |request, talk| {
            let is_memory = asked(request).is_some();
            if is_memory {
                talk.reply(reply);
            }
            is_memory
        });
        let mut gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
        let error = gdb.read(u64::from(BASE) + 2, &mut [0; 100]).unwrap_err();
        drop(gdb);
        assert!(server.heard().contains(&"D".to_owned()));
        error.to_string()
    };
    assert_eq!(error("E01"), "0x20000102 cannot be read: the server says \"E01\"");
    assert_eq!(error("E.no such bus"), "0x20000102 cannot be read: the server says \"no such bus\"");
    assert_eq!(error("0011"), "0x20000102 cannot be read: memory ends here");
}

#[test]
fn replies_that_cannot_be_memory_are_told_and_never_believed() {
    for turn in [1, 2, 3, 4] {
        let too_long = lie(turn, PATIENT, |length, talk| talk.reply(&"00".repeat(length + 1)));
        assert!(source(&too_long).contains("bytes of memory came instead of"), "{too_long}");
        let odd = lie(turn, PATIENT, |length, talk| talk.reply(&"0".repeat(2 * length - 1)));
        assert!(source(&odd).contains("an odd number"), "{odd}");
        for other in ["OK", "0x12", "12 34", "zz", "PacketSize=1000;hwbreak+", "l<target/>", "\u{1b}[2J", "é", "-1", "x"] {
            let error = lie(turn, PATIENT, move |_, talk| talk.reply(other));
            assert!(source(&error).starts_with("the server answers a request for memory with \""), "{error}");
            assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
        }
        for exited in ["W00", "X09"] {
            let error = lie(turn, PATIENT, move |_, talk| talk.reply(exited));
            assert_eq!(source(&error), format!("the target is gone: \"{exited}\""));
        }
    }
}

#[test]
fn after_an_answer_that_cannot_be_nothing_is_believed_any_more() {
    // A server that is one answer behind: the second request gets the first one's answer.
    let mut owed = "OK".to_owned();
    let server = Scripted::start(move |request, talk| {
        let is_memory = asked(request).is_some();
        if is_memory {
            let answer = std::mem::replace(&mut owed, honest(request));
            talk.reply(&answer);
        }
        is_memory
    });
    let mut gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
    let mut bytes = [0xee; 4];
    gdb.read(BASE.into(), &mut bytes).unwrap_err();
    for at in [BASE, BASE + 4] {
        let error = gdb.read(at.into(), &mut bytes).unwrap_err();
        assert!(source(&error).starts_with("a request before was not answered"), "{error}");
    }
    assert_eq!(bytes, [0xee; 4]);
}

#[test]
fn an_answer_that_comes_too_late_is_not_taken_for_the_next_one() {
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
    assert!(source(&error).starts_with("a request before was not answered"), "{error}");
}

#[test]
fn an_answer_that_comes_twice_is_not_taken_for_the_next_one() {
    let (result, _) = play(|request, talk| {
        let is_memory = asked(request).is_some();
        if is_memory {
            talk.send(&packet(honest(request).as_bytes()).repeat(2));
        }
        is_memory
    });
    result.unwrap();
}

#[test]
fn damaged_replies_are_asked_for_again() {
    let mut damaged = 0;
    let (result, heard) = play(move |request, talk| {
        if request == "-" {
            talk.reply(&honest(&format!("m{BASE:x},800")));
        } else if request.starts_with('m') && damaged == 0 {
            damaged += 1;
            talk.send(b"$00112233#00");
        } else {
            return false;
        }
        true
    });
    result.unwrap();
    assert_eq!(heard.iter().filter(|heard| *heard == "-").count(), 1);
}

#[test]
fn damaged_replies_that_stay_damaged_are_told() {
    for (reply, what) in [
        (&b"$0011#00"[..], "a reply whose bytes sum up to c2, and it says otherwise (4 times, to "),
        (b"$0011#zz", "a reply whose bytes sum up to c2, and it says otherwise (4 times, to "),
        (b"$00}#dd", "a reply that ends inside a byte (4 times, to "),
        (b"$* #4a", "a reply that repeats what cannot be repeated (4 times, to "),
    ] {
        let (result, heard) = play(move |request, talk| {
            let is_lie = asked(request).is_some() || request == "-";
            if is_lie {
                talk.send(reply);
            }
            is_lie
        });
        let error = result.unwrap_err();
        assert!(source(&error).starts_with(what), "{error}");
        assert!(heard.contains(&"D".to_owned()), "{heard:?}");
    }
}

#[test]
fn refused_requests_are_sent_again() {
    let mut refused = 0;
    let (result, heard) = play(move |request, talk| {
        let is_refused = request.starts_with('m') && refused < 2;
        if is_refused {
            refused += 1;
            talk.send(b"-");
        }
        is_refused
    });
    result.unwrap();
    assert_eq!(heard.iter().filter(|request| **request == format!("m{BASE:x},800")).count(), 3);
}

#[test]
fn a_server_that_refuses_for_ever_is_told() {
    let (result, heard) = play(|request, talk| {
        let is_refused = asked(request).is_some();
        if is_refused {
            talk.send(b"-");
        }
        is_refused
    });
    assert_eq!(source(&result.unwrap_err()), "the server refused \"m20000100,800\" 4 times");
    assert!(heard.contains(&"D".to_owned()), "{heard:?}");
}

#[test]
fn what_answers_nothing_is_skipped() {
    let strays = ["T05thread:01;", "S05", "O68656c6c6f", "", "T02", "Fwrite,1,2,3"];
    let (result, _) = play(move |request, talk| {
        if asked(request).is_none() {
            return false;
        }
        talk.send(b"noise+++%Stop:T05#00");
        strays.iter().for_each(|stray| talk.reply(stray));
        talk.reply(&honest(request));
        true
    });
    result.unwrap();
    // And so at the beginning, where QEMU tells of the halt that the connection was.
    let (result, _) = play(move |request, talk| {
        let is_first = request.starts_with("qSupported") || request == "?";
        if is_first {
            talk.send(b"$T02thread:01;#04+");
            talk.reply("O68656c6c6f");
            talk.reply(&honest(request));
        }
        is_first
    });
    result.unwrap();
}

#[test]
fn replies_are_decoded() {
    // Four zeros, and a 2 behind an escape.
    let server = Scripted::start(|request, talk| {
        let is_memory = asked(request).is_some();
        if is_memory {
            talk.send(&packet(b"0* 1}\x12a2"));
        }
        is_memory
    });
    let mut gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
    let mut bytes = [0xee; 4];
    assert_eq!(gdb.read(BASE.into(), &mut bytes).unwrap(), 4);
    assert_eq!(bytes, [0x00, 0x00, 0x12, 0xa2]);
}

#[test]
fn a_server_that_closes_at_any_time_is_told() {
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
                    let kinds = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                    assert!(kinds.contains(&error.kind()), "{error:?} at stage {stage}");
                }
                // Closing is as good an answer to a request to detach as any.
                Ok(()) => assert!(stage + 2 >= complete, "at stage {stage} of {complete}"),
                Err(other) => panic!("{other:?} at stage {stage}"),
            }
        }
    });
}

#[test]
fn a_server_that_says_nothing_is_told_at_any_time() {
    at_once(["qSupported:hwbreak+", "?", "m20000100,800", "m20000900,800"], |silent| {
        let (result, heard) = play_within(HASTY, move |request, _| request == silent);
        let MemoryError::Timeout { asked, waited } = result.unwrap_err() else { panic!() };
        assert_eq!((asked, waited), (format!("\"{silent}\""), HASTY.reply));
        assert!(heard.contains(&"D".to_owned()), "{heard:?}");
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = Host { name: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    // Not even accepted.
    let start = Instant::now();
    assert!(matches!(read_twice(&host, HASTY), Err(MemoryError::Timeout { .. })));
    assert!(start.elapsed() < HASTY.reply * 4);
}

#[test]
fn a_server_that_drips_does_not_stretch_its_time() {
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
fn a_server_that_floods_does_not_fill_memory_nor_time() {
    at_once([&b"$T05#b9"[..], b"$#00", b"$O6869#2c", b"%Stop:T05#00", b"++++", b"00000000", b"$"], |flood| {
        let error = lie(1, HASTY, move |_, talk| {
            let many = flood.repeat(1000);
            while !talk.is_deaf() {
                talk.send(&many);
                // There are others who need a processor.
                thread::sleep(Duration::from_millis(1));
            }
        });
        let is_told = match &error {
            MemoryError::Timeout { .. } => true,
            MemoryError::Source(what) => what.contains("none of them"),
            _ => false,
        };
        assert!(is_told, "{error:?}");
    });
    let error = lie(1, HASTY, |_, talk| talk.send(&[b"$".to_vec(), vec![b'0'; 1 << 20]].concat()));
    assert!(matches!(error, MemoryError::Timeout { .. }), "{error:?}");
}

#[test]
fn all_requests_together_have_an_end() {
    let server = Scripted::start(|request, _| {
        thread::sleep(if asked(request).is_some() { Duration::from_millis(100) } else { Duration::ZERO });
        false
    });
    let limits = Limits { session: Duration::from_secs(2), ..PATIENT };
    let start = Instant::now();
    let mut gdb = Gdb::connect_within(&server.host, limits).unwrap();
    let error = (0..).find_map(|_| gdb.read(BASE.into(), &mut [0; 4]).err()).unwrap();
    assert_eq!(error.to_string(), "no answer to all requests together within 2 s");
    assert!(start.elapsed() < limits.session + limits.reply);
    drop(gdb);
    assert!(server.heard().contains(&"D".to_owned()));
}

#[test]
fn zeros_are_memory_and_no_stats() {
    // OpenOCD gives them where it cannot read.
    let server = Scripted::start(|request, talk| {
        let Some((_, length)) = asked(request) else { return false };
        talk.reply(&"00".repeat(length));
        true
    });
    let mut gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
    let mut bytes = [0xee; 64];
    assert_eq!(gdb.read(BASE.into(), &mut bytes).unwrap(), 64);
    assert_eq!(bytes, [0; 64]);
    let problem = mmstats_core::reader::Directory::open(&bytes).unwrap_err();
    assert_eq!(problem, mmstats_core::reader::Problem::Uninitialised);
}

#[test]
fn the_target_runs_on_however_reading_ends() {
    let end = |read: fn(Gdb)| {
        let server = Honest::start();
        read(Gdb::connect_within(&server.host, PATIENT).unwrap());
        assert!(server.was_left_running());
    };
    end(drop);
    end(|gdb| assert!(Box::new(gdb).close().unwrap().halted.is_some()));
    end(|mut gdb| assert!(gdb.read(0, &mut [0; 4]).is_err()));
    end(|mut gdb| {
        let panicked = thread::spawn(move || {
            gdb.read(BASE.into(), &mut [0; 4]).unwrap();
            panic!("on purpose");
        });
        panicked.join().unwrap_err();
    });
}

#[test]
fn nothing_is_sent_behind_a_request_to_detach() {
    // To QEMU any byte would mean to halt the target again.
    let (result, heard) = play(|request, talk| {
        if request == "D" {
            talk.send(b"+$T05#b9$OK#9a$T05#b9");
        }
        request == "D"
    });
    result.unwrap();
    assert_eq!(heard.last().map(String::as_str), Some("D"));
}

/// What a server hears that answers a request to detach, and those to run on, like this; from the request to detach on.
fn detach(mut answer: impl FnMut(&str, &mut Talk) + Send + 'static) -> (Result<(), MemoryError>, Vec<String>) {
    let (result, mut heard) = play(move |request, talk| {
        let is_end = ["D", "c", "vCont;c"].contains(&request);
        if is_end {
            answer(request, talk);
        }
        is_end
    });
    let end = heard.iter().position(|request| request == "D").unwrap();
    (result, heard.split_off(end))
}

#[test]
fn a_server_that_cannot_detach_is_told_to_run_on() {
    at_once(["", "E01", "E.no"], |unknown| {
        let (result, heard) = detach(move |request, talk| {
            talk.send(b"+");
            if request == "D" {
                talk.reply(unknown);
            }
        });
        result.unwrap();
        assert_eq!(heard, ["D", "c"]);
        let (result, heard) = detach(move |request, talk| {
            talk.send(b"+");
            if request != "vCont;c" {
                talk.reply(unknown);
            }
        });
        result.unwrap();
        assert_eq!(heard, ["D", "c", "vCont;c"]);
    });
    // One that does not answer at all.
    let (result, heard) = detach(|_, talk| talk.send(b"+"));
    result.unwrap();
    assert_eq!(heard, ["D", "c"]);
    let (result, _) = detach(|_, talk| talk.reply(""));
    let error = result.unwrap_err();
    assert_eq!(source(&error), "the target stands still: the server knows neither how to detach nor how to run on");
}

#[test]
fn a_target_that_was_halted_by_the_request_to_run_on_is_told_again() {
    // As QEMU does it, when it detached but its answer was late: the request halts the target, and is lost.
    let mut turns = 0;
    let (result, heard) = detach(move |request, talk| {
        turns += 1;
        match turns {
            1 => {}
            2 => talk.reply("T02thread:01;"),
            _ => talk.send(b"+"),
        }
        assert_eq!(request == "D", turns == 1);
    });
    result.unwrap();
    assert_eq!(heard, ["D", "c", "c"]);
    let (result, heard) = detach(|_, talk| talk.reply("T02thread:01;"));
    source(&result.unwrap_err());
    assert_eq!(heard, ["D", "c", "c", "c", "vCont;c", "vCont;c", "vCont;c"]);
}

#[test]
fn a_server_that_only_obeys_its_monitor_is_told_that_way_first() {
    // OpenOCD answers a request to detach, and leaves the target halted.
    let resume = format!("qRcmd,{}", hex(b"resume"));
    for answer in ["OK", "", "E01", "4e6f7065", "O4e6f7065"] {
        let command = resume.clone();
        let (result, heard) = play(move |request, talk| {
            if request == command {
                talk.reply(answer);
            }
            request == command
        });
        result.unwrap();
        let requests: Vec<_> = heard.iter().filter(|request| *request != "+").collect();
        assert_eq!(requests[requests.len() - 2..], [&resume, "D"]);
    }
}

#[test]
fn a_target_that_was_not_halted_is_read_as_one_that_runs() {
    // OpenOCD with an empty event `gdb-attach`.
    let server = Scripted::start(|request, talk| {
        if request == "?" {
            talk.reply("S00");
        }
        request == "?"
    });
    let gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
    assert_eq!(gdb.motion(), Motion::Live { word: 4 });
    assert_eq!(Box::new(gdb).close().unwrap().halted, None);
    let heard = server.heard();
    assert!(heard.contains(&"D".to_owned()) && heard.iter().all(|request| !request.starts_with("qRcmd")), "{heard:?}");
}

#[test]
fn a_probe_without_a_target_looks_for_one() {
    // Black Magic.
    let scan = format!("qRcmd,{}", hex(b"swdp_scan"));
    for (found, attached, error) in [
        ("OK", "T05", None),
        ("OK", "E01", Some("what the target does cannot be told: the server says \"E01\"")),
        ("4661696c65640a", "", Some("the server has no target: it says \"W00\"")),
        ("", "", Some("the server has no target: it says \"W00\"")),
    ] {
        let scan = scan.clone();
        let (result, heard) = play(move |request, talk| {
            match request {
                "?" => talk.reply("W00"),
                "vAttach;1" => talk.reply(attached),
                _ if request == scan => {
                    talk.reply("O486920");
                    talk.reply(found);
                }
                _ => return false,
            }
            true
        });
        assert_eq!(result.as_ref().err().map(source), error);
        // Where the scan is not known, attaching means something else.
        assert_eq!(heard.contains(&"vAttach;1".to_owned()), found == "OK");
        assert!(heard.contains(&"D".to_owned()));
    }
}

#[test]
fn a_target_that_is_gone_or_cannot_be_told_is_refused() {
    let (result, _) = play(|request, talk| {
        if request == "?" {
            talk.reply("E02");
        }
        request == "?"
    });
    assert_eq!(source(&result.unwrap_err()), "what the target does cannot be told: the server says \"E02\"");
}

#[test]
fn where_there_is_no_server_that_is_told() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for name in ["127.0.0.1", "localhost"] {
        let MemoryError::Io(error) = Gdb::connect(&Host { name: name.to_owned(), port }).unwrap_err() else { panic!() };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    let error = Gdb::connect(&Host { name: "no-such-host.invalid".to_owned(), port }).unwrap_err();
    assert!(matches!(error, MemoryError::Io(_)), "{error:?}");
}
