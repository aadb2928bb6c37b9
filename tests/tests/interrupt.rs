//! A signal to a reader of a device: the target is released first.

use mmstats_tests::cli::{program, without_environment};
use mmstats_tests::gdb_server::{BASE, Scripted, asked};
use mmstats_tests::programs::{End, Program, directory};
use mmstats_tests::tmux::Tmux;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The time after which a wait fails.
const TIMEOUT: Duration = Duration::from_secs(60);

const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// The reader's first request.
const NOTHING: &str = ":";
const IGNORE: &str = "trap '' INT HUP";

/// Starts a reader of this server, independent of the signals that this process ignores.
fn start(server: &Scripted, first: &str, once: bool) -> Program {
    let mut command = Command::new("env");
    command
        .args(["--default-signal", "sh", "-c"])
        .arg(format!("{first}; exec \"$@\""))
        .args(["sh", env!("CARGO_BIN_EXE_reads_target")]);
    command
        .args([format!("gdb://{}", server.host), format!("{BASE:x}"), "1000".to_owned()])
        .args(once.then_some("once"));
    Program::spawn(&mut command)
}

fn send(program: &Program, signal: Signal) {
    kill_process(Pid::from_raw(program.pid() as i32).unwrap(), signal).unwrap();
}

#[test]
fn a_signal_during_a_read_releases_the_target() {
    for signal in SIGNALS {
        let server = Scripted::start(|_, _| false);
        let mut program = start(&server, NOTHING, false);
        program.expect("reading");
        send(&program, signal);
        let end = program.end();
        assert_eq!(
            (end.status.code(), end.errors.trim()),
            (Some(1), "Error: Interrupted"),
            "{signal:?}"
        );
        assert_eq!(server.heard().last().map(String::as_str), Some("D"), "{signal:?}");
    }
}

#[test]
fn a_signal_while_the_server_is_silent_releases_the_target_soon() {
    let silence = |signal: Signal, silent: &'static str| {
        let (sender, receiver) = channel();
        let server = Scripted::start(move |request, _| {
            let is_silent = request.starts_with(silent);
            if is_silent {
                let _ = sender.send(());
            }
            is_silent
        });
        let program = start(&server, NOTHING, false);
        receiver.recv_timeout(TIMEOUT).unwrap();
        let began = Instant::now();
        send(&program, signal);
        let end = program.end();
        assert_eq!(
            (end.status.code(), end.errors.trim()),
            (Some(1), "Error: Interrupted"),
            "{signal:?} at {silent}"
        );
        // It waits a second for the pending answer, not the three seconds that an answer can take,
        // and not repeatedly.
        assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
        assert_eq!(server.heard().last().map(String::as_str), Some("D"), "{signal:?} at {silent}");
    };
    thread::scope(|scope| {
        for signal in SIGNALS {
            for silent in ["qSupported", "?", "m"] {
                scope.spawn(move || silence(signal, silent));
            }
        }
    });
}

#[test]
fn a_signal_does_not_disturb_the_release() {
    let (sender, receiver) = channel();
    let server = Scripted::start(move |request, _| {
        if request.starts_with("qRcmd") {
            sender.send(()).unwrap();
            // The signals arrive meanwhile.
            thread::sleep(Duration::from_millis(200));
        }
        false
    });
    let mut program = start(&server, NOTHING, true);
    receiver.recv_timeout(TIMEOUT).unwrap();
    SIGNALS.iter().for_each(|signal| send(&program, *signal));
    program.expect("closed");
    program.go();
    assert!(program.end().status.success());
    assert_eq!(server.heard().last().map(String::as_str), Some("D"));
}

#[test]
fn a_signal_after_reading_ends_the_program_as_usual() {
    for signal in SIGNALS {
        let server = Scripted::start(|_, _| false);
        let mut program = start(&server, NOTHING, true);
        program.expect("closed");
        send(&program, signal);
        assert_eq!(program.end().status.signal(), Some(signal.as_raw()));
    }
}

#[test]
fn an_ignored_signal_stays_ignored() {
    for (once, line) in [(false, "reading"), (true, "closed")] {
        let (sender, receiver) = channel();
        let server = Scripted::start(move |request, _| {
            if asked(request).is_some() {
                let _ = sender.send(());
            }
            false
        });
        let mut program = start(&server, IGNORE, once);
        program.expect(line);
        send(&program, Signal::INT);
        send(&program, Signal::HUP);
        if once {
            program.go();
            assert!(program.end().status.success());
            continue;
        }
        // It continues to read.
        receiver.try_iter().for_each(drop);
        for _ in 0..100 {
            receiver.recv_timeout(TIMEOUT).unwrap();
        }
        send(&program, Signal::TERM);
        assert_eq!(program.end().errors.trim(), "Error: Interrupted");
        assert_eq!(server.heard().last().map(String::as_str), Some("D"));
    }
}

