//! What several writers have under one label, made one value.

use mmstats_core::reader::ValueError;
use mmstats_core::{Kind, Type};
use mmstats_std::read::Field;

use crate::labels::is_identity;
use crate::scraper::OwnedValue;
use crate::series::aggregation::{is_averaged, is_gauge, is_timestamp};
use crate::series::delta::Number;

/// What is made of the values of several writers.
pub(crate) fn aggregate(field: &Field) -> &'static str {
    match field.location.ty {
        _ if is_timestamp(field) => "latest",
        _ if field.kind == Kind::Info || is_identity(&field.label) => "unique",
        Type::Bool | Type::Text | Type::Pascal => "unique",
        _ if is_averaged(field) => "mean",
        _ => "sum",
    }
}

/// Adds up what is known.
pub(crate) fn add(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    }
}

/// What is shown as one where it is the same: a label, and how its values are to be taken. What
/// tells who a writer is needs no more than its label, for writers of version 1 cannot say of what
/// kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key<'f> {
    pub(crate) label: &'f str,
    kind: &'static str,
    unit: &'f str,
    scale: (i8, u32),
}

impl<'f> Key<'f> {
    pub(crate) fn of(field: &'f Field) -> Self {
        if is_identity(&field.label) {
            return Key { label: &field.label, kind: "", unit: "", scale: (0, 1) };
        }
        Key {
            label: &field.label,
            kind: field.kind.name(),
            unit: &field.unit,
            scale: (field.scale, field.divisor.max(1)),
        }
    }
}

/// Values of several writers under one [`Key`], added up. Levels and dates of those that have ended
/// only count if there are no others: they say nothing of now.
///
/// Measures are averaged in the end. Of dates (`unixtime`) the latest counts. Texts, truth values
/// and what says that it is no number to add (constants) have to agree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Total {
    value: Option<OwnedValue>,
    /// Of numbers that are added up: exact, however many there are.
    sum: Option<Number>,
    /// How many values are in it.
    values: u32,
    /// Whether one of the writers has not ended.
    is_current: bool,
    differs: bool,
    problem: Option<String>,
}

impl Total {
    /// Adds a value. `has_ended` tells of its writer.
    pub(crate) fn add(
        &mut self,
        field: &Field,
        value: Result<&OwnedValue, &ValueError>,
        has_ended: bool,
    ) {
        if is_gauge(field) || is_timestamp(field) {
            match (has_ended, self.is_current) {
                (true, true) => return,
                (false, false) => *self = Total { is_current: true, ..Total::default() },
                _ => {}
            }
        }
        let value = match value {
            Ok(value) => value,
            Err(problem) => {
                self.problem.get_or_insert_with(|| problem.to_string());
                return;
            }
        };
        self.values += 1;
        let amount = Number::of(value).filter(|_| is_added(field, value));
        match (self.value.take(), self.sum.zip(amount)) {
            (None, _) => (self.value, self.sum) = (Some(value.clone()), amount),
            (value, Some((sum, amount))) => (self.value, self.sum) = (value, Some(sum + amount)),
            (Some(total), None) => {
                self.value = merge(field, total, value);
                self.differs |= self.value.is_none();
            }
        }
    }

    /// Makes what is told of what was added, after all of it was.
    pub(crate) fn settle(&mut self, field: &Field) {
        if let Some(sum) = self.sum.filter(|_| self.values > 1) {
            let mean = |values| OwnedValue::Float(sum.as_f64() / f64::from(values));
            self.value = Some(self.averaged(field).map_or_else(|| sum.into(), mean));
        }
    }

    /// How many values the result is the mean of, if it is one.
    pub(crate) fn averaged(&self, field: &Field) -> Option<u32> {
        Some(self.values).filter(|values| {
            *values > 1 && !self.differs && self.sum.is_some() && is_averaged(field)
        })
    }

    /// The sum, if numbers were added up.
    pub(crate) fn sum(&self) -> Option<Number> {
        self.sum
    }

    /// What came of it; else why there is nothing.
    pub(crate) fn get(&self) -> Result<&OwnedValue, &str> {
        if self.differs {
            return Err("differs");
        }
        self.value.as_ref().ok_or_else(|| self.problem.as_deref().unwrap_or("no value"))
    }
}

/// Whether values are added up, and not compared.
fn is_added(field: &Field, value: &OwnedValue) -> bool {
    field.kind != Kind::Info
        && !is_timestamp(field)
        && !is_identity(&field.label)
        && !matches!(value, OwnedValue::Bool(_))
}

