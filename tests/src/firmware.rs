//! Reads stats in the memory of a device: in the file that backs its RAM, or as its processor sees
//! them.

use crate::files::{Held, Values};
use crate::qemu::Device;
use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::Header;
use mmstats_core::reader::{Directory, FormatError, ReadError, Source};
use mmstats_std::read::{Reader, RegionSource};
use std::convert::Infallible;
use std::fmt::Debug;
use std::fs::{self, File};
use std::io;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::Path;
use zerocopy::IntoBytes;

/// Returns the offsets of regions: multiples of 8 with a valid header.
#[must_use]
pub fn regions(bytes: &[u8]) -> Vec<usize> {
    let begin =
        bytes.chunks_exact(8).enumerate().filter(|(_, chunk)| *chunk == MAGIC).map(|(i, _)| 8 * i);
    begin
        .filter(|at| {
            matches!(
                Directory::open(&bytes[*at..]),
                Ok(_)
                    | Err(FormatError::ExternalDirectory { .. }
                        | FormatError::UnloadedDirectory { .. })
            )
        })
        .collect()
}

/// The region of a running device, in the file that backs its RAM.
#[derive(Debug)]
pub struct Live {
    ram: File,
    at: u64,
    length: u64,
}

impl Live {
    /// Finds the region in this file; `None` if either does not exist yet.
    ///
    /// # Panics
    /// If there is more than one.
    #[must_use]
    pub fn find(ram: &Path) -> Option<Live> {
        let memory = fs::read(ram).unwrap_or_default();
        let at = only_region(&memory)?;
        Some(Live {
            ram: File::open(ram).expect("it was read a moment ago"),
            at: at as u64,
            length: length(&memory[at..]),
        })
    }

    /// Reads the stats; `None` while the region is reinitialised or damaged.
    ///
    /// # Panics
    /// If the file cannot be read.
    #[must_use]
    pub fn values(&self) -> Option<Values> {
        values(self, self.length)
    }
}

impl Source for Live {
    type Error = io::Error;

    fn read_at(&self, at: usize, to: &mut [u64]) -> io::Result<usize> {
        self.ram.read_at(to.as_mut_bytes(), self.at + at as u64)
    }
}

impl RegionSource for Live {
    /// A file has no external directory.
    fn read_external_directory(&self, _: u64, _: u32) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

/// Reads the stats of a device with `size` bytes of RAM at this address; `None` without stats.
///
/// # Panics
/// If there is more than one region.
#[must_use]
pub fn probe(device: &Device, address: u64, size: u64) -> Option<Values> {
    let ram = device.memory(address, size);
    let at = only_region(&ram)?;
    values(&Probe { device, bytes: &ram[at..] }, length(&ram[at..]))
}

/// A copy of a region.
struct Probe<'d> {
    device: &'d Device,
    bytes: &'d [u8],
}

impl Source for Probe<'_> {
    type Error = Infallible;

    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, Infallible> {
        let there = &self.bytes[at.min(self.bytes.len())..];
        let to = to.as_mut_bytes();
        let length = there.len().min(to.len());
        to[..length].copy_from_slice(&there[..length]);
        Ok(length)
    }
}

impl RegionSource for Probe<'_> {
    fn read_external_directory(&self, address: u64, length: u32) -> Result<Vec<u8>, Infallible> {
        Ok(self.device.memory(address, length.into()))
    }
}

fn values<S: RegionSource<Error: Debug>>(source: &S, length: u64) -> Option<Values> {
    let mut reader = Reader::new();
    let sample = match reader.read_region(source, length) {
        Ok(sample) => sample,
        Err(ReadError::Format(_)) => return None,
        Err(error) => panic!("{error:?}"),
    };
    if !sample.layout().errors.is_empty() {
        return None;
    }
    let held =
        sample.fields().map(|(field, value)| Some((field.label.clone(), Held::from(value.ok()?))));
    held.collect::<Option<_>>().map(Values)
}

fn only_region(memory: &[u8]) -> Option<usize> {
    let regions = regions(memory);
    assert!(regions.len() < 2, "one region, not at {regions:#x?}");
    regions.first().copied()
}

/// Returns the length in a region's header.
fn length(region: &[u8]) -> u64 {
    u32::from_le_bytes(region[offset_of!(Header, length)..][..4].try_into().expect("four bytes"))
        .into()
}
