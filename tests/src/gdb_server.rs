//! A GDB server that a test controls.

use mmstats_tools::source::url::Host;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The start of the servers' memory: not a multiple of a packet's size; nor is the end a multiple
/// of 4 KiB.
pub const BASE: u32 = 0x2000_0100;

/// The size of the memory in bytes.
pub const LENGTH: usize = 10_020;

/// Returns the memory: no two neighbouring parts are equal, and some can be run-length encoded.
#[must_use]
pub fn memory() -> Vec<u8> {
    let mut memory: Vec<u8> = (0..LENGTH).map(|i| ((i * i) >> 3) as u8 ^ i as u8).collect();
    memory[3000..3500].fill(0);
    memory[5001..5100].fill(0x77);
    memory
}

/// Returns the part of [`memory`] at an address.
///
/// # Panics
/// If it is out of bounds.
#[must_use]
pub fn part(address: u32, length: usize) -> Vec<u8> {
    memory()[(address - BASE) as usize..][..length].to_vec()
}

/// Listens on a free port.
pub(crate) fn listen() -> (TcpListener, Host) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, Host { name: "127.0.0.1".to_owned(), port })
}

/// A scripted server. It serves one connection, and answers correctly unless the script answers.
pub struct Scripted {
    /// Its address.
    pub host: Host,
    heard: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<()>,
}

/// The server's side of the connection.
pub struct Talk {
    stream: TcpStream,
    is_closed: bool,
    is_deaf: bool,
}

impl Talk {
    /// Sends these bytes and ignores errors.
    pub fn send(&mut self, bytes: &[u8]) {
        self.is_deaf |= self.stream.write_all(bytes).is_err();
    }

    /// Sends a packet.
    pub fn reply(&mut self, body: &str) {
        self.send(packet(body.as_bytes()).as_slice());
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Returns `true` if the client is gone.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.is_deaf
    }
}

/// Encodes a packet whose body needs no escapes.
#[must_use]
pub fn packet(body: &[u8]) -> Vec<u8> {
    let sum = body.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    [b"$", body, format!("#{sum:02x}").as_bytes()].concat()
}

/// Encodes bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Parses the address and length of a memory request.
#[must_use]
pub fn asked(request: &str) -> Option<(u32, usize)> {
    let (address, length) = request.strip_prefix('m')?.split_once(',')?;
    Some((u32::from_str_radix(address, 16).ok()?, usize::from_str_radix(length, 16).ok()?))
}

/// Returns the answer of a correct server, which does not support `qRcmd`.
#[must_use]
pub fn honest(request: &str) -> String {
    if let Some((address, length)) = asked(request) {
        let there = address.checked_sub(BASE).filter(|at| *at as usize + length <= LENGTH);
        return there.map_or("E01".to_owned(), |_| hex(&part(address, length)));
    }
    match request {
        "?" => "T05thread:01;".to_owned(),
        "D" => "OK".to_owned(),
        _ if request.starts_with("qSupported:") => "PacketSize=1000;hwbreak+".to_owned(),
        _ => String::new(),
    }
}

impl Scripted {
    /// Starts the server. `play` receives each request and returns `true` if it has answered.
    pub fn start(mut play: impl FnMut(&str, &mut Talk) -> bool + Send + 'static) -> Scripted {
        let (listener, host) = listen();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = heard.clone();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            stream.set_nodelay(true).expect("it is a TCP socket");
            // Bounds the time of a test whose client hangs.
            stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it is not zero");
            stream.set_write_timeout(Some(Duration::from_secs(30))).expect("it is not zero");
            let mut talk = Talk { stream, is_closed: false, is_deaf: false };
            while let Some(request) = next(&mut talk) {
                hears.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
                let is_packet = request != "+" && request != "-";
                if !play(&request, &mut talk) && is_packet {
                    talk.send(b"+");
                    talk.reply(&honest(&request));
                }
            }
        });
        Scripted { host, heard, thread }
    }

    /// Returns everything received until the client disconnected: requests, `+` and `-`.
    ///
    /// # Panics
    /// If the script failed.
    #[must_use]
    pub fn heard(self) -> Vec<String> {
        self.thread.join().expect("the script does not fail");
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads the body of the next packet, `+` or `-`.
fn next(talk: &mut Talk) -> Option<String> {
    let mut body = None::<Vec<u8>>;
    loop {
        let mut byte = [0];
        if talk.is_closed || talk.stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        match (&mut body, byte[0]) {
            (None, b'$') => body = Some(Vec::new()),
            (None, byte) => return Some(char::from(byte).to_string()),
            (Some(body), b'#') => {
                talk.stream.read_exact(&mut [0; 2]).ok()?;
                return Some(String::from_utf8_lossy(body).into_owned());
            }
            (Some(body), byte) => body.push(byte),
        }
    }
}
