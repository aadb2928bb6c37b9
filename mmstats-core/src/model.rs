//! Declared sets of fields.

use crate::add_error::AddError;
use crate::allocator::Allocator;
use crate::field::{self, Field};
use crate::format::flash::{self, FlashDirectory, UnloadedDirectory};
use crate::format::layout::{self, FieldDef};
use crate::format::members::{MemberDef, Shape};
use crate::format_types::Format;
use crate::region::{IntoRegion, Region};
use crate::writer::Writer;
use core::fmt::{self, Debug};
use core::marker::PhantomData;

/// A declared set of fields, made by [`model!`](crate::model!).
///
/// # Safety
/// Only `model!` implements it. `FIELDS` are the fields that `attach_members` adds, in that order,
/// and the sizes are theirs. It keeps no handle when it returns an error, because the writer then
/// uses their memory again.
#[allow(unsafe_code, reason = "this declares the contract; nothing unsafe is done here")]
pub unsafe trait Model: Sized + Debug {
    /// The format that it is published in.
    type Format: Format;
    /// The same model in another format.
    type In<G: Format>: Model<Format = G>;
    /// The name of the model.
    const NAME: &'static str;
    /// The prefix of each label.
    const PREFIX: &'static str;
    #[doc(hidden)]
    const MEMBERS: &'static [MemberDef];
    /// The definitions of the fields: those that the members expand into.
    const FIELDS: &'static [FieldDef<'static>];
    /// Bytes of a region for this model alone, without a further prefix.
    const SIZE: usize = layout::size(<Self::Format as Format>::VERSION, Self::FIELDS, 0);
    /// Bytes of a region for this model with its directory in flash: a header and the values.
    const SIZE_WITH_FLASH: usize = flash::region_size(Self::FIELDS);

    /// Returns the directory as it lies in the program's flash if the model is published with it.
    /// Version 2 only.
    fn directory() -> FlashDirectory;

    /// Returns the reference to the directory that is only in the program's ELF file.
    #[doc(hidden)]
    fn unloaded_directory() -> UnloadedDirectory;

    /// Adds the fields of all members, taking their definitions from the front of `fields`.
    #[doc(hidden)]
    fn attach_members<A: Allocator>(
        allocator: &mut A,
        fields: &mut &'static [FieldDef<'static>],
    ) -> Result<Self, AddError>;
    #[doc(hidden)]
    #[inline(always)]
    fn attach<A: Allocator>(allocator: &mut A) -> Result<Self, AddError> {
        Self::attach_members(allocator, &mut { Self::FIELDS })
    }
    /// Resets the fields that describe the present, as their owner has ended.
    #[doc(hidden)]
    fn reset_transient(&self);

    /// Initialises the region and publishes the model in it. [`Self::publisher`] has options.
    ///
    /// A static region that is too small does not compile:
    ///
    /// ```compile_fail
    /// # use mmstats_core::{Counter, StaticRegion, model};
    /// # model! { struct Motor { steps: Counter<u32> } }
    /// static REGION: StaticRegion<{ Motor::SIZE - 8 }> = StaticRegion::new();
    /// let motor = Motor::publish(&REGION);
    /// ```
    ///
    /// # Errors
    /// [`AddError::Region`] if the region has been taken, [`AddError::Full`] if it is smaller than
    /// [`Self::SIZE`].
    #[inline]
    fn publish<R: IntoRegion>(region: R) -> Result<Self, AddError> {
        Self::publisher().publish(region)
    }

    /// Returns a publisher of this model.
    fn publisher() -> Publisher<Self> {
        Publisher::new()
    }
}

/// A type that a member of a model can have: a [`Field`], another model, or an array of either.
///
/// # Safety
/// Only this crate and [`model!`](crate::model!) implement it. `SHAPE` describes the fields that
/// `attach_member` adds, in that order; it removes exactly their definitions. It keeps no handle
/// when it returns an error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a field",
    label = "not a field, a model or an array of them"
)]
#[allow(unsafe_code, reason = "this declares the contract; nothing unsafe is done here")]
pub unsafe trait Member: Sized + Debug {
    /// The same member in a model of another format.
    type In<G: Format>: for<'i> Member<Initial<'i> = Self::Initial<'i>>;
    /// The type of its initial value; in an array, that of each element.
    type Initial<'i>: Copy;
    #[doc(hidden)]
    const SHAPE: &'static Shape;
    /// Adds its fields, taking their definitions from the front of `fields`. `kept` is ignored for
    /// models, whose fields have their own.
    #[doc(hidden)]
    fn attach_member<A: Allocator>(
        allocator: &mut A,
        fields: &mut &'static [FieldDef<'static>],
        kept: bool,
        initial: Option<Self::Initial<'_>>,
    ) -> Result<Self, AddError>;
    /// Resets the fields that describe the present, as their owner has ended.
    #[doc(hidden)]
    fn reset_member(&self);
}

