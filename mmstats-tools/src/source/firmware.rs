//! A program's ELF file: the addresses of its regions and the content of its flash.

use std::fmt;
use std::io::{Read, Seek};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use mmstats_core::format::flash::UNLOADED_SECTION;
use mmstats_core::format::v2::Header;
use mmstats_core::region::Descriptor;
use mmstats_std::read::{Links, open_file};
use object::elf::{SHF_ALLOC, SHF_WRITE};
use object::{
    Object, ObjectKind, ObjectSection, ObjectSegment, ObjectSymbol, SectionFlags, SymbolKind,
    SymbolSection,
};

use super::core_file::{self, Elf};
use super::scan::ALIGNMENT;

/// A program's ELF file.
#[derive(Clone)]
pub struct Firmware {
    /// The name for messages.
    name: String,
    data: Rc<[u8]>,
    /// The difference between the address it was loaded at and the one in the file.
    shift: u64,
}

/// A data symbol.
struct Symbol {
    /// The demangled name.
    name: String,
    address: u64,
    size: u64,
}

/// The symbol of a persistent region's memory, below the static, which is only a handle.
const MEMORY: &str = "::MEMORY";

/// Programs are loaded at multiples of the smallest page size.
const PAGE_BYTES: u64 = 4096;

impl fmt::Debug for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Firmware")
            .field("name", &self.name)
            .field("shift", &self.shift)
            .finish_non_exhaustive()
    }
}

