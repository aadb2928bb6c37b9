//! Memory images: a file of raw bytes, or segments read from another format.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::memory::{CloseReport, Memory, MemoryError, RunState};

/// Memory in a file, as segments at addresses.
#[derive(Debug)]
pub(super) struct Image {
    /// In ascending order of their addresses, disjoint, not empty.
    parts: Vec<Segment>,
    run_state: RunState,
}

/// Contiguous bytes of memory.
#[derive(Debug)]
pub(super) struct Segment {
    /// The address of the first byte.
    pub(super) address: u64,
    /// The bytes.
    pub(super) bytes: SegmentBytes,
}

/// The bytes of a segment.
#[derive(Debug)]
pub(super) enum SegmentBytes {
    /// Bytes that have been read.
    InMemory(Vec<u8>),
    /// Bytes in a file.
    InFile {
        /// The file, shared by the segments: a core has thousands, more than a process has
        /// descriptors.
        file: Rc<File>,
        /// The offset of the first byte.
        offset: u64,
        /// The number of bytes.
        length: u64,
    },
}

impl Segment {
    fn length(&self) -> u64 {
        let length = match &self.bytes {
            SegmentBytes::InMemory(bytes) => bytes.len() as u64,
            SegmentBytes::InFile { length, .. } => *length,
        };
        // Addresses do not wrap around.
        length.min(u64::MAX - self.address)
    }

    fn end(&self) -> u64 {
        self.address + self.length()
    }

    /// Removes the bytes before this address.
    fn begin_at(&mut self, address: u64) {
        let skipped = address.saturating_sub(self.address).min(self.length());
        match &mut self.bytes {
            SegmentBytes::InMemory(bytes) => drop(bytes.drain(..skipped as usize)),
            SegmentBytes::InFile { offset, length, .. } => {
                *offset += skipped;
                *length -= skipped;
            }
        }
        self.address += skipped;
    }

    /// Reads from this address on, up to the end of the segment.
    fn read(&self, address: u64, to: &mut [u8]) -> io::Result<usize> {
        let at = address - self.address;
        let most = usize::try_from(self.length() - at).unwrap_or(usize::MAX).min(to.len());
        match &self.bytes {
            SegmentBytes::InMemory(bytes) => {
                to[..most].copy_from_slice(&bytes[at as usize..][..most]);
                Ok(most)
            }
            SegmentBytes::InFile { file, offset, .. } => file.read_at(&mut to[..most], offset + at),
        }
    }

    /// Returns the addresses that are not in a hole of the file.
    fn filled(&self) -> Vec<Range<u64>> {
        let SegmentBytes::InFile { file, offset, .. } = &self.bytes else {
            return vec![self.address..self.end()];
        };
        let extents = extents(file, *offset..offset + self.length()).into_iter();
        extents
            .map(|extent| {
                self.address + (extent.start - offset)..self.address + (extent.end - offset)
            })
            .collect()
    }
}

impl Image {
    /// Creates an image of raw bytes, the first of which has this address. They may change, such as
    /// the memory of a virtual machine that is a file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn raw(file: File, address: u64) -> io::Result<Image> {
        let length = file.metadata()?.len();
        let bytes = SegmentBytes::InFile { file: Rc::new(file), offset: 0, length };
        Ok(Image {
            run_state: RunState::Running { word: 8 },
            ..Image::from_segments(vec![Segment { address, bytes }])
        })
    }

    /// Creates an image of segments that do not change. Where two overlap, the one at the lower
    /// address is used.
    #[must_use]
    pub(super) fn from_segments(mut parts: Vec<Segment>) -> Image {
        parts.sort_by_key(|part| part.address);
        let mut end = 0;
        for part in &mut parts {
            part.begin_at(end);
            end = end.max(part.end());
        }
        parts.retain(|part| part.length() > 0);
        Image { parts, run_state: RunState::Stopped }
    }

    /// Returns the segment that contains this address.
    fn find(&self, address: u64) -> Option<&Segment> {
        let after = self.parts.partition_point(|part| part.address <= address);
        self.parts[..after].last().filter(|part| address < part.end())
    }

    /// Returns [`Memory::ranges`] without the holes of a sparse file, which are zeros. It includes
    /// the header of each region, but not always all of it.
    #[must_use]
    pub(super) fn filled(&self) -> Vec<Range<u64>> {
        joined(self.parts.iter().flat_map(Segment::filled))
    }

    /// Describes the addresses for messages.
    #[must_use]
    pub(super) fn describe(&self) -> String {
        const SHOWN: usize = 4;
        let ranges = self.ranges();
        let all: Vec<_> = ranges
            .iter()
            .take(SHOWN)
            .map(|range| format!("{:#x} to {:#x}", range.start, range.end))
            .collect();
        match ranges.len() {
            0 => "no memory at all".to_owned(),
            count if count > SHOWN => format!("{} and {} more", all.join(", "), count - SHOWN),
            _ => all.join(", "),
        }
    }
}

