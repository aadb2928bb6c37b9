use mmstats_core::{Aggregation as Stated, Kind, Type};

use super::*;

fn field(kind: Kind, unit: &str) -> Field {
    Field { unit: unit.to_owned(), ..crate::series::delta::tests::field(kind, Type::U64) }
}

fn aggregate(field: &Field, values: &[(OwnedValue, bool)]) -> Aggregate {
    let mut aggregate = Aggregate::new(field);
    for (id, (value, has_ended)) in (0..).zip(values) {
        let writer = Contributor { has_ended: *has_ended, created: None, id };
        aggregate.add(field, Ok(value), writer);
    }
    aggregate
}

fn combined(field: &Field, values: &[OwnedValue]) -> Result<OwnedValue, NoValue> {
    let alive: Vec<_> = values.iter().map(|value| (value.clone(), false)).collect();
    aggregate(field, &alive).into_value()
}

#[test]
fn numbers_are_added_and_all_else_has_to_agree() {
    let text = |text: &str| OwnedValue::Text(text.into());
    let (gauge, info, date) =
        (field(Kind::Gauge, ""), field(Kind::Info, ""), field(Kind::Gauge, "unixtime"));
    let flag = Field {
        location: crate::series::delta::tests::field(Kind::Gauge, Type::Bool).location,
        ..gauge.clone()
    };
    let differs = || Err(NoValue::Differs);
    assert_eq!(
        combined(&gauge, &[OwnedValue::Unsigned(7), OwnedValue::Signed(-9)]),
        Ok(OwnedValue::Signed(-2))
    );
    assert_eq!(
        combined(&gauge, &[OwnedValue::Unsigned(u64::MAX), OwnedValue::Unsigned(1)]),
        Ok(OwnedValue::Float(18_446_744_073_709_551_616.0))
    );
    assert_eq!(
        combined(&gauge, &[OwnedValue::Float(0.5), OwnedValue::Unsigned(1)]),
        Ok(OwnedValue::Float(1.5))
    );
    assert_eq!(
        combined(&info, &[OwnedValue::Unsigned(42), OwnedValue::Unsigned(42)]),
        Ok(OwnedValue::Unsigned(42))
    );
    assert_eq!(combined(&info, &[OwnedValue::Unsigned(42), OwnedValue::Unsigned(43)]), differs());
    assert_eq!(
        combined(&date, &[OwnedValue::Float(5.0), OwnedValue::Float(9.0), OwnedValue::Float(7.0)]),
        Ok(OwnedValue::Float(9.0))
    );
    assert_eq!(combined(&gauge, &[text("idle"), text("idle")]), Ok(text("idle")));
    assert_eq!(combined(&gauge, &[text("idle"), text("busy"), text("idle")]), differs());
    for value in [true, false] {
        let value = OwnedValue::Bool(value);
        assert_eq!(combined(&flag, &[value.clone(), value.clone()]), Ok(value));
    }
    assert_eq!(combined(&flag, &[OwnedValue::Bool(true), OwnedValue::Bool(false)]), differs());
    assert_eq!(combined(&gauge, &[text("1"), OwnedValue::Unsigned(1)]), differs());
}

#[test]
fn gauges_of_ended_writers_count_only_if_no_other_writer_has_them() {
    let (gauge, counter) = (field(Kind::Gauge, ""), field(Kind::Counter, ""));
    for order in [
        [(64, true), (1, false), (2, false), (32, true)],
        [(1, false), (64, true), (32, true), (2, false)],
    ] {
        let order = order.map(|(value, has_ended)| (OwnedValue::Unsigned(value), has_ended));
        let sum = |field: &Field| aggregate(field, &order).into_value().unwrap();
        assert_eq!(
            [sum(&gauge), sum(&counter)],
            [OwnedValue::Unsigned(3), OwnedValue::Unsigned(99)]
        );
    }
    let dead = [5, 6].map(|value| (OwnedValue::Unsigned(value), true));
    assert_eq!(aggregate(&gauge, &dead).into_value(), Ok(OwnedValue::Unsigned(11)));
}

