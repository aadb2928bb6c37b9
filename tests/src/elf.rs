//! Builds ELF files byte by byte: programs and cores of both widths and byte orders.

/// A builder of an ELF file.
#[derive(Clone, Debug)]
pub struct Elf {
    wide: bool,
    big: bool,
    kind: u16,
    entry: u64,
    loads: Vec<Load>,
    notes: Vec<u8>,
    symbols: Vec<Symbol>,
}

#[derive(Clone, Debug)]
struct Load {
    virtual_address: u64,
    physical_address: u64,
    bytes: Vec<u8>,
    /// Bytes in memory: more than in the file for zero-initialised memory.
    size: u64,
    writable: bool,
}

#[derive(Clone, Debug)]
struct Symbol {
    name: String,
    address: u64,
    size: u64,
    /// 0: untyped, 1: data, 2: code.
    kind: u8,
    /// The section's number, or `ABSOLUTE`.
    section: u16,
}

const EXECUTABLE: u16 = 2;
const DYNAMIC: u16 = 3;
const CORE: u16 = 4;
const ABSOLUTE: u16 = 0xfff1;

impl Elf {
    /// Creates a program for a machine with 64-bit (`wide`) or 32-bit pointers.
    #[must_use]
    pub fn program(wide: bool, big: bool) -> Elf {
        Elf {
            wide,
            big,
            kind: EXECUTABLE,
            entry: 0,
            loads: Vec::new(),
            notes: Vec::new(),
            symbols: Vec::new(),
        }
    }

    /// Creates a position-independent program with this entry point.
    #[must_use]
    pub fn loadable_anywhere(wide: bool, big: bool, entry: u64) -> Elf {
        Elf { kind: DYNAMIC, entry, ..Elf::program(wide, big) }
    }

    /// Creates a core file.
    #[must_use]
    pub fn core(wide: bool, big: bool) -> Elf {
        Elf { kind: CORE, ..Elf::program(wide, big) }
    }

    /// Adds read-only bytes: code and constants; in a core, memory without a physical address.
    #[must_use]
    pub fn constants(self, address: u64, bytes: &[u8]) -> Elf {
        self.load(address, 0, bytes, bytes.len() as u64, false)
    }

    /// Adds writable memory that starts as zeros.
    #[must_use]
    pub fn zeros(self, address: u64, size: u64) -> Elf {
        self.load(address, 0, &[], size, true)
    }

    /// Adds memory at a physical address.
    #[must_use]
    pub fn physical(self, virtual_address: u64, physical_address: u64, bytes: &[u8]) -> Elf {
        self.load(virtual_address, physical_address, bytes, bytes.len() as u64, true)
    }

    fn load(
        mut self,
        virtual_address: u64,
        physical_address: u64,
        bytes: &[u8],
        size: u64,
        writable: bool,
    ) -> Elf {
        self.loads.push(Load {
            virtual_address,
            physical_address,
            bytes: bytes.to_vec(),
            size,
            writable,
        });
        self
    }

    /// Adds a static with this name to the last segment.
    #[must_use]
    pub fn data(self, name: &str, address: u64, size: u64) -> Elf {
        self.symbol(name, address, size, 1)
    }

    /// Adds a function with this name to the last segment.
    #[must_use]
    pub fn code(self, name: &str, address: u64, size: u64) -> Elf {
        self.symbol(name, address, size, 2)
    }

    /// Adds a symbol as linker scripts do: only an address.
    #[must_use]
    pub fn absolute(mut self, name: &str, address: u64) -> Elf {
        self.symbols.push(Symbol {
            name: name.to_owned(),
            address,
            size: 0,
            kind: 0,
            section: ABSOLUTE,
        });
        self
    }

    fn symbol(mut self, name: &str, address: u64, size: u64, kind: u8) -> Elf {
        self.symbols.push(Symbol {
            name: name.to_owned(),
            address,
            size,
            kind,
            section: self.loads.len() as u16,
        });
        self
    }

    /// Removes all symbols.
    #[must_use]
    pub fn stripped(mut self) -> Elf {
        self.symbols.clear();
        self
    }

    /// Adds the notes of a kernel about a process: its entry point and its mapped files.
    #[must_use]
    pub fn process(mut self, entry: u64, mapped: &[&str]) -> Elf {
        let vector = self.words(&[6, 4096, 9, entry, 0, 0]);
        let mut numbers = vec![mapped.len() as u64, 4096];
        mapped.iter().for_each(|_| numbers.extend([0x7000_0000, 0x7000_1000, 0]));
        let mut files = self.words(&numbers);
        mapped.iter().for_each(|name| files.extend([name.as_bytes(), &[0]].concat()));
        for (kind, content) in [(6, vector), (0x4649_4c45, files)] {
            self.note(kind, &content);
        }
        self
    }

    fn note(&mut self, kind: u32, content: &[u8]) {
        let mut note =
            Bytes { bytes: std::mem::take(&mut self.notes), wide: self.wide, big: self.big };
        note.u32(5);
        note.u32(content.len() as u32);
        note.u32(kind);
        note.bytes.extend(b"CORE\0\0\0\0");
        note.bytes.extend(content);
        note.bytes.resize(note.bytes.len().next_multiple_of(4), 0);
        self.notes = note.bytes;
    }

    fn words(&self, numbers: &[u64]) -> Vec<u8> {
        let mut bytes = self.bytes();
        numbers.iter().for_each(|number| bytes.word(*number));
        bytes.bytes
    }

