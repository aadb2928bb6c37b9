//! ELF cores: the memory of a Linux process, or of a device, at one time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use object::elf::{ET_CORE, FileHeader32, FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, ReadCache, ReadRef};

use super::image::{Bytes, Image, Part};

/// What an ELF file is.
#[derive(Debug)]
pub enum Elf {
    /// Memory.
    Core(Image),
    /// A program.
    Program,
}

/// Opens a file that begins like ELF; `None` if it does not.
///
/// # Errors
/// What is wrong with it.
pub fn open(file: &File) -> Option<Result<Elf, String>> {
    let mut magic = [0; 4];
    let mut start = file;
    start.seek(SeekFrom::Start(0)).and_then(|_| start.read_exact(&mut magic)).ok()?;
    (magic == *b"\x7fELF").then(|| parse(file).map_err(|error| format!("a damaged ELF file: {error}")))
}

fn parse(file: &File) -> Result<Elf, String> {
    let cache = ReadCache::new(file.try_clone().map_err(|error| error.to_string())?);
    let parts = match FileKind::parse(&cache).map_err(|error| error.to_string())? {
        FileKind::Elf32 => parts::<FileHeader32<Endianness>, _>(&cache, file),
        FileKind::Elf64 => parts::<FileHeader64<Endianness>, _>(&cache, file),
        _ => return Err("not of 32 or 64 bits".to_owned()),
    };
    Ok(match parts? {
        Some(parts) => Elf::Core(Image::of_parts(parts)),
        None => Elf::Program,
    })
}

/// The parts of memory in a core; `None` if it is something else.
fn parts<'d, H: FileHeader, R: ReadRef<'d>>(data: R, file: &File) -> Result<Option<Vec<Part>>, String> {
    let told = |error: object::Error| error.to_string();
    let header = H::parse(data).map_err(told)?;
    let endian = header.endian().map_err(told)?;
    if header.e_type(endian) != ET_CORE {
        return Ok(None);
    }
    let mut parts = Vec::new();
    for segment in header.program_headers(endian, data).map_err(told)? {
        if segment.p_type(endian) != PT_LOAD {
            continue;
        }
        // Debuggers that know nothing of physical addresses leave them 0.
        let physical: u64 = segment.p_paddr(endian).into();
        let address = if physical == 0 { segment.p_vaddr(endian).into() } else { physical };
        let file = file.try_clone().map_err(|error| error.to_string())?;
        parts.push(Part { address, bytes: Bytes::InFile { file, offset: segment.p_offset(endian).into(), length: segment.p_filesz(endian).into() } });
    }
    Ok(Some(parts))
}