/// The initial value of a model in a model: there is none, as its fields have their own.
#[derive(Clone, Copy, Debug)]
pub enum NoInitialValue {}

// SAFETY: one field, of these values; an error drops the handle, which nothing else has seen.
#[allow(unsafe_code, reason = "only its contract is unsafe")]
unsafe impl<H: Field> Member for H {
    type In<G: Format> = H::In<G>;
    type Initial<'i> = H::Initial<'i>;
    const SHAPE: &'static Shape = &Shape::Field(H::LAYOUTS);

    #[inline(always)]
    fn attach_member<A: Allocator>(
        allocator: &mut A,
        fields: &mut &'static [FieldDef<'static>],
        kept: bool,
        initial: Option<H::Initial<'_>>,
    ) -> Result<H, AddError> {
        let (definition, rest) = fields.split_first().expect("one definition for each field");
        *fields = rest;
        field::attach(allocator, definition, kept, initial)
    }

    fn reset_member(&self) {
        self.reset_transient();
    }
}

// SAFETY: the fields of `N` elements, one after another; an error drops those before it.
#[allow(unsafe_code, reason = "only its contract is unsafe")]
unsafe impl<P: Member, const N: usize> Member for [P; N] {
    type In<G: Format> = [P::In<G>; N];
    type Initial<'i> = P::Initial<'i>;
    const SHAPE: &'static Shape = &Shape::Array(N, P::SHAPE);

    #[inline(always)]
    fn attach_member<A: Allocator>(
        allocator: &mut A,
        fields: &mut &'static [FieldDef<'static>],
        kept: bool,
        initial: Option<P::Initial<'_>>,
    ) -> Result<Self, AddError> {
        let mut elements = [const { None }; N];
        for element in &mut elements {
            *element = Some(P::attach_member(allocator, fields, kept, initial)?);
        }
        Ok(elements.map(|element| element.expect("the loop has set it")))
    }

    fn reset_member(&self) {
        self.iter().for_each(P::reset_member);
    }
}

/// Publishes a model, with options.
///
/// ```
/// use mmstats_core::model::Recovery;
/// use mmstats_core::{Counter, StaticRegion, model};
/// model! { struct Motor { steps: Counter<u32>, stalls: Counter<u32> } }
///
/// static LEFT: StaticRegion<{ Motor::publisher().label_prefix("left.").size() }> =
///     StaticRegion::new();
/// let left = Motor::publisher().label_prefix("left.").publish(&LEFT)?;
/// left.steps.incr();
///
/// static RIGHT: StaticRegion<{ Motor::publisher().directory_in_flash().size() }> =
///     StaticRegion::new();
/// let (right, recovery) = Motor::publisher().directory_in_flash().recover(&RIGHT)?;
/// right.steps.incr();
/// assert_eq!(recovery, Recovery::Fresh); // this region begins as zeros
/// assert_eq!(RIGHT.view().len(), 40 + 2 * 4);
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
#[must_use = "it publishes when `publish` or `recover` is called"]
pub struct Publisher<M, P = Plain> {
    mode: P,
    _model: PhantomData<fn() -> M>,
}

/// How a [`Publisher`] lays out a model.
pub trait Mode<M: Model>: sealed::Sealed {
    /// Bytes of the region, where they are known at compile time.
    #[doc(hidden)]
    const SIZE: Option<usize>;
    #[doc(hidden)]
    fn initialize(&self, region: Region) -> Result<M, AddError>;
    #[doc(hidden)]
    fn recover(&self, region: Region) -> Result<(M, Recovery), AddError>;
}

/// The directory in the region, labels as declared.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// The directory in the region, labels with a further prefix.
#[derive(Clone, Copy, Debug)]
pub struct Prefixed<'p>(&'p str);

