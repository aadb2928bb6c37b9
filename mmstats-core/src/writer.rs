//! Lays fields into a region.

use crate::field::{Describe, Field};
use crate::format::layout::{self, Cursor, Description, Placed, Shape};
use crate::format::v2::{BYTE_ORDER, EntryHead, Header, SETTLED};
use crate::format::{Format, MAGIC, V2, Version, crc32};
use crate::kind::{Access, Type};
use crate::model::Model;
use crate::protocol;
use crate::region::{RawRegion, Slot};
use core::fmt;
use core::marker::PhantomData;
use zerocopy::IntoBytes;

/// Why a field cannot be added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AddError {
    /// The region is full.
    Full {
        /// Bytes of the region.
        length: usize,
    },
    /// There is a field of this label.
    DuplicateLabel {
        /// Its beginning.
        label: Excerpt,
    },
    /// A field needs a label.
    EmptyLabel,
    /// The label with its prefix is longer than 65 535 bytes.
    LabelTooLong {
        /// Bytes.
        length: usize,
    },
    /// The help text is longer than 65 535 bytes, or the unit's name than 255.
    TextTooLong {
        /// Bytes.
        length: usize,
    },
    /// A label, unit or help text contains a NUL, which ends texts.
    Nul,
    /// What the region holds from before is not these fields.
    LayoutDiffers,
}

/// The beginning of a label, for messages.
pub type Excerpt = heapless::String<40>;

fn excerpt(text: &[&str]) -> Excerpt {
    let mut excerpt = Excerpt::new();
    let mut characters = text.iter().flat_map(|part| part.chars());
    while characters.next().is_some_and(|c| excerpt.push(c).is_ok()) {}
    excerpt
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddError::Full { length } => write!(f, "the region of {length} bytes is too small"),
            AddError::DuplicateLabel { label } => write!(f, "there is a field {label:?} already"),
            AddError::EmptyLabel => write!(f, "a field has an empty label"),
            AddError::LabelTooLong { length } => write!(f, "a label of {length} bytes is too long ({} at most)", layout::MAX_LABEL),
            AddError::TextTooLong { length } => {
                write!(f, "a text of {length} bytes is too long (help: {} at most, unit: {})", layout::MAX_HELP, layout::MAX_UNIT)
            }
            AddError::Nul => write!(f, "a label, unit or help text contains a NUL"),
            AddError::LayoutDiffers => write!(f, "the region holds other fields from before"),
        }
    }
}

impl core::error::Error for AddError {}

/// Adds fields to a region, one by one or a model at a time, while readers read.
///
/// Each field is complete before it appears. The fields of a model appear all at once.
///
/// ```
/// use mmstats_core::{Borrowed, Counter, Region, Text, V2, Writer, units};
///
/// let mut memory = [0; 64];
/// let mut writer = Writer::<Borrowed<V2>>::new(Region::new(&mut memory))?;
/// let received: Counter<u32, _> = writer.add(Counter::describe("received").unit(units::bytes).help("From the network."))?;
/// let state: Text<16, _> = writer.add(Text::describe("state").initial("idle"))?;
/// received.add(1500);
/// state.set("busy");
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
pub struct Writer<'p, F: Format = V2> {
    base: Base<'p>,
    _format: PhantomData<F>,
}

impl<'p, F: Format> Writer<'p, F> {
    /// Makes the region anew, without fields, whatever it held. Readers who read it meanwhile notice.
    ///
    /// # Errors
    /// [`AddError::Full`] if not even a header fits.
    pub fn new(region: F::Region) -> Result<Self, AddError> {
        Ok(Writer { base: Base::anew(F::open(region), F::VERSION, F::WORD, 0)?, _format: PhantomData })
    }

    /// The same for a region that is never made anew again, and says so: a file, which is replaced instead. Readers of such a region can save a pass.
    ///
    /// # Errors
    /// [`AddError::Full`] if not even a header fits.
    pub fn settled(region: F::Region) -> Result<Self, AddError> {
        Ok(Writer { base: Base::anew(F::open(region), F::VERSION, F::WORD, SETTLED)?, _format: PhantomData })
    }