/// Starts a server that is slow to answer requests for memory, and reports each to the receiver.
fn slow_server() -> (Scripted, Receiver<()>) {
    let (sender, receiver) = channel();
    let server = Scripted::start(move |request, _| {
        if asked(request).is_some() {
            let _ = sender.send(());
            thread::sleep(Duration::from_millis(500));
        }
        false
    });
    (server, receiver)
}

/// Starts a tool on a server that is slow to answer the first request for memory, sends it signals
/// during that, and returns the tool's exit. The server has to receive the request to detach.
fn interrupt(tool: &str, arguments: &[&str], first: &str, signals: &[Signal]) -> End {
    let (server, receiver) = slow_server();
    let mut command = Command::new("env");
    command
        .args(["--default-signal", "sh", "-c"])
        .arg(format!("{first}; exec \"$@\""))
        .arg("sh")
        .arg(program("--bin", tool))
        .args(arguments)
        .args(["--region-address", &format!("{BASE:#x}"), &format!("gdb://{}", server.host)]);
    let program = Program::spawn(without_environment(&mut command));
    receiver.recv_timeout(TIMEOUT).unwrap();
    let began = Instant::now();
    signals.iter().for_each(|signal| send(&program, *signal));
    let end = program.end();
    assert!(began.elapsed() < TIMEOUT / 4, "{tool}: {:?}", began.elapsed());
    assert_eq!(server.heard().last().map(String::as_str), Some("D"), "{tool}: {end:?}");
    end
}

#[test]
fn a_signal_during_a_device_read_ends_each_tool_as_at_any_other_time() {
    let directory = directory();
    let file = directory.path().join("mmstats.prom");
    let textfile = ["-d", "1h", "--textfile", file.to_str().unwrap()];
    let tools: [(&str, &[&str], &[Signal]); 6] = [
        ("slurpstats", &[], &[]),
        ("slurpstats", &["--prometheus"], &[]),
        ("topstats", &["-b", "-c", "100"], &[]),
        ("pollstats", &["a"], &[Signal::INT, Signal::TERM]),
        ("mmash", &textfile, &SIGNALS),
        ("mmash", &["--port", "0"], &SIGNALS),
    ];
    thread::scope(|scope| {
        for (tool, arguments, graceful) in tools {
            scope.spawn(move || {
                for signal in SIGNALS {
                    let End { status, lines, errors } =
                        interrupt(tool, arguments, NOTHING, &[signal]);
                    let expected = if graceful.contains(&signal) {
                        (Some(0), None)
                    } else {
                        (None, Some(signal.as_raw()))
                    };
                    let found = (status.code(), status.signal());
                    assert_eq!(found, expected, "{tool} {arguments:?}: {signal:?}: {errors}");
                    assert_eq!(errors, "", "{tool} {arguments:?}: {signal:?}");
                    assert!(lines.len() <= 1, "{tool} {arguments:?}: {signal:?}: {lines:?}");
                }
            });
        }
    });
    assert!(!file.exists(), "a page without the device's stats");
}

#[test]
fn several_signals_during_a_device_read_end_each_tool_once_the_target_is_released() {
    for (tool, arguments) in [("slurpstats", &[][..]), ("pollstats", &["a"])] {
        let end = interrupt(tool, arguments, NOTHING, &[Signal::INT, Signal::TERM]);
        assert!(end.status.signal().is_some(), "{tool}: {end:?}");
    }
}

#[test]
fn a_signal_that_is_ignored_does_not_disturb_a_device_read() {
    let end = interrupt("topstats", &["-b", "-c", "1", "-d", "0.1"], IGNORE, &SIGNALS[..1]);
    // The second read fails, as this server serves one connection.
    assert_eq!(end.status.code(), Some(1), "{end:?}");
}

#[test]
fn a_signal_during_a_device_read_restores_the_terminal() {
    for (signal, status) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let (server, receiver) = slow_server();
        let tmux = Tmux::sized(100, 24);
        let (top, directory) = (program("--bin", "topstats"), directory());
        let pid = directory.path().join("pid");
        tmux.run(&format!(
            "sh -c 'echo $$ > {}; exec {} --region-address {BASE:#x} gdb://{}'",
            pid.display(),
            top.display(),
            server.host
        ));
        receiver.recv_timeout(TIMEOUT).unwrap();
        assert_eq!(tmux.variable("alternate_on"), "1");
        let pid = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        tmux.wait_for_prompt();
        tmux.run("echo status $?");
        tmux.wait_for(&format!("status {status}\n"));
        assert_eq!(
            ["alternate_on", "cursor_flag", "mouse_any_flag"].map(|name| tmux.variable(name)),
            ["0", "1", "0"]
        );
        assert_eq!(server.heard().last().map(String::as_str), Some("D"), "{signal:?}");
    }
}
