//! Helpers of the fuzz targets: regions with valid checks, and sources that change while they are
//! read.
//!
//! Each target is a program in `src/bin/`; `run` builds and runs them.

pub mod metrics;
pub mod tool;
pub mod writers;

use std::cell::Cell;
use std::io;

use mmstats_core::Type;
use mmstats_core::format::crc32;
use mmstats_core::format::v2::{BYTE_ORDER, EXTERNAL_DIRECTORY, Header, MAGIC};
use mmstats_core::reader::{Distribution, Lossy, Source, Value};
use mmstats_std::read::RegionSource;
use zerocopy::{FromBytes, IntoBytes};

/// An input, taken apart: a byte whose bit 0 corrects the region's header, the length of the region
/// as a little-endian `u16`, the region, and the rest, which is an external directory and also says
/// how the region changes while it is read.
pub struct Input<'d> {
    /// The bytes of the region.
    pub region: Vec<u8>,
    /// The rest.
    pub rest: &'d [u8],
}

impl<'d> Input<'d> {
    /// Takes an input apart; `None` if it is too short.
    #[must_use]
    pub fn new(data: &'d [u8]) -> Option<Input<'d>> {
        let ([mode, length @ ..], data) = data.split_first_chunk::<3>()?;
        let length = usize::from(u16::from_le_bytes(*length)).min(data.len());
        let (region, rest) = data.split_at(length);
        let mut region = region.to_vec();
        if mode & 1 != 0 {
            seal(&mut region, rest);
        }
        Some(Input { region, rest })
    }

    /// Returns the states that the region goes through: as it is, changed, and cut off.
    #[must_use]
    pub fn states(&self) -> [Vec<u8>; 3] {
        let mut changed = self.region.clone();
        for (index, byte) in self.rest.iter().enumerate() {
            let length = changed.len().max(1);
            if let Some(at) = changed.get_mut(index * 7 % length) {
                *at ^= byte;
            }
        }
        [self.region.clone(), changed, self.region[..self.region.len() / 2].to_vec()]
    }
}

/// The orders in which reads meet the states of [`Input::states`].
pub const SEQUENCES: [&[usize]; 6] =
    [&[0], &[0, 1], &[0, 0, 1, 2], &[0, 2], &[2, 0], &[0, 0, 0, 1, 1]];

/// Corrects the header of a version 2 region, so that mutations get past its checks.
pub fn seal(region: &mut [u8], external: &[u8]) {
    let Ok((stored, _)) = Header::read_from_prefix(region) else { return };
    let is_native = stored.byte_order == BYTE_ORDER;
    let mut header = if is_native { stored } else { stored.swapped() };
    header.magic = MAGIC;
    header.byte_order = BYTE_ORDER;
    header.word = if header.word & 1 == 0 { 8 } else { 4 };
    header.flags &= EXTERNAL_DIRECTORY | 0xf0;
    header.directory &= !3;
    let length = region.len();
    let entries = if header.flags & EXTERNAL_DIRECTORY == 0 {
        if header.directory > length as u64 {
            header.directory = Header::SIZE as u64 + header.directory % 64;
        }
        if header.length as usize > 2 * length {
            header.length = length as u32;
        }
        let start = (header.directory as usize).min(length);
        header.published = header.published.min((length - start) as u32) & !3;
        &region[start..start + header.published as usize]
    } else {
        header.published = header.published.min(external.len() as u32);
        &external[..header.published as usize]
    };
    header.layout = crc32(0, entries);
    let store = |header: Header| if is_native { header } else { header.swapped() };
    let check = crc32(0, &store(header).as_bytes()[..Header::CHECKED]);
    header.check = check;
    region[..Header::SIZE].copy_from_slice(store(header).as_bytes());
}

/// A region that changes between reads: read number `i` sees state `sequence[i]`, later ones begin
/// again.
pub struct Changing<'s> {
    states: &'s [Vec<u8>],
    sequence: &'s [usize],
    external: &'s [u8],
    reads: Cell<usize>,
}

impl<'s> Changing<'s> {
    /// Creates a region of these states.
    #[must_use]
    pub fn new(states: &'s [Vec<u8>], sequence: &'s [usize], external: &'s [u8]) -> Self {
        Changing { states, sequence, external, reads: Cell::new(0) }
    }
}

impl Source for Changing<'_> {
    type Error = io::Error;

    fn read_at(&self, at: usize, to: &mut [u64]) -> io::Result<usize> {
        let read = self.reads.replace(self.reads.get() + 1);
        let state = &self.states[self.sequence[read % self.sequence.len()]];
        let from = state.get(at..).unwrap_or_default();
        let to = to.as_mut_bytes();
        let length = from.len().min(to.len());
        to[..length].copy_from_slice(&from[..length]);
        to[length..].fill(0);
        Ok(length)
    }
}

impl RegionSource for Changing<'_> {
    fn read_external_directory(&self, _: u64, _: u32) -> io::Result<Vec<u8>> {
        Ok(self.external.to_vec())
    }
}

/// Uses a value of this type in all ways that readers do.
///
/// # Panics
/// If what it says contradicts itself.
pub fn examine(ty: Type, value: &Value<'_>) {
    let _ = value.as_f64();
    match value {
        Value::Histogram(distribution) => examine_distribution(distribution),
        Value::Text(text) => {
            let _ = Lossy(text).to_string();
            assert!(ty == Type::Pascal || !text.contains(&0), "a NUL ends the text");
        }
        _ => {}
    }
}

fn examine_distribution(distribution: &Distribution<'_>) {
    let mut previous = None;
    for (low, high, count) in distribution.buckets() {
        assert!(count > 0);
        assert!(previous.is_none_or(|previous| previous < low), "buckets ascend");
        assert!(high.is_none_or(|high| low <= high), "a bucket has values");
        previous = Some(high.unwrap_or(u64::MAX));
    }
    let _ = distribution.count();
    let quantiles = [0.0, 0.5, 0.99, 1.0].map(|fraction| distribution.quantile(fraction));
    assert!(quantiles.is_sorted(), "quantiles ascend");
    for fraction in [f64::NAN, -1.0, f64::INFINITY] {
        let _ = distribution.quantile(fraction);
    }
}