/// The directory in the program's flash.
#[derive(Clone, Copy, Debug)]
pub struct Flash;

/// The directory in the program's ELF file alone.
#[derive(Clone, Copy, Debug)]
pub struct ElfFile;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Plain {}
    impl Sealed for super::Prefixed<'_> {}
    impl Sealed for super::Flash {}
    impl Sealed for super::ElfFile {}
}

/// The result of [`Publisher::recover`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Recovery {
    /// The same model, which goes on.
    Resumed,
    /// Anything else: the model begins at zero.
    Fresh,
}

impl<M: Model> Publisher<M> {
    #[doc(hidden)]
    pub const fn new() -> Self {
        Publisher { mode: Plain, _model: PhantomData }
    }

    /// Puts a prefix before every label.
    pub const fn label_prefix(self, prefix: &str) -> Publisher<M, Prefixed<'_>> {
        Publisher { mode: Prefixed(prefix), _model: PhantomData }
    }

    /// Leaves labels, units and help in the program's flash: a `Counter<u32>` then takes 4 bytes of
    /// the region, and no code that writes a directory is linked. Readers need the program's ELF
    /// file, or the flash itself. Version 2 only.
    pub const fn directory_in_flash(self) -> Publisher<M, Flash> {
        Publisher { mode: Flash, _model: PhantomData }
    }

    /// Leaves labels, units and help in the section `.mmstats` of the program's ELF file, which is
    /// not loaded, so that they take no flash either. Readers need that file. Version 2 only.
    ///
    /// Pass the script `mmstats.x` of this crate to the linker (`-Tmmstats.x`), which keeps the
    /// section out of flash. A position-independent program cannot be read: the header has the
    /// address at which the program runs, and not that in the file.
    pub const fn directory_in_elf_file(self) -> Publisher<M, ElfFile> {
        Publisher { mode: ElfFile, _model: PhantomData }
    }

    /// Returns the bytes that the region needs.
    #[must_use]
    pub const fn size(&self) -> usize {
        M::SIZE
    }
}

impl<M: Model> Publisher<M, Prefixed<'_>> {
    /// Returns the bytes that the region needs.
    #[must_use]
    pub const fn size(&self) -> usize {
        layout::size(<M::Format as Format>::VERSION, M::FIELDS, self.mode.0.len())
    }
}

impl<M: Model> Publisher<M, Flash> {
    /// Returns the bytes that the region needs.
    #[must_use]
    pub const fn size(&self) -> usize {
        M::SIZE_WITH_FLASH
    }
}

impl<M: Model> Publisher<M, ElfFile> {
    /// Returns the bytes that the region needs.
    #[must_use]
    pub const fn size(&self) -> usize {
        M::SIZE_WITH_FLASH
    }
}

impl<M: Model, P: Mode<M>> Publisher<M, P> {
    /// Initialises the region and publishes the model in it.
    ///
    /// # Errors
    /// If the region has been taken or is too small, or if a label with its prefix is too long.
    #[inline]
    pub fn publish<R: IntoRegion>(self, region: R) -> Result<M, AddError> {
        const { assert_fits::<M, P, R>() };
        self.mode.initialize(region.into_region()?)
    }

    /// Resumes the model if the region holds exactly this model from before a reset, and otherwise
    /// initialises the region. With the directory in flash, it must be from the same program.
    ///
    /// Totals (counters, histograms) and kept fields go on; everything else starts again. Random
    /// memory is never mistaken for stats: magic, check, lengths and every byte of the directory
    /// must agree.
    ///
    /// # Errors
    /// As [`Self::publish`].
    #[inline]
    pub fn recover<R: IntoRegion>(self, region: R) -> Result<(M, Recovery), AddError> {
        const { assert_fits::<M, P, R>() };
        self.mode.recover(region.into_region()?)
    }
}

impl<M: Model, P: Debug> Debug for Publisher<M, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("model", &M::NAME).field("mode", &self.mode).finish()
    }
}

const fn assert_fits<M: Model, P: Mode<M>, R: IntoRegion>() {
    if let (Some(length), Some(size)) = (R::LENGTH, P::SIZE) {
        assert!(length >= size, "the region is smaller than the model");
    }
}

