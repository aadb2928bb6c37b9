//! Lays fields into a region.

mod entry;
mod error;
mod flash;
mod raw;

pub use error::{AddError, Excerpt};

use crate::field::{Field, FieldBuilder};
use crate::format::layout::{FieldDef, ValueLayout};
use crate::format::v2::IMMUTABLE_LAYOUT;
use crate::format::{Format, V2};
use crate::model::Model;
use crate::region::Slot;
use core::marker::PhantomData;
pub(crate) use flash::FlashAllocator;
use raw::RawWriter;

/// Adds fields to a region, one by one or a model at a time, while readers read.
///
/// Each field is complete before it appears. The fields of a model appear all at once.
///
/// ```
/// use mmstats_core::{Borrowed, Counter, Region, Text, V2, Writer, units};
///
/// let mut memory = [0; 64];
/// let mut writer = Writer::<Borrowed<V2>>::new(Region::new(&mut memory))?;
/// let received: Counter<u32, _> = writer.add(Counter::builder("received").unit(units::bytes).help("From the network."))?;
/// let state: Text<16, _> = writer.add(Text::builder("state").initial("idle"))?;
/// received.add(1500);
/// state.set("busy");
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
pub struct Writer<'p, F: Format = V2> {
    raw: RawWriter<'p>,
    _format: PhantomData<F>,
}

impl<'p, F: Format> Writer<'p, F> {
    /// Makes the region anew, without fields, whatever it held. Readers who read it meanwhile
    /// notice.
    ///
    /// # Errors
    /// [`AddError::Full`] if not even a header fits.
    pub fn new(region: F::Region) -> Result<Self, AddError> {
        Ok(Writer {
            raw: RawWriter::initialize(F::open(region), F::VERSION, F::WORD, 0)?,
            _format: PhantomData,
        })
    }

    /// The same for a region that is never made anew again, and says so: a file, which is replaced
    /// instead. Readers of such a region can save a pass.
    ///
    /// # Errors
    /// [`AddError::Full`] if not even a header fits.
    pub fn with_immutable_layout(region: F::Region) -> Result<Self, AddError> {
        Ok(Writer {
            raw: RawWriter::initialize(F::open(region), F::VERSION, F::WORD, IMMUTABLE_LAYOUT)?,
            _format: PhantomData,
        })
    }

    /// Goes on with what the region holds: fields that are added now, in the same order as before,
    /// keep what they accumulated (counters and histograms) and otherwise begin afresh. Behind the
    /// last of the old fields, new ones are added as ever.
    ///
    /// # Errors
    /// [`AddError::LayoutDiffers`] if it does not hold stats that this program could have written.
    pub fn resume(region: F::Region) -> Result<Self, AddError> {
        Ok(Writer {
            raw: RawWriter::resume(F::open(region), F::VERSION, F::WORD)?,
            _format: PhantomData,
        })
    }

    /// The same, but constants stay what they are, whatever they would be now: for stats that
    /// another owner, of the same fields, has left.
    ///
    /// # Errors
    /// [`AddError::LayoutDiffers`] if it does not hold stats that this program could have written.
    pub fn adopt(region: F::Region) -> Result<Self, AddError> {
        let mut writer = Self::resume(region)?;
        writer.raw.keep_constants = true;
        Ok(writer)
    }

    /// The model that the region holds, if it holds that and nothing else.
    pub(crate) fn resume_model<M: Model<Format = F>>(region: F::Region) -> Option<M> {
        let mut writer = Self::resume(region).ok()?;
        // Not published: fields that were not there before would appear.
        let model = M::attach(&mut writer.raw).ok()?;
        writer.raw.is_exactly_as_before().then_some(model)
    }

    /// Puts this before the label of every field added from now on.
    #[must_use]
    pub fn label_prefix(mut self, prefix: &'p str) -> Self {
        self.raw.prefix = prefix;
        self
    }

