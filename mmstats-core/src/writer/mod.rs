//! Adds fields to a region.

mod entry;
mod flash;
pub(crate) mod raw;

use crate::add_error::AddError;
use crate::field::{Field, FieldBuilder, attach};
use crate::format::v2::IMMUTABLE_LAYOUT;
use crate::format_types::{Format, Shared, V2};
use crate::region::Region;
use core::marker::PhantomData;
use raw::RawWriter;

/// Adds fields to a region, one at a time or as models, while readers read.
///
/// A field is complete before it becomes visible. The fields of a model become visible together.
///
/// ```
/// use mmstats_core::{Counter, StaticRegion, Text, Writer, units};
///
/// static REGION: StaticRegion<512> = StaticRegion::new();
/// let mut writer: Writer = Writer::new(REGION.take()?)?;
/// let received: Counter<u32> =
///     writer.add(Counter::builder("received").unit(units::bytes).help("From the network."))?;
/// let state: Text<16> = writer.add(Text::builder("state").initial("idle"))?;
/// received.add(1500);
/// state.set("busy");
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
#[derive(Debug)]
pub struct Writer<'p, F: Format = V2> {
    pub(crate) raw: RawWriter<'p>,
    _format: PhantomData<F>,
}

impl<'p, F: Format> Writer<'p, F> {
    /// Initialises the region without fields, and discards what it held. Readers that are reading
    /// it notice.
    ///
    /// # Errors
    /// [`AddError::Full`] if the header does not fit.
    #[inline]
    pub fn new(region: Region) -> Result<Self, AddError> {
        let raw = RawWriter::initialize(region, F::VERSION, F::WORD, 0)?;
        Ok(Writer { raw, _format: PhantomData })
    }

    /// Initialises a region that will never be initialised again in place, and says so in its
    /// header: a file, which is replaced instead. Readers of such a region can save a pass.
    ///
    /// # Errors
    /// [`AddError::Full`] if the header does not fit.
    #[inline]
    pub fn with_immutable_layout(region: Region) -> Result<Self, AddError> {
        let raw = RawWriter::initialize(region, F::VERSION, F::WORD, IMMUTABLE_LAYOUT)?;
        Ok(Writer { raw, _format: PhantomData })
    }

    /// Resumes the fields in the region: fields that are added now in the same order keep their
    /// totals (counters and histograms), and everything else starts again. Further fields are added
    /// after them.
    ///
    /// # Errors
    /// [`AddError::LayoutDiffers`] if the region does not hold stats that this program could have
    /// written.
    pub fn resume(region: Region) -> Result<Self, AddError> {
        let raw = RawWriter::resume(region, F::VERSION, F::WORD)?;
        Ok(Writer { raw, _format: PhantomData })
    }

    /// Resumes the fields of another owner, and keeps their constants, too, instead of setting
    /// them.
    ///
    /// # Errors
    /// [`AddError::LayoutDiffers`] if the region does not hold stats that this program could have
    /// written.
    pub fn adopt(region: Region) -> Result<Self, AddError> {
        let mut writer = Self::resume(region)?;
        writer.raw.keep_constants = true;
        Ok(writer)
    }

    /// Sets the prefix of the labels of all fields that are added from now on.
    #[must_use]
    pub fn label_prefix(mut self, prefix: &'p str) -> Self {
        self.raw.prefix = prefix;
        self
    }

    /// Sets dimensions that all fields have which are added from now on, besides those in their
    /// labels: `name="value"`, separated by commas. In the values, a quote, a backslash and a line
    /// feed are written `\"`, `\\` and `\n`.
    ///
    /// ```
    /// use mmstats_core::{Counter, StaticRegion, Writer};
    ///
    /// static REGION: StaticRegion<256> = StaticRegion::new();
    /// let writer: Writer = Writer::new(REGION.take()?)?;
    /// let mut writer = writer.dimensions(r#"axis="left""#);
    /// let steps: Counter<u32> = writer.add(Counter::builder("steps"))?; // steps{axis="left"}
    /// # Ok::<(), mmstats_core::AddError>(())
    /// ```
    #[must_use]
    pub fn dimensions(mut self, dimensions: &'p str) -> Self {
        self.raw.dimensions = dimensions;
        self
    }

    /// Adds a field.
    ///
    /// Its label is compared with those of all fields before it, as the writer has no memory for an
    /// index. So the time for `n` fields grows with `n`²: about a second for 20 000.
    /// [`Self::add_unique`] takes the same time for each.
    ///
    /// # Errors
    /// If it cannot be added; the region is then as before.
    pub fn add<H: Field<Format = F>>(&mut self, field: FieldBuilder<'_, H>) -> Result<H, AddError> {
        self.add_any(field.label, field, true)
    }

    /// Adds a field that several contexts write.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_shared<H: Field<Format = Shared<F>>>(
        &mut self,
        field: FieldBuilder<'_, H>,
    ) -> Result<H, AddError> {
        self.add_any(field.label, field, true)
    }

    /// Adds a field under another label, of which the caller knows that no field of this region has
    /// it. If one has, readers show both. The field may be [`Shared`].
    ///
    /// # Errors
    /// As [`Self::add`], except for a duplicate label.
    pub fn add_unique<H: Field<Format: Format<Base = F>>>(
        &mut self,
        label: &str,
        field: FieldBuilder<'_, H>,
    ) -> Result<H, AddError> {
        self.add_any(label, field, false)
    }

    fn add_any<H: Field>(
        &mut self,
        label: &str,
        field: FieldBuilder<'_, H>,
        compare: bool,
    ) -> Result<H, AddError> {
        let definition = field.definition(label);
        self.raw.check(&definition)?;
        if compare {
            self.raw.check_label(&definition)?;
        }
        self.all_or_nothing(|raw| attach(raw, &definition, field.kept, field.initial))
    }

    /// Returns `true` if all fields that the region held before have been added again.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        !self.raw.resuming()
    }

    pub(crate) fn all_or_nothing<R>(
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
