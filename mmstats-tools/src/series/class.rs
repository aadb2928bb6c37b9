//! Classifies fields by the meaning of their values.

use mmstats_core::{Aggregation as Stated, Kind, Type};
use mmstats_std::read::Field;

use super::aggregation::stated_aggregation;
use super::identity::is_identity;

/// The meaning of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A count since the writer's start: added, and its changes are of interest.
    Counter,
    /// A distribution: added bucket by bucket.
    Histogram,
    /// A number at the moment, or a constant one that states how writers are combined.
    Gauge,
    /// True or false.
    Flag,
    /// A text.
    Text,
    /// A constant number or a part of the writer's identity: all writers have to agree.
    Fact,
}

impl Class {
    /// Returns the class of a field.
    #[must_use]
    pub fn from_field(field: &Field) -> Class {
        let is_integer_like = !matches!(field.location.ty, Type::F16 | Type::F32 | Type::F64);
        let states_none = stated_aggregation(field) == Stated::Unspecified;
        match (field.kind, field.location.ty) {
            (Kind::Histogram, _) => Class::Histogram,
            (_, Type::Text | Type::Pascal) if !is_identity(&field.label) => Class::Text,
            (Kind::Info, _) if states_none => Class::Fact,
            (Kind::Counter, _) => Class::Counter,
            _ if field.unit == "unixtime" => Class::Gauge,
            // Writers of version 1 cannot mark them as constants, and a thread id changes when
            // another thread adopts the file.
            _ if is_identity(&field.label) => Class::Fact,
            (_, Type::Bool) => Class::Flag,
            (Kind::Untyped, _) if is_integer_like && states_none => Class::Counter,
            _ => Class::Gauge,
        }
    }

    /// Returns `true` if changes are of interest and not only values.
    #[must_use]
    pub fn is_cumulative(self) -> bool {
        matches!(self, Class::Counter | Class::Histogram)
    }

    /// Returns `true` if values describe the present, so that those of ended writers are outdated.
    #[must_use]
    pub fn is_current(self) -> bool {
        !self.is_cumulative() && self != Class::Fact
    }
}

/// The key of fields that are shown as one: the label, the meaning of its values, and how writers
/// are combined. Identity fields only have the label, as writers of version 1 cannot state their
/// kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey<'f> {
    /// The label.
    pub label: &'f str,
    kind: &'static str,
    unit: &'f str,
    scale: (i8, u32),
    aggregation: &'static str,
}

impl<'f> SeriesKey<'f> {
    /// Returns the key of a field.
    #[must_use]
    pub fn from_field(field: &'f Field) -> Self {
        if is_identity(&field.label) {
            let (label, kind, unit, scale) = (&field.label, "", "", (0, 1));
            return SeriesKey { label, kind, unit, scale, aggregation: "" };
        }
        SeriesKey {
            label: &field.label,
            kind: field.kind.name(),
            unit: &field.unit,
            scale: (field.scale, field.divisor.max(1)),
            aggregation: stated_aggregation(field).name(),
        }
    }
}

/// Returns `true` if a field counts, so that its changes are of interest and not only its values: a
/// counter, a histogram, or an integer without a kind, as all integers of version 1.
#[must_use]
pub fn is_cumulative(field: &Field) -> bool {
    match field.kind {
        Kind::Counter | Kind::Histogram => true,
        Kind::Gauge | Kind::Info => false,
        _ => Class::from_field(field).is_cumulative(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::delta::tests::field;

    #[test]
    fn integers_of_version_1_count_and_its_floats_do_not() {
        let counting = [Type::U64, Type::I64, Type::U32, Type::U8]
            .map(|ty| is_cumulative(&field(Kind::Untyped, ty)));
        assert_eq!(counting, [true; 4]);
        let others = [Type::F64, Type::F32, Type::Bool, Type::Text]
            .map(|ty| is_cumulative(&field(Kind::Untyped, ty)));
        assert_eq!(others, [false; 4]);
        assert!(!is_cumulative(&field(Kind::Gauge, Type::U64)));
    }

    #[test]
    fn a_class_follows_from_kind_type_unit_and_label() {
        let class = |kind, ty, label: &str, unit: &str| {
            let (label, unit) = (label.to_owned(), unit.to_owned());
            Class::from_field(&Field { label, unit, ..field(kind, ty) })
        };
        for (kind, ty, label, unit, expected) in [
            (Kind::Counter, Type::U64, "a", "seconds", Class::Counter),
            (Kind::Counter, Type::F64, "a", "", Class::Counter),
            (Kind::Histogram, Type::U64, "a", "seconds", Class::Histogram),
            (Kind::Gauge, Type::U64, "a", "bytes", Class::Gauge),
            (Kind::Gauge, Type::U64, "a", "ratio", Class::Gauge),
            (Kind::Untyped, Type::F64, "a", "celsius", Class::Gauge),
            (Kind::Gauge, Type::F64, "a", "unixtime", Class::Gauge),
            (Kind::Gauge, Type::Bool, "a", "", Class::Flag),
            (Kind::Info, Type::U64, "a", "", Class::Fact),
            (Kind::Untyped, Type::Pascal, "a", "", Class::Text),
            (Kind::Info, Type::Text, "a", "", Class::Text),
            (Kind::Untyped, Type::Pascal, "sys.boot_id", "", Class::Fact),
            (Kind::Untyped, Type::U32, "web.sys.pid", "", Class::Fact),
            (Kind::Gauge, Type::I64, "sys.tid", "", Class::Fact),
            (Kind::Untyped, Type::U32, "dsys.pid", "", Class::Counter),
        ] {
            assert_eq!(class(kind, ty, label, unit), expected, "{kind:?} {ty:?} {label} {unit}");
        }
    }

    #[test]
    fn numbers_that_state_how_writers_are_combined_are_gauges() {
        let class =
            |kind, ty| Class::from_field(&Field { aggregation: Stated::Max, ..field(kind, ty) });
        for (kind, ty, expected) in [
            (Kind::Info, Type::U64, Class::Gauge),
            (Kind::Untyped, Type::U64, Class::Gauge),
            (Kind::Gauge, Type::Bool, Class::Flag),
            (Kind::Info, Type::Text, Class::Text),
            (Kind::Counter, Type::U64, Class::Counter),
            (Kind::Histogram, Type::U64, Class::Histogram),
        ] {
            assert_eq!(class(kind, ty), expected, "{kind:?} {ty:?}");
        }
    }

    #[test]
    fn fields_of_different_meaning_are_not_shown_as_one() {
        let volts = Field { unit: "volts".to_owned(), ..field(Kind::Gauge, Type::U64) };
        assert_eq!(
            SeriesKey::from_field(&volts),
            SeriesKey::from_field(&Field {
                divisor: 0,
                help: "In the battery.".to_owned(),
                ..volts.clone()
            })
        );
        for other in [
            Field { scale: -3, ..volts.clone() },
            Field { divisor: 2, ..volts.clone() },
            Field { unit: "celsius".to_owned(), ..volts.clone() },
            Field { kind: Kind::Counter, ..volts.clone() },
            Field { aggregation: Stated::Max, ..volts.clone() },
        ] {
            assert_ne!(SeriesKey::from_field(&volts), SeriesKey::from_field(&other));
        }
        let [one, other] = [Kind::Info, Kind::Untyped]
            .map(|kind| Field { label: "web.sys.pid".to_owned(), ..field(kind, Type::U64) });
        assert_eq!(SeriesKey::from_field(&one), SeriesKey::from_field(&other));
    }
}