    /// Adds a field.
    ///
    /// # Errors
    /// If it cannot be added; the region is then as before.
    pub fn add<H: Field<Format = F>>(&mut self, field: FieldBuilder<'_, H>) -> Result<H, AddError> {
        let help = [field.help];
        let help = if field.help.is_empty() { &[][..] } else { &help };
        let definition = FieldDef {
            prefix: "",
            label: field.label,
            help,
            unit: field.unit,
            layouts: H::LAYOUTS,
        };
        self.raw.check(&definition)?;
        self.all_or_nothing(|raw| attach(raw, &definition, field.initial))
    }

    /// Adds the fields of a model.
    ///
    /// # Errors
    /// If one of them cannot be added; the region is then as before.
    pub fn add_model<M: Model<Format = F>>(&mut self) -> Result<M, AddError> {
        for definition in M::FIELDS {
            self.raw.check(definition)?;
        }
        self.all_or_nothing(M::attach)
    }

    /// The fields of a model that is alone in its region and without a further prefix. Nothing is
    /// left to check that was not when it was compiled.
    pub(crate) fn only_model<M: Model<Format = F>>(mut self) -> Result<M, AddError> {
        self.all_or_nothing(M::attach)
    }

    /// Whether all fields that the region held before have been added again.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        !self.raw.resuming()
    }

    fn all_or_nothing<R>(
        &mut self,
        add: impl FnOnce(&mut RawWriter<'p>) -> Result<R, AddError>,
    ) -> Result<R, AddError> {
        let before = (self.raw.cursor, self.raw.crc);
        let added = add(&mut self.raw);
        match added {
            Ok(_) => self.raw.publish(),
            Err(_) => (self.raw.cursor, self.raw.crc) = before,
        }
        added
    }
}

/// Gives values their places in a region, one after another.
#[doc(hidden)]
pub trait Allocator {
    /// What it needs to know of a field besides the layouts of its values: where no entry is
    /// written, nothing.
    type Metadata<'d>: Copy;
    fn metadata<'d>(definition: &'d FieldDef<'d>) -> Self::Metadata<'d>;
    /// Whether the next value was here before: what accumulated stays, all else begins afresh.
    fn resuming(&self) -> bool;
    /// Takes a place for a value and prepares it. A constant is written, or if an earlier one is to
    /// stay, told.
    fn place(
        &mut self,
        metadata: Self::Metadata<'_>,
        layout: &ValueLayout,
        constant: Option<&mut [u8]>,
    ) -> Result<Slot, AddError>;
}

/// A field of a model. It is checked by `model!`, and appears with the others.
#[doc(hidden)]
#[inline(always)]
pub fn attach<S: Allocator, H: Field>(
    placer: &mut S,
    definition: &FieldDef<'_>,
    initial: Option<H::Initial<'_>>,
) -> Result<H, AddError> {
    H::attach(
        &mut SlotIter { placer, metadata: S::metadata(definition), layouts: H::LAYOUTS },
        initial,
    )
}

/// Where a field takes its values from, in the order of its layouts.
#[doc(hidden)]
pub struct SlotIter<'w, S: Allocator> {
    placer: &'w mut S,
    metadata: S::Metadata<'w>,
    /// The field's own: what is laid out is what its cells expect.
    layouts: &'static [ValueLayout],
}

impl<S: Allocator> SlotIter<'_, S> {
    /// Whether the field was here before: what it accumulated stays, all else begins afresh.
    pub(crate) fn resuming(&self) -> bool {
        self.placer.resuming()
    }

    /// The slot of the next layout.
    #[inline(always)]
    pub(crate) fn slot(&mut self) -> Result<Slot, AddError> {
        self.next_layout(None)
    }

    /// Writes the value of the next layout, a constant; or if an earlier one is to stay, tells it.
    pub(crate) fn constant(&mut self, value: &mut [u8]) -> Result<(), AddError> {
        self.next_layout(Some(value)).map(|_| ())
    }

    #[inline(always)]
    fn next_layout(&mut self, constant: Option<&mut [u8]>) -> Result<Slot, AddError> {
        let (layout, rest) =
            self.layouts.split_first().expect("a field asks for as many places as it has layouts");
        self.layouts = rest;
        self.placer.place(self.metadata, layout, constant)
    }
}