fn recover<M: Model>(
    region: Region,
    prefix: &str,
    initialize: impl FnOnce(Region) -> Result<M, AddError>,
) -> Result<(M, Recovery), AddError> {
    // One of the two is used: the other attempt has failed by then.
    if let Some(model) = resume(region.duplicate(), prefix) {
        return Ok((model, Recovery::Resumed));
    }
    Ok((initialize(region)?, Recovery::Fresh))
}

/// Resumes a model without publishing, so that no new field appears.
fn resume<M: Model>(region: Region, prefix: &str) -> Option<M> {
    let mut writer = Writer::<M::Format>::resume(region).ok()?.label_prefix(prefix);
    let model = M::attach(&mut writer.raw).ok()?;
    writer.raw.is_exactly_as_before().then_some(model)
}

impl<M: Model> Mode<M> for Plain {
    const SIZE: Option<usize> = Some(M::SIZE);

    #[inline]
    fn initialize(&self, region: Region) -> Result<M, AddError> {
        // The model was checked when it was compiled.
        Writer::<M::Format>::new(region)?.all_or_nothing(M::attach)
    }

    #[inline]
    fn recover(&self, region: Region) -> Result<(M, Recovery), AddError> {
        recover(region, "", |region| self.initialize(region))
    }
}

impl<M: Model> Mode<M> for Prefixed<'_> {
    const SIZE: Option<usize> = None;

    #[inline]
    fn initialize(&self, region: Region) -> Result<M, AddError> {
        Writer::new(region)?.label_prefix(self.0).add_model()
    }

    #[inline]
    fn recover(&self, region: Region) -> Result<(M, Recovery), AddError> {
        recover(region, self.0, |region| self.initialize(region))
    }
}

impl<F: Format> Writer<'_, F> {
    /// Adds the fields of a model.
    ///
    /// # Errors
    /// If one of them cannot be added; the region is then as before.
    pub fn add_model<M: Model<Format = F>>(&mut self) -> Result<M, AddError> {
        for definition in M::FIELDS {
            self.raw.check(definition)?;
            self.raw.check_label(definition)?;
        }
        self.all_or_nothing(M::attach)
    }
}

