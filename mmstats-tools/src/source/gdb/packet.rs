//! The packets of GDB's remote protocol.
//!
//! ```text
//! $ m 2 1 0 0 0 0 0 0 , 2 8 # c 3      a packet: its body, and the sum of the body's bytes
//! +                                    an acknowledgement; - requests the packet again
//! % S t o p : … # x x                  a notification, which is not acknowledged
//! ```
//!
//! In a body, one of these characters is sent as `}` and the character xor 0x20. `*` and a
//! character *c* repeat the preceding byte *c* − 29 more times.

use std::fmt;

/// Longer bodies are an error; no server sends as much.
pub const MAX_BODY_BYTES: usize = 1 << 16;

/// Encodes a packet with this body.
#[must_use]
pub fn encode(body: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(body.len() + 4);
    packet.push(b'$');
    for &byte in body {
        if matches!(byte, b'#' | b'$' | b'}' | b'*') {
            packet.extend([b'}', byte ^ 0x20]);
        } else {
            packet.push(byte);
        }
    }
    let sum = sum(&packet[1..]);
    packet.push(b'#');
    packet.extend(hex(&[sum]));
    packet
}

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The last packet was received.
    Acknowledged,
    /// The last packet was damaged and must be sent again.
    Refused,
    /// A packet's decoded body.
    Packet(Vec<u8>),
    /// An unsolicited packet, which is not acknowledged.
    Notification,
    /// A damaged packet.
    Damaged(PacketError),
}

/// Why a packet is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// Its checksum differs.
    Sum {
        /// The checksum of the received bytes.
        computed: u8,
    },
    /// It ends in an escape or a repetition.
    Unfinished,
    /// A repetition has no preceding byte or an invalid count.
    Repetition,
    /// It is longer than [`MAX_BODY_BYTES`].
    TooLong,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PacketError::Sum { computed } => {
                write!(f, "a reply with a wrong checksum ({computed:02x} expected)")
            }
            PacketError::Unfinished => write!(f, "an incomplete reply"),
            PacketError::Repetition => write!(f, "a reply with an invalid repetition"),
            PacketError::TooLong => write!(f, "a reply of more than {MAX_BODY_BYTES} bytes"),
        }
    }
}

/// Decodes a stream of bytes. Ignores bytes between packets.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    state: State,
    is_notification: bool,
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Between,
    Body,
    FirstDigit,
    SecondDigit(u8),
}

impl Decoder {
    /// Adds a byte; returns an event if the byte completes one.
    pub fn push(&mut self, byte: u8) -> Option<Event> {
        match (self.state, byte) {
            (State::Between, b'+') => return Some(Event::Acknowledged),
            (State::Between, b'-') => return Some(Event::Refused),
            // In a body it would be escaped, so this starts a new packet.
            (_, b'$') | (State::Between, b'%') => {
                self.body.clear();
                self.is_notification = byte == b'%';
                self.state = State::Body;
            }
            (State::Between, _) => {}
            (State::Body, b'#') => self.state = State::FirstDigit,
            (State::Body, _) if self.body.len() == MAX_BODY_BYTES => {
                self.state = State::Between;
                return Some(Event::Damaged(PacketError::TooLong));
            }
            (State::Body, _) => self.body.push(byte),
            (State::FirstDigit, _) => self.state = State::SecondDigit(byte),
            (State::SecondDigit(first), _) => {
                self.state = State::Between;
                return Some(self.finish([first, byte]));
            }
        }
        None
    }

    fn finish(&self, digits: [u8; 2]) -> Event {
        let computed = sum(&self.body);
        let result = if unhex(&digits).as_deref() == Some(&[computed]) {
            decode(&self.body)
        } else {
            Err(PacketError::Sum { computed })
        };
        match result {
            _ if self.is_notification => Event::Notification,
            Ok(body) => Event::Packet(body),
            Err(fault) => Event::Damaged(fault),
        }
    }
}

/// Expands escapes and repetitions.
fn decode(encoded: &[u8]) -> Result<Vec<u8>, PacketError> {
    let mut body = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'}' => body.push(bytes.next().ok_or(PacketError::Unfinished)? ^ 0x20),
            b'*' => {
                let times = bytes.next().ok_or(PacketError::Unfinished)?;
                let (Some(&last), b' '..=b'~') = (body.last(), times) else {
                    return Err(PacketError::Repetition);
                };
                body.resize(body.len() + usize::from(times - 29), last);
            }
            _ => body.push(byte),
        }
        if body.len() > MAX_BODY_BYTES {
            return Err(PacketError::TooLong);
        }
    }
    Ok(body)
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Encodes bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> Vec<u8> {
    let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Decodes hexadecimal digits of either case; returns `None` for other characters or an odd number.
#[must_use]
pub fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|half| half as u8);
    let pairs = digits.chunks(2).map(|pair| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect()
}
