//! Playing a server for debuggers to the client, and what has to come of it whatever is played.

use crate::gdb_server::{BASE, Scripted, Talk, asked, part};
use mmstats_tools::source::gdb::Limits;
use mmstats_tools::source::url::Host;
use mmstats_tools::source::{Gdb, Memory, MemoryError};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for an answer on a busy machine.
pub const PATIENT: Limits = Limits {
    connect: Duration::from_secs(3),
    reply: Duration::from_secs(6),
    session: Duration::from_secs(30),
};

/// Short enough for a test in which no answer comes.
pub const HASTY: Limits = Limits {
    connect: Duration::from_secs(3),
    reply: Duration::from_millis(1500),
    session: Duration::from_secs(6),
};

/// Connects and reads some memory, twice.
///
/// # Errors
/// If the client tells one.
///
/// # Panics
/// If it was fooled.
pub fn read_twice(host: &Host, limits: Limits) -> Result<(), MemoryError> {
    let mut gdb = Gdb::connect_within(host, limits)?;
    for (address, length) in [(BASE, 5000), (BASE + 5001, 40)] {
        let mut bytes = vec![0xee; length];
        assert_eq!(gdb.read(address.into(), &mut bytes)?, length);
        assert_eq!(bytes, part(address, length), "it was fooled");
    }
    Box::new(gdb).close().map(drop)
}

/// What comes of reading from a server that plays like this, and what it heard.
///
/// # Panics
/// If it was fooled, or took too long.
pub fn play(
    play: impl FnMut(&str, &mut Talk) -> bool + Send + 'static,
) -> (Result<(), MemoryError>, Vec<String>) {
    play_within(PATIENT, play)
}

/// The same within other limits.
///
/// # Panics
/// If it was fooled, or took too long.
pub fn play_within(
    limits: Limits,
    play: impl FnMut(&str, &mut Talk) -> bool + Send + 'static,
) -> (Result<(), MemoryError>, Vec<String>) {
    let server = Scripted::start(play);
    let start = Instant::now();
    let result = read_twice(&server.host, limits);
    // A wait that is in vain and letting go take about three times as long as an answer may; the
    // machine may be busy.
    assert!(start.elapsed() < limits.reply * 10, "{:?} for {result:?}", start.elapsed());
    (result, server.heard())
}

/// The same for a server that answers the `turn`-th request for memory like this. The client must
/// tell an error, and let the target go.
///
/// # Panics
/// If it does not.
pub fn lie(
    turn: usize,
    limits: Limits,
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

/// Tests every case at the same time: most of it is waiting.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            let test = &test;
            scope.spawn(move || test(case));
        }
    });
}

/// The message of an error that has to be of this kind.
///
/// # Panics
/// If it is not.
#[must_use]
pub fn source(error: &MemoryError) -> &str {
    let MemoryError::Source(what) = error else { panic!("{error:?}") };
    what
}
