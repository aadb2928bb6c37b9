//! Regions in memory images, and the output of `slurpstats` for them.

use crate::cli::{Outcome, program, run};
use crate::elf::Elf;
use crate::regions::{bytes, leaked_region};
use mmstats_core::format::v2::Header;
use mmstats_std::{Counter, Gauge, Latched, Model, Text, Unit, V2, model};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

model! {
    /// A region for images.
    pub struct Pump in "pump." {
        /// Since it was built.
        turns: Counter<u32>,
        /// Now.
        pressure: Gauge<Latched<u64>> [Unit::named("pascals")],
        /// Current state
        state: Text<12> => "idle",
    }
}

/// Returns the bytes of a region whose pump has made this many turns.
///
/// # Panics
/// Never: the memory is large enough.
#[must_use]
pub fn pump(turns: u32) -> Vec<u8> {
    let region = leaked_region(Pump::SIZE / 8);
    let view = region.view();
    run_pump(&Pump::publish(region).expect("it fits"), turns);
    bytes(&view)
}

/// Like [`pump`], with an external directory in the memory of this program.
///
/// # Panics
/// Never: the memory is large enough.
#[must_use]
pub fn pump_with_flash(turns: u32) -> (Vec<u8>, Directory) {
    let publisher = Pump::publisher().directory_in_flash();
    let region = leaked_region(publisher.size() / 8);
    let view = region.view();
    run_pump(&publisher.publish(region).expect("it fits"), turns);
    let bytes = bytes(&view);
    let address = u64::from_ne_bytes(std::array::from_fn(|i| {
        bytes[std::mem::offset_of!(Header, directory) + i]
    }));
    (bytes, Directory { address, entries: Pump::<V2>::directory().entries })
}

/// An external directory.
#[derive(Clone, Copy, Debug)]
pub struct Directory {
    /// Its address.
    pub address: u64,
    /// The entries.
    pub entries: &'static [u8],
}

fn run_pump(pump: &Pump, turns: u32) {
    pump.turns.add(turns);
    pump.pressure.set(Latched(u64::from(turns) << 32));
    pump.state.set("running");
}

/// Returns the output for a pump, below its name.
#[must_use]
pub fn pump_text(turns: u32) -> String {
    format!(
        "  pump.turns    {turns}\n  pump.pressure {}\n  pump.state    running\n",
        u64::from(turns) << 32
    )
}

/// A temporary directory in memory.
#[derive(Debug)]
pub struct Dir(TempDir);

impl Default for Dir {
    fn default() -> Self {
        Dir(crate::programs::directory())
    }
}

impl Dir {
    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Creates a file.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn file(&self, name: impl AsRef<Path>, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("it can be written");
        path
    }

    /// Runs `slurpstats` in this directory, so that paths are short.
    pub fn slurp<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Outcome {
        run(Command::new(program("--bin", "slurpstats")).current_dir(self.path()).args(arguments))
    }
}

/// Returns an image of `length` other bytes, with these bytes at these offsets.
#[must_use]
pub fn image(length: usize, regions: &[(usize, &[u8])]) -> Vec<u8> {
    // All byte values, in an order that no header has.
    let mut bytes: Vec<u8> =
        (0..length).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 13) as u8).collect();
    for (at, region) in regions {
        bytes[*at..at + region.len()].copy_from_slice(region);
    }
    bytes
}

/// Asserts that everything was read and printed.
///
/// # Panics
/// If it was not.
#[track_caller]
pub fn assert_prints(outcome: &Outcome, expected: &str) {
    assert_eq!((outcome.out.as_str(), outcome.err.as_str(), outcome.status), (expected, "", 0));
}

/// Asserts these error messages, this output, and a failure status.
///
/// # Panics
/// If it was not.
#[track_caller]
pub fn assert_reports(outcome: &Outcome, reported: &[&str], printed: &str) {
    let reported: String = reported.iter().map(|line| format!("slurpstats: {line}\n")).collect();
    assert_eq!(
        (outcome.err.as_str(), outcome.out.as_str(), outcome.status),
        (reported.as_str(), printed, 1)
    );
}

/// Returns the output for pumps of 1, 2, … turns at these addresses of a source.
#[must_use]
pub fn pumps(source: &str, places: &[u64]) -> String {
    places.iter().zip(1..).map(|(at, turns)| pump_at(source, *at, turns)).collect()
}

/// Returns the output for one pump.
#[must_use]
pub fn pump_at(source: &str, at: u64, turns: u32) -> String {
    format!("==> {source}@{at:#x}\n{}\n", pump_text(turns))
}

/// Creates a program for this machine.
#[must_use]
pub fn native_program() -> Elf {
    Elf::program(cfg!(target_pointer_width = "64"), cfg!(target_endian = "big"))
}

/// Creates a core of this machine.
#[must_use]
pub fn native_core() -> Elf {
    Elf::core(cfg!(target_pointer_width = "64"), cfg!(target_endian = "big"))
}
