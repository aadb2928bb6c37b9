//! Values are read as they were written, field by field, in every format, and the needed bytes are
//! known beforehand.

mod common;

use common::{FieldValue, Shown, Stopped, distribution, region_in, shown};
use core::time::Duration;
use mmstats_core::format::layout::{self, FieldDef};
use mmstats_core::scalar::Number;
use mmstats_core::{
    AddError, Aggregation, Average, Constant, ConstantText, Counter, Field, FieldBuilder, Flag,
    Format, Gauge, Histogram, Kind, Latched, MovingAverage, Scalar, Text, Timer, Type, Unit, V1,
    V1Exact, V2, V2Narrow, Version, Writer, units,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// The values of a field: the initial one, and those written in both rounds.
#[derive(Clone, Debug)]
struct Written<T> {
    initial: Option<T>,
    rounds: [Vec<T>; 2],
}

impl<T: Copy> Written<T> {
    /// Returns the last value written up to this round; nothing is written before round 0 (`None`).
    fn last(&self, round: Option<usize>) -> Option<T> {
        self.all(round).last().copied().or(self.initial)
    }

    fn all(&self, round: Option<usize>) -> Vec<T> {
        round.map(|round| self.rounds[..=round].concat()).unwrap_or_default()
    }
}

fn written<T: Clone + core::fmt::Debug>(
    values: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Written<T>> {
    let some = || vec(values.clone(), 0..4);
    (prop::option::of(values.clone()), some(), some())
        .prop_map(|(initial, first, second)| Written { initial, rounds: [first, second] })
}

/// The field to add.
#[derive(Clone, Debug)]
enum Content {
    Counter32(Written<u32>),
    Counter64(Written<u64>),
    CounterLatched(Written<u64>),
    Bool(Written<bool>),
    I8(Written<i8>),
    U8(Written<u8>),
    I16(Written<i16>),
    U16(Written<u16>),
    I32(Written<i32>),
    U32(Written<u32>),
    I64(Written<i64>),
    U64(Written<u64>),
    F32(Written<f32>),
    F64(Written<f64>),
    LatchedI64(Written<i64>),
    LatchedF64(Written<f64>),
    Text1(Written<&'static str>),
    Text8(Written<&'static str>),
    Text13(Written<&'static str>),
    ConstantU16(Option<u16>),
    ConstantF64(Option<f64>),
    ConstantLatched(Option<u64>),
    ConstantText(Option<&'static str>),
    SmallHistogram(Written<u64>),
    WideHistogram(Written<u64>),
    Average(Written<i32>),
    MovingAverage(Written<i32>),
    Timer(Written<u16>),
}

/// A text, its beginning that fits into 1, 8 and 13 bytes.
const TEXTS: [(&str, &str, &str, &str); 8] = [
    ("", "", "", ""),
    ("x", "x", "x", "x"),
    ("é", "", "é", "é"),
    ("exactly8", "e", "exactly8", "exactly8"),
    ("exactly thirt", "e", "exactly ", "exactly thirt"),
    ("grüße, 世界", "g", "grüße,", "grüße, 世"),
    ("𝄞𝄞𝄞𝄞", "", "𝄞𝄞", "𝄞𝄞𝄞"),
    ("cut\0here", "c", "cut", "cut"),
];

fn contents() -> impl Strategy<Value = Content> {
    let text = || written(prop::sample::select(TEXTS.map(|texts| texts.0).to_vec()));
    // Every power of two and its neighbours.
    let spread = || {
        prop_oneof![
            any::<u64>(),
            (0..64_u32, 0..3_u64)
                .prop_map(|(bit, offset)| (1_u64 << bit).wrapping_sub(1).wrapping_add(offset))
        ]
    };
    prop_oneof![
        written(any::<u32>()).prop_map(Content::Counter32),
        written(any::<u64>()).prop_map(Content::Counter64),
        written(any::<u64>()).prop_map(Content::CounterLatched),
        written(any::<bool>()).prop_map(Content::Bool),
        written(any::<i8>()).prop_map(Content::I8),
        written(any::<u8>()).prop_map(Content::U8),
        written(any::<i16>()).prop_map(Content::I16),
        written(any::<u16>()).prop_map(Content::U16),
        written(any::<i32>()).prop_map(Content::I32),
        written(any::<u32>()).prop_map(Content::U32),
        written(any::<i64>()).prop_map(Content::I64),
        written(any::<u64>()).prop_map(Content::U64),
        written(prop::num::f32::ANY).prop_map(Content::F32),
        written(prop::num::f64::ANY).prop_map(Content::F64),
        written(any::<i64>()).prop_map(Content::LatchedI64),
        written(prop::num::f64::ANY).prop_map(Content::LatchedF64),
        text().prop_map(Content::Text1),
        text().prop_map(Content::Text8),
        text().prop_map(Content::Text13),
        any::<Option<u16>>().prop_map(Content::ConstantU16),
        any::<Option<f64>>().prop_map(Content::ConstantF64),
        any::<Option<u64>>().prop_map(Content::ConstantLatched),
        prop::option::of(prop::sample::select(TEXTS.map(|texts| texts.0).to_vec()))
            .prop_map(Content::ConstantText),
        written(spread()).prop_map(Content::SmallHistogram),
        written(spread()).prop_map(Content::WideHistogram),
        written(any::<i32>()).prop_map(Content::Average),
        written(any::<i32>()).prop_map(Content::MovingAverage),
        written(any::<u16>()).prop_map(Content::Timer),
    ]
}

/// A field with its description and values.
#[derive(Clone, Debug)]
struct Spec {
    label: String,
    help: String,
    unit: Unit,
    content: Content,
}

const UNITS: [Unit; 6] = [
    Unit::NONE,
    units::seconds,
    units::millivolts,
    units::unixtime,
    units::ratio.over(4096),
    Unit::named("λ").e(-128).over(u32::MAX),
];

fn spec() -> impl Strategy<Value = Spec> {
    // Short labels are often equal; the others are arbitrary.
    let label =
        prop_oneof!["[ab](\\.histogram)?", "[a-z]{1,9}\\{method=\"[A-Z]{3}\"\\}", "[^\0]{1,30}"];
    let help = prop_oneof![Just(String::new()), "[^\0]{0,60}"];
    let unit = (prop::sample::select(UNITS.to_vec()), any::<bool>())
        .prop_map(|(unit, none)| if none { unit.over(0) } else { unit });
    (label, help, unit, contents()).prop_map(|(label, help, unit, content)| Spec {
        label,
        help,
        unit,
        content,
    })
}

/// Writes a field's values of a round.
type Update<'r> = Box<dyn Fn(usize) + 'r>;

impl Spec {
    /// Dimensions stay at the label's end.
    fn histogram_label(&self) -> String {
        match self.label.split_once('{') {
            Some((label, dimensions)) if dimensions.ends_with('}') => {
                format!("{label}.histogram{{{dimensions}")
            }
            _ => format!("{}.histogram", self.label),
        }
    }

    /// Every aggregation occurs, as labels have all lengths.
    fn aggregation(&self) -> Aggregation {
        Aggregation::ALL[self.label.len() % Aggregation::ALL.len()]
    }

    fn describe<'s, H: Field>(
        &'s self,
        initial: Option<impl Into<H::Initial<'s>>>,
    ) -> FieldBuilder<'s, H> {
        let described = FieldBuilder::new(&self.label)
            .help(&self.help)
            .unit(self.unit)
            .aggregation(self.aggregation());
        match initial {
            Some(initial) => described.initial(initial),
            None => described,
        }
    }

    fn gauge<'r, T: Scalar, F: Format + 'r>(
        &self,
        writer: &mut Writer<'_, F>,
        written: &Written<T>,
    ) -> Result<Update<'r>, AddError> {
        let gauge: Gauge<T, F> = writer.add(self.describe(written.initial))?;
        let rounds = written.rounds.clone();
        Ok(Box::new(move |round| rounds[round].iter().for_each(|value| gauge.set(*value))))
    }

    fn latched<'r, T, F: Format + 'r>(
        &self,
        writer: &mut Writer<'_, F>,
        written: &Written<T>,
    ) -> Result<Update<'r>, AddError>
    where
        T: Copy,
        Latched<T>: Number,
    {
        let gauge: Gauge<Latched<T>, F> =
            writer.add(self.describe(written.initial.map(Latched)))?;
        let rounds = written.rounds.clone();
        Ok(Box::new(move |round| rounds[round].iter().for_each(|value| gauge.set(Latched(*value)))))
    }

    fn text<'r, const N: usize, F: Format + 'r>(
        &self,
        writer: &mut Writer<'_, F>,
        written: &Written<&'static str>,
    ) -> Result<Update<'r>, AddError> {
        let text: Text<N, F> = writer.add(self.describe(written.initial))?;
        let rounds = written.rounds.clone();
        Ok(Box::new(move |round| rounds[round].iter().for_each(|value| text.set(value))))
    }

    fn histogram<'r, const P: u32, const N: u32, F: Format + 'r>(
        &self,
        writer: &mut Writer<'_, F>,
        written: &Written<u64>,
    ) -> Result<Update<'r>, AddError> {
        let histogram: Histogram<P, N, u32, F> = writer.add(self.describe(None::<()>))?;
        let rounds = written.rounds.clone();
        Ok(Box::new(move |round| rounds[round].iter().for_each(|value| histogram.record(*value))))
    }

    fn add<'r, F: Format + 'r>(&self, writer: &mut Writer<'_, F>) -> Result<Update<'r>, AddError> {
        macro_rules! counter {
            ($counter:ty, $written:expr, $value:expr) => {{
                let counter: $counter = writer.add(self.describe($written.initial.map($value)))?;
                let rounds = $written.rounds.clone();
                Box::new(move |round: usize| {
                    rounds[round].iter().for_each(|n| counter.add($value(*n)))
                })
            }};
        }
        macro_rules! average {
            ($average:ty, $written:expr) => {{
                let average: $average = writer.add(self.describe($written.initial))?;
                let rounds = $written.rounds.clone();
                Box::new(move |round: usize| {
                    rounds[round].iter().for_each(|sample| average.record(f64::from(*sample)))
                })
            }};
        }
        macro_rules! constant {
            ($constant:ty, $initial:expr) => {{
                writer.add::<$constant>(self.describe($initial))?;
                Box::new(|_| ())
            }};
        }
        Ok(match &self.content {
            Content::Counter32(written) => counter!(Counter<u32, F>, written, |n| n),
            Content::Counter64(written) => counter!(Counter<u64, F>, written, |n| n),
            Content::CounterLatched(written) => {
                counter!(Counter<Latched<u64>, F>, written, Latched)
            }
            Content::Bool(written) => self.gauge(writer, written)?,
            Content::I8(written) => self.gauge(writer, written)?,
            Content::U8(written) => self.gauge(writer, written)?,
            Content::I16(written) => self.gauge(writer, written)?,
            Content::U16(written) => self.gauge(writer, written)?,
            Content::I32(written) => self.gauge(writer, written)?,
            Content::U32(written) => self.gauge(writer, written)?,
            Content::I64(written) => self.gauge(writer, written)?,
            Content::U64(written) => self.gauge(writer, written)?,
            Content::F32(written) => self.gauge(writer, written)?,
            Content::F64(written) => self.gauge(writer, written)?,
            Content::LatchedI64(written) => self.latched(writer, written)?,
            Content::LatchedF64(written) => self.latched(writer, written)?,
            Content::Text1(written) => self.text::<1, F>(writer, written)?,
            Content::Text8(written) => self.text::<8, F>(writer, written)?,
            Content::Text13(written) => self.text::<13, F>(writer, written)?,
            Content::ConstantU16(initial) => constant!(Constant<u16, F>, *initial),
            Content::ConstantF64(initial) => constant!(Constant<f64, F>, *initial),
            Content::ConstantLatched(initial) => {
                constant!(Constant<Latched<u64>, F>, initial.map(Latched))
            }
            Content::ConstantText(initial) => constant!(ConstantText<13, F>, *initial),
            Content::SmallHistogram(written) => self.histogram::<2, 20, F>(writer, written)?,
            Content::WideHistogram(written) => self.histogram::<3, 64, F>(writer, written)?,
            Content::Average(written) => average!(Average<F>, written),
            Content::MovingAverage(written) => average!(MovingAverage<3, F>, written),
            Content::Timer(written) => {
                let timer: Timer<Stopped, 3, F> = writer.add(self.describe(None::<()>))?;
                let rounds = written.rounds.clone();
                Box::new(move |round| {
                    rounds[round]
                        .iter()
                        .for_each(|seconds| timer.record(Duration::from_secs((*seconds).into())));
                })
            }
        })
    }

    /// The description that a model would make of it.
    fn description<'s, F: Format>(&'s self, help: &'s [&'s str]) -> FieldDef<'s> {
        let layouts = match &self.content {
            Content::Counter32(_) => Counter::<u32, F>::LAYOUTS,
            Content::Counter64(_) => Counter::<u64, F>::LAYOUTS,
            Content::CounterLatched(_) => Counter::<Latched<u64>, F>::LAYOUTS,
            Content::Bool(_) => Flag::<F>::LAYOUTS,
            Content::I8(_) => Gauge::<i8, F>::LAYOUTS,
            Content::U8(_) => Gauge::<u8, F>::LAYOUTS,
            Content::I16(_) => Gauge::<i16, F>::LAYOUTS,
            Content::U16(_) => Gauge::<u16, F>::LAYOUTS,
            Content::I32(_) => Gauge::<i32, F>::LAYOUTS,
            Content::U32(_) => Gauge::<u32, F>::LAYOUTS,
            Content::I64(_) => Gauge::<i64, F>::LAYOUTS,
            Content::U64(_) => Gauge::<u64, F>::LAYOUTS,
            Content::F32(_) => Gauge::<f32, F>::LAYOUTS,
            Content::F64(_) => Gauge::<f64, F>::LAYOUTS,
            Content::LatchedI64(_) => Gauge::<Latched<i64>, F>::LAYOUTS,
            Content::LatchedF64(_) => Gauge::<Latched<f64>, F>::LAYOUTS,
            Content::Text1(_) => Text::<1, F>::LAYOUTS,
            Content::Text8(_) => Text::<8, F>::LAYOUTS,
            Content::Text13(_) => Text::<13, F>::LAYOUTS,
            Content::ConstantU16(_) => Constant::<u16, F>::LAYOUTS,
            Content::ConstantF64(_) => Constant::<f64, F>::LAYOUTS,
            Content::ConstantLatched(_) => Constant::<Latched<u64>, F>::LAYOUTS,
            Content::ConstantText(_) => ConstantText::<13, F>::LAYOUTS,
            Content::SmallHistogram(_) => Histogram::<2, 20, u32, F>::LAYOUTS,
            Content::WideHistogram(_) => Histogram::<3, 64, u32, F>::LAYOUTS,
            Content::Average(_) => Average::<F>::LAYOUTS,
            Content::MovingAverage(_) => MovingAverage::<3, F>::LAYOUTS,
            Content::Timer(_) => Timer::<Stopped, 3, F>::LAYOUTS,
        };
        FieldDef {
            prefix: "",
            label: &self.label,
            help,
            unit: self.unit,
            aggregation: self.aggregation(),
            kept: false,
            layouts,
        }
    }

    /// Returns what readers show of it after a round, derived from the documents alone.
    fn expected(&self, version: Version, narrow: bool, round: Option<usize>) -> Vec<Shown> {
        let float = |value: Option<f64>| FieldValue::from(value.unwrap_or(0.0));
        let unsigned = |value: Option<u64>| FieldValue::Unsigned(value.unwrap_or(0));
        let signed = |value: Option<i64>| FieldValue::Signed(value.unwrap_or(0));
        let text = |value: Option<&str>,
                    fit: fn(
            &(&'static str, &'static str, &'static str, &'static str),
        ) -> &'static str| {
            FieldValue::from(TEXTS.iter().find(|texts| Some(texts.0) == value).map_or("", fit))
        };
        let mean = |samples: &[i32]| {
            samples.iter().map(|sample| f64::from(*sample)).sum::<f64>() / samples.len() as f64
        };
        let (kind, ty, value) = match &self.content {
            Content::Counter32(w) => {
                let sum =
                    w.all(round).iter().fold(w.initial.unwrap_or(0), |sum, n| sum.wrapping_add(*n));
                (Kind::Counter, Type::U32, FieldValue::Unsigned(sum.into()))
            }
            Content::Counter64(w) | Content::CounterLatched(w) => {
                let sum =
                    w.all(round).iter().fold(w.initial.unwrap_or(0), |sum, n| sum.wrapping_add(*n));
                (Kind::Counter, Type::U64, FieldValue::Unsigned(sum))
            }
            Content::Bool(w) => {
                (Kind::Gauge, Type::Bool, FieldValue::Bool(w.last(round).unwrap_or(false)))
            }
            Content::I8(w) => (Kind::Gauge, Type::I8, signed(w.last(round).map(i64::from))),
            Content::U8(w) => (Kind::Gauge, Type::U8, unsigned(w.last(round).map(u64::from))),
            Content::I16(w) => (Kind::Gauge, Type::I16, signed(w.last(round).map(i64::from))),
            Content::U16(w) => (Kind::Gauge, Type::U16, unsigned(w.last(round).map(u64::from))),
            Content::I32(w) => (Kind::Gauge, Type::I32, signed(w.last(round).map(i64::from))),
            Content::U32(w) => (Kind::Gauge, Type::U32, unsigned(w.last(round).map(u64::from))),
            Content::I64(w) | Content::LatchedI64(w) => {
                (Kind::Gauge, Type::I64, signed(w.last(round)))
            }
            Content::U64(w) => (Kind::Gauge, Type::U64, unsigned(w.last(round))),
            Content::F32(w) => (Kind::Gauge, Type::F32, float(w.last(round).map(f64::from))),
            Content::F64(w) | Content::LatchedF64(w) => {
                (Kind::Gauge, Type::F64, float(w.last(round)))
            }
            Content::Text1(w) => (Kind::Info, Type::Text, text(w.last(round), |texts| texts.1)),
            Content::Text8(w) => (Kind::Info, Type::Text, text(w.last(round), |texts| texts.2)),
            Content::Text13(w) => (Kind::Info, Type::Text, text(w.last(round), |texts| texts.3)),
            Content::ConstantU16(value) => (Kind::Info, Type::U16, unsigned(value.map(u64::from))),
            Content::ConstantF64(value) => (Kind::Info, Type::F64, float(*value)),
            Content::ConstantLatched(value) => (Kind::Info, Type::U64, unsigned(*value)),
            Content::ConstantText(value) => (Kind::Info, Type::Text, text(*value, |texts| texts.3)),
            Content::SmallHistogram(w) => {
                (Kind::Histogram, Type::U32, distribution(2, 20, &w.all(round)))
            }
            Content::WideHistogram(w) => {
                (Kind::Histogram, Type::U32, distribution(3, 64, &w.all(round)))
            }
            Content::Average(w) => {
                let samples = w.all(round);
                (
                    Kind::Gauge,
                    Type::F64,
                    float(if samples.is_empty() {
                        w.initial.map(f64::from)
                    } else {
                        Some(mean(&samples))
                    }),
                )
            }
            Content::MovingAverage(w) => {
                let samples = w.all(round);
                let last = &samples[samples.len().saturating_sub(3)..];
                (
                    Kind::Gauge,
                    Type::F64,
                    float(if last.is_empty() {
                        w.initial.map(f64::from)
                    } else {
                        Some(mean(last))
                    }),
                )
            }
            Content::Timer(w) => {
                let samples: Vec<i32> =
                    w.all(round).iter().map(|seconds| i32::from(*seconds)).collect();
                let last = &samples[samples.len().saturating_sub(3)..];
                (Kind::Gauge, Type::F64, float((!last.is_empty()).then(|| mean(last))))
            }
        };
        let unit =
            if matches!(self.content, Content::Timer(_)) { units::seconds } else { self.unit };
        let mut fields = vec![Shown {
            label: self.label.clone(),
            kind,
            ty,
            unit: unit.name.into(),
            scale: unit.scale,
            divisor: unit.divisor.max(1),
            help: self.help.clone(),
            aggregation: match (kind, &self.content, self.aggregation()) {
                (Kind::Counter | Kind::Histogram, ..) => Aggregation::Unspecified,
                (
                    _,
                    Content::Average(_) | Content::MovingAverage(_) | Content::Timer(_),
                    Aggregation::Unspecified,
                ) => Aggregation::Mean,
                (.., declared) => declared,
            },
            kept: false,
            value,
        }];
        if let Content::Timer(w) = &self.content {
            let nanoseconds: Vec<u64> =
                w.all(round).iter().map(|seconds| u64::from(*seconds) * 1_000_000_000).collect();
            fields.push(Shown {
                label: self.histogram_label(),
                kind: Kind::Histogram,
                ty: if narrow { Type::U32 } else { Type::U64 },
                unit: "seconds".into(),
                scale: -9,
                divisor: 1,
                aggregation: Aggregation::Unspecified,
                value: distribution(3, 40, &nanoseconds),
                ..fields[0].clone()
            });
        }
        if version != Version::V2 {
            // Version 1 has values under labels, and no histograms.
            fields.retain(|field| field.kind != Kind::Histogram);
            for field in &mut fields {
                (field.kind, field.unit, field.scale, field.divisor, field.help) =
                    (Kind::Untyped, String::new(), 0, 1, String::new());
                field.aggregation = Aggregation::Unspecified;
            }
        }
        fields
    }
}

