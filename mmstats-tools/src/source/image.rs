//! Images of memory: a file of raw bytes, or parts of memory out of a file of another format.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::memory::{Closed, Memory, MemoryError, Motion};

/// Memory that a file holds, in parts that each begin at an address.
#[derive(Debug)]
pub struct Image {
    /// In ascending order of their addresses.
    parts: Vec<Part>,
    motion: Motion,
}

/// Bytes that follow each other in memory.
#[derive(Debug)]
pub struct Part {
    /// The address of the first one.
    pub address: u64,
    /// The bytes.
    pub bytes: Bytes,
}

/// Where the bytes of a part are.
#[derive(Debug)]
pub enum Bytes {
    /// Here.
    Here(Vec<u8>),
    /// In a file.
    InFile {
        /// The file.
        file: File,
        /// Where they begin.
        offset: u64,
        /// How many there are.
        length: u64,
    },
}

impl Bytes {
    fn length(&self) -> u64 {
        match self {
            Bytes::Here(bytes) => bytes.len() as u64,
            Bytes::InFile { length, .. } => *length,
        }
    }
}

impl Image {
    /// Raw bytes whose first one has this address. They may be live, such as those of a virtual machine whose memory is a file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn raw(file: File, address: u64) -> io::Result<Image> {
        let length = file.metadata()?.len();
        let bytes = Bytes::InFile { file, offset: 0, length };
        Ok(Image { parts: vec![Part { address, bytes }], motion: Motion::Live { word: 8 } })
    }

    /// Parts of a memory that nobody writes any more.
    #[must_use]
    pub fn of_parts(mut parts: Vec<Part>) -> Image {
        parts.retain(|part| part.bytes.length() > 0);
        parts.sort_by_key(|part| part.address);
        Image { parts, motion: Motion::Still }
    }

    /// The part that has the byte at this address, and where it is in it.
    fn find(&self, address: u64) -> Option<(&Part, u64)> {
        let after = self.parts.partition_point(|part| part.address <= address);
        // Parts may overlap.
        let holding = self.parts[..after].iter().rev().find(|part| address - part.address < part.bytes.length())?;
        Some((holding, address - holding.address))
    }

    /// Fills `to` from the part at this address, as far as that goes.
    fn read_part(&self, address: u64, to: &mut [u8]) -> io::Result<usize> {
        let Some((part, at)) = self.find(address) else { return Ok(0) };
        match &part.bytes {
            Bytes::Here(bytes) => {
                let rest = &bytes[at as usize..];
                let length = rest.len().min(to.len());
                to[..length].copy_from_slice(&rest[..length]);
                Ok(length)
            }
            Bytes::InFile { file, offset, length } => {
                let most = usize::try_from(length - at).unwrap_or(usize::MAX).min(to.len());
                file.read_at(&mut to[..most], offset + at)
            }
        }
    }
}

impl Memory for Image {
    fn read(&mut self, address: u64, to: &mut [u8]) -> Result<usize, MemoryError> {
        let mut there = 0;
        while there < to.len() {
            match self.read_part(address.wrapping_add(there as u64), &mut to[there..]) {
                Ok(0) => break,
                Ok(more) => there += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if there == 0 && !to.is_empty() {
            return Err(MemoryError::Unreadable { address, why: self.describe() });
        }
        Ok(there)
    }

    fn ranges(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for part in &self.parts {
            let end = part.address.saturating_add(part.bytes.length());
            match ranges.last_mut() {
                Some(last) if last.end >= part.address => last.end = last.end.max(end),
                _ => ranges.push(part.address..end),
            }
        }
        ranges
    }

    fn motion(&self) -> Motion {
        self.motion
    }

    fn close(self: Box<Self>) -> Result<Closed, MemoryError> {
        Ok(Closed { halted: None })
    }
}

impl Image {
    /// Which addresses there are.
    fn describe(&self) -> String {
        const SHOWN: usize = 4;
        let ranges = self.ranges();
        let all: Vec<_> = ranges.iter().take(SHOWN).map(|range| format!("{:#x} to {:#x}", range.start, range.end)).collect();
        match ranges.len() {
            0 => "it holds no memory at all".to_owned(),
            count if count > SHOWN => format!("it has {} and {} more", all.join(", "), count - SHOWN),
            _ => format!("it has {}", all.join(", ")),
        }
    }
}
