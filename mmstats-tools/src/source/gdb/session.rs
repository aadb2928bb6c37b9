//! Matches replies to requests, whatever else the server sends.

use super::packet::{Decoder, Event, encode};
use super::reply;
use crate::source::link::{Link, Wait, excerpt};
use crate::source::memory::MemoryError;

/// How often a damaged reply or a refused request is repeated.
const MAX_REPEATS: usize = 3;

/// The number of unsolicited packets that may precede a reply.
const MAX_UNSOLICITED: usize = 1000;

/// A connection on which each request has one reply.
#[derive(Debug)]
pub(super) struct Session {
    link: Link,
    decoder: Decoder,
    /// The number of requests without a reply yet.
    pub(super) pending: usize,
    /// Whether an error occurred, so that a later packet may be the reply to any request.
    is_lost: bool,
}

impl Session {
    /// Creates a session without requests.
    pub(super) fn new(link: Link) -> Session {
        Session { link, decoder: Decoder::default(), pending: 0, is_lost: false }
    }

    /// Sends a request and returns its reply as parsed by `understand`, which returns `None` for
    /// packets to skip.
    ///
    /// # Errors
    /// If no reply or an invalid one arrives. All later requests fail too, as the missing reply may
    /// still arrive.
    pub(super) fn ask<T>(
        &mut self,
        request: &[u8],
        wait: &Wait,
        mut understand: impl FnMut(&[u8]) -> Option<Result<T, String>>,
    ) -> Result<T, MemoryError> {
        if std::mem::replace(&mut self.is_lost, true) {
            return Err(MemoryError::Source(
                "an earlier request was not answered, so replies cannot be matched".to_owned(),
            ));
        }
        let packet = self.send(request, wait)?;
        let (mut refused, mut damaged, mut unsolicited) = (0, 0, 0);
        loop {
            match self.event(wait)? {
                Event::Acknowledged => {}
                Event::Notification => unsolicited += 1,
                Event::Refused => {
                    refused += 1;
                    if refused > MAX_REPEATS {
                        self.pending -= 1;
                        return Err(MemoryError::Source(format!(
                            "the server refused {} {refused} times",
                            excerpt(request)
                        )));
                    }
                    self.link.send(&packet, wait)?;
                }
                Event::Damaged(fault) => {
                    damaged += 1;
                    if damaged > MAX_REPEATS {
                        self.pending -= 1;
                        return Err(MemoryError::Source(format!(
                            "{fault} ({damaged} times, to {})",
                            excerpt(request)
                        )));
                    }
                    self.link.send(b"-", wait)?;
                }
                Event::Packet(body) => {
                    self.link.send(b"+", wait)?;
                    if let Some(answer) = understand(&body) {
                        self.pending -= 1;
                        self.is_lost = answer.is_err();
                        return answer.map_err(MemoryError::Source);
                    }
                    unsolicited += 1;
                }
            }
            if unsolicited > MAX_UNSOLICITED {
                return Err(MemoryError::Source(format!(
                    "{unsolicited} unsolicited replies while waiting for {}",
                    excerpt(request)
                )));
            }
        }
    }

    /// Prepares for releasing the target: ignores signals and earlier errors from now on, and waits
    /// for pending replies.
    pub(super) fn settle(&mut self, wait: &Wait) {
        self.link.ignores_signals = true;
        self.is_lost = false;
        while self.pending > 0 {
            match self.event(wait) {
                Ok(Event::Packet(body))
                    if !reply::is_unsolicited(&body) && self.link.send(b"+", wait).is_ok() =>
                {
                    self.pending -= 1;
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }

    /// Sends a request that may let the target run, and returns what `understand` makes of the
    /// events that follow.
    ///
    /// Acknowledges nothing, as QEMU halts a running target at any byte.
    ///
    /// # Errors
    /// If `understand` accepts no event in time.
    pub(super) fn detach<T>(
        &mut self,
        request: &[u8],
        wait: &Wait,
        mut understand: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, MemoryError> {
        self.send(request, wait)?;
        loop {
            if let Some(answer) = understand(&self.event(wait)?) {
                return Ok(answer);
            }
        }
    }

    /// Sends a request and returns its packet.
    fn send(&mut self, request: &[u8], wait: &Wait) -> Result<Vec<u8>, MemoryError> {
        // Earlier packets are not the reply.
        self.link.discard_received()?;
        self.decoder = Decoder::default();
        let packet = encode(request);
        self.link.send(&packet, wait)?;
        self.pending += 1;
        Ok(packet)
    }

    fn event(&mut self, wait: &Wait) -> Result<Event, MemoryError> {
        loop {
            if let Some(event) = self.decoder.push(self.link.receive(wait)?) {
                return Ok(event);
            }
        }
    }
}
