//! Lays fields into a region.

mod base;
mod entry;
mod error;
mod flash;

pub use error::{AddError, Excerpt};

use crate::field::{Field, FieldBuilder};
use crate::format::layout::{FieldDef, ValueLayout};
use crate::format::v2::SETTLED;
use crate::format::{Format, V2};
use crate::model::Model;
use crate::region::Slot;
use base::Base;
use core::marker::PhantomData;
pub(crate) use flash::WithFlash;

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
    base: Base<'p>,
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
            base: Base::anew(F::open(region), F::VERSION, F::WORD, 0)?,
            _format: PhantomData,
        })
    }

    /// The same for a region that is never made anew again, and says so: a file, which is replaced
    /// instead. Readers of such a region can save a pass.
    ///
    /// # Errors
    /// [`AddError::Full`] if not even a header fits.
    pub fn settled(region: F::Region) -> Result<Self, AddError> {
        Ok(Writer {
            base: Base::anew(F::open(region), F::VERSION, F::WORD, SETTLED)?,
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
            base: Base::resume(F::open(region), F::VERSION, F::WORD)?,
            _format: PhantomData,
        })
    }

    /// The same, but constants stay what they are, whatever they would be now: for stats that
    /// another owner, of the same fields, has left.
    ///
    /// # Errors
    /// [`AddError::LayoutDiffers`] if it does not hold stats that this program could have written.
    pub fn take_over(region: F::Region) -> Result<Self, AddError> {
        let mut writer = Self::resume(region)?;
        writer.base.keep_constants = true;
        Ok(writer)
    }

    /// The model that the region holds, if it holds that and nothing else.
    pub(crate) fn resume_model<M: Model<Format = F>>(region: F::Region) -> Option<M> {
        let mut writer = Self::resume(region).ok()?;
        // Not published: fields that were not there before would appear.
        let model = M::attach(&mut writer.base).ok()?;
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
    pub fn add<H: Field<Format = F>>(&mut self, field: FieldBuilder<'_, H>) -> Result<H, AddError> {
        let help = [field.help];
        let help = if field.help.is_empty() { &[][..] } else { &help };
        let description =
            FieldDef { prefix: "", label: field.label, help, unit: field.unit, shapes: H::SHAPES };
        self.base.check(&description)?;
        self.all_or_nothing(|base| attach(base, &description, field.initial))
    }

    /// Adds the fields of a model.
    ///
    /// # Errors
    /// If one of them cannot be added; the region is then as before.
    pub fn model<M: Model<Format = F>>(&mut self) -> Result<M, AddError> {
        for description in M::FIELDS {
            self.base.check(description)?;
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
        !self.base.resuming()
    }

    fn all_or_nothing<R>(
        &mut self,
        add: impl FnOnce(&mut Base<'p>) -> Result<R, AddError>,
    ) -> Result<R, AddError> {
        let before = (self.base.cursor, self.base.layout);
        let added = add(&mut self.base);
        match added {
            Ok(_) => self.base.publish(),
            Err(_) => (self.base.cursor, self.base.layout) = before,
        }
        added
    }
}

/// Gives values their places in a region, one after another.
#[doc(hidden)]
pub trait Placer {
    /// What it needs to know of a field besides the shapes of its values: where no entry is
    /// written, nothing.
    type About<'d>: Copy;
    fn about<'d>(description: &'d FieldDef<'d>) -> Self::About<'d>;
    /// Whether the next value was here before: what accumulated stays, all else begins afresh.
    fn resuming(&self) -> bool;
    /// Takes a place for a value and prepares it. A constant is written, or if an earlier one is to
    /// stay, told.
    fn place(
        &mut self,
        about: Self::About<'_>,
        shape: &ValueLayout,
        constant: Option<&mut [u8]>,
    ) -> Result<Slot, AddError>;
}

/// A field of a model. It is checked by `model!`, and appears with the others.
#[doc(hidden)]
#[inline(always)]
pub fn attach<S: Placer, H: Field>(
    placer: &mut S,
    description: &FieldDef<'_>,
    initial: Option<H::Initial<'_>>,
) -> Result<H, AddError> {
    H::attach(&mut Slots { placer, about: S::about(description), shapes: H::SHAPES }, initial)
}

/// Where a field takes its values from, in the order of its shapes.
#[doc(hidden)]
pub struct Slots<'w, S: Placer> {
    placer: &'w mut S,
    about: S::About<'w>,
    /// The field's own: what is laid out is what its cells expect.
    shapes: &'static [ValueLayout],
}

impl<S: Placer> Slots<'_, S> {
    /// Whether the field was here before: what it accumulated stays, all else begins afresh.
    pub(crate) fn resuming(&self) -> bool {
        self.placer.resuming()
    }

    /// The slot of the next shape.
    #[inline(always)]
    pub(crate) fn slot(&mut self) -> Result<Slot, AddError> {
        self.next_shape(None)
    }

    /// Writes the value of the next shape, a constant; or if an earlier one is to stay, tells it.
    pub(crate) fn constant(&mut self, value: &mut [u8]) -> Result<(), AddError> {
        self.next_shape(Some(value)).map(|_| ())
    }

    #[inline(always)]
    fn next_shape(&mut self, constant: Option<&mut [u8]>) -> Result<Slot, AddError> {
        let (shape, rest) =
            self.shapes.split_first().expect("a field asks for as many places as it has shapes");
        self.shapes = rest;
        self.placer.place(self.about, shape, constant)
    }
}
