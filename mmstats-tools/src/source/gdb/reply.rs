//! The meaning of replies. `None`: not a reply to the request, to be skipped. An error: an invalid
//! reply.

use super::packet::unhex;
use crate::source::link::excerpt;

/// A reply to a request for memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MemoryReply {
    /// At most as many bytes as requested.
    Bytes(Vec<u8>),
    /// The server cannot read them.
    Unreadable(String),
}

/// Parses a reply to a request for `asked` bytes.
pub(super) fn memory(body: &[u8], asked: usize) -> Option<Result<MemoryReply, String>> {
    if let Some(error) = error(body) {
        return Some(Ok(MemoryReply::Unreadable(error)));
    }
    if !body.is_empty() && body.iter().all(u8::is_ascii_hexdigit) {
        return Some(match unhex(body) {
            Some(bytes) if bytes.len() <= asked => Ok(MemoryReply::Bytes(bytes)),
            Some(bytes) => {
                Err(format!("received {} bytes of memory, but requested {asked}", bytes.len()))
            }
            None => Err(format!(
                "received an odd number of digits, {}, instead of {}",
                body.len(),
                2 * asked
            )),
        });
    }
    match body.first() {
        // "Not supported": a reply to something else, as every server supports reading memory.
        None => None,
        Some(b'W' | b'X') => Some(Err(format!("the target is gone: {}", excerpt(body)))),
        Some(b'T' | b'S' | b'F') => None,
        Some(b'O') if body != b"OK" => None,
        _ => Some(Err(format!("the server answers a request for memory with {}", excerpt(body)))),
    }
}

/// Parses the maximum packet size, if the server gives one.
pub(super) fn packet_size(body: &[u8]) -> Option<Result<Option<usize>, String>> {
    if is_unsolicited(body) {
        return None;
    }
    let size =
        body.split(|byte| *byte == b';').find_map(|feature| feature.strip_prefix(b"PacketSize="));
    Some(Ok(size.and_then(|size| usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok())))
}

/// The state of the target.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It is halted.
    Halted,
    /// It runs. OpenOCD reports signal 0 if it is configured not to halt the target.
    Running,
    /// The server has no target.
    None(String),
}

/// Parses the state of the target.
pub(super) fn status(body: &[u8]) -> Option<Result<Status, String>> {
    if let Some(error) = error(body) {
        return Some(Err(format!("cannot determine whether the target runs: {error}")));
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

/// Parses the result of a monitor command: `true` for success.
pub(super) fn command(body: &[u8]) -> Option<Result<bool, String>> {
    if is_unsolicited(body) { None } else { Some(Ok(body == b"OK")) }
}

/// Parses a reply to a request to detach: `true` if the server has done it.
pub(super) fn detached(body: &[u8]) -> Option<bool> {
    match body {
        b"OK" => Some(true),
        b"" => Some(false),
        _ => error(body).map(|_| false),
    }
}

/// Returns `true` for a message that the target has stopped.
pub(super) fn is_stop(body: &[u8]) -> bool {
    matches!(body, [b'T' | b'S', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// Returns `true` for a message that is not a reply.
pub(super) fn is_unsolicited(body: &[u8]) -> bool {
    is_stop(body) || is_output(body)
}

/// Returns `true` for output to the debugger's console.
fn is_output(body: &[u8]) -> bool {
    matches!(body, [b'O', digits @ ..] if digits.iter().all(u8::is_ascii_hexdigit))
}

/// Describes an error reply; returns `None` for other replies.
pub(super) fn error(body: &[u8]) -> Option<String> {
    match body {
        [b'E', b'.', ..] => Some(format!("the server says {}", excerpt(&body[2..]))),
        [b'E', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Some(format!("the server says {}", excerpt(body)))
        }
        _ => None,
    }
}