    fn bytes(&self) -> Bytes {
        Bytes { bytes: Vec::new(), wide: self.wide, big: self.big }
    }

    /// Builds the file: header, program headers, contents, section headers and symbols.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let [head, program_head, section_head, symbol_size] =
            if self.wide { [64, 56, 64, 24] } else { [52, 32, 40, 16] };
        let (mut contents, mut offsets) = (Vec::new(), Vec::new());
        let count = self.loads.len() + 1;
        let start = head + program_head * count;
        for bytes in self.loads.iter().map(|load| &load.bytes).chain([&self.notes]) {
            offsets.push((start + contents.len()) as u64);
            contents.extend(bytes);
            contents.resize(contents.len().next_multiple_of(8), 0);
        }
        let (symbols, names) = self.symbol_table(symbol_size);
        let symbols_at = (start + contents.len()) as u64;
        contents.extend(&symbols);
        let names_at = (start + contents.len()) as u64;
        contents.extend(&names);
        contents.resize(contents.len().next_multiple_of(8), 0);
        let sections_at = (start + contents.len()) as u64;
        let section_count = if self.kind == CORE { 0 } else { self.loads.len() as u16 + 3 };

        let mut file = self.bytes();
        file.bytes.extend([
            0x7f,
            b'E',
            b'L',
            b'F',
            1 + u8::from(self.wide),
            1 + u8::from(self.big),
            1,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]);
        file.u16(self.kind);
        file.u16(if self.wide { 62 } else { 40 });
        file.u32(1);
        file.word(self.entry);
        file.word(head as u64);
        file.word(if section_count == 0 { 0 } else { sections_at });
        file.u32(0);
        for number in [head, program_head, count, section_head] {
            file.u16(number as u16);
        }
        file.u16(section_count);
        // Sections and symbols share a string table.
        file.u16(section_count.saturating_sub(1));
        for (load, offset) in self.loads.iter().zip(&offsets) {
            file.program_header(
                1,
                *offset,
                load.virtual_address,
                load.physical_address,
                load.bytes.len() as u64,
                load.size,
            );
        }
        file.program_header(4, offsets[count - 1], 0, 0, self.notes.len() as u64, 0);
        file.bytes.extend(contents);
        if section_count > 0 {
            self.section_headers(
                &mut file,
                &offsets,
                [symbols_at, symbols.len() as u64, names_at, names.len() as u64],
                symbol_size as u64,
            );
        }
        file.bytes
    }

    fn symbol_table(&self, size: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut table, mut names) = (self.bytes(), vec![0]);
        table.bytes.resize(size, 0);
        for Symbol { name, address, size, kind, section } in &self.symbols {
            table.u32(names.len() as u32);
            if self.wide {
                table.bytes.extend([*kind, 0]);
                table.u16(*section);
            }
            table.word(*address);
            table.word(*size);
            if !self.wide {
                table.bytes.extend([*kind, 0]);
                table.u16(*section);
            }
            names.extend([name.as_bytes(), &[0]].concat());
        }
        (table.bytes, names)
    }

    fn section_headers(
        &self,
        file: &mut Bytes,
        offsets: &[u64],
        [symbols_at, symbols, names_at, names]: [u64; 4],
        symbol_size: u64,
    ) {
        // Kinds of sections, and their flags.
        let [null, content, symbols_kind, names_kind, nothing] = [0, 1, 2, 3, 8];
        let [written, loaded] = [1, 2];
        file.section_header(null, 0, 0, [0, 0], 0, 0);
        for (load, offset) in self.loads.iter().zip(offsets) {
            let kind = if load.bytes.is_empty() { nothing } else { content };
            let flags = loaded | if load.writable { written } else { 0 };
            file.section_header(kind, flags, load.virtual_address, [*offset, load.size], 0, 0);
        }
        file.section_header(
            symbols_kind,
            0,
            0,
            [symbols_at, symbols],
            self.loads.len() as u32 + 2,
            symbol_size,
        );
        file.section_header(names_kind, 0, 0, [names_at, names], 0, 0);
    }
}

/// Bytes in a byte order.
struct Bytes {
    bytes: Vec<u8>,
    wide: bool,
    big: bool,
}

impl Bytes {
    fn u16(&mut self, number: u16) {
        self.bytes.extend(if self.big { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    fn u32(&mut self, number: u32) {
        self.bytes.extend(if self.big { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    /// Appends a number of the width of a pointer.
    fn word(&mut self, number: u64) {
        if self.wide {
            self.bytes.extend(if self.big { number.to_be_bytes() } else { number.to_le_bytes() });
        } else {
            self.u32(u32::try_from(number).expect("the number fits 32 bits"));
        }
    }

    fn program_header(
        &mut self,
        kind: u32,
        offset: u64,
        virtual_address: u64,
        physical_address: u64,
        length: u64,
        size: u64,
    ) {
        self.u32(kind);
        if self.wide {
            self.u32(4);
        }
        for number in [offset, virtual_address, physical_address, length, size] {
            self.word(number);
        }
        if !self.wide {
            self.u32(4);
        }
        self.word(4);
    }

    fn section_header(
        &mut self,
        kind: u32,
        flags: u64,
        address: u64,
        [offset, size]: [u64; 2],
        link: u32,
        entry: u64,
    ) {
        self.u32(0);
        self.u32(kind);
        for number in [flags, address, offset, size] {
            self.word(number);
        }
        self.u32(link);
        self.u32(if link > 0 { 1 } else { 0 });
        self.word(8);
        self.word(entry);
    }
}
