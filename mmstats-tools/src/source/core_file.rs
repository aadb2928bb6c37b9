//! ELF cores: the memory of a Linux process or a device at one moment.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::rc::Rc;

use object::elf::{ET_CORE, FileHeader32, FileHeader64, PT_LOAD, PT_NOTE};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, ReadCache, ReadRef};

use super::image::{Image, Segment, SegmentBytes};
use super::notes::Notes;

/// The kinds of ELF files.
#[derive(Debug)]
pub(super) enum Elf {
    /// The memory of a program.
    Core(Core),
    /// A program.
    Program,
}

/// The content of a core.
#[derive(Debug)]
pub(super) struct Core {
    /// The memory in the file.
    pub(super) image: Image,
    /// The number of bytes that the file should have but lacks, as it was cut short.
    pub(super) missing: u64,
    /// Facts about the process.
    pub(super) notes: Notes,
}

/// Notes beyond this size are ignored.
const MAX_NOTES_BYTES: u64 = 64 << 20;

/// Opens an ELF file; returns `None` for other files.
///
/// # Errors
/// If the ELF file is damaged.
pub(super) fn open(file: &File) -> Option<Result<Elf, String>> {
    let mut magic = [0; 4];
    let mut start = file;
    start.seek(SeekFrom::Start(0)).and_then(|_| start.read_exact(&mut magic)).ok()?;
    (magic == *b"\x7fELF")
        .then(|| parse(file).map_err(|error| format!("a damaged ELF file: {error}")))
}

fn parse(file: &File) -> Result<Elf, String> {
    let cache = ReadCache::new(file.try_clone().map_err(|error| error.to_string())?);
    let core = match FileKind::parse(&cache).map_err(|error| error.to_string())? {
        FileKind::Elf32 => core::<FileHeader32<Endianness>, _>(&cache, file),
        FileKind::Elf64 => core::<FileHeader64<Endianness>, _>(&cache, file),
        _ => return Err("not of 32 or 64 bits".to_owned()),
    };
    Ok(core?.map_or(Elf::Program, Elf::Core))
}

/// Reads a core; returns `None` for other ELF files.
fn core<'d, H: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(
    data: R,
    file: &File,
) -> Result<Option<Core>, String> {
    let to_text = |error: object::Error| error.to_string();
    let header = H::parse(data).map_err(to_text)?;
    let endian = header.endian().map_err(to_text)?;
    if header.e_type(endian) != ET_CORE {
        return Ok(None);
    }
    let file_length = file.metadata().map_err(|error| error.to_string())?.len();
    let file = Rc::new(file.try_clone().map_err(|error| error.to_string())?);
    let (mut parts, mut missing, mut notes) = (Vec::new(), 0_u64, Notes::default());
    let mut note_bytes = 0_u64;
    for segment in header.program_headers(endian, data).map_err(to_text)? {
        let (offset, length): (u64, u64) =
            (segment.p_offset(endian).into(), segment.p_filesz(endian).into());
        match segment.p_type(endian) {
            PT_LOAD => {
                // Debuggers that do not know physical addresses write 0.
                let physical: u64 = segment.p_paddr(endian).into();
                let address = if physical == 0 { segment.p_vaddr(endian).into() } else { physical };
                let available = length.min(file_length.saturating_sub(offset));
                missing = missing.saturating_add(length - available);
                parts.push(Segment {
                    address,
                    bytes: SegmentBytes::InFile { file: file.clone(), offset, length: available },
                });
            }
            PT_NOTE if length <= MAX_NOTES_BYTES.saturating_sub(note_bytes) => {
                note_bytes += length;
                if let Ok(Some(found)) = segment.notes(endian, data) {
                    notes.read(found, endian, header.is_type_64());
                }
            }
            _ => {}
        }
    }
    Ok(Some(Core { image: Image::from_segments(parts), missing, notes }))
}