impl Firmware {
    /// Reads an ELF file.
    ///
    /// # Errors
    /// If it cannot be read or is not a program.
    pub fn open(path: &Path) -> Result<Firmware, String> {
        let to_text = |error: std::io::Error| error.to_string();
        let mut file = open_file(path, Links::Follow).map_err(|error| error.to_string())?;
        match core_file::open(&file) {
            Some(Ok(Elf::Program)) => {}
            Some(Ok(Elf::Core(_))) => {
                return Err("an ELF core (a program's ELF file expected)".to_owned());
            }
            Some(Err(error)) => return Err(error),
            None => return Err("not an ELF file".to_owned()),
        }
        let mut data = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut data)).map_err(to_text)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        object::File::parse(&*data).map_err(|error| format!("a damaged ELF file: {error}"))?;
        Ok(Firmware { name, data: data.into(), shift: 0 })
    }

    /// Returns the file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the same program as loaded by a process with this entry point: a
    /// position-independent program may be loaded anywhere.
    #[must_use]
    pub fn loaded(&self, entry: u64) -> Firmware {
        let shift = match self.file() {
            Some(file) if file.kind() == ObjectKind::Dynamic => entry.wrapping_sub(file.entry()),
            _ => 0,
        };
        // A difference that is not a multiple of pages comes from another program, which does not
        // have these regions.
        Firmware { shift: if shift % PAGE_BYTES == 0 { shift } else { 0 }, ..self.clone() }
    }

    fn file(&self) -> Option<object::File<'_>> {
        // Parsing succeeded in `open`.
        object::File::parse(&*self.data).ok()
    }

    /// Returns the bytes that the file has at an address, `length` at most.
    #[must_use]
    pub fn bytes(&self, address: u64, length: u32) -> &[u8] {
        let Some(file) = self.file() else { return &[] };
        let address = address.wrapping_sub(self.shift);
        let found = file.segments().find_map(|segment| {
            let start = usize::try_from(address.checked_sub(segment.address())?).ok()?;
            // Borrows from `self`, not from the parsed file.
            let (offset, size) = segment.file_range();
            let data = self.data.get(usize::try_from(offset).ok()?..)?;
            let data = &data[..data.len().min(usize::try_from(size).ok()?)];
            let rest = data.get(start..).filter(|rest| !rest.is_empty())?;
            Some(&rest[..rest.len().min(length as usize)])
        });
        found.unwrap_or_default()
    }

    /// Returns the bytes at an address of the section of directories that are not loaded, `length`
    /// at most. Its addresses are no addresses of memory.
    #[must_use]
    pub fn unloaded(&self, address: u64, length: u32) -> &[u8] {
        let Some(file) = self.file() else { return &[] };
        let found = file.section_by_name(UNLOADED_SECTION).and_then(|section| {
            let start = usize::try_from(address.checked_sub(section.address())?).ok()?;
            // Borrows from `self`, not from the parsed file.
            let (offset, size) = section.file_range()?;
            let data = self.data.get(usize::try_from(offset).ok()?..)?;
            let data = &data[..data.len().min(usize::try_from(size).ok()?)];
            let rest = data.get(start..)?;
            Some(&rest[..rest.len().min(length as usize)])
        });
        found.unwrap_or_default()
    }

    /// Returns the addresses that may have regions: those in descriptors, and all writable data
    /// with the size and alignment of a region.
    #[must_use]
    pub fn candidates(&self) -> Vec<u64> {
        let writable = self.writable();
        let statics = self.symbols().into_iter().filter(|symbol| {
            symbol.size >= Header::SIZE as u64
                && symbol.address % ALIGNMENT == 0
                && writable.iter().any(|range| range.contains(&symbol.address))
        });
        let mut addresses: Vec<u64> =
            self.descriptors().into_iter().chain(statics.map(|symbol| symbol.address)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Returns the program's writable memory.
    #[must_use]
    pub fn writable(&self) -> Vec<Range<u64>> {
        let Some(file) = self.file() else { return Vec::new() };
        let written = SHF_ALLOC | SHF_WRITE;
        let is_writable = |flags| matches!(flags, SectionFlags::Elf { sh_flags, .. } if sh_flags & written == written);
        let sections =
            file.sections().filter(|section| is_writable(section.flags()) && section.size() > 0);
        let range = |start: u64, size| {
            start.wrapping_add(self.shift)..start.wrapping_add(self.shift).saturating_add(size)
        };
        sections.map(|section| range(section.address(), section.size())).collect()
    }

    /// Returns the addresses of this symbol: a static of this name (in Rust, its path or the end of
    /// it), or the memory of a persistent region of this name.
    ///
    /// # Errors
    /// If there is no such symbol.
    pub fn symbol(&self, name: &str) -> Result<Vec<u64>, String> {
        let is_it = |path: &str| {
            path.strip_suffix(name)
                .is_some_and(|before| before.is_empty() || before.ends_with("::"))
        };
        let symbols = self.symbols();
        if symbols.is_empty() {
            return Err(format!("{} has no symbols: it is stripped", self.name));
        }
        let handles: Vec<&str> =
            symbols.iter().filter_map(|symbol| symbol.name.strip_suffix(MEMORY)).collect();
        let named = symbols.iter().filter(|symbol| {
            is_it(&symbol.name) || symbol.name.strip_suffix(MEMORY).is_some_and(is_it)
        });
        let mut addresses: Vec<u64> = named
            .filter(|symbol| !handles.contains(&&*symbol.name))
            .map(|symbol| symbol.address)
            .collect();
        if addresses.is_empty() {
            return Err(format!("no data symbol {name} in {}", self.name));
        }
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }

    fn symbols(&self) -> Vec<Symbol> {
        let Some(file) = self.file() else { return Vec::new() };
        // Symbols from linker scripts belong to no section.
        let is_there = |symbol: &object::Symbol<'_, '_>| {
            symbol.is_definition() || symbol.section() == SymbolSection::Absolute
        };
        let data = file.symbols().filter(|symbol| {
            matches!(symbol.kind(), SymbolKind::Data | SymbolKind::Unknown) && is_there(symbol)
        });
        let named = data.filter_map(|symbol| {
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name().ok()?));
            Some(Symbol {
                name,
                address: symbol.address().wrapping_add(self.shift),
                size: symbol.size(),
            })
        });
        named.collect()
    }

    /// Returns the addresses in the descriptors among the constants (FORMAT.md, "Finding regions").
    #[must_use]
    pub fn descriptors(&self) -> Vec<u64> {
        let Some(file) = self.file() else { return Vec::new() };
        let (wide, little) = (file.is_64(), file.is_little_endian());
        let in_section = |data: &[u8]| -> Vec<u64> {
            let starts =
                (0..data.len()).step_by(4).filter(|at| data[*at..].starts_with(&Descriptor::MAGIC));
            starts
                .filter_map(|at| address(&data[at + Descriptor::MAGIC.len()..], wide, little))
                .collect()
        };
        let is_loaded = |flags| matches!(flags, SectionFlags::Elf { sh_flags, .. } if sh_flags & SHF_ALLOC == SHF_ALLOC);
        let data = file
            .sections()
            .filter(|section| is_loaded(section.flags()))
            .filter_map(|section| section.data().ok());
        // In a position-independent program the loader fills in the addresses; the file has 0.
        let addresses =
            data.flat_map(in_section).filter(|address| address % ALIGNMENT == 0 && *address != 0);
        addresses.map(|address| address.wrapping_add(self.shift)).collect()
    }
}

/// Reads a pointer.
fn address(bytes: &[u8], wide: bool, little: bool) -> Option<u64> {
    Some(match (wide, little) {
        (true, true) => u64::from_le_bytes(*bytes.first_chunk()?),
        (true, false) => u64::from_be_bytes(*bytes.first_chunk()?),
        (false, true) => u32::from_le_bytes(*bytes.first_chunk()?).into(),
        (false, false) => u32::from_be_bytes(*bytes.first_chunk()?).into(),
    })
}