/// Declares sets of fields.
///
/// ```
/// use mmstats_core::{Counter, Gauge, Model, StaticRegion, Text, V1, model};
///
/// model! {
///     /// The work of the web server.
///     pub struct WebStats in "web." {
///         /// Responses with a 2xx status.
///         status2xx: Counter = "status.2XX",
///         last_hit: Gauge<f64> = "timers.last_hit" [unixtime],
///         supply: Gauge<i32> [millivolts],
///         worker: Text<32> => "idle",
///         last_error: Text<80> as kept,
///     }
/// }
///
/// static REGION: StaticRegion<{ WebStats::SIZE }> = StaticRegion::new();
/// let stats = WebStats::publish(&REGION)?;
/// stats.status2xx.incr();
/// stats.supply.set(3_300);
///
/// // The same in version 1.
/// static OLD: StaticRegion<{ WebStats::<V1>::SIZE }> = StaticRegion::new();
/// let old = WebStats::<V1>::publish(&OLD)?;
/// old.worker.set("busy");
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
///
/// A field has a name, a type, and optionally
/// - `= "label"`; the default is the name,
/// - `{name, …}`, the names of the dimensions of an array; the default is `index`,
/// - `[unit]`, one of [`units`](crate::units) or an expression that is a [`Unit`](crate::Unit),
///   such as `[volts.e(-3)]`,
/// - `as` and properties: `kept` lets the value survive a reset and the end of its thread, as
///   counters and histograms always do; `sum`, `mean`, `min`, `max` or `last` says how readers
///   combine the values of several writers,
/// - `=> value`, the initial value, evaluated when the model is published, and again when a thread
///   takes it over from another.
///
/// Doc comments become help texts. Other attributes, such as `#[cfg(…)]`, apply to the struct and
/// its members. `in "prefix"` puts a prefix before each label. An empty, overlong or duplicate
/// label does not compile:
///
/// ```compile_fail
/// use mmstats_core::{Counter, model};
/// model! { struct Twice { a: Counter = "same", b: Counter = "same" } }
/// ```
///
/// # Arrays and models in models
///
/// The type of a field can also be an array, another model, or an array of models:
///
/// ```
/// use mmstats_core::{Counter, Gauge, StaticRegion, model};
///
/// model! {
///     struct Motor {
///         steps: Counter<u32>,
///         current: [Gauge<i16>; 2] {phase} [milliamperes],
///     }
///     struct Machine in "mill." {
///         /// Parts in each slot.
///         slots: [Counter; 4] = "slot",
///         pump: Motor,
///         axes: [Motor; 3] = "axis" {axis},
///     }
/// }
///
/// static REGION: StaticRegion<{ Machine::SIZE }> = StaticRegion::new();
/// let machine = Machine::publish(&REGION)?;
/// machine.slots[2].incr();            // mill.slot{index="2"}
/// machine.pump.steps.incr();          // mill.pump.steps
/// machine.axes[0].current[1].set(70); // mill.axis.current{axis="0",phase="1"}
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
///
/// - Each element of an array is a field, with the same label, unit, properties, help and initial
///   value. The elements differ in a dimension, so the tools add them up or show them apart
///   (`pollstats mill.slot --by index`), and Prometheus gets one metric. In version 1, which has no
///   dimensions, that is only text: the label is `mill.slot{index="2"}`.
/// - The labels of a model in a model come after its own label and a dot, which replace its name in
///   the struct; with the label `""`, they are as they would be without the outer model. Its label
///   can end in dimensions: `= "motor{side=\"left\"}"` makes `motor.steps{side="left"}`. Units,
///   properties and initial values belong to its fields alone.
/// - Dimensions of one label have different names: those of an array of arrays are all stated, the
///   outer one first, as in `grid: [[Counter; 2]; 3] {row, column}`.
///
/// # Formats
///
/// The struct has one type parameter, the format, with [`V2`](crate::V2) as its default. For the
/// default, `NAME::SIZE`, `NAME::publish` and `NAME::publisher` need no import; for other formats
/// they are those of the trait [`Model`].
#[macro_export]
macro_rules! model {
    (@label $field:ident) => { $crate::__private::label(::core::stringify!($field)) };
    (@label $field:ident $label:literal) => { $label };
    (@prefix) => { "" };
    (@prefix $prefix:literal) => { $prefix };
    (@unit) => { $crate::Unit::NONE };
    (@unit $unit:expr) => { { #[allow(unused_imports)] use $crate::units::*; $unit } };
    (@aggregation) => { $crate::Aggregation::Unspecified };
    (@aggregation kept $($rest:ident)*) => { $crate::model!(@aggregation $($rest)*) };
    (@aggregation sum $($rest:ident)*) => { $crate::Aggregation::Sum };
    (@aggregation mean $($rest:ident)*) => { $crate::Aggregation::Mean };
    (@aggregation min $($rest:ident)*) => { $crate::Aggregation::Min };
    (@aggregation max $($rest:ident)*) => { $crate::Aggregation::Max };
    (@aggregation last $($rest:ident)*) => { $crate::Aggregation::Last };
    (@aggregation $word:ident $($rest:ident)*) => {
        ::core::compile_error!(::core::concat!(
            "unknown property of a field: ", ::core::stringify!($word),
            " (kept, sum, mean, min, max or last expected)"
        ))
    };
    (@kept) => { false };
    (@kept kept $($rest:ident)*) => { true };
    (@kept $word:ident $($rest:ident)*) => { $crate::model!(@kept $($rest)*) };
    (@initial) => { ::core::option::Option::None };
    (@initial $initial:expr) => { ::core::option::Option::Some($initial) };
    // The lines of the doc comments among attributes.
    (@help [$($line:expr),*]) => { &[$($crate::__private::help_line($line)),*] };
    (@help [$($line:expr),*] [doc = $text:expr] $($rest:tt)*) => {
        $crate::model!(@help [$($line,)* $text] $($rest)*)
    };
    (@help [$($line:expr),*] [$($other:tt)*] $($rest:tt)*) => {
        $crate::model!(@help [$($line),*] $($rest)*)
    };
    // The directory of the model, as a static with an attribute.
    (@directory $name:ident [$($attribute:tt)*]) => {
        use $crate::format::flash::{Entries, directory_length};
        const FIELDS: &[$crate::format::layout::FieldDef<'static>] =
            <$name<$crate::V2> as $crate::Model>::FIELDS;
        const LENGTH: usize = directory_length(FIELDS);
        $($attribute)*
        #[allow(long_running_const_eval)]
        static ENTRIES: Entries<LENGTH> = Entries::new(FIELDS);
        #[allow(long_running_const_eval)]
        const CHECK: u32 = ENTRIES.check();
    };
    // Sorts the struct's attributes: `cfg` applies to everything that is expanded.
    (@struct [[cfg $($condition:tt)*] $($rest:tt)*] [$($cfg:tt)*] $others:tt $($struct:tt)*) => {
        $crate::model! { @struct [$($rest)*] [$($cfg)* [cfg $($condition)*]] $others $($struct)* }
    };
    (@struct [$attribute:tt $($rest:tt)*] $cfg:tt [$($others:tt)*] $($struct:tt)*) => {
        $crate::model! { @struct [$($rest)*] $cfg [$($others)* $attribute] $($struct)* }
    };
    (@struct [] [$([$($cfg:tt)*])*] [$([$($attribute:tt)*])*]
        $visible:vis $name:ident ($($prefix:literal)?) {
            $(
                $(#[$($field_attribute:tt)*])*
                $field:ident : $type:ty
                    $(= $label:literal)? $({ $($dimension:ident),+ $(,)? })? $([$unit:expr])?
                    $(as $($property:ident)+)? $(=> $initial:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[$($cfg)*])*
        $(#[$($attribute)*])*
        #[derive(::core::fmt::Debug)]
        $visible struct $name<MmstatsFormat: $crate::Format = $crate::V2> {
            $(
                $(#[$($field_attribute)*])*
                $visible $field: <$type as $crate::Member>::In<MmstatsFormat>,
            )*
        }

        // SAFETY: `FIELDS` and `attach_members` come from the same list, with the same conditions;
        // the sizes are the defaults; an error drops the handles, which nothing else has seen.
        $(#[$($cfg)*])*
        unsafe impl<MmstatsFormat: $crate::Format> $crate::Model for $name<MmstatsFormat> {
            type Format = MmstatsFormat;
            type In<MmstatsOther: $crate::Format> = $name<MmstatsOther>;
            const NAME: &'static str = ::core::stringify!($name);
            const PREFIX: &'static str = $crate::model!(@prefix $($prefix)?);
            #[allow(unused_attributes, unused_doc_comments)]
            const MEMBERS: &'static [$crate::__private::MemberDef] = &[ $(
                $(#[$($field_attribute)*])*
                $crate::__private::MemberDef {
                    definition: $crate::format::layout::FieldDef {
                        prefix: <Self as $crate::Model>::PREFIX,
                        label: $crate::model!(@label $field $($label)?),
                        help: $crate::model!(@help [] $([$($field_attribute)*])*),
                        unit: $crate::model!(@unit $($unit)?),
                        aggregation: $crate::model!(@aggregation $($($property)+)?),
                        kept: $crate::model!(@kept $($($property)+)?),
                        layouts: &[],
                    },
                    dimensions: &[ $( $(
                        $crate::__private::label(::core::stringify!($dimension)),
                    )+ )? ],
                    shape: <<$type as $crate::Member>::In<MmstatsFormat> as $crate::Member>::SHAPE,
                },
            )* ];
            #[allow(long_running_const_eval)]
            const FIELDS: &'static [$crate::format::layout::FieldDef<'static>] = {
                // The number of fields and their labels do not depend on the format.
                const MEMBERS: &[$crate::__private::MemberDef] =
                    <$name<$crate::V2> as $crate::Model>::MEMBERS;
                const LABELS: &[u8] = &$crate::__private::labels::<
                    { $crate::__private::label_bytes(MEMBERS) }
                >(MEMBERS);
                &$crate::__private::fields::<{ $crate::__private::field_count(MEMBERS) }>(
                    <Self as $crate::Model>::MEMBERS,
                    LABELS,
                )
            };

            fn directory() -> $crate::format::flash::FlashDirectory {
                $crate::model!(@directory $name []);
                ENTRIES.directory(CHECK)
            }

            // The section is not loaded, so only the address of the static is used.
            fn unloaded_directory() -> $crate::format::flash::UnloadedDirectory {
                $crate::model! {
                    @directory $name
                    [#[cfg_attr(target_os = "none", unsafe(link_section = ".mmstats"))]]
                }
                $crate::format::flash::UnloadedDirectory::new(&raw const ENTRIES, CHECK)
            }

            #[allow(unused_attributes, unused_doc_comments)]
            fn attach_members<MmstatsAllocator: $crate::__private::Allocator>(
                allocator: &mut MmstatsAllocator,
                fields: &mut &'static [$crate::format::layout::FieldDef<'static>],
            ) -> ::core::result::Result<Self, $crate::AddError> {
                ::core::result::Result::Ok(Self { $(
                    $(#[$($field_attribute)*])*
                    $field: <<$type as $crate::Member>::In<MmstatsFormat> as $crate::Member>
                        ::attach_member(
                            allocator,
                            fields,
                            $crate::model!(@kept $($($property)+)?),
                            $crate::model!(@initial $($initial)?),
                        )?,
                )* })
            }

            #[allow(unused_attributes, unused_doc_comments)]
            fn reset_transient(&self) {
                $(
                    $(#[$($field_attribute)*])*
                    {
                        if !$crate::model!(@kept $($($property)+)?) {
                            $crate::Member::reset_member(&self.$field);
                        }
                    }
                )*
            }
        }

        // SAFETY: `SHAPE` is `FIELDS`, which `attach_members` adds, in that order; it keeps no
        // handle when it returns an error, as the model has no `Drop`.
        $(#[$($cfg)*])*
        unsafe impl<MmstatsFormat: $crate::Format> $crate::Member for $name<MmstatsFormat> {
            type In<MmstatsOther: $crate::Format> =
                $name<<MmstatsFormat as $crate::Format>::In<MmstatsOther>>;
            type Initial<'i> = $crate::model::NoInitialValue;
            const SHAPE: &'static $crate::__private::Shape =
                &$crate::__private::Shape::Model(<Self as $crate::Model>::FIELDS);

            #[inline(always)]
            fn attach_member<MmstatsAllocator: $crate::__private::Allocator>(
                allocator: &mut MmstatsAllocator,
                fields: &mut &'static [$crate::format::layout::FieldDef<'static>],
                _: bool,
                _: ::core::option::Option<$crate::model::NoInitialValue>,
            ) -> ::core::result::Result<Self, $crate::AddError> {
                // All of its own, also if an initial value returns early.
                let (mut own, rest) = fields.split_at(<Self as $crate::Model>::FIELDS.len());
                *fields = rest;
                <Self as $crate::Model>::attach_members(allocator, &mut own)
            }

            fn reset_member(&self) {
                $crate::Model::reset_transient(self);
            }
        }

        $(#[$($cfg)*])*
        #[allow(dead_code)]
        impl $name<$crate::V2> {
            /// Bytes of a region for this model.
            pub const SIZE: usize = <Self as $crate::Model>::SIZE;

            /// Initialises the region and publishes the model in it.
            ///
            /// # Errors
            /// If the region has been taken or is too small.
            #[inline]
            pub fn publish<MmstatsRegion: $crate::IntoRegion>(
                region: MmstatsRegion,
            ) -> ::core::result::Result<Self, $crate::AddError> {
                <Self as $crate::Model>::publish(region)
            }

            /// Returns a publisher of this model, which has options.
            pub const fn publisher() -> $crate::Publisher<Self> {
                $crate::Publisher::new()
            }
        }

        // A model in another one is dropped if a later member cannot be added. Its own `Drop` could
        // then keep a handle, whose memory the writer uses again.
        $(#[$($cfg)*])*
        const _: () = {
            #[allow(dead_code)]
            trait AModelCannotImplementDrop {}
            #[allow(drop_bounds)]
            impl<T: ::core::ops::Drop> AModelCannotImplementDrop for T {}
            impl<MmstatsFormat> AModelCannotImplementDrop for $name<MmstatsFormat>
            where
                MmstatsFormat: $crate::Format,
            {
            }
        };

        $(#[$($cfg)*])*
        #[allow(long_running_const_eval)]
        const _: () = $crate::__private::check_model(
            <$name<$crate::V2> as $crate::Model>::MEMBERS,
            <$name<$crate::V2> as $crate::Model>::FIELDS,
        );
    };
    ($(
        $(#[$($attribute:tt)*])*
        $visible:vis struct $name:ident $(in $prefix:literal)? { $($fields:tt)* }
    )*) => { $(
        $crate::model! {
            @struct [$([$($attribute)*])*] [] [] $visible $name ($($prefix)?) { $($fields)* }
        }
    )* };
}
