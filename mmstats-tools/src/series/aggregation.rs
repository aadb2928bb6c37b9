//! How the values of several writers become one: what their field states, or else what follows from
//! its class and unit.

use clap::ValueEnum;
use mmstats_core::{Aggregation as Stated, Kind, Type};
use mmstats_std::liveness::Verdict;
use mmstats_std::read::Field;

use super::OwnedValue;
use super::class::Class;
use super::identity::is_identity;
use crate::scraper::WriterId;

/// How to combine the values of several writers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Aggregation {
    /// As the field says.
    #[default]
    #[value(skip)]
    Auto,
    /// Their sum.
    Sum,
    /// Their mean.
    #[value(name = "avg")]
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The value of the writer that was created last.
    Last,
    /// The value that all of them have; as a number, the sum.
    #[value(skip)]
    Unique,
}

impl Aggregation {
    /// Returns how the values of a field are combined unless a command chooses another way. It is
    /// never [`Auto`](Aggregation::Auto).
    #[must_use]
    pub fn from_field(field: &Field) -> Aggregation {
        match (stated_aggregation(field), Class::from_field(field)) {
            (Stated::Sum, _) => Aggregation::Sum,
            (Stated::Mean, _) => Aggregation::Mean,
            (Stated::Min, _) => Aggregation::Min,
            (Stated::Max, _) => Aggregation::Max,
            (Stated::Last, _) => Aggregation::Last,
            (_, Class::Flag | Class::Text | Class::Fact) => Aggregation::Unique,
            (_, Class::Gauge) if field.unit == "unixtime" => Aggregation::Max,
            (_, Class::Gauge) if is_averaged_unit(&field.unit) => Aggregation::Mean,
            (_, Class::Counter | Class::Histogram | Class::Gauge) => Aggregation::Sum,
        }
    }

    /// Returns the next one, for a key that cycles through those that can be chosen.
    #[must_use]
    pub fn next(self) -> Aggregation {
        use Aggregation::{Auto, Last, Max, Mean, Min, Sum, Unique};
        match self {
            Auto => Sum,
            Sum => Mean,
            Mean => Min,
            Min => Max,
            Max => Last,
            Last | Unique => Auto,
        }
    }

    /// Returns the name that people see and type: `auto`, `sum`, `avg`, `min`, `max`, `last`,
    /// `unique`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Aggregation::Auto => "auto",
            Aggregation::Sum => "sum",
            Aggregation::Mean => "avg",
            Aggregation::Min => "min",
            Aggregation::Max => "max",
            Aggregation::Last => "last",
            Aggregation::Unique => "unique",
        }
    }

    /// Returns the name in JSON, where the mean is spelled as in directories: `mean`.
    #[must_use]
    pub fn json_name(self) -> &'static str {
        match self {
            Aggregation::Mean => Stated::Mean.name(),
            other => other.name(),
        }
    }
}

/// Returns the aggregation that a field states. It has no effect on counters, histograms and
/// identity fields, which are combined in one way only; of texts there is no sum, mean, minimum or
/// maximum.
#[must_use]
pub fn stated_aggregation(field: &Field) -> Stated {
    let is_text = matches!(field.location.ty, Type::Text | Type::Pascal);
    match field.aggregation {
        Stated::Unspecified => Stated::Unspecified,
        _ if matches!(field.kind, Kind::Counter | Kind::Histogram) => Stated::Unspecified,
        _ if is_identity(&field.label) => Stated::Unspecified,
        Stated::Sum | Stated::Mean | Stated::Min | Stated::Max if is_text => Stated::Unspecified,
        stated => stated,
    }
}

/// Units of measurements. A sum of such gauges over writers has no meaning.
const AVERAGED_UNITS: [&str; 8] =
    ["seconds", "ratio", "percent", "celsius", "kelvin", "volts", "hertz", "meters"];

/// Returns `true` if gauges in this unit that state no aggregation are averaged over writers.
fn is_averaged_unit(unit: &str) -> bool {
    AVERAGED_UNITS.contains(&unit)
}

/// Returns `false` if a stored value means that there is none yet: a minimum that is the greatest
/// value of its type, or a maximum that is the least one and not 0. Of floats, these are infinite.
#[must_use]
pub fn has_value(field: &Field, stored: &OwnedValue) -> bool {
    let unused_bits = 64 - 8 * field.location.ty.size().unwrap_or(8);
    match (stated_aggregation(field), stored) {
        (Stated::Min, OwnedValue::Unsigned(value)) => *value != u64::MAX >> unused_bits,
        (Stated::Min, OwnedValue::Signed(value)) => *value != i64::MAX >> unused_bits,
        (Stated::Min, OwnedValue::Float(value)) => *value != f64::INFINITY,
        (Stated::Max, OwnedValue::Signed(value)) => *value != i64::MIN >> unused_bits,
        (Stated::Max, OwnedValue::Float(value)) => *value != f64::NEG_INFINITY,
        _ => true,
    }
}

/// The facts about a writer that decide how its values count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contributor {
    /// Whether its process or thread has ended.
    pub has_ended: bool,
    /// When it was created, in seconds since 1970, if that is known.
    pub created: Option<f64>,
    /// Its number in the order of discovery.
    pub id: u64,
}

impl Contributor {
    /// Collects the facts about a writer.
    #[must_use]
    pub fn new(writer_id: &WriterId, verdict: Verdict) -> Self {
        let WriterId { id, created, .. } = *writer_id;
        Contributor { has_ended: verdict.writer_has_ended(), created, id }
    }

