//! A running device is read through its emulator: halted for a moment at any instruction, or not
//! halted at all. It always continues.
#![cfg(feature = "devices")]

use mmstats_core::reader::{
    Directory, ReadBuffers, Snapshot, Source, Storage, Value, ValueError, ValueLocation, read,
};
use mmstats_tests::damage::Random;
use mmstats_tests::firmware::regions;
use mmstats_tests::programs::{self, Program};
use mmstats_tests::qemu::{Device, Machine, firmware};
use mmstats_tools::source::url::{Host, Socket};
use mmstats_tools::source::{Gdb, Memory, MemoryError, Qmp, RunState};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use zerocopy::IntoBytes;

/// The address of the board's RAM and of the file's first byte.
const RAM: u64 = 0x2100_0000;

/// A size in bytes that is enough for the region.
const SIZE: usize = 640;

/// The number of halts.
const STOPS: usize = 200;

/// A board that writes as fast as possible, and the address of its region.
struct Board {
    device: Device,
    region: u64,
}

impl Board {
    fn start(prepare: impl FnOnce(Machine) -> Machine) -> Board {
        let machine = Machine::mps2_an385(&firmware("thumbv7m-none-eabi", "full-speed"));
        let device = prepare(machine.gdb()).start();
        let region = device.wait_for("a region", || {
            let memory = fs::read(device.ram()).ok()?;
            // During initialisation there can be a second copy of its header.
            regions(&memory).into_iter().find(|region| round(&memory[*region..]).is_some())
        });
        let board = Board { device, region: RAM + region as u64 };
        board.runs();
        board
    }

    fn gdb(&self) -> Gdb {
        Gdb::connect(&self.host()).unwrap()
    }

    fn host(&self) -> Host {
        Host { name: "127.0.0.1".to_owned(), port: self.device.gdb().port() }
    }

    /// Returns the last completed round, from the file that backs the RAM: the debugger is not
    /// involved.
    fn round(&self) -> u64 {
        let mut region = vec![0; SIZE];
        File::open(self.device.ram())
            .unwrap()
            .read_exact_at(&mut region, self.region - RAM)
            .unwrap();
        round(&region).unwrap()
    }

    /// Waits until the device makes progress.
    fn runs(&self) {
        let round = self.round();
        self.device.wait_for("progress", || (self.round() != round).then_some(()));
    }
}

/// Returns the last completed round, if the device has started.
fn round(region: &[u8]) -> Option<u64> {
    let directory = Directory::open(region).ok()?;
    let done = directory.entries().flatten().find(|entry| entry.label == b"rounds.done")?;
    match Snapshot::from_static_bytes(region).value(&done.location) {
        Ok(Value::Unsigned(round)) => Some(round),
        other => panic!("{other:?}"),
    }
}

/// A part of memory, for the core's reader.
struct At<'m>(RefCell<&'m mut dyn Memory>, u64);

impl Source for At<'_> {
    type Error = MemoryError;

    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, MemoryError> {
        self.0.borrow_mut().read(self.1 + at as u64, to.as_mut_bytes())
    }
}

/// The values of the fields at one halt.
struct HaltedValues {
    bytes: Vec<u8>,
    locations: BTreeMap<String, ValueLocation>,
    begun: u64,
    done: u64,
    pair: Result<u64, ValueError>,
    text: Result<Vec<u8>, ValueError>,
    twice: Result<u64, ValueError>,
    /// Sum and buckets: smallest value and count.
    spread: Result<(u64, Vec<(u64, u64)>), ValueError>,
}

fn read_halted(memory: &mut dyn Memory, region: u64) -> HaltedValues {
    let mut copies = vec![0; ReadBuffers::words(SIZE)];
    let mut buffers = ReadBuffers::new(&mut copies);
    let (directory, snapshot) = read(&At(RefCell::new(memory), region), &mut buffers).unwrap();
    let entries: Vec<_> = directory.entries().map(Result::unwrap).collect();
    let value = |label: &str| {
        let entry = entries.iter().find(|entry| entry.label == label.as_bytes()).unwrap();
        snapshot.value(&entry.location)
    };
    let number = |label: &str| {
        value(label).map(|value| match value {
            Value::Unsigned(number) => number,
            other => panic!("{label}: {other:?}"),
        })
    };
    let text = value("rounds.text").map(|value| match value {
        Value::Text(text) => text.to_vec(),
        other => panic!("{other:?}"),
    });
    let spread = value("rounds.spread").map(|value| match value {
        Value::Histogram(spread) => {
            (spread.sum, spread.buckets().map(|(low, _, count)| (low, count)).collect())
        }
        other => panic!("{other:?}"),
    });
    HaltedValues {
        bytes: snapshot.bytes().to_vec(),
        locations: entries
            .iter()
            .map(|entry| (String::from_utf8_lossy(entry.label).into_owned(), entry.location))
            .collect(),
        begun: number("rounds.begun").unwrap(),
        done: number("rounds.done").unwrap(),
        pair: number("rounds.pair"),
        text,
        twice: number("rounds.twice"),
        spread,
    }
}

