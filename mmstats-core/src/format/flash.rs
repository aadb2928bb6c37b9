//! A directory laid out at compile time for the program's flash. The region then holds only a
//! header and values.
//!
//! Constants lie among the values here, because their values are known only when the program runs.

use super::layout::{Cursor, FieldDef, ValueLayout};
use super::v2::{EntryHeader, Header, crc32};

/// Returns the bytes of a region for these fields with their directory in flash, a multiple of 8.
///
/// # Panics
/// If they need a quarter of the address space.
#[must_use]
pub const fn region_size(fields: &[FieldDef]) -> usize {
    sizes(fields).0
}

/// Returns the bytes of these fields' directory.
#[must_use]
pub const fn directory_length(fields: &[FieldDef]) -> usize {
    sizes(fields).1
}

/// Returns the bytes of the region and of the directory.
const fn sizes(fields: &[FieldDef]) -> (usize, usize) {
    let far = 1 << (usize::BITS - 2);
    let (mut high, mut directory) = (far, 0);
    let mut i = 0;
    while i < fields.len() {
        let mut j = 0;
        while j < fields[i].layouts.len() {
            let layout = &fields[i].layouts[j];
            high = match value_below(high, layout.size, layout.align) {
                Some(value) => value,
                None => panic!("the fields are too large for this machine"),
            };
            directory += entry_length(&fields[i], layout);
            j += 1;
        }
        i += 1;
    }
    ((Header::SIZE + far - high).next_multiple_of(8), directory)
}

/// Returns the offset of a value that is placed below one at `high`; `None` if it would reach into
/// the header.
#[inline(always)]
#[must_use]
pub const fn value_below(high: usize, size: usize, align: usize) -> Option<usize> {
    if high < Header::SIZE + size {
        return None;
    }
    let value = (high - size) & !(align - 1);
    if value < Header::SIZE { None } else { Some(value) }
}

const fn label_length(field: &FieldDef, layout: &ValueLayout) -> usize {
    field.prefix.len() + field.label.len() + layout.suffix.len()
}

const fn entry_length(field: &FieldDef, layout: &ValueLayout) -> usize {
    Cursor::entry_length(field, layout, label_length(field, layout), 0)
}

/// The bytes of a directory in flash.
#[derive(Debug)]
#[repr(C, align(4))]
pub struct Entries<const N: usize>([u8; N]);

impl<const N: usize> Entries<N> {
    /// Creates the directory of these fields, of `N` bytes, for a region of [`region_size`] bytes.
    ///
    /// # Panics
    /// If `N` is not [`directory_length`].
    #[must_use]
    pub const fn new(fields: &[FieldDef]) -> Self {
        assert!(N == directory_length(fields), "the directory has another length");
        let mut entries = [0; N];
        let mut at = 0;
        let mut high = region_size(fields);
        let mut i = 0;
        while i < fields.len() {
            let mut j = 0;
            while j < fields[i].layouts.len() {
                let (field, layout) = (&fields[i], &fields[i].layouts[j]);
                high = match value_below(high, layout.size, layout.align) {
                    Some(value) => value,
                    None => unreachable!(),
                };
                write_entry(&mut entries, at, field, layout, high);
                at += entry_length(field, layout);
                j += 1;
            }
            i += 1;
        }
        Entries(entries)
    }

    /// Returns its CRC-32.
    #[must_use]
    pub const fn check(&self) -> u32 {
        crc32(0, &self.0)
    }

    /// Returns the directory with its CRC-32, which the caller computed by [`Self::check`] in a
    /// constant.
    #[must_use]
    pub const fn directory(&'static self, check: u32) -> FlashDirectory {
        FlashDirectory { entries: &self.0, check }
    }
}

/// The name of the section of directories that are only in the ELF file.
pub const UNLOADED_SECTION: &str = ".mmstats";

/// A directory that is only in the program's ELF file: its address there, which is no address of
/// memory.
#[derive(Clone, Copy, Debug)]
pub struct UnloadedDirectory {
    pub(crate) address: usize,
    pub(crate) length: u32,
    pub(crate) check: u32,
}

impl UnloadedDirectory {
    /// Creates the reference to a static with this CRC-32. The static is never read.
    #[must_use]
    pub fn new<const N: usize>(entries: *const Entries<N>, check: u32) -> UnloadedDirectory {
        UnloadedDirectory { address: entries.addr(), length: N as u32, check }
    }
}

/// A model's directory in the program's flash.
#[derive(Clone, Copy, Debug)]
pub struct FlashDirectory {
    /// The entries.
    pub entries: &'static [u8],
    /// Their CRC-32, which the region's header holds as `layout`.
    pub check: u32,
}

const fn write_entry(
    entries: &mut [u8],
    start: usize,
    field: &FieldDef,
    layout: &ValueLayout,
    value: usize,
) {
    let (length, label) = (entry_length(field, layout), label_length(field, layout));
    let head = field.entry_header(layout, label, length, value);
    let head: [u8; EntryHeader::SIZE] = zerocopy::transmute!(head);
    let mut at = write(entries, start, &head);
    at = write(entries, at, field.prefix.as_bytes());
    let [label, suffix, dimensions] = field.label_parts(layout);
    at = write(entries, at, label);
    at = write(entries, at, suffix);
    at = write(entries, at, dimensions);
    at = write(entries, at, field.unit_of(layout).name.as_bytes());
    let mut line = 0;
    while line < field.help.len() {
        if line > 0 {
            at = write(entries, at, b"\n");
        }
        at = write(entries, at, field.help[line].as_bytes());
        line += 1;
    }
}

const fn write(to: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let mut i = 0;
    while i < bytes.len() {
        to[at + i] = bytes[i];
        i += 1;
    }
    at + bytes.len()
}
