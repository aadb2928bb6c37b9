//! Decides where entries and values go. Everything is `const fn`, so that the same code computes
//! sizes of declared models at compile time and lays out at run time.

use super::v2::{EntryHeader, Header};
use super::{Version, dimensions};
use crate::bytes::begins;
use crate::kind::{Access, Aggregation, Kind, Type, Unit};

/// The longest label: its length is a `u16` in both versions.
pub const MAX_LABEL_BYTES: usize = 65_535;
/// The longest help text.
pub const MAX_HELP_BYTES: usize = 65_535;
/// The longest unit name.
pub const MAX_UNIT_BYTES: usize = 255;
/// Two zero bytes end a version 1 region.
pub const V1_END_BYTES: usize = 2;

/// The layout of one stored value of a field. A field may have several: a timer has an average and
/// a histogram.
#[derive(Clone, Copy, Debug)]
pub struct ValueLayout {
    /// The text that is appended to the field's label.
    pub suffix: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The type.
    pub ty: Type,
    /// The unit, if the declaration does not choose it.
    pub unit: Unit,
    /// The aggregation, if the declaration does not choose it.
    pub aggregation: Aggregation,
    /// The access; in version 1, latched means two buffers.
    pub access: Access,
    /// Bytes of the value; of a histogram, the whole block.
    pub value_size: usize,
    /// Bytes that the value takes in the region, with its latch.
    pub size: usize,
    /// The offset is a multiple of this.
    pub align: usize,
    /// A histogram's grouping power, else 0.
    pub grouping_power: u8,
    /// A histogram's maximum power, else 0.
    pub max_power: u8,
}

impl ValueLayout {
    /// Creates the layout of a value of the field's own label and unit.
    #[must_use]
    pub const fn new(kind: Kind, ty: Type, access: Access, value_size: usize) -> ValueLayout {
        ValueLayout {
            suffix: "",
            kind,
            ty,
            unit: Unit::NONE,
            aggregation: Aggregation::Unspecified,
            access,
            value_size,
            size: value_size,
            align: 1,
            grouping_power: 0,
            max_power: 0,
        }
    }
}

/// The definition of a field.
#[derive(Clone, Copy, Debug)]
pub struct FieldDef<'a> {
    /// The prefix of its model.
    pub prefix: &'a str,
    /// The label.
    pub label: &'a str,
    /// The lines of its help text.
    pub help: &'a [&'a str],
    /// The unit.
    pub unit: Unit,
    /// The aggregation over writers.
    pub aggregation: Aggregation,
    /// Whether the value survives its owner's end, whatever its kind.
    pub kept: bool,
    /// The layouts of its values.
    pub layouts: &'a [ValueLayout],
}

impl FieldDef<'_> {
    /// Returns the label of one of its values in three parts, without prefixes: dimensions come
    /// after the suffix.
    #[must_use]
    pub const fn label_parts(&self, layout: &ValueLayout) -> [&[u8]; 3] {
        let (label, dimensions) = dimensions::split(self.label.as_bytes());
        [label, layout.suffix.as_bytes(), dimensions]
    }

    /// Returns how many bytes further dimensions add to its labels: themselves, and either a comma
    /// or braces.
    #[must_use]
    pub const fn dimensions_length(&self, dimensions: &str) -> usize {
        let (_, own) = dimensions::split(self.label.as_bytes());
        match (dimensions.len(), own.len()) {
            (0, _) => 0,
            (length, 0) => length + 2,
            (length, _) => length + 1,
        }
    }

    /// Returns the unit of one of its values.
    #[must_use]
    pub const fn unit_of(&self, layout: &ValueLayout) -> Unit {
        if layout.unit.name.is_empty() { self.unit } else { layout.unit }
    }

    /// Returns the flags of a value's entry. Counters and histograms have one meaningful
    /// aggregation, so theirs is not stated.
    const fn entry_flags(&self, layout: &ValueLayout) -> u8 {
        let aggregation = match (layout.kind, self.aggregation) {
            (Kind::Counter | Kind::Histogram, _) => Aggregation::Unspecified,
            (_, Aggregation::Unspecified) => layout.aggregation,
            (_, declared) => declared,
        };
        aggregation as u8 | if self.kept { EntryHeader::KEPT } else { 0 }
    }

    /// Returns the fixed part of a value's entry of `length` bytes, whose label has `label` bytes.
    #[must_use]
    pub const fn entry_header(
        &self,
        layout: &ValueLayout,
        label: usize,
        length: usize,
        value: usize,
    ) -> EntryHeader {
        let unit = self.unit_of(layout);
        EntryHeader {
            length: length as u32,
            value: value as u32,
            size: layout.value_size as u32,
            kind: layout.kind as u8,
            ty: layout.ty.letter(),
            access: layout.access as u8,
            scale: unit.scale,
            divisor: unit.divisor,
            label: label as u16,
            help: help_length(self.help) as u16,
            unit: unit.name.len() as u8,
            grouping_power: layout.grouping_power,
            max_power: layout.max_power,
            flags: self.entry_flags(layout),
        }
    }
}

