//! Plays scripted GDB servers to the client, and checks the properties that hold for each of them.

use crate::gdb_server::{BASE, Scripted, Talk, asked, part};
use mmstats_tools::source::gdb::GdbLimits;
use mmstats_tools::source::url::Host;
use mmstats_tools::source::{Gdb, Memory, MemoryError};
use std::thread;
use std::time::{Duration, Instant};

/// Limits that are long enough for an answer on a busy machine.
pub const PATIENT: GdbLimits = GdbLimits {
    connect: Duration::from_secs(3),
    reply: Duration::from_secs(6),
    session: Duration::from_secs(30),
};

/// Limits for tests in which no answer comes.
pub const HASTY: GdbLimits = GdbLimits {
    connect: Duration::from_secs(3),
    reply: Duration::from_millis(1500),
    session: Duration::from_secs(6),
};

/// Connects and reads memory twice.
///
/// # Errors
/// The client's errors.
///
/// # Panics
/// If the client read wrong bytes.
pub fn read_twice(host: &Host, limits: GdbLimits) -> Result<(), MemoryError> {
    let mut gdb = Gdb::connect_within(host, limits)?;
    for (address, length) in [(BASE, 5000), (BASE + 5001, 40)] {
        let mut bytes = vec![0xee; length];
        assert_eq!(gdb.read(address.into(), &mut bytes)?, length);
        assert_eq!(bytes, part(address, length), "wrong bytes");
    }
    Box::new(gdb).close().map(drop)
}

/// Reads from a scripted server; returns the result and the requests it received.
///
/// # Panics
/// If the client read wrong bytes, or took too long.
pub fn play(
    play: impl FnMut(&str, &mut Talk) -> bool + Send + 'static,
) -> (Result<(), MemoryError>, Vec<String>) {
    play_within(PATIENT, play)
}

/// Like [`play`], within other limits.
///
/// # Panics
/// If the client read wrong bytes, or took too long.
pub fn play_within(
    limits: GdbLimits,
    play: impl FnMut(&str, &mut Talk) -> bool + Send + 'static,
) -> (Result<(), MemoryError>, Vec<String>) {
    let server = Scripted::start(play);
    let start = Instant::now();
    let result = read_twice(&server.host, limits);
    // Waiting in vain and detaching take about three times the limit of an answer; the machine may
    // be busy.
    assert!(start.elapsed() < limits.reply * 10, "{:?} for {result:?}", start.elapsed());
    (result, server.heard())
}

/// Plays a server that answers the `turn`-th memory request like this. The client has to report an
/// error and detach.
///
/// # Panics
/// If it does not.
pub fn lie(
    turn: usize,
    limits: GdbLimits,
    mut answer: impl FnMut(usize, &mut Talk) + Send + 'static,
) -> MemoryError {
    let mut turns = 0;
    let (result, heard) = play_within(limits, move |request, talk| {
        let Some((_, length)) = asked(request) else { return false };
        turns += 1;
        if turns == turn {
            answer(length, talk);
        }
        turns == turn
    });
    assert!(
        heard.iter().any(|request| request == "D"),
        "the target was not let go: … {:?}",
        &heard[heard.len().saturating_sub(20)..]
    );
    result.expect_err("a lie was believed")
}

/// Tests all cases in parallel, as they mostly wait.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            let test = &test;
            scope.spawn(move || test(case));
        }
    });
}

/// Returns the message of a source error.
///
/// # Panics
/// If it is another error.
#[must_use]
pub fn source(error: &MemoryError) -> &str {
    let MemoryError::Source(what) = error else { panic!("{error:?}") };
    what
}