    /// Goes on with what the region holds: fields that are added now, in the same order as before, keep what they accumulated (counters and
    /// histograms) and otherwise begin afresh. Behind the last of the old fields, new ones are added as ever.
    ///
    /// # Errors
    /// [`AddError::LayoutDiffers`] if it does not hold stats that this program could have written.
    pub fn resume(region: F::Region) -> Result<Self, AddError> {
        Ok(Writer { base: Base::resume(F::open(region), F::VERSION, F::WORD)?, _format: PhantomData })
    }

    /// The model that the region holds, if it holds that and nothing else.
    pub(crate) fn resume_model<M: Model<Format = F>>(region: F::Region) -> Option<M> {
        let mut writer = Self::resume(region).ok()?;
        // Not published: fields that were not there before would appear.
        let model = M::attach(&mut writer).ok()?;
        writer.base.is_exactly_as_before().then_some(model)
    }

    /// Puts this before the label of every field added from now on.
    #[must_use]
    pub fn label_prefix(mut self, prefix: &'p str) -> Self {
        self.base.prefix = prefix;
        self
    }

    /// Adds a field.
    ///
    /// # Errors
    /// If it cannot be added; the region is then as before.
    pub fn add<H: Field<Format = F>>(&mut self, field: Describe<'_, H>) -> Result<H, AddError> {
        let help = [field.help];
        let help = if field.help.is_empty() { &[][..] } else { &help };
        let description = Description { prefix: "", label: field.label, help, unit: field.unit, shapes: H::SHAPES };
        self.base.check(&description)?;
        self.all_or_nothing(|writer| writer.attach(&description, field.initial))
    }

    /// Adds the fields of a model.
    ///
    /// # Errors
    /// If one of them cannot be added; the region is then as before.
    pub fn model<M: Model<Format = F>>(&mut self) -> Result<M, AddError> {
        if !self.base.is_empty() || !self.base.prefix.is_empty() {
            // Alone in a region, a model has been checked when it was compiled.
            for description in M::FIELDS {
                self.base.check(description)?;
            }
        }
        self.all_or_nothing(M::attach)
    }

    /// A field of a model. It is checked by `model!`, and appears with the others.
    #[doc(hidden)]
    pub fn attach<H: Field<Format = F>>(&mut self, description: &Description<'_>, initial: Option<H::Initial<'_>>) -> Result<H, AddError> {
        H::attach(&mut Slots { base: &mut self.base, description, next: 0, _format: PhantomData }, initial)
    }

    /// Whether all fields that the region held before have been added again.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        !self.base.resuming()
    }

    fn all_or_nothing<R>(&mut self, add: impl FnOnce(&mut Self) -> Result<R, AddError>) -> Result<R, AddError> {
        let before = (self.base.cursor, self.base.layout);
        let added = add(self);
        match added {
            Ok(_) => self.base.publish(),
            Err(_) => (self.base.cursor, self.base.layout) = before,
        }
        added
    }
}

/// A writer without its format as a type, so that its code is there once.
struct Base<'p> {
    region: RawRegion,
    version: Version,
    cursor: Cursor,
    /// Where the visible entries end; what is added below this resumes.
    published: usize,
    /// CRC of the entries up to `cursor`.
    layout: u32,
    /// Version 1: the first label size of what is not visible yet.
    first_size: [u8; 2],
    prefix: &'p str,
}

