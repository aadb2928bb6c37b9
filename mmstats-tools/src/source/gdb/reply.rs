//! What replies mean. `None`: it is no answer, and may be skipped. An error: it cannot be an
//! answer.

use super::packet::unhex;
use crate::source::link::excerpt;

/// An answer to a request for memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// As many bytes as were asked for, or fewer.
    Bytes(Vec<u8>),
    /// They cannot be had.
    Unreadable(String),
}

/// What a request for so many bytes led to.
pub(super) fn memory(body: &[u8], asked: usize) -> Option<Result<Memory, String>> {
    if let Some(error) = error(body) {
        return Some(Ok(Memory::Unreadable(error)));
    }
    if !body.is_empty() && body.iter().all(u8::is_ascii_hexdigit) {
        return Some(match unhex(body) {
            Some(bytes) if bytes.len() <= asked => Ok(Memory::Bytes(bytes)),
            Some(bytes) => Err(format!("{} bytes of memory came instead of {asked}", bytes.len())),
            None => Err(format!(
                "{} digits of memory came, an odd number, instead of {}",
                body.len(),
                2 * asked
            )),
        });
    }
    match body.first() {
        // Not supported, which memory always is: so an answer to something else.
        None => None,
        Some(b'W' | b'X') => Some(Err(format!("the target is gone: {}", excerpt(body)))),
        Some(b'T' | b'S' | b'F') => None,
        Some(b'O') if body != b"OK" => None,
        _ => Some(Err(format!("the server answers a request for memory with {}", excerpt(body)))),
    }
}

/// The longest packet that the server deals with, if it says so.
pub(super) fn packet_size(body: &[u8]) -> Option<Result<Option<usize>, String>> {
    if is_unsolicited(body) {
        return None;
    }
    let size =
        body.split(|byte| *byte == b';').find_map(|feature| feature.strip_prefix(b"PacketSize="));
    Some(Ok(size.and_then(|size| usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok())))
}

/// What the target does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It stands still.
    Halted,
    /// It runs. OpenOCD says so by signal 0, if it was told not to halt a target.
    Running,
    /// There is none.
    None(String),
}

/// Why the target stands still.
pub(super) fn status(body: &[u8]) -> Option<Result<Status, String>> {
    if let Some(error) = error(body) {
        return Some(Err(format!("what the target does cannot be told: {error}")));
    }
    if is_output(body) {
        return None;
    }
    Some(Ok(match body {
        b"S00" => Status::Running,
        [b'W' | b'X', ..] => Status::None(excerpt(body)),
        _ => Status::Halted,
    }))
}

/// Whether a command for the server's own monitor succeeded.
pub(super) fn command(body: &[u8]) -> Option<Result<bool, String>> {
    if is_unsolicited(body) { None } else { Some(Ok(body == b"OK")) }
}

/// Whether the server lets the target go.
pub(super) fn detached(body: &[u8]) -> Option<bool> {
    match body {
        b"OK" => Some(true),
        b"" => Some(false),
        _ => error(body).map(|_| false),
    }
}

/// Whether it tells that the target stopped.
pub(super) fn is_stop(body: &[u8]) -> bool {
    matches!(body, [b'T' | b'S', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// Whether it comes without having been asked for.
pub(super) fn is_unsolicited(body: &[u8]) -> bool {
    is_stop(body) || is_output(body)
}

/// Whether it is something to be shown on the debugger's console.
fn is_output(body: &[u8]) -> bool {
    matches!(body, [b'O', digits @ ..] if digits.iter().all(u8::is_ascii_hexdigit))
}

/// An error in words.
pub(super) fn error(body: &[u8]) -> Option<String> {
    match body {
        [b'E', b'.', ..] => Some(format!("the server says {}", excerpt(&body[2..]))),
        [b'E', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Some(format!("the server says {}", excerpt(body)))
        }
        _ => None,
    }
}
