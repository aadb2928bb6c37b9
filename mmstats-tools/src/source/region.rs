//! One region, and how it is read.

use std::array;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::{Header, OUTSIDE};
use mmstats_core::reader::{Directory, Problem, ReadError, Source, header};
use mmstats_std::read::{LARGEST, Reader, RegionSource, Sample};
use zerocopy::IntoBytes;

use super::firmware::Firmware;
use super::memory::{Memory, MemoryError, Motion};

/// Memory that several regions are read from.
pub(super) type Shared = Rc<RefCell<Box<dyn Memory>>>;

/// Bytes of version 1 to begin with: where they end is only known when they are there.
const FIRST_LOOK: usize = 256;

/// A region of some memory.
pub struct Region {
    /// What it is called: its source, and its address there.
    pub name: String,
    bytes: Bytes,
    firmware: Option<Rc<Firmware>>,
}

enum Bytes {
    /// As they were.
    Copied {
        /// The region.
        words: Vec<u64>,
        /// Bytes of it that there are.
        length: usize,
        /// The directory, if that was outside and in the same memory.
        outside: Vec<u8>,
    },
    /// As they are whenever they are looked at.
    Live { memory: Shared, address: u64, length: usize },
}

/// Why a region cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// Its memory cannot.
    Memory(MemoryError),
    /// Its bytes are at fault.
    Problem(Problem),
    /// There are only zeros.
    Zeros,
    /// Its header is there in part.
    HalfInitialised,
    /// It begins like version 1 and holds no field, as many bytes do that are no stats.
    NoFields,
    /// It is too large to be stats.
    TooLarge {
        /// Bytes.
        length: usize,
    },
    /// It has words that this source does not read whole.
    Narrow {
        /// Bytes of its words.
        word: u8,
        /// Bytes that are read whole.
        load: u8,
    },
    /// Its directory is outside of it, and is not what the same memory has there.
    NotThere {
        /// CRC-32 in the region's header.
        found: u32,
        /// CRC-32 of what is there.
        computed: u32,
    },
    /// It is not of the program whose ELF file was given.
    OtherFirmware {
        /// The ELF file.
        name: String,
        /// What differs.
        problem: Problem,
    },
}

impl From<MemoryError> for Failure {
    fn from(error: MemoryError) -> Self {
        Failure::Memory(error)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure::Problem(problem)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Memory(error) => error.fmt(f),
            Failure::Problem(problem @ Problem::DirectoryOutside { .. }) => write!(f, "{problem} (see --elf)"),
            Failure::Problem(problem) => problem.fmt(f),
            Failure::Zeros => write!(f, "only zeros: not published yet, or nothing that can be read there"),
            Failure::HalfInitialised => write!(f, "half-initialised: being published or made anew, or its program stopped while it did so"),
            Failure::NoFields => write!(f, "no stats: it begins like version 1 (01), and no field follows"),
            Failure::TooLarge { length } => write!(f, "has {length} bytes ({LARGEST} at most are read)"),
            Failure::Narrow { word, load } => {
                write!(
                    f,
                    "its words have {word} bytes, of which {load} are read at once: while its program runs, they could be torn (read it halted, or dump it)"
                )
            }
            Failure::NotThere { found, computed } => {
                write!(
                    f,
                    "its directory is in the program's flash, and this memory has something else there (its check is {found:#010x}, not {computed:#010x}): \
                     see --elf, or, for a raw image, --load-address"
                )
            }
            Failure::OtherFirmware { name, problem: Problem::OtherProgram { found, computed } } => {
                write!(f, "of another firmware than {name}: its directory has the check {found:#010x}, the one in {name} {computed:#010x}")
            }
            Failure::OtherFirmware { name, problem: Problem::DirectoryOutside { address, length } } => {
                write!(f, "of another firmware than {name}: its directory has {length} bytes at {address:#x}, where {name} has nothing, or less")
            }
            Failure::OtherFirmware { name, problem } => write!(f, "of another firmware than {name}: {problem}"),
        }
    }
}

