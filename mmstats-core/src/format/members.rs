//! Expands the members of a model into its fields. A member is a field, another model, or an array
//! of either; all labels are composed at compile time, so that code at run time knows only fields.
//!
//! ```text
//! axis: [Motor; 2]                    axis.steps{index="0"}, axis.steps{index="1"}
//! left: Motor = "motor{side=\"l\"}"   motor.steps{side="l"}
//! ```

use super::dimensions;
use super::layout::{FieldDef, Message, ValueLayout, check};
use crate::kind::{Aggregation, Unit};

/// The name of an array's dimension, if its declaration chooses none.
const INDEX: &str = "index";

/// The fields of a member's type.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// One field, of these values.
    Field(&'static [ValueLayout]),
    /// The fields of a model.
    Model(&'static [FieldDef<'static>]),
    /// An array: its length, and the shape of its elements.
    Array(usize, &'static Shape),
}

impl Shape {
    /// Returns the shape of the elements of all arrays.
    const fn element(&self) -> &Shape {
        let mut shape = self;
        while let Shape::Array(_, element) = shape {
            shape = element;
        }
        shape
    }

    /// Returns the number of dimensions.
    const fn dimensions(&self) -> usize {
        let (mut shape, mut dimensions) = (self, 0);
        while let Shape::Array(_, element) = shape {
            shape = element;
            dimensions += 1;
        }
        dimensions
    }

    /// Returns the number of fields.
    const fn fields(&self) -> usize {
        let (mut shape, mut elements) = (self, 1);
        while let Shape::Array(length, element) = shape {
            shape = element;
            elements *= *length;
        }
        match shape {
            Shape::Model(fields) => elements * fields.len(),
            _ => elements,
        }
    }
}

/// A member as declared.
#[derive(Clone, Copy, Debug)]
pub struct MemberDef {
    /// The definition of each of its fields, except for what comes from its type.
    pub definition: FieldDef<'static>,
    /// The names of the dimensions of its arrays, if chosen.
    pub dimensions: &'static [&'static str],
    /// The fields of its type.
    pub shape: &'static Shape,
}

impl MemberDef {
    /// Returns `true` if it is one field, whose label is that of the declaration.
    const fn is_one_field(&self) -> bool {
        matches!(self.shape, Shape::Field(_))
    }

    /// Returns the field with this index among those of the innermost model.
    const fn inner(&self, field: usize) -> Option<&'static FieldDef<'static>> {
        match self.shape.element() {
            Shape::Model(fields) => Some(&fields[field % fields.len()]),
            _ => None,
        }
    }
}

/// Returns the number of fields of these members.
#[must_use]
pub const fn field_count(members: &[MemberDef]) -> usize {
    let (mut count, mut i) = (0, 0);
    while i < members.len() {
        count += members[i].shape.fields();
        i += 1;
    }
    count
}

/// Returns the bytes of all labels that are composed.
#[must_use]
pub const fn label_bytes(members: &[MemberDef]) -> usize {
    let mut labels = Labels::<0>::new();
    labels.put_all(members);
    labels.len
}

/// Returns the labels that are composed, one after another, of [`label_bytes`].
#[must_use]
pub const fn labels<const BYTES: usize>(members: &[MemberDef]) -> [u8; BYTES] {
    let mut labels = Labels::new();
    labels.put_all(members);
    labels.bytes
}

/// Returns the fields of these members, whose number is [`field_count`], with these [`labels`].
///
/// # Panics
/// If the number or the labels are not those of the members.
#[must_use]
pub const fn fields<const COUNT: usize>(
    members: &[MemberDef],
    labels: &'static [u8],
) -> [FieldDef<'static>; COUNT] {
    const NONE: FieldDef<'static> = FieldDef {
        prefix: "",
        label: "",
        help: &[],
        unit: Unit::NONE,
        aggregation: Aggregation::Unspecified,
        kept: false,
        layouts: &[],
    };
    let mut fields = [NONE; COUNT];
    let (mut count, mut labels, mut i) = (0, labels, 0);
    while i < members.len() {
        let member = &members[i];
        let mut field = 0;
        while field < member.shape.fields() {
            let mut definition = member.definition;
            if let Some(inner) = member.inner(field) {
                definition = *inner;
                definition.prefix = member.definition.prefix;
            } else if let Shape::Field(layouts) = member.shape.element() {
                definition.layouts = layouts;
            }
            if !member.is_one_field() {
                let mut length = Labels::<0>::new();
                length.put_label(member, field);
                let (label, rest) = labels.split_at(length.len);
                labels = rest;
                definition.label = match core::str::from_utf8(label) {
                    Ok(label) => label,
                    Err(_) => panic!("labels of other members"),
                };
            }
            fields[count] = definition;
            count += 1;
            field += 1;
        }
        i += 1;
    }
    assert!(count == COUNT && labels.is_empty(), "the number or the labels of other members");
    fields
}