/// Returns the text of a round.
fn letters(round: u64) -> Vec<u8> {
    vec![b'A' + (round % 8) as u8; 12]
}

/// Returns the sum and the count of each value after this number of rounds.
fn spread_after(rounds: u64) -> (u64, Vec<(u64, u64)>) {
    let count = |value| if value == 0 { rounds / 8 } else { (rounds + 8 - value) / 8 };
    let buckets: Vec<_> =
        (0..8).map(|value| (value, count(value))).filter(|(_, count)| *count > 0).collect();
    (buckets.iter().map(|(value, count)| value * count).sum(), buckets)
}

impl HaltedValues {
    /// Checks that every field has its value of the current or previous round, and that they
    /// changed in order. Returns the number of changed fields.
    fn changed_fields(&self) -> usize {
        let HaltedValues { begun, done, .. } = *self;
        assert!(begun == done || begun == done + 1, "round {begun} began, {done} ended");
        let pair = self.pair.unwrap();
        assert!(
            [done, begun].map(|round| round << 32 | round).contains(&pair),
            "{pair:#x} in round {begun}"
        );
        let text = self.text.as_ref().unwrap();
        assert!(
            [done, begun].map(letters).contains(text),
            "{} in round {begun}",
            String::from_utf8_lossy(text)
        );
        let twice = self.twice.unwrap();
        assert!([2 * done, 2 * begun].contains(&twice), "{twice} in round {begun}");
        // A histogram is two writes: a bucket, then the sum.
        let (sum, buckets) = self.spread.as_ref().unwrap();
        let recorded = buckets.iter().map(|(_, count)| count).sum();
        assert!([done, begun].contains(&recorded), "{recorded} values in round {begun}");
        assert_eq!(*buckets, spread_after(recorded).1);
        assert!(
            [done, recorded].map(|round| spread_after(round).0).contains(sum),
            "a sum of {sum} after {recorded} values in round {begun}"
        );
        let is_recorded = recorded == begun;
        // A recorded 0 changes only the bucket.
        let is_summed = is_recorded && *sum == spread_after(begun).0;
        let changed = [
            pair & 0xffff_ffff == begun,
            *text == letters(begun),
            is_recorded,
            is_summed,
            twice == 2 * begun,
            done == begun,
        ];
        assert!(
            changed.is_sorted_by(|before, after| before >= after),
            "{changed:?} in round {begun}"
        );
        changed.into_iter().filter(|changed| *changed).count()
    }

    /// Returns `true` if the halt was between two stores to this latch: the buffer that readers do
    /// not use holds parts of two values.
    fn is_torn_when_halted(&self, label: &str) -> bool {
        let location = &self.locations[label];
        assert_eq!(location.storage, Storage::Latched);
        let stride = location.size.next_multiple_of(4) as usize;
        let start = location.offset as usize;
        let sequence = self.bytes[start + 2 * stride];
        let buffer =
            &self.bytes[start + usize::from(sequence & 1 ^ 1) * stride..][..location.size as usize];
        match label {
            "rounds.pair" => buffer[..4] != buffer[4..],
            _ => buffer.iter().any(|letter| *letter != buffer[0]),
        }
    }
}

/// Returns QEMU's arguments to check for debuggers at each instruction, not only at each jump.
fn at_each_instruction() -> &'static [&'static str] {
    let version = Command::new("qemu-system-arm").arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let major = version
        .split_once("version ")
        .and_then(|(_, rest)| rest.split('.').next()?.parse::<u32>().ok())
        .unwrap();
    if major < 9 { &["-singlestep"] } else { &["-accel", "tcg,one-insn-per-tb=on"] }
}

#[test]
fn a_halt_within_a_write_leaves_the_last_complete_value() {
    let board = Board::start(|machine| machine.args(at_each_instruction()));
    let mut random = Random(42);
    let (mut stages, mut torn, mut rounds, mut halted) = ([0; 7], [0; 2], Vec::new(), Vec::new());
    for _ in 0..STOPS {
        board.runs();
        thread::sleep(Duration::from_micros(random.below(3000) as u64));
        let mut gdb = board.gdb();
        let values = read_halted(&mut gdb, board.region);
        halted.push(Box::new(gdb).close().unwrap().halted.unwrap());
        let changed = values.changed_fields();
        // Between two rounds, all fields have changed.
        stages[if values.begun == values.done { 6 } else { changed }] += 1;
        torn[0] += usize::from(values.is_torn_when_halted("rounds.pair"));
        torn[1] += usize::from(values.is_torn_when_halted("rounds.text"));
        rounds.push(values.begun);
    }
    halted.sort_unstable();
    println!(
        "stopped {STOPS} times, after {stages:?} of 6 fields; {torn:?} times between two stores to the number and the text"
    );
    println!(
        "halted for {:?} (half of the times), {:?} at most; {} rounds",
        halted[STOPS / 2],
        halted[STOPS - 1],
        rounds[STOPS - 1]
    );
    assert!(rounds.is_sorted_by(|before, after| before < after));
    // The halts hit writes. (The number is written by two consecutive stores, which are rarely
    // hit.)
    assert!(torn[1] > 0, "{torn:?}");
    assert!(stages.iter().filter(|count| **count > 0).count() >= 5, "{stages:?}");
}