    /// Returns `true` if it was created before the other one, or was found earlier if that is not
    /// known.
    #[must_use]
    pub fn is_older(self, other: Contributor) -> bool {
        let created = |writer: Contributor| writer.created.unwrap_or(f64::NEG_INFINITY);
        let order = created(self).total_cmp(&created(other));
        order.then(self.id.cmp(&other.id)).is_lt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: Kind, ty: Type, stated: Stated) -> Field {
        Field { aggregation: stated, ..Field::new("a", kind, ty) }
    }

    #[test]
    fn a_stated_aggregation_wins_where_it_has_a_meaning() {
        for (kind, ty, stated, expected) in [
            (Kind::Gauge, Type::U64, Stated::Unspecified, Aggregation::Sum),
            (Kind::Gauge, Type::U64, Stated::Sum, Aggregation::Sum),
            (Kind::Gauge, Type::U64, Stated::Mean, Aggregation::Mean),
            (Kind::Gauge, Type::U64, Stated::Max, Aggregation::Max),
            (Kind::Gauge, Type::Bool, Stated::Max, Aggregation::Max),
            (Kind::Gauge, Type::Text, Stated::Last, Aggregation::Last),
            (Kind::Gauge, Type::Text, Stated::Max, Aggregation::Unique),
            (Kind::Info, Type::U64, Stated::Unspecified, Aggregation::Unique),
            (Kind::Info, Type::U64, Stated::Min, Aggregation::Min),
            (Kind::Untyped, Type::U64, Stated::Last, Aggregation::Last),
            (Kind::Counter, Type::U64, Stated::Max, Aggregation::Sum),
            (Kind::Histogram, Type::U64, Stated::Last, Aggregation::Sum),
        ] {
            let aggregation = Aggregation::from_field(&field(kind, ty, stated));
            assert_eq!(aggregation, expected, "{kind:?} {ty:?} {stated:?}");
        }
        let gauge = field(Kind::Gauge, Type::F64, Stated::Sum);
        let celsius = Field { unit: "celsius".to_owned(), ..gauge.clone() };
        assert_eq!(Aggregation::from_field(&celsius), Aggregation::Sum);
        let pid = Field { label: "sys.pid".to_owned(), ..gauge };
        assert_eq!(Aggregation::from_field(&pid), Aggregation::Unique);
    }

    #[test]
    fn without_a_stated_aggregation_the_unit_of_a_gauge_decides() {
        for (unit, expected) in [
            ("", Aggregation::Sum),
            ("bytes", Aggregation::Sum),
            ("celsius", Aggregation::Mean),
            ("unixtime", Aggregation::Max),
        ] {
            let gauge = field(Kind::Gauge, Type::F64, Stated::Unspecified);
            let gauge = Field { unit: unit.to_owned(), ..gauge };
            assert_eq!(Aggregation::from_field(&gauge), expected, "{unit}");
        }
    }

    #[test]
    fn a_minimum_and_a_maximum_have_no_value_at_the_ends_of_their_types() {
        use OwnedValue::{Float, Signed, Unsigned};
        let numbers = |stated, ty| field(Kind::Gauge, ty, stated);
        for (stated, ty, none) in [
            (Stated::Min, Type::U8, Unsigned(u8::MAX.into())),
            (Stated::Min, Type::U64, Unsigned(u64::MAX)),
            (Stated::Min, Type::I16, Signed(i16::MAX.into())),
            (Stated::Min, Type::I64, Signed(i64::MAX)),
            (Stated::Min, Type::F32, Float(f64::INFINITY)),
            (Stated::Max, Type::I8, Signed(i8::MIN.into())),
            (Stated::Max, Type::I64, Signed(i64::MIN)),
            (Stated::Max, Type::F64, Float(f64::NEG_INFINITY)),
        ] {
            assert!(!has_value(&numbers(stated, ty), &none), "{stated:?} {ty:?}");
            for other in [Stated::Unspecified, Stated::Sum, Stated::Last] {
                assert!(has_value(&numbers(other, ty), &none), "{other:?} {ty:?}");
            }
        }
        for (stated, ty, value) in [
            (Stated::Max, Type::U32, Unsigned(0)),
            (Stated::Max, Type::U32, Unsigned(u32::MAX.into())),
            (Stated::Max, Type::I32, Signed(0)),
            (Stated::Max, Type::F64, Float(f64::INFINITY)),
            (Stated::Min, Type::U32, Unsigned(0)),
            (Stated::Min, Type::U32, Unsigned(255)),
            (Stated::Min, Type::Bool, OwnedValue::Bool(true)),
            (Stated::Min, Type::F64, Float(f64::NAN)),
        ] {
            assert!(has_value(&numbers(stated, ty), &value), "{stated:?} {ty:?} {value:?}");
        }
    }

    #[test]
    fn a_writer_is_older_if_it_was_created_earlier_or_else_found_earlier() {
        let writer = |created, id| Contributor { has_ended: false, created, id };
        assert!(writer(Some(1.0), 9).is_older(writer(Some(2.0), 1)));
        assert!(writer(None, 9).is_older(writer(Some(2.0), 1)));
        assert!(writer(Some(2.0), 1).is_older(writer(Some(2.0), 2)));
        assert!(!writer(None, 2).is_older(writer(None, 2)));
    }
}
