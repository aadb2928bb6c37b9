//! The declaration of a field, and how a thread's field is made from it.

use crate::field::{Durations, Fixed, Mean, Number, Plain, ThreadField};
use crate::kind::Kind;
use mmstats_core::{
    AddError, Aggregation, Constant, ConstantText, Counter, Field, FieldBuilder, Gauge, Histogram,
    Text, Unit, V1Exact, V2, Writer, units,
};
use mmstats_std::Registry;
use pyo3::prelude::*;

/// The declaration of a field of one model.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) label: String,
    pub(crate) kind: Kind,
    /// Bytes of a text, or samples of a moving average.
    pub(crate) size: usize,
    pub(crate) help: String,
    pub(crate) unit: Unit,
    pub(crate) aggregation: Aggregation,
    pub(crate) kept: bool,
    pub(crate) dimensions: Vec<(String, String)>,
    /// The initial value, a function that returns it, or the clock of a timer.
    pub(crate) parameter: Option<Py<PyAny>>,
}

impl Spec {
    /// Returns the value that a thread's field has at first.
    pub(crate) fn initial(&self, py: Python<'_>) -> PyResult<Option<Plain>> {
        let parameter = match (&self.parameter, self.kind) {
            (_, Kind::Timer) | (None, _) => return Ok(None),
            (Some(parameter), _) => parameter.bind(py),
        };
        let is_function = matches!(self.kind, Kind::Constant(_)) && parameter.is_callable();
        let value = if is_function { parameter.call0()? } else { parameter.clone() };
        self.convert(&value).map(Some)
    }

    /// Converts a value from Python; texts are cut to their size, at a character's boundary.
    pub(crate) fn convert(&self, value: &Bound<'_, PyAny>) -> PyResult<Plain> {
        let mut plain = self.kind.convert(value)?;
        if let Plain::Text(text) = &mut plain {
            let mut end = text.len().min(self.size);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
        }
        Ok(plain)
    }

    /// Returns the bytes that this field takes in a file, at least; in version 1 exactly.
    pub(crate) fn bytes(&self, prefix: usize, format: u8) -> usize {
        let letters = match self.kind {
            Kind::Text => format!("{}s", v1_text_size(self.size)).len(),
            Kind::Constant('s') => 4,
            _ => 1,
        };
        let (size, buffers) = match self.kind {
            Kind::Text => (v1_text_size(self.size), 1),
            Kind::Constant('s') => (MAX_CONSTANT_TEXT, 1),
            Kind::Constant(letter) => (width(letter), 1),
            Kind::Bool => (1, 1),
            Kind::Number(letter) => (width(letter), if width(letter) == 1 { 1 } else { 2 }),
            _ => (8, 2),
        };
        if format == 1 {
            return 2 + prefix + self.label.len() + 2 + letters + 1 + buffers * size;
        }
        let histogram = match self.kind {
            Kind::Histogram => 9300,
            Kind::Timer => 2600 + prefix + self.label.len(),
            _ => 0,
        };
        80 + prefix
            + self.label.len()
            + self.help.len()
            + self.unit.name.len()
            + 2 * size
            + histogram
    }
}

fn width(letter: char) -> usize {
    match letter {
        'b' | 'B' | '?' => 1,
        'h' | 'H' => 2,
        'i' | 'I' | 'f' => 4,
        _ => 8,
    }
}

const MAX_CONSTANT_TEXT: usize = 256;

/// Where a thread's fields are added.
pub(crate) enum Target<'a> {
    V2(&'static Registry),
    V1(&'a mut Writer<'static, V1Exact>),
}

/// A thread's field. Those of version 1 move to the next thread by way of their model, those of
/// version 2 by way of their registry.
pub(crate) enum StoredField {
    V2(Box<dyn ThreadField>),
    V1(Box<dyn ThreadField + Send>),
}

impl StoredField {
    #[inline(always)]
    pub(crate) fn get(&self) -> &dyn ThreadField {
        match self {
            StoredField::V2(field) => &**field,
            StoredField::V1(field) => &**field,
        }
    }
}