#[test]
fn a_device_is_halted_while_a_debugger_reads_and_continues_afterwards() {
    let board = Board::start(|machine| machine);
    let mut gdb = board.gdb();
    assert_eq!(gdb.run_state(), RunState::Stopped);
    let (first, second) =
        (read_halted(&mut gdb, board.region), read_halted(&mut gdb, board.region));
    assert_eq!(first.bytes, second.bytes);
    assert_eq!(board.round(), first.done);
    assert!(Box::new(gdb).close().unwrap().halted.is_some());
    board.runs();
    // It also continues after an error, or after no read.
    let mut gdb = board.gdb();
    let error = gdb.read(0x7000_0000, &mut [0; 4]).unwrap_err();
    assert_eq!(error.to_string(), "0x70000000 cannot be read: the server says \"E14\"");
    drop(gdb);
    board.runs();
    drop(board.gdb());
    board.runs();
}

#[test]
fn a_device_whose_reader_is_terminated_continues() {
    let board = Board::start(|machine| machine);
    let mut random = Random(1);
    for i in 0..30 {
        let mut reader = Command::new(env!("CARGO_BIN_EXE_reads_target"));
        reader.args([
            format!("gdb://{}", board.host()),
            format!("{:x}", board.region),
            format!("{SIZE:x}"),
        ]);
        let mut program = Program::spawn(&mut reader);
        if i % 2 == 0 {
            program.expect("reading");
        }
        // Sometimes even before it has connected.
        thread::sleep(Duration::from_micros(random.below(20_000) as u64));
        let signal = [Signal::INT, Signal::TERM, Signal::HUP][i % 3];
        kill_process(Pid::from_raw(program.pid() as i32).unwrap(), signal).unwrap();
        let end = program.end();
        assert!(!end.status.success(), "{end:?}");
        board.runs();
    }
}

/// A second monitor that receives all events.
struct Events {
    socket: UnixStream,
    lines: std::io::Lines<BufReader<UnixStream>>,
}

impl Events {
    fn at(path: &Path) -> Events {
        let socket = UnixStream::connect(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let lines = BufReader::new(socket.try_clone().unwrap()).lines();
        let mut events = Events { socket, lines };
        events.ask("qmp_capabilities");
        events
    }

    /// Returns the events since the last call.
    fn ask(&mut self, execute: &str) -> Vec<String> {
        writeln!(self.socket, "{}", json!({ "execute": execute })).unwrap();
        let mut happened = Vec::new();
        loop {
            let message: Json = serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap();
            if let Some(event) = message["event"].as_str() {
                happened.push(event.to_owned());
            }
            if message.get("return").is_some() {
                return happened;
            }
        }
    }
}

#[test]
fn a_device_is_not_stopped_by_its_emulators_monitor() {
    let directory = programs::directory();
    let path = directory.path().join("events");
    let argument = format!("unix:{},server=on,wait=off", path.display());
    let board = Board::start(|machine| machine.args(&["-qmp", &argument]));
    let mut events = Events::at(&path);
    events.ask("query-status");
    drop(board.gdb());
    assert_eq!(events.ask("query-status"), ["STOP", "RESUME"], "the events of a halt");

    let mut qmp = Qmp::connect(&Socket::Unix(board.device.qmp_socket().to_owned())).unwrap();
    assert_eq!(qmp.run_state(), RunState::Running { word: 4 });
    let first = board.round();
    let mut last = first;
    for _ in 0..STOPS {
        let values = read_halted(&mut qmp, board.region);
        assert!(values.begun >= last, "{} after {last}", values.begun);
        last = values.begun;
        // Written this fast, they are rarely consistent; but if so, they are right.
        if let Ok(pair) = values.pair {
            assert_eq!(pair >> 32, pair & 0xffff_ffff);
        }
        if let Ok(text) = values.text {
            assert!((0..8).any(|round| text == letters(round)), "{text:?}");
        }
        assert!(values.twice.is_err() || values.twice.unwrap() % 2 == 0);
    }
    assert!(last > first, "it did not continue meanwhile");
    assert_eq!(events.ask("query-status"), [""; 0]);
    assert_eq!(Box::new(qmp).close().unwrap().halted, None);
    board.runs();
}

#[test]
fn a_paused_device_is_read_through_the_monitor_and_stays_paused() {
    let board = Board::start(|machine| machine);
    board.device.qmp("stop", &json!({}));
    let mut qmp = Qmp::connect(&Socket::Unix(board.device.qmp_socket().to_owned())).unwrap();
    let read = read_halted(&mut qmp, board.region);
    read.changed_fields();
    let mut all = vec![0xee; 5 << 20];
    assert_eq!(qmp.read(RAM, &mut all).unwrap(), all.len());
    assert!(fs::read(board.device.ram()).unwrap()[..all.len()] == all, "another memory");
    drop(qmp);
    assert_eq!(board.device.qmp("query-status", &json!({}))["status"], "paused");
}
