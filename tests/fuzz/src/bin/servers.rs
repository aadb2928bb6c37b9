//! The clients of GDB's remote protocol and of QEMU's machine protocol, whose servers answer with
//! anything: each chunk of the input up to 0xff is the answer to one message.
#![no_main]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mmstats_tools::source::gdb::{GdbLimits, packet};
use mmstats_tools::source::url::{Host, Socket};
use mmstats_tools::source::{Gdb, Memory, MemoryError, Qmp};

/// The server closes the connection after its last answer, so this is hardly ever reached.
const TIMEOUT: Duration = Duration::from_millis(50);

/// Answers each message by the next chunk, made a valid packet for GDB unless it begins with `$`.
fn serve(mut client: TcpStream, chunks: &[u8], is_gdb: bool) {
    let mut message = [0; 4096];
    for chunk in chunks.split(|byte| *byte == 0xff) {
        let answer = match chunk {
            [b'$', ..] => chunk.to_vec(),
            _ if is_gdb => [b"+", &packet::encode(chunk)[..]].concat(),
            _ => [chunk, b"\n"].concat(),
        };
        // QEMU greets its client before any message.
        if client.write_all(&answer).is_err() || matches!(client.read(&mut message), Ok(0) | Err(_))
        {
            break;
        }
    }
}

/// Reads at the ends and in the middle of the address space.
fn read(memory: &mut impl Memory) -> Result<(), MemoryError> {
    let mut bytes = [0; 100];
    for address in [0, 0x2000_0001, u64::MAX - 3] {
        assert!(memory.read(address, &mut bytes)? <= bytes.len());
    }
    Ok(())
}

fn run(port: u16, is_gdb: bool) -> Result<(), MemoryError> {
    let host = Host { name: Ipv4Addr::LOCALHOST.to_string(), port };
    if is_gdb {
        let limits = GdbLimits { connect: TIMEOUT, reply: TIMEOUT, session: TIMEOUT };
        let mut target = Gdb::connect_within(&host, limits)?;
        read(&mut target)?;
        Box::new(target).close().map(drop)
    } else {
        let mut machine = Qmp::connect_within(&Socket::Tcp(host), TIMEOUT)?;
        read(&mut machine)
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&mode, chunks)) = data.split_first() else { return };
    let is_gdb = mode & 1 == 0;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::scope(|scope| {
        scope.spawn(|| serve(listener.accept().expect("a client").0, chunks, is_gdb));
        if let Err(error) = run(port, is_gdb) {
            assert!(!error.to_string().is_empty());
        }
        // On a busy machine the client may give up before it is connected: ends the wait for one.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
    });
});
