//! One request, one answer, whatever else the server sends.

use super::packet::{Decoder, Event, encode};
use crate::source::link::{Link, Wait, excerpt};
use crate::source::memory::MemoryError;

/// How often a damaged reply is asked for again, and a refused request sent again.
const REPEATS: usize = 3;

/// How many packets that answer nothing are skipped before an answer.
const STRAYS: usize = 1000;

/// A connection on which requests are answered in turn.
#[derive(Debug)]
pub(super) struct Exchange {
    link: Link,
    /// An answer is due; what comes next may be an answer to that.
    is_owed: bool,
}

impl Exchange {
    /// Nothing was asked yet.
    pub(super) fn new(link: Link) -> Exchange {
        Exchange { link, is_owed: false }
    }

    /// Sends a request and waits for what `understand` takes for its answer, or for one that cannot be. What it does not take is skipped.
    ///
    /// # Errors
    /// If no answer comes, or one that cannot be; and ever after, because what comes then might be the answer that did not.
    pub(super) fn ask<T>(&mut self, request: &[u8], wait: &Wait, mut understand: impl FnMut(&[u8]) -> Option<Result<T, String>>) -> Result<T, MemoryError> {
        if self.is_owed {
            return Err(MemoryError::Source("a request before was not answered, so answers cannot be told apart any more".to_owned()));
        }
        self.is_owed = true;
        // What came before the request does not answer it.
        self.link.forget()?;
        let (packet, mut decoder) = (encode(request), Decoder::default());
        self.link.send(&packet, wait)?;
        let (mut refused, mut damaged, mut strays) = (0, 0, 0);
        loop {
            match self.event(&mut decoder, wait)? {
                Event::Acknowledged => {}
                Event::Notification => strays += 1,
                Event::Refused => {
                    refused += 1;
                    if refused > REPEATS {
                        return Err(MemoryError::Source(format!("the server refused {} {refused} times", excerpt(request))));
                    }
                    self.link.send(&packet, wait)?;
                }
                Event::Damaged(fault) => {
                    damaged += 1;
                    if damaged > REPEATS {
                        return Err(MemoryError::Source(format!("{fault} ({damaged} times, to {})", excerpt(request))));
                    }
                    self.link.send(b"-", wait)?;
                }
                Event::Packet(body) => {
                    self.link.send(b"+", wait)?;
                    match understand(&body) {
                        Some(Ok(answer)) => {
                            self.is_owed = false;
                            return Ok(answer);
                        }
                        Some(Err(what)) => return Err(MemoryError::Source(what)),
                        None => strays += 1,
                    }
                }
            }
            if strays > STRAYS {
                return Err(MemoryError::Source(format!("{strays} replies, and none of them to {}", excerpt(request))));
            }
        }
    }

    /// From here on Ctrl-C does not disturb, and what is owed does not matter.
    pub(super) fn hurry(&mut self) {
        self.link.is_undisturbed = true;
        self.is_owed = false;
    }

    /// Sends a request that may let the target run on, and shows `understand` all that comes until that has seen enough.
    ///
    /// Nothing is acknowledged: to QEMU, any byte that comes while the target runs means to halt it.
    ///
    /// # Errors
    /// If nothing comes that `understand` takes.
    pub(super) fn part<T>(&mut self, request: &[u8], wait: &Wait, mut understand: impl FnMut(&Event) -> Option<T>) -> Result<T, MemoryError> {
        self.link.forget()?;
        self.link.send(&encode(request), wait)?;
        let mut decoder = Decoder::default();
        loop {
            if let Some(answer) = understand(&self.event(&mut decoder, wait)?) {
                return Ok(answer);
            }
        }
    }

    fn event(&mut self, decoder: &mut Decoder, wait: &Wait) -> Result<Event, MemoryError> {
        loop {
            if let Some(event) = decoder.push(self.link.receive(wait)?) {
                return Ok(event);
            }
        }
    }
}
