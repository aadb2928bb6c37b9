//! Models of every type of field, in every format: read as declared, in exactly as many bytes as
//! their size.

mod common;

use common::{FieldValue, Shown, Stopped, distribution, region_in, shown};
use core::time::Duration;
use mmstats_core::format::layout;
use mmstats_core::{
    AddError, Aggregation, Average, Constant, ConstantText, Counter, Flag, Format, Gauge,
    Histogram, Kind, Latched, Model, MovingAverage, Region, Text, Timer, Type, Unit, V1, V1Exact,
    V2, V2Narrow, Writer, model, units,
};

model! {
    /// Every type of field, with all that a declaration can have.
    struct Everything in "all." {
        /// Counts
        ///  more than one line.
        counter: Counter = "the.counter" [bytes],
        counter32: Counter<u32> => 7,
        latched: Counter<Latched<u64>> [ratio.over(4096)],
        flag: Flag => true,
        i8: Gauge<i8>,
        u8: Gauge<u8> [percent],
        i16: Gauge<i16> [celsius.e(-1)] => -40,
        u16: Gauge<u16>,
        i32: Gauge<i32>,
        u32: Gauge<u32>,
        i64: Gauge<i64>,
        u64: Gauge<u64>,
        f32: Gauge<f32>,
        f64: Gauge<f64> = "timers.last_hit" [unixtime] => 0.5,
        r#type: Gauge<Latched<f64>>,
        worker: Text<12> => "idle",
        pid: Constant<u32> => std::process::id(),
        version: ConstantText<8> => "1.2.3",
        spread: Histogram<2, 10, u32> [nanoseconds],
        average: Average,
        moving: MovingAverage<2>,
        /// Of a request.
        latency: Timer<Stopped> = "latency{path=\"/\"}",
    }

    struct One { only: Counter<u32> }
}

/// Publishes it, prefixed, and shows it after every field has been written.
fn everything<F: Format>(prefix: &str) -> Vec<Shown> {
    let size = layout::size(F::VERSION, Everything::<F>::FIELDS, prefix.len());
    let mut memory = vec![u64::MAX; size / 8];
    let region = region_in(&mut memory);
    let view = region.view();
    let all = Everything::<F>::publisher().label_prefix(prefix).publish(region).unwrap();
    all.counter.add(1 << 40);
    all.counter.incr();
    all.counter32.incr();
    all.latched.add(Latched(3));
    assert!(all.flag.get());
    all.i8.set(i8::MIN);
    all.u8.sub(1);
    assert_eq!(all.i16.get(), -40);
    all.u16.add(2);
    all.i32.set(-3);
    all.u32.set(3);
    all.i64.set(i64::MIN);
    all.u64.set(u64::MAX);
    all.f32.set(1.5);
    all.f64.add(0.25);
    all.r#type.set(Latched(-0.0));
    assert_eq!(all.worker.get(), "idle");
    assert_eq!(all.pid.get(), std::process::id());
    all.spread.record(9);
    all.average.record(4.0);
    all.moving.record(1.0);
    all.moving.record(2.0);
    all.moving.record(4.0);
    all.latency.record(Duration::from_millis(1500));
    shown(&view)
}

/// Returns what version 2 shows of it.
fn expected(prefix: &str, histogram: Type) -> Vec<Shown> {
    let field = |label: &str, kind, ty, unit: Unit, help: &str, value| Shown {
        label: format!("{prefix}all.{label}"),
        kind,
        ty,
        unit: unit.name.into(),
        scale: unit.scale,
        divisor: unit.divisor,
        help: help.into(),
        aggregation: Aggregation::Unspecified,
        kept: false,
        value,
    };
    let mean = |field: Shown| Shown { aggregation: Aggregation::Mean, ..field };
    use FieldValue::{Bool, Signed, Unsigned};
    use Kind::{Counter, Gauge, Histogram, Info};
    let none = Unit::NONE;
    vec![
        field(
            "the.counter",
            Counter,
            Type::U64,
            units::bytes,
            "Counts\n more than one line.",
            Unsigned((1 << 40) + 1),
        ),
        field("counter32", Counter, Type::U32, none, "", Unsigned(8)),
        field("latched", Counter, Type::U64, units::ratio.over(4096), "", Unsigned(3)),
        field("flag", Gauge, Type::Bool, none, "", Bool(true)),
        field("i8", Gauge, Type::I8, none, "", Signed(-128)),
        field("u8", Gauge, Type::U8, units::ratio.e(-2), "", Unsigned(255)),
        field("i16", Gauge, Type::I16, units::celsius.e(-1), "", Signed(-40)),
        field("u16", Gauge, Type::U16, none, "", Unsigned(2)),
        field("i32", Gauge, Type::I32, none, "", Signed(-3)),
        field("u32", Gauge, Type::U32, none, "", Unsigned(3)),
        field("i64", Gauge, Type::I64, none, "", Signed(i64::MIN)),
        field("u64", Gauge, Type::U64, none, "", Unsigned(u64::MAX)),
        field("f32", Gauge, Type::F32, none, "", 1.5.into()),
        field("timers.last_hit", Gauge, Type::F64, units::unixtime, "", 0.75.into()),
        field("type", Gauge, Type::F64, none, "", (-0.0).into()),
        field("worker", Info, Type::Text, none, "", "idle".into()),
        field("pid", Info, Type::U32, none, "", Unsigned(std::process::id().into())),
        field("version", Info, Type::Text, none, "", "1.2.3".into()),
        field("spread", Histogram, Type::U32, units::nanoseconds, "", distribution(2, 10, &[9])),
        mean(field("average", Gauge, Type::F64, none, "", 4.0.into())),
        mean(field("moving", Gauge, Type::F64, none, "", 3.0.into())),
        mean(field(
            "latency{path=\"/\"}",
            Gauge,
            Type::F64,
            units::seconds,
            "Of a request.",
            1.5.into(),
        )),
        field(
            "latency.histogram{path=\"/\"}",
            Histogram,
            histogram,
            units::nanoseconds,
            "Of a request.",
            distribution(3, 40, &[1_500_000_000]),
        ),
    ]
}