impl<'p> Base<'p> {
    fn anew(region: RawRegion, version: Version, word: usize, flags: u8) -> Result<Base<'p>, AddError> {
        let length = region.len();
        let needed = match version {
            Version::Two => Header::SIZE,
            Version::One | Version::OneExact => 1 + layout::V1_END,
        };
        if length < needed {
            return Err(AddError::Full { length });
        }
        match version {
            Version::Two => {
                region.validity().begin_anew();
                let header = header(length, word, flags);
                // The generation stands between them and is not touched.
                region.write(8, &header.as_bytes()[8..Header::GENERATION]);
                region.zero(Header::PUBLISHED, 4);
                region.validity().finish_anew();
            }
            Version::One | Version::OneExact => {
                region.zero(0, needed);
                region.write(0, &[1]);
            }
        }
        let cursor = Cursor::new(version, length);
        Ok(Base { region, version, cursor, published: cursor.low, layout: 0, first_size: [0; 2], prefix: "" })
    }

    fn resume(region: RawRegion, version: Version, word: usize) -> Result<Base<'p>, AddError> {
        let length = region.len();
        let cursor = Cursor::new(version, length);
        let published = match version {
            Version::Two if length >= Header::SIZE => {
                let [flags] = region.read(core::mem::offset_of!(Header, flags));
                let header = header(length, word, flags & SETTLED);
                let published = u32::from_ne_bytes(region.read(Header::PUBLISHED)) as usize;
                let ours = region.equals(0, &header.as_bytes()[..Header::LAYOUT]);
                (ours && published <= length - Header::SIZE).then_some(Header::SIZE + published)
            }
            Version::One | Version::OneExact if length > layout::V1_END => region.equals(0, &[1]).then(|| v1_end(&region)).flatten(),
            _ => None,
        };
        match published {
            Some(published) => Ok(Base { region, version, cursor, published, layout: 0, first_size: [0; 2], prefix: "" }),
            None => Err(AddError::LayoutDiffers),
        }
    }

    fn is_empty(&self) -> bool {
        self.cursor.low == Cursor::new(self.version, self.region.len()).low
    }

    fn resuming(&self) -> bool {
        self.cursor.low < self.published
    }

    /// Whether what was added is what the region held, to the last byte of the directory and its check.
    fn is_exactly_as_before(&self) -> bool {
        let checked = match self.version {
            Version::Two => self.region.equals(Header::LAYOUT, &self.layout.to_ne_bytes()),
            Version::One | Version::OneExact => true,
        };
        checked && self.cursor.low == self.published
    }

    /// Whether a description made at run time may be added.
    fn check(&self, description: &Description) -> Result<(), AddError> {
        let help = layout::help_length(description.help);
        let unit = description.unit.name;
        if help > layout::MAX_HELP {
            return Err(AddError::TextTooLong { length: help });
        }
        if unit.len() > layout::MAX_UNIT {
            return Err(AddError::TextTooLong { length: unit.len() });
        }
        if [self.prefix, description.prefix, description.label, unit].iter().chain(description.help).any(|text| text.contains('\0')) {
            return Err(AddError::Nul);
        }
        for shape in description.shapes {
            let parts = [self.prefix, description.prefix, description.label, shape.suffix];
            let length = parts.iter().map(|part| part.len()).sum();
            if length == 0 {
                return Err(AddError::EmptyLabel);
            }
            if length > layout::MAX_LABEL {
                return Err(AddError::LabelTooLong { length });
            }
            if self.holds(&parts, length) {
                return Err(AddError::DuplicateLabel { label: excerpt(&parts) });
            }
        }
        Ok(())
    }

    /// Whether there is an entry with this label up to the cursor.
    fn holds(&self, parts: &[&str], length: usize) -> bool {
        let mut at = Cursor::new(self.version, self.region.len()).low;
        while at < self.cursor.low {
            let label = match self.version {
                Version::Two => at + EntryHead::SIZE,
                Version::One | Version::OneExact => at + 2,
            };
            if self.label_length(at) == length && self.equals_parts(label, parts) {
                return true;
            }
            let next = match self.version {
                Version::Two => Some(at + u32::from_ne_bytes(self.region.read(at)) as usize),
                Version::One | Version::OneExact => v1_next(&self.region, at),
            };
            let Some(next) = next else { return false };
            at = next;
        }
        false
    }

    fn label_length(&self, entry: usize) -> usize {
        let at = match self.version {
            Version::Two => entry + core::mem::offset_of!(EntryHead, label),
            Version::One | Version::OneExact => entry,
        };
        u16::from_ne_bytes(self.region.read(at)) as usize
    }

    fn equals_parts(&self, mut at: usize, parts: &[&str]) -> bool {
        parts.iter().all(|part| {
            let equal = self.region.equals(at, part.as_bytes());
            at += part.len();
            equal
        })
    }

    /// Takes a place for a value, prepares it, and writes its entry. It appears with `publish`.
    #[inline(never)]
    fn place(&mut self, description: &Description, shape: &Shape, constant: Option<&[u8]>) -> Result<Slot, AddError> {
        let resuming = self.resuming();
        let full = AddError::Full { length: self.region.len() };
        let placed = self.cursor.place(description, shape, self.prefix.len()).ok_or(full)?;
        let in_entry = constant.is_some() && self.version == Version::Two;
        let (room, align) = if in_entry { (0, 1) } else { (shape.room, shape.align) };
        if !resuming {
            self.region.zero(placed.value, room);
        }
        let label = [self.prefix, description.prefix, description.label, shape.suffix];
        let mut entry = Entry { region: &self.region, at: placed.entry, crc: self.layout, compare: resuming };
        match self.version {
            Version::Two => {
                entry.version_2(label, description, shape, &placed, constant)?;
                self.layout = entry.crc;
            }
            Version::One | Version::OneExact => {
                let hide = !resuming && placed.entry == self.published;
                let size = entry.version_1(label, shape, &placed, constant, hide)?;
                if hide {
                    self.first_size = size;
                }
            }
        }
        if resuming && self.cursor.low > self.published {
            return Err(AddError::LayoutDiffers);
        }
        Ok(self.region.slot(placed.value, room, align))
    }

    /// Makes the entries up to the cursor visible.
    fn publish(&mut self) {
        if self.cursor.low < self.published {
            return;
        }
        match self.version {
            Version::Two => {
                // Also when all is as before: a writer that died between the two stores left `layout` ahead.
                let length = (self.cursor.low - Header::SIZE) as u32;
                protocol::publish(self.region.word(Header::LAYOUT), self.layout, self.region.word(Header::PUBLISHED), length);
                self.published = self.cursor.low;
            }
            Version::One | Version::OneExact if self.cursor.low > self.published => self.publish_v1(self.published),
            Version::One | Version::OneExact => {}
        }
    }

    /// The label sizes behind the first were written with their entries: a reader does not come to them before the first is there.
    fn publish_v1(&mut self, from: usize) {
        self.region.zero(self.cursor.low, layout::V1_END);
        protocol::between_passes();
        self.region.write(from + 1, &self.first_size[1..]);
        self.region.write(from, &self.first_size[..1]);
        self.published = self.cursor.low;
    }
}

