//! The meaning of a number: its type, kind and unit.

use zerocopy::TryFromBytes;

/// How a field is aggregated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, TryFromBytes)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
#[non_exhaustive]
pub enum Kind {
    /// Unknown, as for every field of version 1.
    #[default]
    Untyped = 0,
    /// Only goes up, and wraps. Its increase counts, and it can be summed over writers.
    Counter = 1,
    /// Goes up and down. Its current value counts.
    Gauge = 2,
    /// Describes the writer: a constant or a text.
    Info = 3,
    /// A distribution of values in buckets.
    Histogram = 4,
}

impl Kind {
    /// Returns the kind with this number in a directory; unknown numbers are untyped.
    #[must_use]
    pub fn from_number(number: u8) -> Kind {
        Kind::try_read_from_bytes(&[number]).unwrap_or_default()
    }

    /// Returns the name in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Untyped => "untyped",
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Info => "info",
            Kind::Histogram => "histogram",
        }
    }
}

/// How readers combine the values of several writers into one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[repr(u8)]
pub enum Aggregation {
    /// The reader chooses, by kind and unit.
    #[default]
    Unspecified = 0,
    /// The sum.
    Sum = 1,
    /// The arithmetic mean.
    Mean = 2,
    /// The least value; the greatest value of the type means that there is no value yet.
    Min = 3,
    /// The greatest value; the least value of the type means that there is no value yet.
    Max = 4,
    /// The value of the writer that was created last.
    Last = 5,
}

impl Aggregation {
    /// All of them, in the order of their numbers.
    pub const ALL: [Aggregation; 6] = [
        Aggregation::Unspecified,
        Aggregation::Sum,
        Aggregation::Mean,
        Aggregation::Min,
        Aggregation::Max,
        Aggregation::Last,
    ];

    /// Returns the aggregation with this number in a directory; unknown numbers are unspecified.
    #[must_use]
    pub fn from_number(number: u8) -> Aggregation {
        Self::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// Returns the name in lower case; that of [`Self::Unspecified`] is empty.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Aggregation::Unspecified => "",
            Aggregation::Sum => "sum",
            Aggregation::Mean => "mean",
            Aggregation::Min => "min",
            Aggregation::Max => "max",
            Aggregation::Last => "last",
        }
    }
}

/// The encoding of one value, named by a letter of Python's `struct` module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, TryFromBytes)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
#[non_exhaustive]
pub enum Type {
    /// One byte, 0 is false.
    Bool = b'?',
    /// `i8`
    I8 = b'b',
    /// `u8`
    U8 = b'B',
    /// `i16`
    I16 = b'h',
    /// `u16`
    U16 = b'H',
    /// `i32`
    I32 = b'i',
    /// `u32`
    U32 = b'I',
    /// `i64`
    I64 = b'q',
    /// `u64`
    U64 = b'Q',
    /// IEEE 754 half precision; read in version 1, never written.
    F16 = b'e',
    /// `f32`
    F32 = b'f',
    /// `f64`
    F64 = b'd',
    /// UTF-8, up to the first NUL.
    Text = b's',
    /// UTF-8 after a length byte; read in version 1, never written.
    Pascal = b'p',
}

impl Type {
    /// Returns the letter of the type.
    #[must_use]
    pub const fn letter(self) -> u8 {
        self as u8
    }

    /// Returns the type with this letter in version 2.
    #[must_use]
    pub fn from_letter(letter: u8) -> Option<Type> {
        let ty = Type::try_read_from_bytes(&[letter]).ok()?;
        (!matches!(ty, Type::F16 | Type::Pascal)).then_some(ty)
    }

    /// Returns the bytes of one value; `None` for texts, whose entries have a size.
    #[must_use]
    pub const fn size(self) -> Option<u32> {
        Some(match self {
            Type::Bool | Type::I8 | Type::U8 => 1,
            Type::I16 | Type::U16 | Type::F16 => 2,
            Type::I32 | Type::U32 | Type::F32 => 4,
            Type::I64 | Type::U64 | Type::F64 => 8,
            Type::Text | Type::Pascal => return None,
        })
    }
}

/// How a value is read while its writer runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, TryFromBytes)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
#[non_exhaustive]
pub enum Access {
    /// In the directory; never changes.
    Constant = 0,
    /// One load reads it whole.
    Word = 1,
    /// Two buffers and a sequence.
    Latched = 2,
}

/// A base unit and the scale of stored numbers: shown = stored × 10^`scale` / `divisor`.
///
/// ```
/// use mmstats_core::{Unit, units};
/// const ROTATION: Unit = Unit::named("ratio").over(4096); // an encoder's steps
/// assert_eq!(units::millivolts, units::volts.e(-3));
/// assert_eq!(ROTATION.divisor, 4096);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unit {
    /// The base unit's name in plural, as in OpenMetrics; empty for a plain number.
    pub name: &'static str,
    /// The power of ten.
    pub scale: i8,
    /// The divisor: ticks per second, cycles per second, steps of a fixed-point fraction.
    pub divisor: u32,
}

impl Unit {
    /// A plain number.
    pub const NONE: Unit = Unit::named("");

    /// Creates a base unit.
    #[must_use]
    pub const fn named(name: &'static str) -> Unit {
        Unit { name, scale: 0, divisor: 1 }
    }

    /// Returns the same unit, stored in steps of ten to the power of `scale`.
    #[must_use]
    pub const fn e(self, scale: i8) -> Unit {
        Unit { scale, ..self }
    }

    /// Returns the same unit, stored in `divisor` steps each.
    #[must_use]
    pub const fn over(self, divisor: u32) -> Unit {
        Unit { divisor, ..self }
    }
}

/// Units under the names that `model!` accepts in brackets.
#[allow(non_upper_case_globals)]
pub mod units {
    use super::Unit;

    /// Time.
    pub const seconds: Unit = Unit::named("seconds");
    /// Thousandths of seconds.
    pub const milliseconds: Unit = seconds.e(-3);
    /// Millionths of seconds.
    pub const microseconds: Unit = seconds.e(-6);
    /// Billionths of seconds.
    pub const nanoseconds: Unit = seconds.e(-9);
    /// A date: seconds since 1970-01-01 UTC.
    pub const unixtime: Unit = Unit::named("unixtime");
    /// Bytes.
    pub const bytes: Unit = Unit::named("bytes");
    /// A fraction of one.
    pub const ratio: Unit = Unit::named("ratio");
    /// Hundredths.
    pub const percent: Unit = ratio.e(-2);
    /// Voltage.
    pub const volts: Unit = Unit::named("volts");
    /// Thousandths of volts.
    pub const millivolts: Unit = volts.e(-3);
    /// Current.
    pub const amperes: Unit = Unit::named("amperes");
    /// Thousandths of amperes.
    pub const milliamperes: Unit = amperes.e(-3);
    /// Temperature.
    pub const celsius: Unit = Unit::named("celsius");
    /// Thousandths of degrees.
    pub const millicelsius: Unit = celsius.e(-3);
    /// Frequency.
    pub const hertz: Unit = Unit::named("hertz");
    /// Length.
    pub const meters: Unit = Unit::named("meters");
    /// Mass.
    pub const grams: Unit = Unit::named("grams");
    /// Energy.
    pub const joules: Unit = Unit::named("joules");
    /// Power.
    pub const watts: Unit = Unit::named("watts");
}