/// The place of a value and its entry.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    /// Offset of the entry.
    pub entry: usize,
    /// Length of the entry; in version 1 up to the value.
    pub length: usize,
    /// Offset of the value in the region.
    pub value: usize,
}

/// The parts of a region that are in use. In version 2 the directory grows up from the header, and
/// values grow down from the end; in version 1 fields follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    version: Version,
    /// Offset of the next entry.
    pub low: usize,
    /// Offset of the last value.
    pub high: usize,
}

impl Cursor {
    /// Creates an empty region of `length` bytes.
    #[must_use]
    pub const fn new(version: Version, length: usize) -> Cursor {
        let low = match version {
            Version::V2 => Header::SIZE,
            Version::V1 | Version::V1Exact => 1,
        };
        Cursor { version, low, high: length & !7 }
    }

    /// Places the next value, whose label has `prefix` bytes more than its definition; returns
    /// `None` if it does not fit.
    pub const fn place(
        &mut self,
        definition: &FieldDef,
        layout: &ValueLayout,
        prefix: usize,
    ) -> Option<Placement> {
        let label = prefix + definition.prefix.len() + definition.label.len() + layout.suffix.len();
        let entry = self.low;
        match self.version {
            Version::V2 => {
                let constant = matches!(layout.access, Access::Constant);
                let length = Self::whole_entry_length(definition, layout, label);
                let size = if constant { 0 } else { layout.size };
                if self.high < size {
                    return None;
                }
                let value =
                    if constant { self.high } else { (self.high - size) & !(layout.align - 1) };
                if value < entry + length {
                    return None;
                }
                self.low = entry + length;
                self.high = value;
                Some(Placement {
                    entry,
                    length,
                    value: if constant {
                        entry + Self::texts_end(definition, layout, label)
                    } else {
                        value
                    },
                })
            }
            Version::V1 | Version::V1Exact => {
                let head = 2 + label + 2 + type_length(layout) + 1;
                let padding = match self.version {
                    Version::V1 => (entry + head).wrapping_neg() & (layout.align - 1),
                    _ => 0,
                };
                let length = head + padding;
                if entry + length + layout.size + V1_END_BYTES > self.high {
                    return None;
                }
                self.low = entry + length + layout.size;
                Some(Placement { entry, length, value: entry + length })
            }
        }
    }

    /// Returns the bytes of an entry up to the end of its texts.
    const fn texts_end(definition: &FieldDef, layout: &ValueLayout, label: usize) -> usize {
        EntryHeader::SIZE
            + label
            + definition.unit_of(layout).name.len()
            + help_length(definition.help)
    }

    /// Returns the bytes of an entry that holds a constant of this many bytes.
    pub(super) const fn entry_length(
        definition: &FieldDef,
        layout: &ValueLayout,
        label: usize,
        constant: usize,
    ) -> usize {
        (Self::texts_end(definition, layout, label) + constant).next_multiple_of(4)
    }

