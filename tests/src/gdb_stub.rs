//! A GDB server built with a third-party library.

use crate::gdb_server::{BASE, listen, memory};
use gdbstub::arch::{Arch, Registers};
use gdbstub::common::Signal;
use gdbstub::conn::ConnectionExt;
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};
use gdbstub::stub::{DisconnectReason, GdbStub, SingleThreadStopReason};
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::singlethread::{
    SingleThreadBase, SingleThreadResume, SingleThreadResumeOps,
};
use gdbstub::target::{Target, TargetError, TargetResult};
use mmstats_tools::source::url::Host;
use std::io;
use std::net::TcpStream;
use std::thread::{self, JoinHandle};

/// A server built with the crate `gdbstub`, like that of probe-rs. It serves one connection.
pub struct Honest {
    /// Its address.
    pub host: Host,
    thread: JoinHandle<DisconnectReason>,
}

impl Honest {
    /// Starts the server.
    #[must_use]
    pub fn start() -> Honest {
        let (listener, host) = listen();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            GdbStub::new(stream)
                .run_blocking::<NeverStops>(&mut Device(memory()))
                .expect("the client follows the protocol")
        });
        Honest { host, thread }
    }

    /// Returns `true` if the client detached.
    ///
    /// # Panics
    /// If the client broke the protocol.
    #[must_use]
    pub fn was_left_running(self) -> bool {
        self.thread.join().expect("the server does not fail") == DisconnectReason::Disconnect
    }
}

/// A target that only has memory.
struct Device(Vec<u8>);

/// 32 bits.
enum Narrow {}

/// A register, as the library requires one.
#[derive(Clone, Debug, Default, PartialEq)]
struct Pc;

impl Registers for Pc {
    type ProgramCounter = u32;

    fn pc(&self) -> u32 {
        0
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        (0..4).for_each(|_| write_byte(Some(0)));
    }

    fn gdb_deserialize(&mut self, _: &[u8]) -> Result<(), ()> {
        Ok(())
    }
}

impl Arch for Narrow {
    type Usize = u32;
    type Registers = Pc;
    type BreakpointKind = usize;
    type RegId = ();
}

impl Target for Device {
    type Arch = Narrow;
    type Error = &'static str;

    fn base_ops(&mut self) -> BaseOps<'_, Narrow, &'static str> {
        BaseOps::SingleThread(self)
    }

    /// There are no breakpoints.
    fn guard_rail_implicit_sw_breakpoints(&self) -> bool {
        true
    }
}

impl SingleThreadBase for Device {
    fn read_registers(&mut self, _: &mut Pc) -> TargetResult<(), Self> {
        Ok(())
    }

    fn write_registers(&mut self, _: &Pc) -> TargetResult<(), Self> {
        Ok(())
    }

    fn read_addrs(&mut self, address: u32, to: &mut [u8]) -> TargetResult<usize, Self> {
        let there = address
            .checked_sub(BASE)
            .and_then(|at| self.0.get(at as usize..))
            .filter(|there| !there.is_empty());
        let there = there.ok_or(TargetError::NonFatal)?;
        let count = there.len().min(to.len());
        to[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }

    fn write_addrs(&mut self, _: u32, _: &[u8]) -> TargetResult<(), Self> {
        Err(TargetError::NonFatal)
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadResume for Device {
    fn resume(&mut self, _: Option<Signal>) -> Result<(), &'static str> {
        Ok(())
    }
}

enum NeverStops {}

impl BlockingEventLoop for NeverStops {
    type Target = Device;
    type Connection = TcpStream;
    type StopReason = SingleThreadStopReason<u32>;

    fn wait_for_stop_reason(
        _: &mut Device,
        connection: &mut TcpStream,
    ) -> Result<Event<Self::StopReason>, WaitForStopReasonError<&'static str, io::Error>> {
        ConnectionExt::read(connection)
            .map(Event::IncomingData)
            .map_err(WaitForStopReasonError::Connection)
    }

    fn on_interrupt(_: &mut Device) -> Result<Option<Self::StopReason>, &'static str> {
        Ok(Some(SingleThreadStopReason::Signal(Signal::SIGINT)))
    }
}