#[test]
fn a_model_of_every_field_is_read_as_it_was_declared_and_written() {
    for prefix in ["", "web-1.", "ü/"] {
        assert_eq!(
            everything::<V2>(prefix),
            expected(prefix, if V2::WORD == 8 { Type::U64 } else { Type::U32 })
        );
        assert_eq!(everything::<V2Narrow>(prefix), expected(prefix, Type::U32));
        let in_version_1: Vec<(String, Type, FieldValue)> = expected(prefix, Type::U64)
            .into_iter()
            .filter(|field| field.kind != Kind::Histogram)
            .map(|field| (field.label, field.ty, field.value))
            .collect();
        let untyped = |shown: Vec<Shown>| -> Vec<(String, Type, FieldValue)> {
            assert!(shown.iter().all(|field| field.kind == Kind::Untyped
                && field.unit.is_empty()
                && field.help.is_empty()));
            shown.into_iter().map(|field| (field.label, field.ty, field.value)).collect()
        };
        assert_eq!(untyped(everything::<V1>(prefix)), in_version_1);
        assert_eq!(untyped(everything::<V1Exact>(prefix)), in_version_1);
    }
}

/// Publishes a model in a region of this many bytes.
fn fits<M: Model<Format = F>, F: Format>(size: usize) -> Result<(), AddError> {
    M::publish(Region::new(vec![0; size / 8].leak())).map(|_| ())
}

fn is_exact<M: Model<Format = F>, F: Format>() {
    assert_eq!(fits::<M, F>(M::SIZE), Ok(()), "{}", M::NAME);
    assert_eq!(
        fits::<M, F>(M::SIZE - 8),
        Err(AddError::Full { length: M::SIZE - 8 }),
        "{}",
        M::NAME
    );
}

fn all_are_exact<F: Format>() {
    is_exact::<Everything<F>, F>();
    is_exact::<One<F>, F>();
}

#[test]
fn the_size_of_a_model_is_exactly_what_it_needs() {
    all_are_exact::<V2>();
    all_are_exact::<V2Narrow>();
    all_are_exact::<V1>();
    all_are_exact::<V1Exact>();
    let memory = || vec![0; One::publisher().label_prefix("four").size() / 8].leak();
    assert!(One::publisher().label_prefix("four").publish(Region::new(memory())).is_ok());
    assert!(
        One::publisher()
            .label_prefix("no more than 8 bytes of padding")
            .publish(Region::new(memory()))
            .is_err()
    );
}

#[test]
fn models_and_single_fields_share_a_region() {
    let mut memory = [0; 64];
    let region = region_in(&mut memory);
    let view = region.view();
    let mut writer = Writer::<V2>::new(region).unwrap();
    let single: Gauge<u8, _> = writer.add(Gauge::builder("first")).unwrap();
    let mut writer = writer.label_prefix("a.");
    let a: One<_> = writer.add_model().unwrap();
    let mut writer = writer.label_prefix("b.");
    let b: One<_> = writer.add_model().unwrap();
    assert_eq!(
        writer.add_model::<One<_>>().err().map(|error| error.to_string()).as_deref(),
        Some("duplicate label: \"b.only\"")
    );
    single.set(1);
    a.only.add(2);
    b.only.add(3);
    let shown = shown(&view);
    assert_eq!(
        common::values(&shown),
        [
            ("first", &FieldValue::Unsigned(1)),
            ("a.only", &FieldValue::Unsigned(2)),
            ("b.only", &FieldValue::Unsigned(3))
        ]
    );
}

model! {
    /// Has attributes.
    #[allow(missing_docs)]
    #[cfg(all())]
    #[must_use]
    struct Conditional {
        always: Counter,
        #[cfg(any())]
        never: NoSuchType = "sometimes",
        /// With
        #[cfg(all())]
        /// help.
        #[allow(dead_code)]
        sometimes: Gauge<u8> as kept => 3,
        #[cfg(any())]
        last: Counter,
    }
    #[cfg(any())]
    struct Conditional {
        other: NoSuchType,
    }
}

#[test]
fn fields_and_models_may_depend_on_conditions() {
    let mut memory = [0; Conditional::SIZE / 8];
    let region = region_in(&mut memory);
    let view = region.view();
    let conditional = Conditional::publish(region).unwrap();
    conditional.always.incr();
    conditional.reset_transient();
    let shown = shown(&view);
    let shown: Vec<_> = shown
        .iter()
        .map(|field| (field.label.as_str(), field.help.as_str(), &field.value))
        .collect();
    assert_eq!(
        shown,
        [
            ("always", "", &FieldValue::Unsigned(1)),
            ("sometimes", "With\nhelp.", &FieldValue::Unsigned(3)),
        ]
    );
}
