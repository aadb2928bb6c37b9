//! Declared sets of fields.

use crate::format::flash::{self, FlashDirectory};
use crate::format::layout::{self, FieldDef};
use crate::format::{Format, NATIVE_WORD, Version};
use crate::region::Region;
use crate::writer::{AddError, Allocator, FlashAllocator, Writer};

/// A declared set of fields; [`model!`](crate::model!) makes it.
pub trait Model: Sized {
    /// The format it is published in.
    type Format: Format;
    /// The same model in another format.
    type In<G: Format>: Model<Format = G>;
    /// Its name.
    const NAME: &'static str;
    /// What it puts before each label.
    const PREFIX: &'static str;
    /// Its fields.
    const FIELDS: &'static [FieldDef<'static>];
    /// Bytes of the region that it needs, alone and without a further prefix.
    const SIZE: usize = layout::size(<Self::Format as Format>::VERSION, Self::FIELDS, 0);
    /// Bytes of the region that it needs with its directory in flash: a header and the values.
    const SIZE_WITH_FLASH: usize = flash::region_size(Self::FIELDS);

    /// Its directory as it lies in the program's flash, if it is published with that, in version 2.
    fn directory() -> FlashDirectory;

    #[doc(hidden)]
    fn attach<S: Allocator>(placer: &mut S) -> Result<Self, AddError>;
    #[doc(hidden)]
    fn reset_transient(&self);

    /// Publishes it in this region, which is made anew.
    ///
    /// # Errors
    /// [`AddError::Full`] if the region is smaller than [`Self::SIZE`].
    fn publish(region: <Self::Format as Format>::Region) -> Result<Self, AddError> {
        Writer::new(region)?.only_model()
    }

    /// The same with `label_prefix` before every label.
    ///
    /// # Errors
    /// If the region is too small, or a label becomes too long.
    fn publish_with_prefix(
        label_prefix: &str,
        region: <Self::Format as Format>::Region,
    ) -> Result<Self, AddError> {
        Writer::new(region)?.label_prefix(label_prefix).add_model()
    }

    /// Takes a region over from before a reset if it holds exactly this model, else makes it anew.
    ///
    /// What accumulates (counters, histograms) goes on; all else begins afresh. Random memory is
    /// never taken for stats: magic, check, lengths and every byte of the directory have to agree.
    ///
    /// # Errors
    /// [`AddError::Full`] if the region is smaller than [`Self::SIZE`].
    fn publish_kept<'r>(region: Region<'r>) -> Result<(Self, Recovery), AddError>
    where
        Self::Format: Format<Region = Region<'r>>,
    {
        let again = region.again();
        if let Some(model) = Writer::resume_model(region) {
            return Ok((model, Recovery::Resumed));
        }
        Ok((Self::publish(again)?, Recovery::Fresh))
    }

    /// Publishes it in this region, which is made anew, while labels, units and help stay in the
    /// program's flash: a `Counter<u32>` then takes 4 bytes of the region, and the code that writes
    /// a directory is not there. Readers need the program's ELF file, or the flash itself.
    ///
    /// Only in version 2.
    ///
    /// # Errors
    /// [`AddError::Full`] if the region is smaller than [`Self::SIZE_WITH_FLASH`].
    fn publish_with_flash(region: <Self::Format as Format>::Region) -> Result<Self, AddError> {
        const { assert_version_2::<Self::Format>() };
        let mut placer = FlashAllocator::initialize(
            Self::Format::open(region),
            Self::SIZE_WITH_FLASH,
            Self::directory(),
        )?;
        let model = Self::attach(&mut placer)?;
        placer.finish();
        Ok(model)
    }

    /// The same, but a region from before a reset is taken over if it holds exactly this model of
    /// exactly this program, as by [`Self::publish_kept`].
    ///
    /// # Errors
    /// [`AddError::Full`] if the region is smaller than [`Self::SIZE_WITH_FLASH`].
    fn publish_kept_with_flash<'r>(region: Region<'r>) -> Result<(Self, Recovery), AddError>
    where
        Self::Format: Format<Region = Region<'r>>,
    {
        const { assert_version_2::<Self::Format>() };
        let again = region.again();
        if let Some(mut placer) = FlashAllocator::resume(
            Self::Format::open(region),
            Self::SIZE_WITH_FLASH,
            Self::directory(),
        ) {
            if let Ok(model) = Self::attach(&mut placer) {
                return Ok((model, Recovery::Resumed));
            }
        }
        Ok((Self::publish_with_flash(again)?, Recovery::Fresh))
    }
}