impl std::error::Error for Failure {}

impl Region {
    /// The region at an address. What stands still, and all of version 1, is copied at once; so the memory can be let go.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn open(name: String, memory: &Shared, address: u64, firmware: Option<Rc<Firmware>>) -> Result<Region, Failure> {
        let mut borrowed = memory.borrow_mut();
        let motion = borrowed.motion();
        let mut start = [0; Header::SIZE];
        let there = borrowed.read(address, &mut start)?;
        let start = &start[..there];
        match Directory::open(start) {
            Ok(directory) if directory.version() == 1 => {
                let (words, length) = copy_version_1(&mut **borrowed, address)?;
                if Directory::open(&words.as_bytes()[..length])?.entries().next().is_none() {
                    return Err(Failure::NoFields);
                }
                return Ok(Region { name, bytes: Bytes::Copied { words, length, outside: Vec::new() }, firmware });
            }
            Ok(_) | Err(Problem::DirectoryOutside { .. }) => {}
            Err(problem) => return Err(diagnose(start, problem)),
        }
        let (head, _) = header(start)?;
        let length = head.length as usize;
        if length > LARGEST {
            return Err(Failure::TooLarge { length });
        }
        let Motion::Live { word: load } = motion else {
            let (words, length) = copy(&mut **borrowed, address, length)?;
            let mut outside = Vec::new();
            if head.flags & OUTSIDE != 0 && directory_in(firmware.as_deref(), head.directory, head.published).is_none() {
                outside = fetch(&mut **borrowed, head.directory, head.published)?;
            }
            return Ok(Region { name, bytes: Bytes::Copied { words, length, outside }, firmware });
        };
        if head.word > load {
            return Err(Failure::Narrow { word: head.word, load });
        }
        let ranges = borrowed.ranges();
        let end = ranges.iter().find(|range| range.contains(&address)).map(|range| range.end - address);
        let length = end.and_then(|end| usize::try_from(end).ok()).map_or(length, |end| end.min(length));
        Ok(Region { name, bytes: Bytes::Live { memory: memory.clone(), address, length }, firmware })
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is no stats, or not any more. Single fields that are damaged are in the layout's problems instead.
    pub fn read<'r>(&self, reader: &'r mut Reader) -> Result<Sample<'r>, Failure> {
        let length = match &self.bytes {
            Bytes::Copied { length, .. } | Bytes::Live { length, .. } => *length,
        };
        reader.read_region(self, length as u64).map_err(|error| match error {
            ReadError::Source(error) => Failure::Memory(error),
            ReadError::TooLarge { length, .. } => Failure::TooLarge { length },
            ReadError::Problem(problem) => self.explain(problem),
        })
    }

    /// What is wrong, as seen by who knows where a directory outside was looked for.
    fn explain(&self, problem: Problem) -> Failure {
        let Some(firmware) = &self.firmware else {
            return match problem {
                Problem::OtherProgram { found, computed } => Failure::NotThere { found, computed },
                problem => Failure::Problem(problem),
            };
        };
        let name = firmware.name().to_owned();
        match problem {
            Problem::DirectoryOutside { .. } => Failure::OtherFirmware { name, problem },
            Problem::OtherProgram { .. } => {
                let mut head = [0; Header::SIZE / 8];
                let head = self.copy(0, &mut head).ok().and_then(|_| header(head.as_bytes()).ok());
                match head {
                    // It has nothing there, but the memory has.
                    Some((head, _)) if directory_in(Some(firmware), head.directory, head.published).is_none() => {
                        let problem = Problem::DirectoryOutside { address: head.directory, length: head.published };
                        Failure::OtherFirmware { name, problem }
                    }
                    _ => Failure::OtherFirmware { name, problem },
                }
            }
            problem => Failure::Problem(problem),
        }
    }
}

impl Source for Region {
    type Error = MemoryError;

