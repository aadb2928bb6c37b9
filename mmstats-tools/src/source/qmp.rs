//! QEMU's machine protocol: reads the memory of a running machine.
//!
//! QEMU writes the memory to a file (`pmemsave`) that this process creates in a private directory.
//! So QEMU must run on the same machine, see the same files, and be allowed to write this one: as
//! the same user, or as root. Addresses are physical. For addresses without memory, and for
//! machines whose processor has its own memory (microbit), QEMU returns zeros. The machine's state
//! does not change.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::link::{Link, Wait, excerpt};
use super::memory::{CloseReport, Memory, MemoryError, RunState};
use super::url::Socket;

/// The size of words that must not be torn.
const WORD_BYTES: usize = 4;

/// Bounds a request, as QEMU's devices wait meanwhile.
const MAX_REQUEST_BYTES: usize = 1 << 20;

/// Longer messages are an error.
const MAX_MESSAGE_BYTES: usize = 1 << 16;

/// The number of events that may precede a reply.
const MAX_UNSOLICITED: usize = 1000;

/// The timeout of the connection and of each reply.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A machine in QEMU.
#[derive(Debug)]
pub struct Qmp {
    // Dropped before the link, which holds signals off.
    _folder: TempDir,
    link: Link,
    timeout: Duration,
    /// The number of requests so far.
    asked: u64,
    /// The file that QEMU writes.
    file: File,
    name: String,
}

impl Qmp {
    /// Connects, which does not affect the machine.
    ///
    /// # Errors
    /// If there is no QEMU, or it has another client.
    pub fn connect(socket: &Socket) -> Result<Qmp, MemoryError> {
        Qmp::connect_within(socket, TIMEOUT)
    }

    /// Connects with a timeout for the connection and for each reply.
    ///
    /// # Errors
    /// If there is no QEMU, or it has another client.
    pub fn connect_within(socket: &Socket, timeout: Duration) -> Result<Qmp, MemoryError> {
        let link = match socket {
            Socket::Tcp(host) => Link::to_host(host, timeout)?,
            Socket::Unix(path) => Link::to_path(path, timeout)?,
        };
        let folder = tempfile::Builder::new().prefix("mmstats-qmp-").tempdir()?;
        let path = folder.path().join("memory");
        let Some(name) = path.to_str().map(str::to_owned) else {
            return Err(MemoryError::Source(format!(
                "QEMU needs a file name in UTF-8, not {}",
                path.display()
            )));
        };
        // If QEMU created it, as another user, it might not be readable.
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        let mut qmp = Qmp { _folder: folder, link, timeout, asked: 0, file, name };
        let greeting =
            qmp.message(&Wait::new("a connection (QEMU accepts one client at a time)", timeout))?;
        if greeting.get("QMP").is_none() {
            return Err(MemoryError::Source(format!(
                "not QEMU's machine protocol: it begins with {}",
                excerpt(greeting.to_string().as_bytes())
            )));
        }
        qmp.ask("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Executes a command.
    fn ask(&mut self, execute: &str, arguments: &Value) -> Result<(), MemoryError> {
        self.asked += 1;
        let wait = Wait::new(execute, self.timeout);
        let command = json!({ "execute": execute, "arguments": arguments, "id": self.asked });
        self.link.send(format!("{command}\n").as_bytes(), &wait)?;
        for _ in 0..MAX_UNSOLICITED {
            let message = self.message(&wait)?;
            // An error about an unparsable command has no id.
            let is_mine = message.get("id").is_none_or(|id| *id == self.asked);
            if let (true, Some(error)) = (is_mine, message.get("error")) {
                let why = error["desc"].as_str().unwrap_or("without a reason");
                return Err(MemoryError::Source(format!(
                    "QEMU refuses {execute}: {}",
                    excerpt(why.as_bytes())
                )));
            }
            if message.get("return").is_some() && message["id"] == self.asked {
                return Ok(());
            }
        }
        Err(MemoryError::Source(format!("no answer to {execute} in {MAX_UNSOLICITED} messages")))
    }

    /// Receives the next message, a line of JSON.
    fn message(&mut self, wait: &Wait) -> Result<Value, MemoryError> {
        let mut line = Vec::new();
        loop {
            match self.link.receive(wait)? {
                b'\n' => break,
                _ if line.len() == MAX_MESSAGE_BYTES => {
                    return Err(MemoryError::Source(format!(
                        "a message of more than {MAX_MESSAGE_BYTES} bytes"
                    )));
                }
                byte => line.push(byte),
            }
        }
        serde_json::from_slice(&line).map_err(|error| {
            MemoryError::Source(format!(
                "not QEMU's machine protocol: {} ({error})",
                excerpt(&line)
            ))
        })
    }

    /// Has QEMU write memory to the file and reads it from there.
    fn copy(&mut self, address: u64, to: &mut [u8]) -> Result<(), MemoryError> {
        // The old content must not be mistaken for the new one.
        self.file.set_len(0)?;
        self.ask("pmemsave", &json!({ "val": address, "size": to.len(), "filename": self.name }))?;
        let written = self.file.metadata()?.len();
        if written != to.len() as u64 {
            let (wanted, name) = (to.len(), &self.name);
            let what = format!(
                "QEMU wrote {written} of {wanted} bytes to {name}: it must run on this machine and see its files"
            );
            return Err(MemoryError::Source(what));
        }
        self.file.read_exact_at(to, 0)?;
        Ok(())
    }
}

impl Memory for Qmp {
    /// Reads aligned words of 4 bytes, which may be more than `to` needs.
    fn read(&mut self, address: u64, to: &mut [u8]) -> Result<usize, MemoryError> {
        let mut buffer = Vec::new();
        let mut done = 0;
        while done < to.len() {
            let Some(at) = address.checked_add(done as u64) else { break };
            let skipped = (at % WORD_BYTES as u64) as usize;
            let count = (to.len() - done).min(MAX_REQUEST_BYTES - WORD_BYTES);
            buffer.resize((skipped + count).next_multiple_of(WORD_BYTES), 0);
            self.copy(at - skipped as u64, &mut buffer)?;
            to[done..done + count].copy_from_slice(&buffer[skipped..skipped + count]);
            done += count;
        }
        Ok(done)
    }

    fn ranges(&self) -> Vec<Range<u64>> {
        Vec::new()
    }

    fn run_state(&self) -> RunState {
        RunState::Running { word: WORD_BYTES as u8 }
    }

    fn close(self: Box<Self>) -> Result<CloseReport, MemoryError> {
        Ok(CloseReport { halted: None })
    }
}
