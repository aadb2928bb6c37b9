//! Finding regions in memory that holds them among other things.

use std::ops::Range;

use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::Header;
use mmstats_core::reader::header;

use super::memory::{Memory, MemoryError};

/// Bytes that are looked at together.
const CHUNK: usize = 1 << 20;

/// The addresses of all sound headers in these ranges: the magic at a multiple of 8, and a check that holds (FORMAT.md, "Finding regions").
///
/// # Errors
/// If the memory cannot be read at all. What cannot be read of it is passed over.
pub fn scan(memory: &mut dyn Memory, ranges: &[Range<u64>]) -> Result<Vec<u64>, MemoryError> {
    let mut found = Vec::new();
    let mut chunk = vec![0; CHUNK];
    for range in ranges {
        let Some(mut at) = range.start.checked_next_multiple_of(8) else { continue };
        while at < range.end {
            let most = usize::try_from(range.end - at).unwrap_or(CHUNK).min(CHUNK);
            let there = match memory.read(at, &mut chunk[..most]) {
                Ok(there) => there,
                Err(MemoryError::Unreadable { .. }) => 0,
                Err(error) => return Err(error),
            };
            let bytes = &chunk[..there];
            found.extend(headers(bytes).map(|offset| at + offset as u64));
            // A header may lie across the end of the chunk.
            let step = if there == CHUNK { CHUNK - Header::SIZE.next_multiple_of(8) } else { most };
            at = at.saturating_add(step as u64);
        }
    }
    found.dedup();
    Ok(found)
}

fn headers(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let starts = bytes.chunks_exact(8).enumerate().filter(|(_, word)| *word == MAGIC).map(|(i, _)| 8 * i);
    starts.filter(|start| header(&bytes[*start..]).is_ok())
}
