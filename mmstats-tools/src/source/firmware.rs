//! A program's ELF file: where its regions are in memory, and what its flash holds.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;

use mmstats_core::format::v2::Header;
use mmstats_core::region::Descriptor;
use object::elf::{SHF_ALLOC, SHF_WRITE};
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SectionFlags, SymbolKind};

/// A program's ELF file.
pub struct Firmware {
    /// What it is called in messages.
    name: String,
    data: Vec<u8>,
}

/// A symbol of data.
struct Symbol {
    /// As Rust's, demangled.
    name: String,
    address: u64,
    size: u64,
}

impl fmt::Debug for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Firmware").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Firmware {
    /// Reads it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open(path: &Path) -> Result<Firmware, String> {
        let data = fs::read(path).map_err(|error| error.to_string())?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        match object::File::parse(&*data) {
            Ok(file) if file.kind() == object::ObjectKind::Core => return Err("an ELF core, where a program's ELF file should be".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(format!("not a program's ELF file: {error}")),
        }
        Ok(Firmware { name, data })
    }

    /// Its file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn file(&self) -> Option<object::File<'_>> {
        // It could be parsed when it was opened.
        object::File::parse(&*self.data).ok()
    }

    /// The bytes at an address of the program as it is flashed, or as many as there are.
    #[must_use]
    pub fn bytes(&self, address: u64, length: u32) -> &[u8] {
        let Some(file) = self.file() else { return &[] };
        let found = file.segments().find_map(|segment| {
            let start = usize::try_from(address.checked_sub(segment.address())?).ok()?;
            // Not the file's mapping of the object, but the file itself: it lives as long as this.
            let (offset, size) = segment.file_range();
            let data = self.data.get(usize::try_from(offset).ok()?..)?;
            let data = &data[..data.len().min(usize::try_from(size).ok()?)];
            let rest = data.get(start..).filter(|rest| !rest.is_empty())?;
            Some(&rest[..rest.len().min(length as usize)])
        });
        found.unwrap_or_default()
    }

    /// Addresses where regions may be: those that descriptors name, and of all data that is large enough for one and aligned like one.
    #[must_use]
    pub fn candidates(&self) -> Vec<u64> {
        let writable = self.writable();
        let statics = self.symbols().into_iter().filter(|symbol| {
            symbol.size >= Header::SIZE as u64 && symbol.address % 8 == 0 && writable.iter().any(|range| range.contains(&symbol.address))
        });
        let mut addresses: Vec<u64> = self.descriptors().into_iter().chain(statics.map(|symbol| symbol.address)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Where the program has memory that it writes.
    #[must_use]
    pub fn writable(&self) -> Vec<Range<u64>> {
        let Some(file) = self.file() else { return Vec::new() };
        let written = SHF_ALLOC | SHF_WRITE;
        let is_writable = |flags| matches!(flags, SectionFlags::Elf { sh_flags, .. } if sh_flags & written == written);
        let sections = file.sections().filter(|section| is_writable(section.flags()) && section.size() > 0);
        sections.map(|section| section.address()..section.address().saturating_add(section.size())).collect()
    }

    /// Where this symbol's region may be: a static of this name (in Rust, its path or the end of it), or what a kept region of this name has as its memory.
    ///
    /// # Errors
    /// If there is no such symbol.
    pub fn symbol(&self, name: &str) -> Result<Vec<u64>, String> {
        const MEMORY: &str = "::MEMORY";
        let is_it = |symbol: &Symbol| {
            let path = symbol.name.strip_suffix(MEMORY).unwrap_or(&symbol.name);
            let before = path.strip_suffix(name);
            before.is_some_and(|before| before.is_empty() || before.ends_with("::"))
        };
        let mut found: Vec<Symbol> = self.symbols().into_iter().filter(is_it).collect();
        if found.is_empty() {
            return Err(format!("no data is called {name} in {}", self.name));
        }
        if found.iter().any(|symbol| symbol.name.ends_with(MEMORY)) {
            // The static itself is then but a handle.
            found.retain(|symbol| symbol.name.ends_with(MEMORY));
        }
        let mut addresses: Vec<u64> = found.iter().map(|symbol| symbol.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }

    fn symbols(&self) -> Vec<Symbol> {
        let Some(file) = self.file() else { return Vec::new() };
        let data = file.symbols().filter(|symbol| matches!(symbol.kind(), SymbolKind::Data | SymbolKind::Unknown) && symbol.is_definition());
        let named = data.filter_map(|symbol| {
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name().ok()?));
            Some(Symbol { name, address: symbol.address(), size: symbol.size() })
        });
        named.collect()
    }

    /// The addresses that descriptors among the constants name (FORMAT.md, "Finding regions").
    #[must_use]
    pub fn descriptors(&self) -> Vec<u64> {
        let Some(file) = self.file() else { return Vec::new() };
        let (wide, little) = (file.is_64(), file.is_little_endian());
        let in_section = |data: &[u8]| -> Vec<u64> {
            let starts = (0..data.len()).step_by(4).filter(|at| data[*at..].starts_with(&Descriptor::MAGIC));
            starts.filter_map(|at| address(&data[at + Descriptor::MAGIC.len()..], wide, little)).collect()
        };
        file.sections().filter_map(|section| section.data().ok()).flat_map(in_section).filter(|address| *address % 8 == 0).collect()
    }
}

/// A pointer at the beginning of some bytes.
fn address(bytes: &[u8], wide: bool, little: bool) -> Option<u64> {
    Some(match (wide, little) {
        (true, true) => u64::from_le_bytes(*bytes.first_chunk()?),
        (true, false) => u64::from_be_bytes(*bytes.first_chunk()?),
        (false, true) => u32::from_le_bytes(*bytes.first_chunk()?).into(),
        (false, false) => u32::from_be_bytes(*bytes.first_chunk()?).into(),
    })
}
