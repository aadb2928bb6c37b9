//! Answers of a GDB server are read if they are memory, and reported if they cannot be.

use mmstats_tests::damage::Random;
use mmstats_tests::gdb_script::{PATIENT, lie, play, source};
use mmstats_tests::gdb_server::{BASE, LENGTH, Scripted, asked, hex, honest, packet, part};
use mmstats_tests::gdb_stub::Honest;
use mmstats_tools::source::{Gdb, Memory, MemoryError, RunState};
use std::time::{Duration, Instant};

#[test]
fn memory_is_read_at_any_address_and_length() {
    let server = Honest::start();
    let start = Instant::now();
    let mut gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
    assert_eq!(gdb.run_state(), RunState::Stopped);
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
fn memory_is_read_up_to_its_end() {
    // At the end of memory, gdbstub returns fewer bytes, the other server an error.
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
        // Reading continues afterwards.
        assert_eq!(gdb.read(BASE.into(), &mut [0; 4]).unwrap(), 4);
    }
    assert!(stub.was_left_running());
}

#[test]
fn the_last_address_is_read_and_nothing_after_it() {
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
fn requests_are_whole_words_and_fit_the_servers_packets() {
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
        assert!(
            requests.iter().all(|(address, length)| address % 4 == 0 && length % 4 == 0),
            "{requests:x?}"
        );
        assert_eq!(requests.iter().map(|(_, length)| *length).max(), Some(most), "{says}");
    }
}

#[test]
fn a_server_with_too_short_packets_is_refused() {
    let (result, heard) = play(|request, talk| {
        let is_question = request.starts_with("qSupported");
        if is_question {
            talk.reply("PacketSize=7");
        }
        is_question
    });
    assert_eq!(
        source(&result.unwrap_err()),
        "the server accepts packets of 7 bytes (at least 8 needed)"
    );
    assert!(heard.contains(&"D".to_owned()));
}

#[test]
fn errors_are_reported_as_unreadable_memory_with_its_address() {
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
    assert_eq!(
        error("E.no such bus"),
        "0x20000102 cannot be read: the server says \"no such bus\""
    );
    assert_eq!(error("0011"), "0x20000102 cannot be read: memory ends here");
}

#[test]
fn invalid_replies_are_reported_and_never_returned_as_memory() {
    for turn in [1, 2, 3, 4] {
        let too_long = lie(turn, PATIENT, |length, talk| talk.reply(&"00".repeat(length + 1)));
        assert!(source(&too_long).contains("bytes of memory, but requested"), "{too_long}");
        let odd = lie(turn, PATIENT, |length, talk| talk.reply(&"0".repeat(2 * length - 1)));
        assert!(source(&odd).contains("an odd number"), "{odd}");
        for other in [
            "OK",
            "0x12",
            "12 34",
            "zz",
            "PacketSize=1000;hwbreak+",
            "l<target/>",
            "\u{1b}[2J",
            "é",
            "-1",
            "x",
        ] {
            let error = lie(turn, PATIENT, move |_, talk| talk.reply(other));
            assert!(
                source(&error).starts_with("the server answers a request for memory with \""),
                "{error}"
            );
            assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
        }
        for exited in ["W00", "X09"] {
            let error = lie(turn, PATIENT, move |_, talk| talk.reply(exited));
            assert_eq!(source(&error), format!("the target is gone: \"{exited}\""));
        }
    }
}

#[test]
fn after_an_invalid_reply_no_other_is_accepted() {
    // A server that is one answer late: the second request gets the first one's answer.
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
        assert!(source(&error).starts_with("an earlier request was not answered"), "{error}");
    }
    assert_eq!(bytes, [0xee; 4]);
}

#[test]
fn a_duplicate_answer_is_not_taken_for_the_next_one() {
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
fn damaged_replies_are_requested_again() {
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
fn persistently_damaged_replies_are_reported() {
    for (reply, what) in [
        (&b"$0011#00"[..], "a reply with a wrong checksum (c2 expected) (4 times, to "),
        (b"$0011#zz", "a reply with a wrong checksum (c2 expected) (4 times, to "),
        (b"$00}#dd", "an incomplete reply (4 times, to "),
        (b"$* #4a", "a reply with an invalid repetition (4 times, to "),
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
fn a_server_that_always_refuses_is_reported() {
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
fn unrelated_packets_are_skipped() {
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
    // Also at the start, where QEMU reports the halt caused by the connection.
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
    // Four zeros, and an escaped 2.
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
fn zeros_are_memory_and_no_stats() {
    // OpenOCD returns them for unreadable memory.
    let server = Scripted::start(|request, talk| {
        let Some((_, length)) = asked(request) else { return false };
        talk.reply(&"00".repeat(length));
        true
    });
    let mut gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
    let mut bytes = [0xee; 64];
    assert_eq!(gdb.read(BASE.into(), &mut bytes).unwrap(), 64);
    assert_eq!(bytes, [0; 64]);
    let error = mmstats_core::reader::Directory::open(&bytes).unwrap_err();
    assert_eq!(error, mmstats_core::reader::FormatError::Uninitialised);
}

#[test]
fn a_probe_without_a_target_scans_for_one() {
    // Black Magic Probe.
    let scan = format!("qRcmd,{}", hex(b"swdp_scan"));
    for (found, attached, error) in [
        ("OK", "T05", None),
        ("OK", "E01", Some("cannot determine whether the target runs: the server says \"E01\"")),
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
        // Without the command to scan, attaching has another meaning.
        assert_eq!(heard.contains(&"vAttach;1".to_owned()), found == "OK");
        assert!(heard.contains(&"D".to_owned()));
    }
}

#[test]
fn a_missing_or_ambiguous_target_is_refused() {
    let (result, _) = play(|request, talk| {
        if request == "?" {
            talk.reply("E02");
        }
        request == "?"
    });
    assert_eq!(
        source(&result.unwrap_err()),
        "cannot determine whether the target runs: the server says \"E02\""
    );
}
