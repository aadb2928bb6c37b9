//! Stats in the memory of a device: live in the file that is its RAM, or in a copy of it.

use crate::files::{Held, Values};
use mmstats_core::format::MAGIC;
use mmstats_core::reader::{Directory, ReadError, Snapshot, Source};
use mmstats_std::read::{Reader, RegionSource};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use zerocopy::IntoBytes;

/// The stats in a copy of a device's memory; `None` if there are none.
///
/// # Panics
/// If there is more than one region, or it is damaged.
#[must_use]
pub fn values(memory: &[u8]) -> Option<Values> {
    let at = only_region(memory)?;
    let directory = Directory::open(&memory[at..]).expect("its header holds");
    let snapshot = Snapshot::of_dead(&memory[at..]);
    let held = directory.entries().map(|entry| {
        let entry = entry.unwrap_or_else(|problem| panic!("{problem}"));
        let value = snapshot.value(&entry.place).unwrap_or_else(|problem| panic!("{problem}"));
        (String::from_utf8_lossy(entry.label).into_owned(), Held::from(value))
    });
    Some(Values(held.collect()))
}

/// The region of a running device, in the file that is its RAM.
#[derive(Debug)]
pub struct Live {
    ram: File,
    at: u64,
    length: u64,
}

impl Live {
    /// Where it is in this file; `None` while there is none, or no file.
    ///
    /// # Panics
    /// If there is more than one.
    #[must_use]
    pub fn find(ram: &Path) -> Option<Live> {
        let memory = fs::read(ram).unwrap_or_default();
        let at = only_region(&memory)?;
        let length = Directory::open(&memory[at..]).ok()?.header()?.length;
        Some(Live { ram: File::open(ram).expect("it was read a moment ago"), at: at as u64, length: length.into() })
    }

    /// Its stats; `None` while it is made anew, and if some of it is damaged.
    ///
    /// # Panics
    /// If the file cannot be read.
    #[must_use]
    pub fn values(&self) -> Option<Values> {
        let mut reader = Reader::new();
        let sample = match reader.read_region(self, self.length) {
            Ok(sample) => sample,
            Err(ReadError::Problem(_)) => return None,
            Err(error) => panic!("{error:?}"),
        };
        if !sample.layout().problems.is_empty() {
            return None;
        }
        let held = sample.fields().map(|(field, value)| Some((field.label.clone(), Held::from(value.ok()?))));
        held.collect::<Option<_>>().map(Values)
    }
}

impl Source for Live {
    type Error = io::Error;

    fn copy(&self, at: usize, to: &mut [u64]) -> io::Result<usize> {
        self.ram.read_at(to.as_mut_bytes(), self.at + at as u64)
    }
}

impl RegionSource for Live {
    /// The file is all there is.
    fn outside(&self, _: u64, _: u32) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

fn only_region(memory: &[u8]) -> Option<usize> {
    let regions = regions(memory);
    assert!(regions.len() < 2, "one region, not at {regions:#x?}");
    regions.first().copied()
}

/// Where regions begin in some bytes: at multiples of 8, with a header that holds.
fn regions(bytes: &[u8]) -> Vec<usize> {
    let begin = bytes.chunks_exact(8).enumerate().filter(|(_, chunk)| *chunk == MAGIC).map(|(i, _)| 8 * i);
    begin.filter(|at| Directory::open(&bytes[*at..]).is_ok()).collect()
}
