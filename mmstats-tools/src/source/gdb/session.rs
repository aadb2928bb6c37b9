//! One request, one answer, whatever else the server sends.

use super::packet::{Decoder, Event, encode};
use super::reply;
use crate::source::link::{Link, Wait, excerpt};
use crate::source::memory::MemoryError;

/// How often a damaged reply is asked for again, and a refused request sent again.
const MAX_REPEATS: usize = 3;

/// How many packets that answer nothing are skipped before an answer.
const MAX_UNSOLICITED: usize = 1000;

/// A connection on which requests are answered in turn.
#[derive(Debug)]
pub(super) struct Session {
    link: Link,
    decoder: Decoder,
    /// Requests whose answers did not come (yet).
    pub(super) pending: usize,
    /// Something went wrong, so that what comes next may be an answer to anything.
    is_lost: bool,
}

impl Session {
    /// Nothing was asked yet.
    pub(super) fn new(link: Link) -> Session {
        Session { link, decoder: Decoder::default(), pending: 0, is_lost: false }
    }

    /// Sends a request and waits for what `understand` takes for its answer, or for one that cannot
    /// be. What it does not take is skipped.
    ///
    /// # Errors
    /// If no answer comes, or one that cannot be; and ever after, because what comes then might be
    /// the answer that did not.
    pub(super) fn ask<T>(
        &mut self,
        request: &[u8],
        wait: &Wait,
        mut understand: impl FnMut(&[u8]) -> Option<Result<T, String>>,
    ) -> Result<T, MemoryError> {
        if std::mem::replace(&mut self.is_lost, true) {
            return Err(MemoryError::Source(
                "a request before was not answered, so answers cannot be told apart any more"
                    .to_owned(),
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
                    "{unsolicited} replies, and none of them to {}",
                    excerpt(request)
                )));
            }
        }
    }

    /// From here on Ctrl-C does not disturb, and what went wrong does not matter. Waits for the
    /// answers that are due, or what may be them.
    pub(super) fn settle(&mut self, wait: &Wait) {
        self.link.ignores_signals = true;
        self.is_lost = false;
        while self.pending > 0 {
            match self.event(wait) {
                Ok(Event::Packet(body))
                    if !reply::is_unsolicited(&body) && self.link.send(b"+", wait).is_ok() =>
                {
                    self.pending -= 1
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }

    /// Sends a request that may let the target run on, and shows `understand` all that comes until
    /// that has seen enough.
    ///
    /// Nothing is acknowledged: to QEMU, any byte that comes while the target runs means to halt
    /// it.
    ///
    /// # Errors
    /// If nothing comes that `understand` takes.
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

    /// Sends a request, and returns its packet.
    fn send(&mut self, request: &[u8], wait: &Wait) -> Result<Vec<u8>, MemoryError> {
        // What came before the request does not answer it.
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