    /// Returns the bytes of an entry of version 2 with its constant; its label has `label` bytes.
    pub const fn whole_entry_length(
        definition: &FieldDef,
        layout: &ValueLayout,
        label: usize,
    ) -> usize {
        let constant = matches!(layout.access, Access::Constant);
        let size = if constant { layout.value_size } else { 0 };
        Self::entry_length(definition, layout, label, size)
    }

    /// Places all values of some fields; returns `false` if they do not fit.
    pub const fn place_all(&mut self, fields: &[FieldDef], prefix: usize) -> bool {
        let mut i = 0;
        while i < fields.len() {
            let mut j = 0;
            while j < fields[i].layouts.len() {
                if self.place(&fields[i], &fields[i].layouts[j], prefix).is_none() {
                    return false;
                }
                j += 1;
            }
            i += 1;
        }
        true
    }
}

/// Returns the bytes of a region for these fields, whose labels have `prefix` more bytes; a
/// multiple of 8.
///
/// # Panics
/// If they need a quarter of the address space.
#[must_use]
pub const fn size(version: Version, fields: &[FieldDef], prefix: usize) -> usize {
    size_of_all(version, &[fields], prefix)
}

/// Returns the bytes of a region for several models, as [`size`] does for one.
///
/// # Panics
/// If they need a quarter of the address space.
#[must_use]
pub const fn size_of_all(version: Version, models: &[&[FieldDef]], prefix: usize) -> usize {
    // Larger than any region, and as aligned: only the bytes used at its two ends count.
    let far = 1 << (usize::BITS - 2);
    let mut cursor = Cursor::new(version, far);
    let mut i = 0;
    while i < models.len() {
        assert!(cursor.place_all(models[i], prefix), "the fields are too large for this machine");
        i += 1;
    }
    match version {
        Version::V2 => (cursor.low + (far - cursor.high)).next_multiple_of(8),
        Version::V1 | Version::V1Exact => (cursor.low + V1_END_BYTES).next_multiple_of(8),
    }
}

/// Returns the bytes of a type in version 1, digits and letter.
#[must_use]
pub const fn type_length(layout: &ValueLayout) -> usize {
    match layout.ty {
        Type::Text => {
            1 + if layout.value_size == 0 { 1 } else { layout.value_size.ilog10() as usize + 1 }
        }
        _ => 1,
    }
}

/// Strips the space that a line of a doc comment begins with.
#[must_use]
pub const fn help_line(line: &str) -> &str {
    strip(line, b" ")
}

/// Strips the `r#` of a raw identifier from a field's name.
#[must_use]
pub const fn label(identifier: &str) -> &str {
    strip(identifier, b"r#")
}

const fn strip<'t>(text: &'t str, prefix: &[u8]) -> &'t str {
    if begins(text.as_bytes(), prefix) {
        let (_, rest) = text.as_bytes().split_at(prefix.len());
        if let Ok(rest) = core::str::from_utf8(rest) {
            return rest;
        }
    }
    text
}

/// Returns the bytes of the lines of help, joined by line feeds.
#[must_use]
pub const fn help_length(help: &[&str]) -> usize {
    let mut length = help.len().saturating_sub(1);
    let mut i = 0;
    while i < help.len() {
        length += help[i].len();
        i += 1;
    }
    length
}

/// Checks that a model can be published. It is called in constants, so that others do not compile.
///
/// # Panics
/// For an empty, overlong or duplicate label, braces that hold no dimensions, or a text that is too
/// long or has a NUL.
pub const fn check(fields: &[FieldDef]) {
    let mut i = 0;
    while i < fields.len() {
        let field = &fields[i];
        assert!(!field.label.is_empty(), "a field has an empty label");
        let mut layout = 0;
        while layout < field.layouts.len() {
            let length =
                field.prefix.len() + field.label.len() + field.layouts[layout].suffix.len();
            assert!(length <= MAX_LABEL_BYTES, "a label is longer than 65535 bytes");
            let length = Cursor::whole_entry_length(field, &field.layouts[layout], length);
            assert!(
                length <= EntryHeader::MAX_BYTES,
                "a field's entry is longer than 262144 bytes"
            );
            layout += 1;
        }
        assert!(
            field.unit.name.len() <= MAX_UNIT_BYTES,
            "the name of a unit is longer than 255 bytes"
        );
        assert!(
            help_length(field.help) <= MAX_HELP_BYTES,
            "a help text is longer than 65535 bytes"
        );
        assert!(!has_nul(field.prefix) && !has_nul(field.label), "a label contains a NUL");
        if !dimensions::are_valid(field.label.as_bytes()) {
            let message =
                Message::new().with("expected dimensions as in a{name=\"value\"}, found ");
            panic!("{}", message.with(field.label).as_str());
        }
        assert!(!has_nul(field.unit.name), "the name of a unit contains a NUL");
        let mut line = 0;
        while line < field.help.len() {
            assert!(!has_nul(field.help[line]), "a help text contains a NUL");
            line += 1;
        }
        i += 1;
    }
    assert_distinct(fields);
}