    fn copy(&self, at: usize, to: &mut [u64]) -> Result<usize, MemoryError> {
        let bytes = to.as_mut_bytes();
        let there = match &self.bytes {
            Bytes::Copied { words, length, .. } => {
                let rest = words.as_bytes()[..*length].get(at..).unwrap_or_default();
                let there = rest.len().min(bytes.len());
                bytes[..there].copy_from_slice(&rest[..there]);
                there
            }
            Bytes::Live { memory, address, length } => {
                let most = length.saturating_sub(at).min(bytes.len());
                match address.checked_add(at as u64).filter(|_| most > 0) {
                    Some(address) => memory.borrow_mut().read(address, &mut bytes[..most])?,
                    None => 0,
                }
            }
        };
        bytes[there..].fill(0);
        Ok(there)
    }
}

impl RegionSource for Region {
    fn outside(&self, address: u64, length: u32) -> Result<Vec<u8>, MemoryError> {
        if let Some(directory) = directory_in(self.firmware.as_deref(), address, length) {
            return Ok(directory.to_vec());
        }
        match &self.bytes {
            Bytes::Copied { outside, .. } => Ok(outside.clone()),
            Bytes::Live { memory, .. } => fetch(&mut **memory.borrow_mut(), address, length),
        }
    }

    fn attempts(&self) -> usize {
        // A look at a file takes a microsecond; a writer that never pauses for so long leaves its value contended.
        1000
    }
}

/// A directory in the program's ELF file; `None` if that has nothing at this address, as of another program on the same device.
fn directory_in(firmware: Option<&Firmware>, address: u64, length: u32) -> Option<&[u8]> {
    Some(firmware?.bytes(address, length)).filter(|directory| directory.len() == length as usize)
}

/// A directory in the same memory; nothing if it is not there.
fn fetch(memory: &mut dyn Memory, address: u64, length: u32) -> Result<Vec<u8>, MemoryError> {
    // Before so much memory is asked for on the word of a header.
    let mut bytes = vec![0; (length as usize).min(LARGEST)];
    match memory.read(address, &mut bytes) {
        Ok(there) => {
            bytes.truncate(there);
            Ok(bytes)
        }
        Err(MemoryError::Unreadable { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Bytes as words, so that they begin at a multiple of 8.
fn copy(memory: &mut dyn Memory, address: u64, length: usize) -> Result<(Vec<u64>, usize), MemoryError> {
    let mut words = vec![0; length.div_ceil(8)];
    let there = memory.read(address, &mut words.as_mut_bytes()[..length])?;
    Ok((words, there))
}

fn copy_version_1(memory: &mut dyn Memory, address: u64) -> Result<(Vec<u64>, usize), MemoryError> {
    let mut length = FIRST_LOOK;
    loop {
        let (words, there) = copy(memory, address, length)?;
        let ends = Directory::open(&words.as_bytes()[..there]).is_ok_and(|directory| directory.entries().all(|entry| entry.is_ok()));
        if ends || there < length || length >= LARGEST {
            return Ok((words, there));
        }
        length *= 4;
    }
}

/// What one has who finds no region where one should be.
fn diagnose(start: &[u8], problem: Problem) -> Failure {
    match problem {
        Problem::Uninitialised if start.iter().all(|byte| *byte == 0) => Failure::Zeros,
        Problem::Uninitialised if is_header_without_magic(start) => Failure::HalfInitialised,
        Problem::Uninitialised => Failure::Problem(Problem::NotStats { found: array::from_fn(|i| start.get(i).copied().unwrap_or(0)) }),
        problem => Failure::Problem(problem),
    }
}

/// Whether a region was, is being, or has begun to be made here: half of its magic stands, or what stands behind that in every header.
fn is_header_without_magic(start: &[u8]) -> bool {
    let half = start.len() >= MAGIC.len() && start[..4] == [0; 4] && start[4..8] == MAGIC[4..];
    half || start.first_chunk().is_some_and(|head: &[u8; Header::SIZE]| {
        let mut whole = *head;
        whole[..MAGIC.len()].copy_from_slice(&MAGIC);
        header(&whole).is_ok()
    })
}