#[test]
fn measurements_are_averaged() {
    let (celsius, seconds) = (field(Kind::Gauge, "celsius"), field(Kind::Counter, "seconds"));
    assert_eq!(
        combined(
            &celsius,
            &[OwnedValue::Unsigned(20), OwnedValue::Signed(-5), OwnedValue::Unsigned(30)]
        ),
        Ok(OwnedValue::Float(15.0))
    );
    assert_eq!(combined(&celsius, &[OwnedValue::Unsigned(20)]), Ok(OwnedValue::Unsigned(20)));
    assert_eq!(
        combined(&seconds, &[OwnedValue::Unsigned(20), OwnedValue::Unsigned(30)]),
        Ok(OwnedValue::Unsigned(50))
    );
}

#[test]
fn the_latest_timestamp_of_living_writers_counts() {
    let date = field(Kind::Gauge, "unixtime");
    for order in [
        [(9.0, true), (5.0, false), (f64::NAN, false)],
        [(f64::NAN, false), (5.0, false), (9.0, true)],
    ] {
        let order = order.map(|(value, has_ended)| (OwnedValue::Float(value), has_ended));
        assert_eq!(aggregate(&date, &order).into_value(), Ok(OwnedValue::Float(5.0)));
    }
}

#[test]
fn a_command_can_choose_another_aggregation() {
    let ratio = field(Kind::Gauge, "ratio");
    let values = [3.0, 1.0, 2.0].map(|value| (OwnedValue::Float(value), false));
    let all = aggregate(&ratio, &values);
    let combine = |aggregation| all.combine(aggregation).unwrap().as_f64();
    let mut aggregation = Aggregation::Auto;
    for (name, number) in
        [("auto", 2.0), ("sum", 6.0), ("avg", 2.0), ("min", 1.0), ("max", 3.0), ("last", 2.0)]
    {
        assert_eq!((aggregation.name(), combine(aggregation)), (name, number));
        aggregation = aggregation.next();
    }
    assert_eq!(aggregation, Aggregation::Auto);
    let pids = [1, 2].map(|pid| (OwnedValue::Unsigned(pid), false));
    let pid = Field { label: "sys.pid".to_owned(), ..field(Kind::Untyped, "") };
    let mut pids = aggregate(&pid, &pids);
    assert_eq!((pids.combine(Aggregation::Sum), pids.count_distinct()), (None, 2));
}

#[test]
fn an_unreadable_value_hides_no_others() {
    let field = field(Kind::Counter, "");
    let mut aggregate = Aggregate::new(&field);
    let writer = Contributor::default();
    aggregate.add(&field, Err(&ValueError::Contended), writer);
    let error = aggregate.clone().into_value().unwrap_err();
    assert!(error.to_string().contains("contended"));
    aggregate.add(&field, Ok(&OwnedValue::Unsigned(3)), writer);
    assert_eq!(aggregate.into_value(), Ok(OwnedValue::Unsigned(3)));
}

/// A field that states how writers are combined.
fn stating(stated: Stated, ty: Type) -> Field {
    Field { aggregation: stated, ..Field::new("a", Kind::Gauge, ty) }
}

#[test]
fn a_stated_aggregation_decides() {
    let values = [8, 3, 976, 5].map(OwnedValue::Unsigned);
    for (stated, expected) in [
        (Stated::Unspecified, OwnedValue::Unsigned(992)),
        (Stated::Sum, OwnedValue::Unsigned(992)),
        (Stated::Mean, OwnedValue::Float(248.0)),
        (Stated::Min, OwnedValue::Unsigned(3)),
        (Stated::Max, OwnedValue::Unsigned(976)),
        (Stated::Last, OwnedValue::Unsigned(5)),
    ] {
        let field = stating(stated, Type::U32);
        assert_eq!(combined(&field, &values), Ok(expected), "{stated:?}");
        let alive = values.clone().map(|value| (value, false));
        let chosen = aggregate(&field, &alive).combine(Aggregation::Min).unwrap();
        assert_eq!(chosen.as_f64(), 3.0, "a choice wins over {stated:?}");
    }
}