/// Composes labels. Bytes beyond its size are only counted.
struct Labels<const BYTES: usize> {
    bytes: [u8; BYTES],
    len: usize,
}

impl<const BYTES: usize> Labels<BYTES> {
    const fn new() -> Self {
        Labels { bytes: [0; BYTES], len: 0 }
    }

    const fn put(&mut self, text: &[u8]) {
        let mut i = 0;
        while i < text.len() {
            if self.len < BYTES {
                self.bytes[self.len] = text[i];
            }
            self.len += 1;
            i += 1;
        }
    }

    const fn put_number(&mut self, number: usize) {
        let mut power = 1;
        while number / power >= 10 {
            power *= 10;
        }
        while power > 0 {
            self.put(&[b'0' + (number / power % 10) as u8]);
            power /= 10;
        }
    }

    /// Appends the dimensions of a label, `{…}` or nothing, to those that begin at `start`.
    const fn put_dimensions(&mut self, dimensions: &[u8], start: usize) {
        if let [b'{', inner @ .., b'}'] = dimensions {
            self.put_separator(start);
            self.put(inner);
        }
    }

    const fn put_separator(&mut self, start: usize) {
        self.put(if self.len == start { b"{" } else { b"," });
    }

    /// Appends the label of a member's field: of the dimensions, the member's own come first.
    const fn put_label(&mut self, member: &MemberDef, field: usize) {
        let (name, outer) = dimensions::split(member.definition.label.as_bytes());
        self.put(name);
        let mut inner: &[u8] = &[];
        if let Some(definition) = member.inner(field) {
            let (label, dimensions) = dimensions::split(definition.label.as_bytes());
            if !name.is_empty() {
                self.put(b".");
            }
            self.put(definition.prefix.as_bytes());
            self.put(label);
            inner = dimensions;
        }
        let start = self.len;
        self.put_dimensions(outer, start);
        let (mut shape, mut rest, mut dimension) = (member.shape, field, 0);
        while let Shape::Array(_, element) = shape {
            let name = if dimension < member.dimensions.len() {
                member.dimensions[dimension]
            } else {
                INDEX
            };
            self.put_separator(start);
            self.put(name.as_bytes());
            self.put(b"=\"");
            self.put_number(rest / element.fields());
            self.put(b"\"");
            rest %= element.fields();
            shape = element;
            dimension += 1;
        }
        self.put_dimensions(inner, start);
        if self.len > start {
            self.put(b"}");
        }
    }

    const fn put_all(&mut self, members: &[MemberDef]) {
        let mut i = 0;
        while i < members.len() {
            let member = &members[i];
            let mut field = 0;
            while !member.is_one_field() && field < member.shape.fields() {
                self.put_label(member, field);
                field += 1;
            }
            i += 1;
        }
    }
}

/// Checks that a model with these members can be published. It is called in constants, so that
/// others do not compile.
///
/// # Panics
/// For dimensions that are not those of the type, and for properties that only fields have; if
/// [`check`] panics for the fields that they expand into.
pub const fn check_model(members: &[MemberDef], fields: &[FieldDef]) {
    let (mut i, mut field) = (0, 0);
    while i < members.len() {
        let MemberDef { definition, dimensions: names, shape } = &members[i];
        let named = names.len();
        if named > 0 && named != shape.dimensions() {
            fail(definition.label, "it has another number of dimensions than names in braces");
        }
        if let Shape::Model(_) = shape.element() {
            if !definition.unit.name.is_empty() {
                fail(definition.label, "a model has no unit, only its fields have");
            }
            let states =
                definition.kept || !matches!(definition.aggregation, Aggregation::Unspecified);
            if states {
                fail(definition.label, "a model has no properties, only its fields have");
            }
        } else {
            assert!(!definition.label.is_empty(), "a field has an empty label");
        }
        let end = field + shape.fields();
        while field < end {
            // The parts are valid, so what makes the whole invalid is a repeated name.
            let is_valid = dimensions::are_valid(fields[field].label.as_bytes());
            if !is_valid && dimensions::are_valid(definition.label.as_bytes()) {
                fail(definition.label, "two dimensions of a label have the same name");
            }
            field += 1;
        }
        i += 1;
    }
    check(fields);
}

const fn fail(label: &str, fault: &str) -> ! {
    panic!("{}", Message::new().with("`").with(label).with("`: ").with(fault).as_str());
}