/// Compares a label with those before it only if their hashes are equal, as the compiler evaluates
/// this a million times more slowly than a machine.
const fn assert_distinct(fields: &[FieldDef]) {
    // A bit for each hash.
    let mut seen = [0_u64; 1024];
    let mut i = 0;
    while i < fields.len() {
        let mut layout = 0;
        while layout < fields[i].layouts.len() {
            let label = fields[i].label_parts(&fields[i].layouts[layout]);
            let hash = hash(label);
            let (word, bit) = (hash / 64 % seen.len(), 1 << (hash % 64));
            if seen[word] & bit != 0 && has_label(fields.split_at(i).0, label) {
                let message = Message::new().with("two fields have the label ");
                panic!("{}", message.with(fields[i].label).as_str());
            }
            seen[word] |= bit;
            layout += 1;
        }
        i += 1;
    }
}

const fn has_label(fields: &[FieldDef], label: [&[u8]; 3]) -> bool {
    let mut i = 0;
    while i < fields.len() {
        let mut layout = 0;
        while layout < fields[i].layouts.len() {
            if are_equal(fields[i].label_parts(&fields[i].layouts[layout]), label) {
                return true;
            }
            layout += 1;
        }
        i += 1;
    }
    false
}

/// Returns a hash of a label of three parts (FNV-1a, folded).
const fn hash(label: [&[u8]; 3]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut part = 0;
    while part < label.len() {
        let mut i = 0;
        while i < label[part].len() {
            hash = (hash ^ label[part][i] as u32).wrapping_mul(0x0100_0193);
            i += 1;
        }
        part += 1;
    }
    (hash ^ (hash >> 16)) as usize
}

/// The text of a panic in a constant, which can show only a whole `&str`.
pub(super) struct Message {
    bytes: [u8; Self::SIZE],
    len: usize,
}

impl Message {
    const SIZE: usize = 160;

    pub(super) const fn new() -> Message {
        Message { bytes: [0; Self::SIZE], len: 0 }
    }

    /// Appends a text; its end is left out if it is too long.
    pub(super) const fn with(mut self, text: &str) -> Message {
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() && self.len < Self::SIZE {
            self.bytes[self.len] = text[i];
            self.len += 1;
            i += 1;
        }
        self
    }

    pub(super) const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            // Cut within a character.
            Err(_) => "a label is invalid, or two fields have the same",
        }
    }
}

const fn has_nul(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == 0 {
            return true;
        }
        i += 1;
    }
    false
}

/// Returns `true` if two labels, of three parts each, are equal.
const fn are_equal(a: [&[u8]; 3], b: [&[u8]; 3]) -> bool {
    let length = a[0].len() + a[1].len() + a[2].len();
    if length != b[0].len() + b[1].len() + b[2].len() {
        return false;
    }
    // From the end, because labels often share prefixes.
    let mut i = length;
    while i > 0 {
        i -= 1;
        if byte_at(a, i) != byte_at(b, i) {
            return false;
        }
    }
    true
}

const fn byte_at([first, second, third]: [&[u8]; 3], i: usize) -> u8 {
    if i < first.len() {
        first[i]
    } else if i - first.len() < second.len() {
        second[i - first.len()]
    } else {
        third[i - first.len() - second.len()]
    }
}