#[test]
fn booleans_that_state_an_aggregation_stay_booleans_unless_they_are_counted() {
    let values = [false, false, true].map(OwnedValue::Bool);
    for (stated, expected) in [
        (Stated::Unspecified, Err(NoValue::Differs)),
        (Stated::Sum, Ok(OwnedValue::Unsigned(1))),
        (Stated::Mean, Ok(OwnedValue::Float(1.0 / 3.0))),
        (Stated::Min, Ok(OwnedValue::Bool(false))),
        (Stated::Max, Ok(OwnedValue::Bool(true))),
        (Stated::Last, Ok(OwnedValue::Bool(true))),
    ] {
        assert_eq!(combined(&stating(stated, Type::Bool), &values), expected, "{stated:?}");
    }
}

#[test]
fn the_writer_that_was_created_last_counts_whatever_the_order() {
    let writers = [(Some(7.0), 1), (None, 5), (Some(9.0), 2), (Some(9.0), 4), (Some(8.0), 9)];
    let writers = writers.map(|(created, id)| Contributor { has_ended: false, created, id });
    for start in 0..writers.len() {
        let (number, text) = (stating(Stated::Last, Type::U64), stating(Stated::Last, Type::Text));
        let (mut numbers, mut texts) = (Aggregate::new(&number), Aggregate::new(&text));
        for writer in writers.iter().cycle().skip(start).take(writers.len()) {
            numbers.add(&number, Ok(&OwnedValue::Unsigned(writer.id)), *writer);
            texts.add(&text, Ok(&OwnedValue::Text(writer.id.to_string().into())), *writer);
        }
        assert_eq!(texts.count_distinct(), 1);
        assert_eq!(numbers.into_value(), Ok(OwnedValue::Unsigned(4)), "from {start}");
        assert_eq!(texts.into_value(), Ok(OwnedValue::Text("4".into())), "from {start}");
    }
}

#[test]
fn a_minimum_or_maximum_that_was_never_set_does_not_count() {
    let (min, max) = (stating(Stated::Min, Type::U32), stating(Stated::Max, Type::I32));
    let (none_min, none_max) =
        (OwnedValue::Unsigned(u32::MAX.into()), OwnedValue::Signed(i32::MIN.into()));
    for (field, none, value) in
        [(&min, none_min, OwnedValue::Unsigned(7)), (&max, none_max, OwnedValue::Signed(-7))]
    {
        assert_eq!(combined(field, &[none.clone(), none.clone()]), Err(NoValue::Missing));
        assert_eq!(
            combined(field, &[none.clone(), value.clone(), none.clone()]),
            Ok(value.clone())
        );
        let alive = [none, value.clone()].map(|value| (value, false));
        let aggregate = aggregate(field, &alive);
        assert_eq!(
            (aggregate.values(), aggregate.combine(Aggregation::Mean)),
            (1, aggregate.sum())
        );
    }
}

#[test]
fn kept_values_of_ended_writers_count() {
    let values = [(OwnedValue::Unsigned(976), true), (OwnedValue::Unsigned(100), false)];
    for order in [values.clone(), [values[1].clone(), values[0].clone()]] {
        let peak = stating(Stated::Max, Type::U32);
        assert_eq!(aggregate(&peak, &order).into_value(), Ok(OwnedValue::Unsigned(100)));
        let kept = Field { kept: true, ..peak };
        assert_eq!(aggregate(&kept, &order).into_value(), Ok(OwnedValue::Unsigned(976)));
        let sum = Field { kept: true, ..field(Kind::Gauge, "") };
        assert_eq!(aggregate(&sum, &order).into_value(), Ok(OwnedValue::Unsigned(1076)));
    }
}

