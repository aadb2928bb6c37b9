//! GDB's remote protocol: reads a target through QEMU, OpenOCD, probe-rs, J-Link, pyOCD or Black
//! Magic.
//!
//! # The target is halted meanwhile
//!
//! These servers halt the target when a client connects. It runs on when reading ends: on
//! [`Memory::close`], on drop (so also after errors and panics), and on SIGINT, SIGTERM and SIGHUP
//! (see `shutdown`). Only a reader that is killed by SIGKILL, or that loses its connection, leaves
//! it halted. A target that was halted before runs afterwards, too.
//!
//! It is released by `monitor resume` and `D`; if the server does not support that, by `c`.
//!
//! | server | |
//! |---|---|
//! | QEMU | runs on at `D`. Any byte that arrives while the target runs halts it again, so nothing is sent after that |
//! | OpenOCD | replies to `D` but leaves the target halted (unless its event `gdb-detach` is configured): hence `monitor resume` |
//! | gdbserver | runs on at `D` |
//! | probe-rs | runs on at `D`; old versions may not |
//! | pyOCD | runs on at `D`, and the server ends unless it was started with `--persist` |
//! | J-Link | some versions do not support `D`: `c` |
//! | Black Magic | has no target at first: `monitor swdp_scan` and `vAttach;1` before reading. Runs on at `D` |
//!
//! OpenOCD with an empty event `gdb-attach` does not halt the target; for unreadable memory,
//! OpenOCD returns zeros.
//!
//! The first three were tested (QEMU 7.2, OpenOCD 0.12 with a simulated RISC-V, gdbserver 13.1),
//! and servers that use the crate gdbstub, as probe-rs does. The rest is from the source or the
//! users of the others.

pub mod packet;
mod reply;
mod session;

use std::ops::Range;
use std::time::{Duration, Instant};

use super::link::{Link, Wait, excerpt};
use super::memory::{CloseReport, Memory, MemoryError, RunState};
use super::url::Host;
use packet::Event;
use reply::Status;
use session::Session;

/// The size of each access: registers may allow no other, and words must not be torn.
const WORD_BYTES: usize = 4;

/// The largest request that QEMU accepts.
const MAX_REQUEST_BYTES: usize = 2048;

/// The packet size of a server that gives none, as GDB assumes it.
const DEFAULT_PACKET_BYTES: usize = 400;

/// How often a target that stops again is resumed.
const MAX_RESUMES: usize = 3;

/// The timeouts of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GdbLimits {
    /// The timeout of connecting.
    pub connect: Duration,
    /// The timeout of each reply. Releasing the target takes up to twice as long.
    pub reply: Duration,
    /// The timeout of all requests together, except for the release.
    pub session: Duration,
}

impl Default for GdbLimits {
    /// Returns 3 s, 3 s, and a minute, which is enough for 1 MiB through a slow probe.
    fn default() -> Self {
        GdbLimits {
            connect: Duration::from_secs(3),
            reply: Duration::from_secs(3),
            session: Duration::from_secs(60),
        }
    }
}

/// A target of a GDB server. It runs on when this is dropped.
#[derive(Debug)]
pub struct Gdb {
    session: Session,
    limits: GdbLimits,
    /// The earliest time at which the target may have been halted.
    since: Instant,
    /// The size of the largest request.
    max_bytes: usize,
    is_halted: bool,
    is_released: bool,
}

impl Gdb {
    /// Connects, which halts the target.
    ///
    /// # Errors
    /// If there is no such server, or it has no target.
    pub fn connect(host: &Host) -> Result<Gdb, MemoryError> {
        Gdb::connect_within(host, GdbLimits::default())
    }

    /// Connects with other limits.
    ///
    /// # Errors
    /// If there is no such server, or it has no target.
    pub fn connect_within(host: &Host, limits: GdbLimits) -> Result<Gdb, MemoryError> {
        let since = Instant::now();
        let session = Session::new(Link::to_host(host, limits.connect)?);
        // Dropping releases the target if the handshake fails.
        let mut gdb = Gdb {
            session,
            limits,
            since,
            max_bytes: WORD_BYTES,
            is_halted: true,
            is_released: false,
        };
        gdb.handshake()?;
        Ok(gdb)
    }

    fn handshake(&mut self) -> Result<(), MemoryError> {
        // The feature is not used, but some servers require one.
        let size =
            self.ask(b"qSupported:hwbreak+", reply::packet_size)?.unwrap_or(DEFAULT_PACKET_BYTES);
        if size < 2 * WORD_BYTES {
            return Err(MemoryError::Source(format!(
                "the server accepts packets of {size} bytes (at least {} needed)",
                2 * WORD_BYTES
            )));
        }
        // Two digits for each byte.
        self.max_bytes = MAX_REQUEST_BYTES.min(size / 2) & !(WORD_BYTES - 1);
        match self.ask(b"?", reply::status)? {
            Status::Halted => Ok(()),
            Status::Running => {
                self.is_halted = false;
                Ok(())
            }
            Status::None(reply) => self.attach(&reply),
        }
    }

    /// Attaches to the first target that a Black Magic probe finds. Other servers reject the scan.
    fn attach(&mut self, reply: &str) -> Result<(), MemoryError> {
        let is_found = self.ask(&command("swdp_scan"), reply::command)?;
        if is_found && self.ask(b"vAttach;1", reply::status)? == Status::Halted {
            return Ok(());
        }
        Err(MemoryError::Source(format!("the server has no target: it says {reply}")))
    }