/// Adds a field of a type without its format to either target; `$make` turns the handle into the
/// thread's field.
macro_rules! add {
    ($target:expr, $spec:expr, $initial:expr, $type:ident<$($parameter:tt),*>, $make:expr) => {
        match $target {
            Target::V2(registry) => {
                let label = &$spec.label;
                let builder = $spec.decorate($type::<$($parameter,)* V2>::builder(label), $initial);
                StoredField::V2(Box::new($make(registry.field(builder, &$spec.dimensions())?)))
            }
            Target::V1(writer) => {
                let label = &$spec.label;
                let builder =
                    $spec.decorate($type::<$($parameter,)* V1Exact>::builder(label), $initial);
                StoredField::V1(Box::new($make(writer.add(builder)?)))
            }
        }
    };
}

/// Returns the text of the smallest of these sizes that is large enough, made by `$add`.
macro_rules! smallest {
    ($needed:expr, $add:ident, $($size:literal)*) => {
        match $needed {
            $(..=$size => $add!($size),)*
            _ => $add!(4096),
        }
    };
}

/// The sizes that texts have in version 1, besides the largest one.
macro_rules! v1_text_sizes {
    ($then:ident) => {
        $then! {
            1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
            40 50 64 80 100 128 200 255 256 512 1024
        }
    };
}

/// Returns the size that a text of version 1 has.
fn v1_text_size(needed: usize) -> usize {
    macro_rules! array {
        ($($size:literal)*) => { [$($size),*] };
    }
    let sizes = v1_text_sizes!(array);
    sizes.into_iter().find(|size| needed <= *size).unwrap_or(MAX_TEXT)
}

/// The largest size of a text.
pub(crate) const MAX_TEXT: usize = 4096;

/// Version 1 has no histograms.
const NO_HISTOGRAM: Fixed = Fixed(Plain::Bits(0));

fn same<T>(field: T) -> T {
    field
}

impl Spec {
    /// Adds this thread's field to a target.
    pub(crate) fn add(
        &self,
        target: &mut Target<'_>,
        initial: Option<&Plain>,
    ) -> Result<StoredField, AddError> {
        let size = Some(self.size);
        let field = match self.kind {
            Kind::Counter => add!(target, self, None, Counter<u64>, same),
            Kind::Bool => add!(target, self, None, Gauge<bool>, same),
            Kind::Number(letter) => match letter {
                'b' => add!(target, self, None, Gauge<i8>, same),
                'B' => add!(target, self, None, Gauge<u8>, same),
                'h' => add!(target, self, None, Gauge<i16>, same),
                'H' => add!(target, self, None, Gauge<u16>, same),
                'i' => add!(target, self, None, Gauge<i32>, same),
                'I' => add!(target, self, None, Gauge<u32>, same),
                'q' => add!(target, self, None, Gauge<i64>, same),
                'Q' => add!(target, self, None, Gauge<u64>, same),
                'f' => add!(target, self, None, Gauge<f32>, same),
                _ => add!(target, self, None, Gauge<f64>, same),
            },
            Kind::Text => self.add_text(target)?,
            Kind::Average => add!(target, self, None, Gauge<f64>, |cell| Mean::new(cell, None)),
            Kind::MovingAverage => {
                add!(target, self, None, Gauge<f64>, |cell| Mean::new(cell, size))
            }
            Kind::Timer => return self.add_timer(target),
            Kind::Histogram => match target {
                Target::V2(_) => add!(target, self, None, Histogram<5, 40, u64>, same),
                Target::V1(_) => StoredField::V1(Box::new(NO_HISTOGRAM)),
            },
            Kind::Constant(letter) => match letter {
                'I' => add!(target, self, number::<u32>(initial), Constant<u32>, same),
                'q' => add!(target, self, number::<i64>(initial), Constant<i64>, same),
                'Q' => add!(target, self, number::<u64>(initial), Constant<u64>, same),
                'f' => add!(target, self, number::<f32>(initial), Constant<f32>, same),
                'd' => add!(target, self, number::<f64>(initial), Constant<f64>, same),
                _ => {
                    let text = match initial {
                        Some(Plain::Text(text)) => text.as_str(),
                        _ => "",
                    };
                    add!(target, self, Some(text), ConstantText<256>, |_| {
                        Fixed(Plain::Text(text.to_owned()))
                    })
                }
            },
        };
        if let (Some(initial), false) = (initial, matches!(self.kind, Kind::Constant(_))) {
            field.get().store(initial);
        }
        Ok(field)
    }