/// The header of a region made by this program, but for what changes.
fn header(length: usize, word: usize, flags: u8) -> Header {
    let mut header = Header {
        magic: MAGIC,
        byte_order: BYTE_ORDER,
        word: word as u8,
        flags,
        length: length as u32,
        directory: Header::SIZE as u64,
        check: 0,
        layout: 0,
        generation: 0,
        published: 0,
    };
    header.check = crc32(0, &header.as_bytes()[..Header::CHECKED]);
    header
}

/// Where the entries end; `None` if they do not.
fn v1_end(region: &RawRegion) -> Option<usize> {
    let mut at = 1;
    while v1_number(region, at)? > 0 {
        at = v1_next(region, at)?;
    }
    Some(at)
}

/// Where the entry behind this one begins. What it holds may be anybody's, when it is to be resumed.
fn v1_next(region: &RawRegion, entry: usize) -> Option<usize> {
    let ty = entry + 2 + v1_number(region, entry)?;
    let index = ty + 2 + v1_number(region, ty)?;
    let (mut count, mut size) = (0_usize, None);
    for at in ty + 2..index {
        match region.get(at)? {
            digit @ b'0'..=b'9' => count = count.checked_mul(10)?.checked_add((digit - b'0') as usize)?,
            b's' => size = Some(count),
            letter => size = size.or(Type::from_letter(letter).and_then(Type::size).map(|bytes| bytes as usize)),
        }
    }
    let values = match region.get(index)? {
        SINGLE => size?,
        0 | 1 => size?.checked_mul(2)?,
        _ => return None,
    };
    (index + 1).checked_add(values)
}

fn v1_number(region: &RawRegion, at: usize) -> Option<usize> {
    Some(u16::from_ne_bytes([region.get(at)?, region.get(at + 1)?]) as usize)
}

/// The write buffer index that means a single value.
const SINGLE: u8 = 0xff;

/// Writes an entry byte by byte, or when a region is resumed, compares it with what is there.
struct Entry<'b> {
    region: &'b RawRegion,
    at: usize,
    crc: u32,
    compare: bool,
}