    fn ask<T>(
        &mut self,
        request: &[u8],
        understand: impl FnMut(&[u8]) -> Option<Result<T, String>>,
    ) -> Result<T, MemoryError> {
        let GdbLimits { reply, session, .. } = self.limits;
        let is_last = self.since.elapsed() + reply > session;
        let wait = if is_last {
            Wait::since(self.since, "all requests together", session)
        } else {
            Wait::new(excerpt(request), reply)
        };
        self.session.ask(request, &wait, understand)
    }

    /// Lets the target run, unless that has been done.
    fn release(&mut self) -> Result<(), MemoryError> {
        if std::mem::replace(&mut self.is_released, true) {
            return Ok(());
        }
        let third = self.limits.reply / 3;
        self.session.settle(&Wait::new("requests", third));
        if self.is_halted {
            // Most servers do not support it and need not.
            if let Err(MemoryError::Io(error)) =
                self.session.ask(&command("resume"), &Wait::new("resume", third), reply::command)
            {
                return Err(error.into());
            }
        }
        let mut pending = self.session.pending;
        let answer = self.session.detach(b"D", &Wait::new("a request to detach", third), |event| {
            let Event::Packet(body) = event else { return None };
            let is_detached = reply::detached(body)?;
            // A late reply to another request.
            let is_late = !is_detached && pending > 0;
            pending -= usize::from(is_late);
            (!is_late).then_some(is_detached)
        });
        match answer {
            Ok(true) => Ok(()),
            Ok(false) | Err(MemoryError::Timeout { .. }) => self.resume(third / 3),
            // Some servers close the connection at once.
            Err(MemoryError::Io(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Continues the target. The server does not reply before it stops again.
    fn resume(&mut self, timeout: Duration) -> Result<(), MemoryError> {
        for request in [&b"c"[..], b"vCont;c"] {
            for _ in 0..MAX_RESUMES {
                let mut is_acknowledged = false;
                let answer = self.session.detach(
                    request,
                    &Wait::new("a request to run on", timeout),
                    |event| match event {
                        Event::Packet(body) if reply::is_stop(body) => Some(true),
                        Event::Packet(body) if body.is_empty() || reply::error(body).is_some() => {
                            Some(false)
                        }
                        event => {
                            is_acknowledged |= *event == Event::Acknowledged;
                            None
                        }
                    },
                );
                match answer {
                    Err(MemoryError::Timeout { .. }) if is_acknowledged => return Ok(()),
                    // QEMU with a running target ignores the request but halts the target.
                    Ok(true) | Err(MemoryError::Timeout { .. }) => {}
                    Ok(false) => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Err(MemoryError::Source(
            "the target is halted: the server can neither detach nor continue it".to_owned(),
        ))
    }
}

/// Encodes a monitor command.
fn command(command: &str) -> Vec<u8> {
    [b"qRcmd,".to_vec(), packet::hex(command.as_bytes())].concat()
}

impl Memory for Gdb {
    /// Reads aligned words of 4 bytes, which may be more than `to` needs.
    fn read(&mut self, address: u64, to: &mut [u8]) -> Result<usize, MemoryError> {
        let start = address - address % WORD_BYTES as u64;
        let skipped = (address - start) as usize;
        // The highest address can be read, too.
        let room = (u64::MAX - start).saturating_add(1);
        let end = (skipped + to.len())
            .next_multiple_of(WORD_BYTES)
            .min(usize::try_from(room).unwrap_or(usize::MAX));
        let (mut done, mut most) = (0, self.max_bytes);
        while done < end {
            let at = start + done as u64;
            let count = most.min(end - done);
            let why = match self
                .ask(format!("m{at:x},{count:x}").as_bytes(), |body| reply::memory(body, count))?
            {
                reply::MemoryReply::Bytes(bytes) if bytes.len() >= WORD_BYTES => {
                    // Fewer bytes may mean that memory ends there; the next request shows it.
                    let whole = &bytes[..bytes.len() - bytes.len() % WORD_BYTES];
                    let from = skipped.saturating_sub(done).min(whole.len());
                    to.iter_mut()
                        .skip(done + from - skipped)
                        .zip(&whole[from..])
                        .for_each(|(to, byte)| *to = *byte);
                    done += whole.len();
                    continue;
                }
                reply::MemoryReply::Bytes(_) => "memory ends here".to_owned(),
                reply::MemoryReply::Unreadable(why) => why,
            };
            // A server that cannot read all returns nothing: a smaller request finds the end.
            if count > WORD_BYTES {
                most = (count / 2).next_multiple_of(WORD_BYTES);
            } else if done > skipped {
                break;
            } else {
                return Err(MemoryError::Unreadable { address: at.max(address), why });
            }
        }
        Ok(done.saturating_sub(skipped).min(to.len()))
    }

    fn ranges(&self) -> Vec<Range<u64>> {
        Vec::new()
    }

    fn run_state(&self) -> RunState {
        if self.is_halted {
            RunState::Stopped
        } else {
            RunState::Running { word: WORD_BYTES as u8 }
        }
    }

    fn close(mut self: Box<Self>) -> Result<CloseReport, MemoryError> {
        self.release()?;
        Ok(CloseReport { halted: self.is_halted.then(|| self.since.elapsed()) })
    }
}

impl Drop for Gdb {
    fn drop(&mut self) {
        // Errors cannot be returned here.
        let _ = self.release();
    }
}
