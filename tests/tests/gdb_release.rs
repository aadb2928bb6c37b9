//! The target of a GDB server continues to run after reading, however that ends and whatever the
//! server answers.

use mmstats_tests::gdb_script::{HASTY, PATIENT, at_once, play, play_within, source};
use mmstats_tests::gdb_server::{BASE, Scripted, Talk, hex};
use mmstats_tests::gdb_stub::Honest;
use mmstats_tools::source::{Gdb, Memory, MemoryError, RunState};
use std::thread;

#[test]
fn the_target_continues_however_reading_ends() {
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
fn nothing_is_sent_after_a_request_to_detach() {
    // Any byte would make QEMU halt the target again.
    let (result, heard) = play(|request, talk| {
        if request == "D" {
            talk.send(b"+$T05#b9$OK#9a$T05#b9");
        }
        request == "D"
    });
    result.unwrap();
    assert_eq!(heard.last().map(String::as_str), Some("D"));
}

/// Returns the requests from the one to detach on, to a server that answers it, and those to
/// continue, like this.
fn detach(
    mut answer: impl FnMut(&str, &mut Talk) + Send + 'static,
) -> (Result<(), MemoryError>, Vec<String>) {
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
fn a_server_that_cannot_detach_is_asked_to_continue() {
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
    // A server that does not answer at all.
    let (result, heard) = detach(|_, talk| talk.send(b"+"));
    result.unwrap();
    assert_eq!(heard, ["D", "c"]);
    let (result, _) = detach(|_, talk| talk.reply(""));
    let error = result.unwrap_err();
    assert_eq!(
        source(&error),
        "the target is halted: the server can neither detach nor continue it"
    );
}

#[test]
fn a_target_halted_by_the_request_to_continue_is_continued_again() {
    // QEMU does so if it has detached but its answer is late: the request halts the target, and is
    // lost.
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
    assert!(source(&result.unwrap_err()).starts_with("the target is halted"));
    assert_eq!(heard, ["D", "c", "c", "c", "vCont;c", "vCont;c", "vCont;c"]);
}

#[test]
fn a_server_that_only_obeys_its_monitor_is_resumed_by_it_first() {
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
fn a_late_answer_is_not_taken_for_that_to_detach() {
    let (result, heard) = play_within(HASTY, |request, talk| {
        if request.starts_with("qRcmd") {
            // Longer than the client waits for it: a third of the limit.
            thread::sleep(HASTY.reply / 2);
            talk.reply("");
        }
        request.starts_with("qRcmd")
    });
    result.unwrap();
    assert_eq!(
        heard.last().map(String::as_str),
        Some("D"),
        "it was taken for one that does not know how"
    );
}

#[test]
fn a_target_that_is_not_halted_is_read_as_running() {
    // OpenOCD with an empty event `gdb-attach`.
    let server = Scripted::start(|request, talk| {
        if request == "?" {
            talk.reply("S00");
        }
        request == "?"
    });
    let gdb = Gdb::connect_within(&server.host, PATIENT).unwrap();
    assert_eq!(gdb.run_state(), RunState::Running { word: 4 });
    assert_eq!(Box::new(gdb).close().unwrap().halted, None);
    let heard = server.heard();
    assert!(
        heard.contains(&"D".to_owned())
            && heard.iter().all(|request| !request.starts_with("qRcmd")),
        "{heard:?}"
    );
}