impl Memory for Image {
    fn read(&mut self, address: u64, to: &mut [u8]) -> Result<usize, MemoryError> {
        let mut available = 0;
        let mut why = None;
        while available < to.len() {
            let Some(at) = address.checked_add(available as u64) else { break };
            let Some(part) = self.find(at) else { break };
            match part.read(at, &mut to[available..]) {
                Ok(0) => {
                    why = Some("the file was truncated meanwhile".to_owned());
                    break;
                }
                Ok(more) => available += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A bad block of a disk; the bytes next to it can still be read.
                Err(error) => {
                    why = Some(error.to_string());
                    break;
                }
            }
        }
        if available == 0 && !to.is_empty() {
            return Err(MemoryError::Unreadable {
                address,
                why: why.unwrap_or_else(|| format!("it has {}", self.describe())),
            });
        }
        Ok(available)
    }

    fn ranges(&self) -> Vec<Range<u64>> {
        joined(self.parts.iter().map(|part| part.address..part.end()))
    }

    fn run_state(&self) -> RunState {
        self.run_state
    }

    fn close(self: Box<Self>) -> Result<CloseReport, MemoryError> {
        Ok(CloseReport { halted: None })
    }
}

/// Merges adjacent ranges, which are in ascending order.
fn joined(ranges: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => joined.push(range),
        }
    }
    joined
}

/// Returns the offsets in this range at which the file has blocks; all of them if the file system
/// does not say.
fn extents(file: &File, range: Range<u64>) -> Vec<Range<u64>> {
    let mut extents = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start.max(at),
            Err(Errno::NXIO) => break,
            Err(_) => at,
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(start))
            .ok()
            .filter(|end| *end > start)
            .unwrap_or(range.end)
            .min(range.end);
        if start < range.end {
            extents.push(start..end);
        }
        at = start.max(end);
    }
    extents
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn here(address: u64, bytes: &[u8]) -> Segment {
        Segment { address, bytes: SegmentBytes::InMemory(bytes.to_vec()) }
    }

    fn read(image: &mut Image, address: u64) -> Vec<u8> {
        let mut bytes = vec![0xee; 100];
        let available = image.read(address, &mut bytes).unwrap();
        bytes.truncate(available);
        bytes
    }

    #[test]
    fn adjacent_segments_merge_and_of_overlapping_ones_the_lower_is_used() {
        let mut image = Image::from_segments(vec![
            here(30, &[3; 4]),
            here(10, &[1; 10]),
            here(15, &[9; 3]),
            here(18, &[2; 4]),
            here(22, &[]),
            here(22, &[4]),
        ]);
        assert_eq!(image.ranges(), [10..23, 30..34]);
        assert_eq!(read(&mut image, 18), [1, 1, 2, 2, 4]);
        assert_eq!(read(&mut image, 33), [3]);
        for address in [0, 9, 23, 29, 34, u64::MAX] {
            let error = image.read(address, &mut [0]).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("{address:#x} cannot be read: it has 0xa to 0x17, 0x1e to 0x22")
            );
        }
        assert_eq!(image.read(0, &mut []).unwrap(), 0);
    }

    #[test]
    fn memory_may_go_up_to_the_last_address() {
        let mut image = Image::from_segments(vec![here(u64::MAX - 4, &[1; 99]), here(0, &[2; 3])]);
        assert_eq!(image.ranges(), [0..3, u64::MAX - 4..u64::MAX]);
        assert_eq!(read(&mut image, u64::MAX - 2), [1, 1]);
    }

    #[test]
    fn holes_of_a_sparse_file_can_be_read_and_are_not_searched() {
        let mut file = tempfile::tempfile_in("/dev/shm").unwrap();
        file.set_len(64 << 20).unwrap();
        for at in [1 << 20, 50 << 20] {
            file.write_all_at(&[7; 10], at).unwrap();
        }
        file.flush().unwrap();
        let mut image = Image::raw(file, 0x1000).unwrap();
        assert_eq!(image.ranges(), [0x1000..0x1000 + (64 << 20)]);
        assert_eq!(read(&mut image, 0x1000), [0; 100]);
        let filled = image.filled();
        let searched: u64 = filled.iter().map(|range| range.end - range.start).sum();
        assert!(searched <= 1 << 20, "{filled:?}");
        for at in [1 << 20, 50 << 20] {
            assert!(
                filled
                    .iter()
                    .any(|range| range.start <= 0x1000 + at && 0x1000 + at + 10 <= range.end),
                "{filled:?}"
            );
        }
    }

    #[test]
    fn a_file_that_is_truncated_meanwhile_is_an_error() {
        let file = tempfile::tempfile_in("/dev/shm").unwrap();
        file.set_len(100).unwrap();
        let mut image = Image::raw(file.try_clone().unwrap(), 0).unwrap();
        file.set_len(50).unwrap();
        assert_eq!(read(&mut image, 40), [0; 10]);
        assert_eq!(
            image.read(60, &mut [0]).unwrap_err().to_string(),
            "0x3c cannot be read: the file was truncated meanwhile"
        );
    }
}
