//! Finds regions in memory that also holds other data.

use std::ops::Range;

use memchr::memmem::Finder;
use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::Header;
use mmstats_core::reader::header;

use super::memory::{Memory, MemoryError};

/// The amount of memory that is read and searched at once.
const CHUNK_BYTES: usize = 1 << 20;

/// The step over unreadable memory: the smallest page size, and the granularity of most memory
/// protection.
const PAGE_BYTES: u64 = 4096;

/// The alignment of regions in memory whose addresses are known (FORMAT.md, "Finding regions").
pub(super) const ALIGNMENT: u64 = 8;

/// The addresses that a scan finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Valid headers.
    pub(super) regions: Vec<u64>,
    /// Headers that are very likely of regions, but damaged, cut short or not yet complete.
    pub(super) suspects: Vec<u64>,
}

impl Found {
    /// Returns both in ascending order.
    #[must_use]
    pub(super) fn all(self) -> Vec<u64> {
        let mut all = [self.regions, self.suspects].concat();
        all.sort_unstable();
        all
    }
}

/// Searches these ranges for regions at multiples of `alignment`.
///
/// # Errors
/// If the source fails. Memory that is unreadable is skipped.
pub(super) fn scan(
    memory: &mut dyn Memory,
    ranges: &[Range<u64>],
    alignment: u64,
) -> Result<Found, MemoryError> {
    let mut found = Found::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    // The half of the magic that stays while a region is reinitialised.
    let tail = Finder::new(&MAGIC[4..]);
    for range in ranges {
        let mut at = range.start;
        while at < range.end {
            let most = usize::try_from(range.end - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let available = match memory.read(at, &mut chunk[..most]) {
                Ok(available) => available,
                Err(MemoryError::Unreadable { .. }) => 0,
                Err(error) => return Err(error),
            };
            let bytes = &chunk[..available];
            for end in tail.find_iter(bytes) {
                let Some(start) = end.checked_sub(4) else { continue };
                let address = at + start as u64;
                match judge(&bytes[start..]) {
                    _ if address % alignment != 0 => {}
                    Some(Candidate::Region) => found.regions.push(address),
                    // The next chunk has all of it.
                    Some(Candidate::Suspect)
                        if available == CHUNK_BYTES && available - start < Header::SIZE => {}
                    Some(Candidate::Suspect) => found.suspects.push(address),
                    None => {}
                }
            }
            let step = match available {
                CHUNK_BYTES => (CHUNK_BYTES - Header::SIZE) as u64,
                _ if available == most => break,
                _ => PAGE_BYTES + available as u64 - (at + available as u64) % PAGE_BYTES,
            };
            let Some(next) = at.checked_add(step) else { break };
            at = next;
        }
    }
    // A header that ends where a chunk ends is found twice.
    found.regions.dedup();
    found.suspects.dedup();
    Ok(found)
}

enum Candidate {
    Region,
    Suspect,
}

/// Classifies bytes whose second four are the magic's. The magic alone is not enough, as programs
/// that read regions contain it; and a header that a writer prepares elsewhere has no generation.
fn judge(bytes: &[u8]) -> Option<Candidate> {
    let is_made = || {
        bytes
            .get(Header::GENERATION..Header::PUBLISHED)
            .is_none_or(|generation| generation != [0; 4])
    };
    if bytes.starts_with(&MAGIC) {
        let has_byte_order = matches!(bytes[MAGIC.len()..], [] | [1 | 2] | [1, 2, ..] | [2, 1, ..]);
        return match header(bytes) {
            Ok(_) => Some(Candidate::Region),
            Err(_) => (has_byte_order && is_made()).then_some(Candidate::Suspect),
        };
    }
    let mut whole: [u8; Header::SIZE] = *bytes.first_chunk()?;
    let is_cleared = whole[..4] == [0; 4];
    whole[..4].copy_from_slice(&MAGIC[..4]);
    (is_cleared && is_made() && header(&whole).is_ok()).then_some(Candidate::Suspect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::image::{Image, Segment, SegmentBytes};
    use crate::source::memory::{CloseReport, RunState};
    use mmstats_core::{Counter, Region, V2, Writer};
    use zerocopy::IntoBytes;

    fn region() -> Vec<u8> {
        let region = Region::new(vec![0; 16].leak());
        let view = region.view();
        Writer::<V2>::new(region).unwrap().add::<Counter<u32>>(Counter::builder("a")).unwrap();
        let mut words = [0; 16];
        view.read_at(0, &mut words);
        words.as_bytes().to_vec()
    }

    fn scanned(address: u64, bytes: &[u8], alignment: u64) -> Found {
        let mut image = Image::from_segments(vec![Segment {
            address,
            bytes: SegmentBytes::InMemory(bytes.to_vec()),
        }]);
        let ranges = image.ranges();
        scan(&mut image, &ranges, alignment).unwrap()
    }

    fn found(regions: &[u64], suspects: &[u64]) -> Found {
        Found { regions: regions.to_vec(), suspects: suspects.to_vec() }
    }

    #[test]
    fn a_region_is_found_at_any_place_in_a_chunk_and_across_its_end() {
        let mut bytes = vec![0; 3 * CHUNK_BYTES];
        for at in [
            0,
            1000,
            CHUNK_BYTES - 48,
            CHUNK_BYTES - 40,
            CHUNK_BYTES - 32,
            CHUNK_BYTES - 8,
            CHUNK_BYTES,
            2 * CHUNK_BYTES - 40 - 40,
            2 * CHUNK_BYTES - 80,
            3 * CHUNK_BYTES - 128,
        ] {
            bytes.fill(0);
            bytes[at..at + 128].copy_from_slice(&region());
            assert_eq!(
                scanned(0x2000_0000, &bytes, 8),
                found(&[0x2000_0000 + at as u64], &[]),
                "{at:#x}"
            );
        }
    }

    #[test]
    fn an_unknown_address_lets_regions_lie_anywhere() {
        let mut bytes = vec![0; CHUNK_BYTES + 1000];
        for at in [1, 12, CHUNK_BYTES - 45, CHUNK_BYTES - 39, CHUNK_BYTES - 7, CHUNK_BYTES - 1] {
            bytes.fill(0);
            bytes[at..at + 128].copy_from_slice(&region());
            assert_eq!(scanned(0, &bytes, 1), found(&[at as u64], &[]), "{at:#x}");
            assert_eq!(scanned(0, &bytes, 8), Found::default());
        }
    }

    #[test]
    fn damaged_truncated_and_unfinished_headers_are_suspects() {
        let region = region();
        let with = |at: usize, new: &[u8]| {
            let mut bytes = [&[0; 64][..], &region].concat();
            bytes[64 + at..64 + at + new.len()].copy_from_slice(new);
            bytes
        };
        assert_eq!(scanned(0, &with(0, &[]), 8), found(&[64], &[]));
        for damaged in [with(12, &[0xff]), with(24, &[0; 4]), with(0, &[0; 4])] {
            assert_eq!(scanned(0, &damaged, 8), found(&[], &[64]));
        }
        for cut in 8..Header::SIZE {
            assert_eq!(scanned(0, &with(0, &[])[..64 + cut], 8), found(&[], &[64]), "{cut}");
        }
        // A magic alone, half a header of anything, and memory that never was a region.
        for other in [
            with(8, &[0; 2]),
            with(8, b"name"),
            with(0, &[7; 4]),
            with(4, &[0]),
            [with(0, &[0; 4]), vec![0; 8]].concat()[..80].to_vec(),
        ] {
            assert_eq!(scanned(0, &other, 8), Found::default());
        }
        for mut never in [with(0, &[0; 4]), with(24, &[0; 4])] {
            never[64 + Header::GENERATION..][..4].fill(0);
            assert_eq!(scanned(0, &never, 8), Found::default());
        }
    }

    /// Memory with pages that cannot be read.
    struct Patchy {
        bytes: Vec<u8>,
        bad: Vec<u64>,
    }

    impl Memory for Patchy {
        fn read(&mut self, address: u64, to: &mut [u8]) -> Result<usize, MemoryError> {
            let is_bad = |at: u64| self.bad.contains(&(at / PAGE_BYTES));
            let available =
                (address..address + to.len() as u64).take_while(|at| !is_bad(*at)).count();
            if available == 0 {
                return Err(MemoryError::Unreadable { address, why: "a bad page".to_owned() });
            }
            to[..available].copy_from_slice(&self.bytes[address as usize..][..available]);
            Ok(available)
        }

        fn ranges(&self) -> Vec<Range<u64>> {
            vec![0..self.bytes.len() as u64]
        }

        fn run_state(&self) -> RunState {
            RunState::Stopped
        }

        fn close(self: Box<Self>) -> Result<CloseReport, MemoryError> {
            Ok(CloseReport { halted: None })
        }
    }

    #[test]
    fn regions_next_to_unreadable_memory_are_found() {
        let mut bytes = vec![0; 64 * PAGE_BYTES as usize];
        let starts = [0, 2 * PAGE_BYTES, 5 * PAGE_BYTES - 128, 7 * PAGE_BYTES, 63 * PAGE_BYTES];
        for start in starts {
            bytes[start as usize..][..128].copy_from_slice(&region());
        }
        let mut memory = Patchy { bytes, bad: vec![1, 5, 6, 8, 62] };
        let ranges = memory.ranges();
        assert_eq!(scan(&mut memory, &ranges, 8).unwrap(), found(&starts, &[]));
        let odd = 100..64 * PAGE_BYTES - 3;
        assert_eq!(scan(&mut memory, &[odd], 8).unwrap(), found(&starts[1..], &[]));
    }
}