#[test]
fn an_empty_kept_text_gives_way_to_others() {
    let text = |text: &str, has_ended| (OwnedValue::Text(text.into()), has_ended);
    let plain = Field::new("a", Kind::Gauge, Type::Text);
    let kept = Field { kept: true, ..plain.clone() };
    let all = [text("", false), text("panicked", true), text("", true), text("", false)];
    for start in 0..all.len() {
        let mut order = all.clone();
        order.rotate_left(start);
        let mut panic = aggregate(&kept, &order);
        assert_eq!((panic.count_distinct(), panic.values()), (1, 4));
        assert_eq!(panic.into_value(), Ok(OwnedValue::Text("panicked".into())));
        assert_eq!(aggregate(&plain, &order).into_value(), Ok(OwnedValue::Text("".into())));
        // Even of the writer that was created last.
        let last = Field { aggregation: Stated::Last, ..kept.clone() };
        assert_eq!(aggregate(&last, &order).into_value(), Ok(OwnedValue::Text("panicked".into())));
    }
    let empty = aggregate(&kept, &[text("", false), text("", true)]);
    assert_eq!(empty.into_value(), Ok(OwnedValue::Text("".into())));
    let two = [text("panicked", true), text("", false), text("out of memory", true)];
    assert_eq!(aggregate(&kept, &two).into_value(), Err(NoValue::Differs));
    let mut again = aggregate(&kept, &two);
    again.clear();
    again.add(&kept, Ok(&OwnedValue::Text("".into())), Contributor::default());
    assert_eq!(again.into_value(), Ok(OwnedValue::Text("".into())));
}

/// Returns pseudo-random numbers below a limit.
fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |limit| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    }
}

#[test]
fn any_writers_are_combined_as_the_definition_says_in_any_order() {
    const NONE: i64 = i16::MIN as i64;
    let mut random = random(2013);
    for round in 0..2000 {
        let stated = Stated::ALL[random(6) as usize];
        let field = Field { kept: random(2) == 0, ..stating(stated, Type::I16) };
        let mut writers: Vec<(i64, Contributor)> = (0..random(6))
            .map(|id| {
                let value = if random(4) == 0 { NONE } else { random(20) as i64 - 10 };
                let created = (random(5) > 0).then(|| random(3) as f64);
                (value, Contributor { has_ended: random(3) == 0, created, id })
            })
            .collect();
        let exists = |value: i64| stated != Stated::Max || value != NONE;
        let current: Vec<_> = writers.iter().filter(|(value, _)| exists(*value)).copied().collect();
        let is_current = |(_, writer): &(i64, Contributor)| field.kept || !writer.has_ended;
        let has_current = current.iter().any(is_current);
        let counted: Vec<_> =
            current.into_iter().filter(|entry| !has_current || is_current(entry)).collect();
        let numbers = || counted.iter().map(|(value, _)| *value);
        let newest = |one: &&(i64, Contributor), other: &&(i64, Contributor)| {
            let created = |writer: &Contributor| writer.created.unwrap_or(-1.0);
            let order = created(&one.1).total_cmp(&created(&other.1));
            order.then(one.1.id.cmp(&other.1.id))
        };
        let sum: i64 = numbers().sum();
        let expected = match stated {
            _ if counted.is_empty() => None,
            Stated::Mean => Some(sum as f64 / counted.len() as f64),
            Stated::Min => numbers().min().map(|value| value as f64),
            Stated::Max => numbers().max().map(|value| value as f64),
            Stated::Last => counted.iter().max_by(newest).map(|(value, _)| *value as f64),
            _ => Some(sum as f64),
        };
        for _ in 0..4 {
            let mut aggregate = Aggregate::new(&field);
            for (value, writer) in &writers {
                aggregate.add(&field, Ok(&OwnedValue::Signed(*value)), *writer);
            }
            assert_eq!(aggregate.values(), counted.len(), "round {round}: {writers:?}");
            let combined = aggregate.combine(Aggregation::Auto).map(Scaled::as_f64);
            assert_eq!(combined, expected, "round {round}: {stated:?} of {writers:?}");
            let at = random(writers.len().max(1) as u64) as usize;
            writers.rotate_left(at);
        }
    }
}
