//! The notes in an ELF core of a Linux process.

use object::elf::{ELF_NOTE_CORE, NT_AUXV, NT_FILE};
use object::read::elf::{FileHeader, NoteIterator};
use object::{Endian, Endianness};

/// Facts about the Linux process of a core; empty for a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// The address of the program's entry point, which depends on where it was loaded.
    pub(super) entry: Option<u64>,
    /// The files that the process had mapped.
    pub(super) mapped: Vec<String>,
}

/// The type of the entry point in an auxiliary vector.
const AT_ENTRY: u64 = 9;

impl Notes {
    /// Adds these notes. Ignores damaged ones, as the core can be read without them.
    pub(super) fn read<H: FileHeader<Endian = Endianness>>(
        &mut self,
        notes: NoteIterator<'_, H>,
        endian: Endianness,
        wide: bool,
    ) {
        for note in notes.flatten().filter(|note| note.name() == ELF_NOTE_CORE) {
            let words = Words { endian, wide };
            match note.n_type(endian) {
                NT_AUXV => self.entry = words.entry(note.desc()),
                NT_FILE => self.mapped = words.mapped(note.desc()),
                _ => {}
            }
        }
    }
}

/// Decodes numbers of the process's pointer width.
struct Words {
    endian: Endianness,
    wide: bool,
}

impl Words {
    fn size(&self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    fn each(&self, bytes: &[u8]) -> impl Iterator<Item = u64> {
        bytes.chunks_exact(self.size()).map(|word| match *word {
            [a, b, c, d] => self.endian.read_u32([a, b, c, d]).into(),
            [a, b, c, d, e, f, g, h] => self.endian.read_u64([a, b, c, d, e, f, g, h]),
            _ => 0,
        })
    }

    /// Finds the entry point in the auxiliary vector: pairs of a type and a value.
    fn entry(&self, vector: &[u8]) -> Option<u64> {
        let mut words = self.each(vector);
        std::iter::from_fn(|| words.next().zip(words.next()))
            .find(|(kind, _)| *kind == AT_ENTRY)
            .map(|(_, value)| value)
    }

    /// Reads the names in the list of mapped files: their count and the page size; start, end and
    /// offset of each; then the names.
    fn mapped(&self, list: &[u8]) -> Vec<String> {
        let count = self.each(list).next().and_then(|count| usize::try_from(count).ok());
        let numbers =
            count.and_then(|count| count.checked_mul(3)?.checked_add(2)?.checked_mul(self.size()));
        let names = numbers.and_then(|numbers| list.get(numbers..)).unwrap_or_default();
        let mut mapped: Vec<_> = names
            .split(|byte| *byte == 0)
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        mapped.retain(|name| !name.is_empty());
        mapped.dedup();
        mapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(wide: bool, endian: Endianness, numbers: &[u64]) -> Vec<u8> {
        let bytes = |number: &u64| match (wide, endian) {
            (true, Endianness::Little) => number.to_le_bytes().to_vec(),
            (true, Endianness::Big) => number.to_be_bytes().to_vec(),
            (false, Endianness::Little) => (*number as u32).to_le_bytes().to_vec(),
            (false, Endianness::Big) => (*number as u32).to_be_bytes().to_vec(),
        };
        numbers.iter().flat_map(bytes).collect()
    }

    #[test]
    fn notes_of_both_widths_and_byte_orders_are_read() {
        for (wide, endian) in [
            (true, Endianness::Little),
            (false, Endianness::Little),
            (true, Endianness::Big),
            (false, Endianness::Big),
        ] {
            let it = Words { endian, wide };
            assert_eq!(
                it.entry(&words(wide, endian, &[6, 4096, 9, 0x5560_1040, 0, 0])),
                Some(0x5560_1040)
            );
            assert_eq!(
                it.entry(&words(wide, endian, &[4096, 9, 0, 0, 9])),
                None,
                "a value is not a type"
            );
            let list = words(wide, endian, &[3, 4096, 1, 2, 0, 2, 3, 1, 3, 4, 0]);
            assert_eq!(
                it.mapped(&[&list, &b"/usr/bin/x\0/usr/bin/x\0/dev/shm/\xff\0"[..]].concat()),
                ["/usr/bin/x", "/dev/shm/\u{fffd}"]
            );
            for list in [&[][..], &[3], &[u64::MAX], &[u64::MAX / 3, 0], &[3, 4096, 1, 2]] {
                assert_eq!(it.mapped(&words(wide, endian, list)), [""; 0]);
            }
        }
    }
}
