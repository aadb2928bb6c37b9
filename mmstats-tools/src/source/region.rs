//! A region of some memory, and reading it.

use std::array;
use std::cell::RefCell;
use std::rc::Rc;

use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::{EXTERNAL_DIRECTORY, Header, UNLOADED_DIRECTORY};
use mmstats_core::reader::{Directory, FormatError, ReadError, Source, header};
use mmstats_std::read::{MAX_REGION_BYTES, Reader, RegionSource, Sample};
use zerocopy::IntoBytes;

use super::error::RegionError;
use super::firmware::Firmware;
use super::memory::{Memory, MemoryError, RunState};

/// Memory that several regions share.
pub(super) type Shared = Rc<RefCell<Box<dyn Memory>>>;

/// The first number of bytes read of version 1, whose length is unknown until its end is read.
const INITIAL_BYTES: usize = 256;

/// A region of some memory.
pub struct Region {
    /// Its source and its address there.
    pub name: String,
    bytes: RegionBytes,
    firmware: Option<Rc<Firmware>>,
}

enum RegionBytes {
    /// A copy.
    Copied {
        /// The region.
        words: Vec<u64>,
        /// The number of bytes that could be read.
        length: usize,
        /// The external directory, if it is in the same memory.
        outside: Vec<u8>,
    },
    /// Memory that changes and is read again for each sample.
    Live { memory: Shared, address: u64, length: usize },
}

impl Region {
    /// Opens the region at an address. Memory that does not change, and version 1, is copied at
    /// once, so that the memory can be closed.
    ///
    /// # Errors
    /// If the address has no region.
    pub(super) fn open(
        name: String,
        memory: &Shared,
        address: u64,
        firmware: Option<Rc<Firmware>>,
    ) -> Result<Region, RegionError> {
        let mut borrowed = memory.borrow_mut();
        let run_state = borrowed.run_state();
        let mut start = [0; Header::SIZE];
        let available = borrowed.read(address, &mut start)?;
        let start = &start[..available];
        match Directory::open(start) {
            Ok(directory) if directory.version() == 1 => {
                let (words, length) = copy_version_1(&mut **borrowed, address)?;
                if Directory::open(&words.as_bytes()[..length])?.entries().next().is_none() {
                    return Err(RegionError::NoFields);
                }
                return Ok(Region {
                    name,
                    bytes: RegionBytes::Copied { words, length, outside: Vec::new() },
                    firmware,
                });
            }
            Ok(_)
            | Err(FormatError::ExternalDirectory { .. } | FormatError::UnloadedDirectory { .. }) => {
            }
            Err(error) => return Err(diagnose(start, error)),
        }
        let (head, _) = header(start)?;
        let length = head.length as usize;
        if length > MAX_REGION_BYTES {
            return Err(RegionError::TooLarge { length });
        }
        let ranges = borrowed.ranges();
        match run_state {
            // A target that is halted for this, while a file can be read at any time.
            RunState::Stopped if ranges.is_empty() => {
                let (words, length) = copy(&mut **borrowed, address, length)?;
                let mut outside = Vec::new();
                if head.flags & (EXTERNAL_DIRECTORY | UNLOADED_DIRECTORY) == EXTERNAL_DIRECTORY
                    && directory_in(firmware.as_deref(), head.directory, head.published).is_none()
                {
                    outside = read_directory(&mut **borrowed, head.directory, head.published)?;
                }
                let bytes = RegionBytes::Copied { words, length, outside };
                return Ok(Region { name, bytes, firmware });
            }
            RunState::Running { word: load } if head.word > load => {
                return Err(RegionError::Narrow { word: head.word, load });
            }
            _ => {}
        }
        let end =
            ranges.iter().find(|range| range.contains(&address)).map(|range| range.end - address);
        let length =
            end.and_then(|end| usize::try_from(end).ok()).map_or(length, |end| end.min(length));
        Ok(Region {
            name,
            bytes: RegionBytes::Live { memory: memory.clone(), address, length },
            firmware,
        })
    }