    /// Adds a text. Version 1 states the size, so the usual ones are exact there.
    fn add_text(&self, target: &mut Target<'_>) -> Result<StoredField, AddError> {
        Ok(match target {
            Target::V2(registry) => {
                macro_rules! add {
                    ($size:literal) => {{
                        let builder = Text::<$size, V2>::builder(&self.label);
                        let builder = self.decorate(builder, None);
                        StoredField::V2(Box::new(registry.field(builder, &self.dimensions())?))
                    }};
                }
                smallest!(self.size, add, 16 32 64 128 256 512 1024)
            }
            Target::V1(writer) => {
                macro_rules! add {
                    ($size:literal) => {{
                        let builder = Text::<$size, V1Exact>::builder(&self.label);
                        StoredField::V1(Box::new(writer.add(self.decorate(builder, None))?))
                    }};
                }
                macro_rules! pick {
                    ($($size:literal)*) => { smallest!(self.size, add, $($size)*) };
                }
                v1_text_sizes!(pick)
            }
        })
    }

    fn add_timer(&self, target: &mut Target<'_>) -> Result<StoredField, AddError> {
        let unit = if self.unit == Unit::NONE { units::seconds } else { self.unit };
        let mean = Spec { unit, ..self.copy() };
        Ok(match target {
            Target::V2(registry) => {
                let spread = Spec {
                    label: format!("{}.histogram", self.label),
                    unit: units::nanoseconds,
                    aggregation: Aggregation::Unspecified,
                    ..self.copy()
                };
                let dimensions = self.dimensions();
                let cell = Gauge::<f64, V2>::builder(&mean.label);
                let cell = registry.field(mean.decorate(cell, None), &dimensions)?;
                let distribution = Histogram::<3, 40, u64, V2>::builder(&spread.label);
                let distribution =
                    registry.field(spread.decorate(distribution, None), &dimensions)?;
                let mean = Mean::new(cell, Some(self.size));
                StoredField::V2(Box::new(Durations::new(mean, distribution)))
            }
            Target::V1(writer) => {
                let cell = Gauge::<f64, V1Exact>::builder(&mean.label);
                let cell = writer.add(mean.decorate(cell, None))?;
                let mean = Mean::new(cell, Some(self.size));
                StoredField::V1(Box::new(Durations::new(mean, NO_HISTOGRAM)))
            }
        })
    }

    fn dimensions(&self) -> Vec<(&str, &str)> {
        self.dimensions.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    /// Returns a copy for a series of a family.
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Spec {
        Spec { parameter: self.parameter.as_ref().map(|one| one.clone_ref(py)), ..self.copy() }
    }

    fn copy(&self) -> Spec {
        Spec {
            label: self.label.clone(),
            help: self.help.clone(),
            dimensions: self.dimensions.clone(),
            parameter: None,
            ..*self
        }
    }

    fn decorate<'a, H: Field>(
        &'a self,
        builder: FieldBuilder<'a, H>,
        initial: Option<H::Initial<'a>>,
    ) -> FieldBuilder<'a, H> {
        let builder = builder.help(&self.help).unit(self.unit).aggregation(self.aggregation);
        let builder = if self.kept { builder.kept() } else { builder };
        match initial {
            Some(initial) => builder.initial(initial),
            None => builder,
        }
    }
}

fn number<T: Number>(initial: Option<&Plain>) -> Option<T> {
    initial.and_then(T::from_plain)
}