/// Adds the fields one by one, some of whose labels are there already, and reads back what they
/// hold before, between and after writes.
fn written_is_read<F: Format>(specs: &[Spec], words: usize, garbage: u64) {
    let mut memory = vec![garbage; words];
    let region = region_in(&mut memory);
    let view = region.view();
    let mut writer = Writer::<F>::new(region).unwrap();
    assert_eq!(shown(&view), []);
    let narrow = F::WORD == 4;
    let mut added: Vec<(&Spec, Update<'_>)> = Vec::new();
    let expected = |added: &[(&Spec, Update<'_>)], round| -> Vec<Shown> {
        added.iter().flat_map(|(spec, _)| spec.expected(F::VERSION, narrow, round)).collect()
    };
    for spec in specs {
        let before = expected(&added, None);
        let labels: Vec<String> =
            spec.expected(F::VERSION, narrow, None).into_iter().map(|field| field.label).collect();
        let twice = labels.iter().find(|label| before.iter().any(|field| field.label == **label));
        match spec.add::<F>(&mut writer) {
            Ok(update) => {
                assert_eq!(twice, None, "two fields of one label");
                added.push((spec, update));
            }
            Err(AddError::DuplicateLabel { label }) => {
                assert!(twice.is_some_and(|twice| twice.starts_with(label.as_str())), "{label}");
            }
            Err(AddError::Full { length }) => assert_eq!(length, 8 * words),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(shown(&view), expected(&added, None));
    }
    for round in 0..2 {
        added.iter().for_each(|(_, update)| update(round));
        assert_eq!(shown(&view), expected(&added, Some(round)));
    }
}

/// Asserts that the computed size is enough, and 8 bytes less are not.
fn needed_is_enough<F: Format>(specs: &[Spec], prefix: &str) {
    let helps: Vec<&str> = specs.iter().map(|spec| spec.help.as_str()).collect();
    let help = |i: usize| if helps[i].is_empty() { &[][..] } else { &helps[i..=i] };
    let descriptions: Vec<FieldDef<'_>> =
        specs.iter().enumerate().map(|(i, spec)| spec.description::<F>(help(i))).collect();
    let size = layout::size(F::VERSION, &descriptions, prefix.len());
    assert_eq!(size % 8, 0);
    let added = |size: usize| {
        let mut memory = vec![u64::MAX; size / 8];
        let mut writer = Writer::<F>::new(region_in(&mut memory))?.label_prefix(prefix);
        specs.iter().try_for_each(|spec| spec.add::<F>(&mut writer).map(|_| ()))
    };
    assert_eq!(added(size), Ok(()));
    assert_eq!(added(size - 8), Err(AddError::Full { length: size - 8 }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_are_read_as_written_in_version_2(specs in vec(spec(), 0..12), garbage: u64) {
        written_is_read::<V2>(&specs, 4096, garbage);
    }

    #[test]
    fn values_are_read_as_written_in_version_2_of_a_32_bit_machine(
        specs in vec(spec(), 0..12),
        garbage: u64,
    ) {
        written_is_read::<V2Narrow>(&specs, 4096, garbage);
    }

    #[test]
    fn values_are_read_as_written_in_version_1(specs in vec(spec(), 0..12), garbage: u64) {
        written_is_read::<V1>(&specs, 4096, garbage);
    }

    #[test]
    fn values_are_read_as_written_in_version_1_as_python_writes_it(
        specs in vec(spec(), 0..12),
        garbage: u64,
    ) {
        written_is_read::<V1Exact>(&specs, 4096, garbage);
    }

    #[test]
    fn fields_that_do_not_fit_leave_the_others_unchanged(
        specs in vec(spec(), 0..12),
        garbage: u64,
        words in 5..150_usize,
    ) {
        written_is_read::<V2>(&specs, words, garbage);
        written_is_read::<V2Narrow>(&specs, words, garbage);
        written_is_read::<V1>(&specs, words, garbage);
        written_is_read::<V1Exact>(&specs, words, garbage);
    }

    #[test]
    fn the_computed_size_is_enough_and_8_bytes_less_are_not(mut specs in vec(spec(), 1..12), prefix in "[a-z.]{0,9}") {
        for (i, spec) in specs.iter_mut().enumerate() {
            spec.label = format!("{i}{}", spec.label);
        }
        needed_is_enough::<V2>(&specs, &prefix);
        needed_is_enough::<V2Narrow>(&specs, &prefix);
        needed_is_enough::<V1>(&specs, &prefix);
        needed_is_enough::<V1Exact>(&specs, &prefix);
    }
}