impl Entry<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), AddError> {
        if !self.compare {
            self.region.write(self.at, bytes);
        } else if !self.region.equals(self.at, bytes) {
            return Err(AddError::LayoutDiffers);
        }
        self.at += bytes.len();
        self.crc = crc32(self.crc, bytes);
        Ok(())
    }

    fn put_all(&mut self, texts: &[&str]) -> Result<(), AddError> {
        texts.iter().try_for_each(|text| self.put(text.as_bytes()))
    }

    fn version_2(
        &mut self,
        label: [&str; 4],
        description: &Description,
        shape: &Shape,
        placed: &Placed,
        constant: Option<&[u8]>,
    ) -> Result<(), AddError> {
        let unit = description.unit_of(shape);
        let head = EntryHead {
            length: placed.length as u32,
            value: if constant.is_some() { placed.value - placed.entry } else { placed.value } as u32,
            size: shape.value as u32,
            kind: shape.kind as u8,
            ty: shape.ty.letter(),
            access: shape.access as u8,
            scale: unit.scale,
            divisor: unit.divisor,
            label: label.iter().map(|part| part.len()).sum::<usize>() as u16,
            help: layout::help_length(description.help) as u16,
            unit: unit.name.len() as u8,
            p: shape.powers.0,
            n: shape.powers.1,
            flags: 0,
        };
        self.put(head.as_bytes())?;
        self.put_all(&label)?;
        self.put(unit.name.as_bytes())?;
        for (i, line) in description.help.iter().enumerate() {
            if i > 0 {
                self.put(b"\n")?;
            }
            self.put(line.as_bytes())?;
        }
        self.put(constant.unwrap_or_default())?;
        while self.at < placed.entry + placed.length {
            self.put(&[0])?;
        }
        Ok(())
    }

    fn version_1(&mut self, label: [&str; 4], shape: &Shape, placed: &Placed, constant: Option<&[u8]>, hide: bool) -> Result<[u8; 2], AddError> {
        let size = (label.iter().map(|part| part.len()).sum::<usize>() as u16).to_ne_bytes();
        self.put(if hide { &[0, 0] } else { &size })?;
        self.put_all(&label)?;
        let index = placed.value - 1;
        self.put(&((index - self.at - 2) as u16).to_ne_bytes())?;
        if shape.ty == Type::Text {
            self.put_decimal(shape.value)?;
        }
        self.put(&[shape.ty.letter()])?;
        while self.at < index {
            self.put(b" ")?;
        }
        match shape.access {
            // Of a resumed field the index says which value is the good one.
            Access::Latched if self.compare => {}
            Access::Latched => self.put(&[0])?,
            Access::Word | Access::Constant => self.put(&[SINGLE])?,
        }
        if let Some(value) = constant {
            self.at = placed.value;
            self.put(value)?;
        }
        Ok(size)
    }

    fn put_decimal(&mut self, number: usize) -> Result<(), AddError> {
        let mut place = 10_usize.pow(number.checked_ilog10().unwrap_or(0));
        while place > 0 {
            self.put(&[b'0' + (number / place % 10) as u8])?;
            place /= 10;
        }
        Ok(())
    }
}

/// Where a field takes its values from, in the order of its shapes.
pub struct Slots<'w, 'p, F: Format> {
    base: &'w mut Base<'p>,
    description: &'w Description<'w>,
    next: usize,
    _format: PhantomData<F>,
}

impl<F: Format> Slots<'_, '_, F> {
    /// Whether the field was here before: what it accumulated stays, all else begins afresh.
    pub(crate) fn resuming(&self) -> bool {
        self.base.resuming()
    }

    /// The slot of the next shape.
    pub(crate) fn slot(&mut self) -> Result<Slot, AddError> {
        self.next_shape(None)
    }

    /// Writes the value of the next shape, a constant.
    pub(crate) fn constant(&mut self, value: &[u8]) -> Result<(), AddError> {
        self.next_shape(Some(value)).map(|_| ())
    }

    fn next_shape(&mut self, constant: Option<&[u8]>) -> Result<Slot, AddError> {
        let shape = &self.description.shapes[self.next];
        self.next += 1;
        self.base.place(self.description, shape, constant)
    }
}