/// What is made of two values that are not added up; `None` if they do not agree.
fn merge(field: &Field, total: OwnedValue, value: &OwnedValue) -> Option<OwnedValue> {
    match (total, value) {
        (OwnedValue::Histogram(mut total), OwnedValue::Histogram(value)) => {
            total.add(value);
            Some(OwnedValue::Histogram(total))
        }
        (total, value) if is_timestamp(field) => {
            let [latest, other] = [Number::of(&total)?.as_f64(), Number::of(value)?.as_f64()];
            Some(if other > latest || latest.is_nan() { value.clone() } else { total })
        }
        (total, value) => (total == *value).then_some(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mmstats_core::reader::{Storage, ValueLocation};

    fn field(kind: Kind, unit: &str) -> Field {
        let location = ValueLocation {
            offset: 0,
            size: 8,
            ty: Type::U64,
            storage: Storage::Word,
            swapped: false,
            word: 8,
        };
        Field {
            label: String::new(),
            unit: unit.to_owned(),
            help: String::new(),
            kind,
            scale: 0,
            divisor: 1,
            location,
        }
    }

    fn total(field: &Field, values: &[OwnedValue]) -> Result<OwnedValue, String> {
        let mut total = Total::default();
        values.iter().for_each(|value| total.add(field, Ok(value), false));
        total.settle(field);
        total.get().cloned().map_err(str::to_owned)
    }

    #[test]
    fn numbers_are_added_up_and_all_else_has_to_agree() {
        let text = |text: &str| OwnedValue::Text(text.into());
        let (gauge, info, date) =
            (field(Kind::Gauge, ""), field(Kind::Info, ""), field(Kind::Gauge, "unixtime"));
        let differs = || Err("differs".to_owned());
        assert_eq!(
            total(&gauge, &[OwnedValue::Unsigned(7), OwnedValue::Signed(-9)]),
            Ok(OwnedValue::Signed(-2))
        );
        assert_eq!(
            total(&gauge, &[OwnedValue::Unsigned(u64::MAX), OwnedValue::Unsigned(1)]),
            Ok(OwnedValue::Float(18_446_744_073_709_551_616.0))
        );
        assert_eq!(
            total(&gauge, &[OwnedValue::Float(0.5), OwnedValue::Unsigned(1)]),
            Ok(OwnedValue::Float(1.5))
        );
        assert_eq!(
            total(&info, &[OwnedValue::Unsigned(42), OwnedValue::Unsigned(42)]),
            Ok(OwnedValue::Unsigned(42))
        );
        assert_eq!(total(&info, &[OwnedValue::Unsigned(42), OwnedValue::Unsigned(43)]), differs());
        assert_eq!(
            total(&date, &[OwnedValue::Float(5.0), OwnedValue::Float(9.0), OwnedValue::Float(7.0)]),
            Ok(OwnedValue::Float(9.0))
        );
        assert_eq!(total(&gauge, &[text("idle"), text("idle")]), Ok(text("idle")));
        assert_eq!(total(&gauge, &[text("idle"), text("busy"), text("idle")]), differs());
        assert_eq!(
            total(&gauge, &[OwnedValue::Bool(true), OwnedValue::Bool(true)]),
            Ok(OwnedValue::Bool(true))
        );
        assert_eq!(total(&gauge, &[text("1"), OwnedValue::Unsigned(1)]), differs());
    }

    #[test]
    fn levels_of_writers_that_have_ended_count_only_alone() {
        let (gauge, counter) = (field(Kind::Gauge, ""), field(Kind::Counter, ""));
        for order in [
            [(64, true), (1, false), (2, false), (32, true)],
            [(1, false), (64, true), (32, true), (2, false)],
        ] {
            let sum = |field: &Field| {
                let mut total = Total::default();
                order.iter().for_each(|(value, has_ended)| {
                    total.add(field, Ok(&OwnedValue::Unsigned(*value)), *has_ended)
                });
                total.settle(field);
                total.get().cloned().unwrap()
            };
            assert_eq!(
                [sum(&gauge), sum(&counter)],
                [OwnedValue::Unsigned(3), OwnedValue::Unsigned(99)]
            );
        }
        let mut ended = Total::default();
        [5, 6].iter().for_each(|value| ended.add(&gauge, Ok(&OwnedValue::Unsigned(*value)), true));
        ended.settle(&gauge);
        assert_eq!(ended.get(), Ok(&OwnedValue::Unsigned(11)));
    }

    #[test]
    fn measures_are_averaged() {
        let (celsius, seconds) = (field(Kind::Gauge, "celsius"), field(Kind::Counter, "seconds"));
        assert_eq!(
            total(
                &celsius,
                &[OwnedValue::Unsigned(20), OwnedValue::Signed(-5), OwnedValue::Unsigned(30)]
            ),
            Ok(OwnedValue::Float(15.0))
        );
        assert_eq!(total(&celsius, &[OwnedValue::Unsigned(20)]), Ok(OwnedValue::Unsigned(20)));
        assert_eq!(
            total(&seconds, &[OwnedValue::Unsigned(20), OwnedValue::Unsigned(30)]),
            Ok(OwnedValue::Unsigned(50))
        );
    }

    #[test]
    fn what_is_measured_differently_is_not_shown_as_one() {
        let volts = field(Kind::Gauge, "volts");
        assert_eq!(
            Key::of(&volts),
            Key::of(&Field { divisor: 0, help: "In the battery.".to_owned(), ..volts.clone() })
        );
        for other in [
            Field { scale: -3, ..volts.clone() },
            Field { divisor: 2, ..volts.clone() },
            field(Kind::Gauge, "celsius"),
            field(Kind::Counter, "volts"),
        ] {
            assert_ne!(Key::of(&volts), Key::of(&other));
        }
        let [one, other] = [Kind::Info, Kind::Untyped]
            .map(|kind| Field { label: "web.sys.pid".to_owned(), ..field(kind, "") });
        assert_eq!(Key::of(&one), Key::of(&other));
    }

    #[test]
    fn the_latest_date_counts_but_of_the_living() {
        let date = field(Kind::Gauge, "unixtime");
        for order in [
            [(9.0, true), (5.0, false), (f64::NAN, false)],
            [(f64::NAN, false), (5.0, false), (9.0, true)],
        ] {
            let mut total = Total::default();
            order.iter().for_each(|(value, has_ended)| {
                total.add(&date, Ok(&OwnedValue::Float(*value)), *has_ended)
            });
            assert_eq!(total.get(), Ok(&OwnedValue::Float(5.0)));
        }
    }

    #[test]
    fn a_value_that_cannot_be_read_hides_no_others() {
        let field = field(Kind::Counter, "");
        let mut total = Total::default();
        total.add(&field, Err(&ValueError::Contended), false);
        assert!(total.get().unwrap_err().contains("contended"));
        total.add(&field, Ok(&OwnedValue::Unsigned(3)), false);
        assert_eq!(total.get(), Ok(&OwnedValue::Unsigned(3)));
    }
}