    /// Reads the region.
    ///
    /// # Errors
    /// If it is not, or no longer, a valid region. Damaged fields are in the layout's errors
    /// instead.
    pub fn read<'r>(&self, reader: &'r mut Reader) -> Result<Sample<'r>, RegionError> {
        let length = match &self.bytes {
            RegionBytes::Copied { length, .. } | RegionBytes::Live { length, .. } => *length,
        };
        reader.read_region(self, length as u64).map_err(|error| match error {
            ReadError::Source(error) => RegionError::Memory(error),
            ReadError::TooLarge { length, .. } => RegionError::TooLarge { length },
            ReadError::Format(error) => self.explain(error),
        })
    }

    /// Adds to a format error the context of this region.
    fn explain(&self, error: FormatError) -> RegionError {
        let mut start = [0; Header::SIZE / 8];
        let start = match self.read_at(0, &mut start) {
            Ok(available) => &start.as_bytes()[..available],
            Err(error) => return error.into(),
        };
        match (error, &self.firmware) {
            // It was initialised when it was opened.
            (FormatError::Uninitialised, _) => diagnose(start, error),
            (FormatError::DirectoryMismatch { found, computed }, None) => {
                RegionError::NotThere { found, computed }
            }
            (
                FormatError::DirectoryMismatch { .. }
                | FormatError::ExternalDirectory { .. }
                | FormatError::UnloadedDirectory { .. },
                Some(firmware),
            ) => {
                // The mismatch is between the memory and itself if the ELF file has no such
                // address.
                let nowhere = header(start).ok().filter(|(head, _)| {
                    head.flags & UNLOADED_DIRECTORY == 0
                        && directory_in(Some(firmware), head.directory, head.published).is_none()
                });
                let error = nowhere.map_or(error, |(head, _)| FormatError::ExternalDirectory {
                    address: head.directory,
                    length: head.published,
                });
                RegionError::OtherFirmware { name: firmware.name().to_owned(), error }
            }
            _ => RegionError::Format(error),
        }
    }
}

impl Source for Region {
    type Error = MemoryError;

    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, MemoryError> {
        let bytes = to.as_mut_bytes();
        let available = match &self.bytes {
            RegionBytes::Copied { words, length, .. } => {
                let rest = words.as_bytes()[..*length].get(at..).unwrap_or_default();
                let available = rest.len().min(bytes.len());
                bytes[..available].copy_from_slice(&rest[..available]);
                available
            }
            RegionBytes::Live { memory, address, length } => {
                let most = length.saturating_sub(at).min(bytes.len());
                match address.checked_add(at as u64).filter(|_| most > 0) {
                    Some(address) => memory.borrow_mut().read(address, &mut bytes[..most])?,
                    None => 0,
                }
            }
        };
        bytes[available..].fill(0);
        Ok(available)
    }
}

impl RegionSource for Region {
    fn read_external_directory(&self, address: u64, length: u32) -> Result<Vec<u8>, MemoryError> {
        if let Some(directory) = directory_in(self.firmware.as_deref(), address, length) {
            return Ok(directory.to_vec());
        }
        match &self.bytes {
            RegionBytes::Copied { outside, .. } => Ok(outside.clone()),
            RegionBytes::Live { memory, .. } => {
                read_directory(&mut **memory.borrow_mut(), address, length)
            }
        }
    }

    fn read_unloaded_directory(&self, address: u64, length: u32) -> Result<Vec<u8>, MemoryError> {
        let firmware = self.firmware.as_deref();
        Ok(firmware.map(|firmware| firmware.unloaded(address, length)).unwrap_or_default().to_vec())
    }

    fn attempts(&self) -> usize {
        // Reading a file once takes a microsecond; a writer that never pauses for 1000 of them
        // leaves its value contended.
        1000
    }
}

/// Returns a directory in the program's ELF file; `None` if the file has no such address, as for
/// another program on the same device.
fn directory_in(firmware: Option<&Firmware>, address: u64, length: u32) -> Option<&[u8]> {
    Some(firmware?.bytes(address, length)).filter(|directory| directory.len() == length as usize)
}