/// A directory in flash is of version 2, in this machine's words.
const fn assert_version_2<F: Format>() {
    assert!(
        matches!(F::VERSION, Version::V2) && F::WORD == NATIVE_WORD,
        "only version 2 can have its directory in flash"
    );
}

/// What [`Model::publish_kept`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Recovery {
    /// This model, which goes on.
    Resumed,
    /// Anything else: the model begins at zero.
    Fresh,
}

/// Declares sets of fields.
///
/// ```
/// use mmstats_core::{Borrowed, Counter, Gauge, Model, Region, Text, V1, model};
///
/// model! {
///     /// What the web server does.
///     pub struct WebStats in "web." {
///         /// Responses with a 2xx status.
///         status2xx: Counter = "status.2XX",
///         last_hit: Gauge<f64> = "timers.last_hit" [unixtime],
///         supply: Gauge<i32> [millivolts],
///         worker: Text<32> => "idle",
///     }
/// }
///
/// let mut memory = [0; WebStats::SIZE / 8];
/// let stats = WebStats::<Borrowed>::publish(Region::new(&mut memory))?;
/// stats.status2xx.incr();
/// stats.supply.set(3_300);
///
/// // The same in version 1.
/// let mut memory = [0; WebStats::<V1>::SIZE / 8];
/// let old = WebStats::<Borrowed<V1>>::publish(Region::new(&mut memory))?;
/// old.worker.set("busy");
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
///
/// For each field: its name, its type, and then if needed
/// - `= "label"`; without it the name is the label,
/// - `[unit]`, one of [`units`](crate::units) or any expression that is a [`Unit`](crate::Unit),
///   such as `[volts.e(-3)]`,
/// - `=> value` to begin with, evaluated when the model is published, and again when a thread takes
///   it over from another.
///
/// Doc comments become help texts. `in "prefix"` puts a prefix before each label. An empty,
/// overlong or duplicate label does not compile:
///
/// ```compile_fail
/// use mmstats_core::{Counter, model};
/// model! { struct Twice { a: Counter = "same", b: Counter = "same" } }
/// ```
///
/// The struct has one type parameter, the format, with [`V2`](crate::V2) as its default. In that
/// one, `NAME::SIZE`, `NAME::publish` and their like are there without importing the trait
/// [`Model`].
#[macro_export]
macro_rules! model {
    (@label $field:ident) => { $crate::format::layout::label(::core::stringify!($field)) };
    (@label $field:ident $label:literal) => { $label };
    (@prefix) => { "" };
    (@prefix $prefix:literal) => { $prefix };
    (@unit) => { $crate::Unit::NONE };
    (@unit $unit:expr) => { { #[allow(unused_imports)] use $crate::units::*; $unit } };
    (@initial) => { ::core::option::Option::None };
    (@initial $initial:expr) => { ::core::option::Option::Some($initial) };
    ($(
        $(#[doc = $help:expr])*
        $visible:vis struct $name:ident $(in $prefix:literal)? {
            $( $(#[doc = $field_help:expr])* $field:ident : $type:ty $(= $label:literal)? $([$unit:expr])? $(=> $initial:expr)? ),* $(,)?
        }
    )*) => { $(
        $(#[doc = $help])*
        $visible struct $name<MmstatsFormat: $crate::Format = $crate::V2> {
            $( $(#[doc = $field_help])* $visible $field: <$type as $crate::Field>::In<MmstatsFormat>, )*
        }

        impl<MmstatsFormat: $crate::Format> $crate::Model for $name<MmstatsFormat> {
            type Format = MmstatsFormat;
            type In<MmstatsOther: $crate::Format> = $name<MmstatsOther>;
            const NAME: &'static str = ::core::stringify!($name);
            const PREFIX: &'static str = $crate::model!(@prefix $($prefix)?);
            #[allow(long_running_const_eval)]
            const FIELDS: &'static [$crate::format::layout::FieldDef<'static>] = &[ $(
                $crate::format::layout::FieldDef {
                    prefix: <Self as $crate::Model>::PREFIX,
                    label: $crate::model!(@label $field $($label)?),
                    help: &[$($crate::format::layout::help_line($field_help)),*],
                    unit: $crate::model!(@unit $($unit)?),
                    layouts: <<$type as $crate::Field>::In<MmstatsFormat> as $crate::Field>::LAYOUTS,
                },
            )* ];

            fn directory() -> $crate::format::flash::FlashDirectory {
                // The same for every lifetime.
                const FIELDS: &[$crate::format::layout::FieldDef<'static>] = <$name<$crate::V2> as $crate::Model>::FIELDS;
                #[allow(long_running_const_eval)]
                static ENTRIES: $crate::format::flash::Entries<{ $crate::format::flash::directory_length(FIELDS) }> = $crate::format::flash::Entries::new(FIELDS);
                #[allow(long_running_const_eval)]
                const CHECK: u32 = $crate::format::flash::Entries::<{ $crate::format::flash::directory_length(FIELDS) }>::new(FIELDS).check();
                ENTRIES.directory(CHECK)
            }

            fn attach<MmstatsPlacer: $crate::Allocator>(placer: &mut MmstatsPlacer) -> ::core::result::Result<Self, $crate::AddError> {
                let mut _fields = <Self as $crate::Model>::FIELDS;
                ::core::result::Result::Ok(Self { $(
                    $field: {
                        let (definition, rest) = _fields.split_first().expect("one definition for each field");
                        _fields = rest;
                        $crate::attach(placer, definition, $crate::model!(@initial $($initial)?))?
                    },
                )* })
            }

            fn reset_transient(&self) {
                $( $crate::Field::reset_transient(&self.$field); )*
            }
        }

        #[allow(dead_code)]
        impl $name<$crate::V2> {
            /// Bytes of the region that this model needs.
            pub const SIZE: usize = <Self as $crate::Model>::SIZE;

            /// The same with a further label prefix.
            #[must_use]
            pub const fn size_as(label_prefix: &str) -> usize {
                $crate::format::layout::size(<$crate::V2 as $crate::Format>::VERSION, <Self as $crate::Model>::FIELDS, label_prefix.len())
            }

            /// Bytes of the region that this model needs with its directory in flash.
            pub const SIZE_WITH_FLASH: usize = <Self as $crate::Model>::SIZE_WITH_FLASH;

            /// Publishes it in this region, which is made anew.
            ///
            /// # Errors
            /// If the region is too small.
            pub fn publish(region: $crate::Region<'static>) -> ::core::result::Result<Self, $crate::AddError> {
                <Self as $crate::Model>::publish(region)
            }

            /// The same with `label_prefix` before every label.
            ///
            /// # Errors
            /// If the region is too small, or a label becomes too long.
            pub fn publish_with_prefix(label_prefix: &str, region: $crate::Region<'static>) -> ::core::result::Result<Self, $crate::AddError> {
                <Self as $crate::Model>::publish_with_prefix(label_prefix, region)
            }

            /// Takes a region over from before a reset if it holds exactly this model, else makes
            /// it anew.
            ///
            /// # Errors
            /// If the region is too small.
            pub fn publish_kept(region: $crate::Region<'static>) -> ::core::result::Result<(Self, $crate::model::Recovery), $crate::AddError> {
                <Self as $crate::Model>::publish_kept(region)
            }

            /// Publishes it in this region, which is made anew, with its directory in flash.
            ///
            /// # Errors
            /// If the region is too small.
            pub fn publish_with_flash(region: $crate::Region<'static>) -> ::core::result::Result<Self, $crate::AddError> {
                <Self as $crate::Model>::publish_with_flash(region)
            }

            /// The same, but a region from before a reset is taken over if it holds exactly this
            /// model of exactly this program.
            ///
            /// # Errors
            /// If the region is too small.
            pub fn publish_kept_with_flash(region: $crate::Region<'static>) -> ::core::result::Result<(Self, $crate::model::Recovery), $crate::AddError> {
                <Self as $crate::Model>::publish_kept_with_flash(region)
            }
        }

        #[allow(long_running_const_eval)]
        const _: () = $crate::format::layout::check(<$name<$crate::V2> as $crate::Model>::FIELDS);
    )* };
}