/// Reads a directory in the same memory; returns nothing if it is unreadable.
fn read_directory(
    memory: &mut dyn Memory,
    address: u64,
    length: u32,
) -> Result<Vec<u8>, MemoryError> {
    // A header may claim any length.
    let mut bytes = vec![0; (length as usize).min(MAX_REGION_BYTES)];
    match memory.read(address, &mut bytes) {
        Ok(available) => {
            bytes.truncate(available);
            Ok(bytes)
        }
        Err(MemoryError::Unreadable { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Copies bytes to words, for an alignment of 8.
fn copy(
    memory: &mut dyn Memory,
    address: u64,
    length: usize,
) -> Result<(Vec<u64>, usize), MemoryError> {
    let mut words = vec![0; length.div_ceil(8)];
    let available = memory.read(address, &mut words.as_mut_bytes()[..length])?;
    Ok((words, available))
}

fn copy_version_1(memory: &mut dyn Memory, address: u64) -> Result<(Vec<u64>, usize), MemoryError> {
    let mut length = INITIAL_BYTES;
    loop {
        let (words, available) = copy(memory, address, length)?;
        let ends = Directory::open(&words.as_bytes()[..available])
            .is_ok_and(|directory| directory.entries().all(|entry| entry.is_ok()));
        if ends || available < length || length >= MAX_REGION_BYTES {
            return Ok((words, available));
        }
        length *= 4;
    }
}

/// Explains why the address has no region.
fn diagnose(start: &[u8], error: FormatError) -> RegionError {
    match error {
        FormatError::Uninitialised if start.iter().all(|byte| *byte == 0) => RegionError::Zeros,
        FormatError::Uninitialised if is_header_without_magic(start) => {
            RegionError::HalfInitialised
        }
        FormatError::Uninitialised => RegionError::Format(FormatError::NotStats {
            found: array::from_fn(|i| start.get(i).copied().unwrap_or(0)),
        }),
        error => RegionError::Format(error),
    }
}

/// Returns `true` if a region has been started or is being initialised here: half of its magic, or
/// a valid header without it.
fn is_header_without_magic(start: &[u8]) -> bool {
    let half = start.len() >= MAGIC.len() && start[..4] == [0; 4] && start[4..8] == MAGIC[4..];
    half || start.first_chunk().is_some_and(|head: &[u8; Header::SIZE]| {
        let mut whole = *head;
        whole[..MAGIC.len()].copy_from_slice(&MAGIC);
        header(&whole).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::memory::CloseReport;
    use mmstats_core::reader::Value;
    use mmstats_core::{Counter, Format, Latched, Writer};
    use std::ops::Range;

    const ADDRESS: u64 = 0x1000;

    /// A region that is written: each read increments one word of it.
    struct Busy {
        bytes: Vec<u8>,
        counted: Option<usize>,
        word: u8,
    }

    impl Memory for Busy {
        fn read(&mut self, address: u64, to: &mut [u8]) -> Result<usize, MemoryError> {
            if let Some(at) = self.counted {
                let counted = &mut self.bytes[at..at + 4];
                let count = u32::from_ne_bytes(array::from_fn(|i| counted[i]));
                counted.copy_from_slice(&count.wrapping_add(1).to_ne_bytes());
            }
            let rest = &self.bytes[(address - ADDRESS) as usize..];
            let available = rest.len().min(to.len());
            to[..available].copy_from_slice(&rest[..available]);
            Ok(available)
        }

        fn ranges(&self) -> Vec<Range<u64>> {
            Vec::new()
        }

        fn run_state(&self) -> RunState {
            RunState::Running { word: self.word }
        }

        fn close(self: Box<Self>) -> Result<CloseReport, MemoryError> {
            Ok(CloseReport { halted: None })
        }
    }

    fn region<F: Format>() -> Vec<u8> {
        let region = mmstats_core::Region::new(vec![0; 32].leak());
        let view = region.view();
        let mut writer = Writer::<F>::new(region).unwrap();
        writer.add::<Counter<u32, _>>(Counter::builder("calm")).unwrap().add(7);
        writer.add::<Counter<Latched<u64>, _>>(Counter::builder("busy")).unwrap().add(Latched(8));
        let mut words = [0; 32];
        view.read_at(0, &mut words);
        words.as_bytes().to_vec()
    }

    fn open(bytes: Vec<u8>, counted: Option<usize>, word: u8) -> Result<Region, RegionError> {
        let memory: Shared = Rc::new(RefCell::new(Box::new(Busy { bytes, counted, word })));
        Region::open("busy".to_owned(), &memory, ADDRESS, None)
    }

    #[test]
    fn a_value_that_is_constantly_written_is_contended_and_the_others_are_shown() {
        let bytes = region::<mmstats_core::V2>();
        let place = Directory::open(&bytes)
            .unwrap()
            .entries()
            .map(|entry| entry.unwrap().location)
            .last()
            .unwrap();
        let mut reader = Reader::new();
        let region = open(bytes, Some(place.range().end - 4), 8).unwrap();
        let sample = region.read(&mut reader).unwrap();
        let values: Vec<_> =
            sample.fields().map(|(_, value)| value.map_err(|error| error.to_string())).collect();
        let contended = "contended: written repeatedly while it was read".to_owned();
        assert_eq!(values, [Ok(Value::Unsigned(7)), Err(contended)]);
    }

    #[test]
    fn a_region_that_is_reinitialized_while_it_is_read_is_an_error() {
        let region = open(region::<mmstats_core::V2>(), Some(Header::GENERATION), 8).unwrap();
        let failure = region.read(&mut Reader::new()).map(|_| ()).unwrap_err();
        assert!(matches!(failure, RegionError::HalfInitialised), "{failure}");
    }

    #[test]
    fn words_that_could_be_torn_are_refused() {
        let failure = open(region::<mmstats_core::V2>(), None, 4).map(|_| ()).unwrap_err();
        assert!(
            cfg!(target_pointer_width = "32")
                || matches!(failure, RegionError::Narrow { word: 8, load: 4 }),
            "{failure}"
        );
        let region = open(region::<mmstats_core::V2Narrow>(), None, 4).unwrap();
        let mut reader = Reader::new();
        assert_eq!(region.read(&mut reader).unwrap().find("busy"), Some(Value::Unsigned(8)));
    }
}
