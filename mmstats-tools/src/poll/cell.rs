//! The cells of a row.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use super::group::Group;
use crate::render::date::Date;
use crate::render::number::{Scale, ScaledNumber};
use crate::series::{Number, Scaled};

/// The values of one group of files in one scrape.
pub(super) struct GroupRow {
    pub(super) time: SystemTime,
    /// The length of the interval; `None` in the first row.
    pub(super) seconds: Option<f64>,
    pub(super) group: Group,
    /// A note that distinguishes a process from others with its PID.
    pub(super) note: Option<String>,
    pub(super) cells: Vec<Cell>,
    /// Whether changes are since the programs' start.
    pub(super) is_total: bool,
}

impl GroupRow {
    /// Returns the text that stands for the group: `4242`, `4242 (pid namespace 4026532301)`.
    pub(super) fn group_text(&self) -> String {
        self.with_note(self.group.text())
    }

    /// Returns the same text without the part that is mostly equal for all groups.
    pub(super) fn short_group_text(&self) -> String {
        self.with_note(self.group.short())
    }

    fn with_note(&self, text: String) -> String {
        match &self.note {
            Some(note) => format!("{text} ({note})"),
            None => text,
        }
    }
}

/// The value of one column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) value: Value,
    /// Empty for plain numbers.
    pub(super) unit: String,
}

/// A value to print.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// No file has it, or has a value of it yet.
    Missing,
    /// Texts of the files differ, or the ways in which their values are to be combined.
    Mixed,
    Text(String),
    Number(ScaledNumber),
    /// A number of more than 64 bits.
    Large(i128),
    /// Per second.
    Rate(f64),
}

impl Value {
    pub(super) fn from_scaled(Scaled { number, scale }: Scaled) -> Value {
        match number {
            Number::Float(value) => Value::Number(scale.float(value)),
            Number::Integer(value) => match (u64::try_from(value), i64::try_from(value)) {
                (Ok(value), _) => Value::Number(scale.unsigned(value)),
                (_, Ok(value)) => Value::Number(scale.signed(value)),
                _ if scale.is_none() => Value::Large(value),
                _ => Value::Number(scale.float(value as f64)),
            },
        }
    }
}

impl Cell {
    pub(super) const MISSING: Cell = Cell { value: Value::Missing, unit: String::new() };

    pub(super) fn new(value: Value, unit: &str) -> Cell {
        Cell { value, unit: unit.to_owned() }
    }

    /// Returns numbers as floats.
    pub(super) fn approximate(&self) -> Option<f64> {
        match &self.value {
            Value::Missing | Value::Mixed | Value::Text(_) => None,
            Value::Number(ScaledNumber::NotFinite(value)) | Value::Rate(value) => Some(*value),
            Value::Number(ScaledNumber::Unsigned(value)) => Some(*value as f64),
            Value::Number(ScaledNumber::Signed(value)) => Some(*value as f64),
            Value::Number(ScaledNumber::Decimal(value)) => value.to_string().parse().ok(),
            Value::Large(value) => Some(*value as f64),
        }
    }

    /// Formats the value with all digits; texts are not escaped.
    pub(super) fn plain(&self) -> String {
        match &self.value {
            Value::Missing => "-".to_owned(),
            Value::Mixed => "*".to_owned(),
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Large(value) => value.to_string(),
            Value::Rate(value) if value.is_finite() => format!("{value:.3}"),
            Value::Rate(value) => ScaledNumber::NotFinite(*value).to_string(),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Missing => serializer.serialize_none(),
            Value::Mixed => serializer.serialize_str("*"),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Number(number) => number.serialize(serializer),
            Value::Large(value) => serializer.serialize_i128(*value),
            Value::Rate(value) => Scale::NONE.float(*value).serialize(serializer),
        }
    }
}

/// Formats a time as `2012-11-20T20:17:00.125Z`.
pub(super) fn rfc_3339(time: SystemTime) -> String {
    let (date, since) = date(time);
    let milliseconds = since.subsec_millis();
    date.map_or_else(String::new, |(day, time)| format!("{day}T{time}.{milliseconds:03}Z"))
}

/// Formats a time as `20:17:00`.
pub(super) fn time_of_day(time: SystemTime) -> String {
    date(time).0.map_or_else(String::new, |(_, time)| time)
}

/// Returns the date, the time of day, and the time since 1970.
fn date(time: SystemTime) -> (Option<(String, String)>, Duration) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let shown = Date::from_unix(since.as_secs_f64().max(1.0)).map(|date| date.to_string());
    let parts = shown.as_deref().and_then(|shown| shown.trim_end_matches(" UTC").split_once(' '));
    (parts.map(|(day, time)| (day.to_owned(), time.to_owned())), since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::ScaledSum;

    fn sum(numbers: &[Scaled]) -> String {
        let mut sum = ScaledSum::default();
        numbers.iter().for_each(|number| sum.add(*number));
        Cell::new(Value::from_scaled(sum.total().unwrap()), "").plain()
    }

    #[test]
    fn sums_of_integers_are_exact_at_any_size() {
        let one = |number| Scaled { number: Number::Integer(number), scale: Scale::NONE };
        assert_eq!(sum(&[one(u64::MAX.into())]), "18446744073709551615");
        assert_eq!(sum(&[one(u64::MAX.into()), one(u64::MAX.into())]), "36893488147419103230");
        assert_eq!(sum(&[one(-11)]), "-11");
    }

    #[test]
    fn numbers_of_different_scales_are_added_as_displayed() {
        let milli = Scaled { number: Number::Integer(250), scale: Scale { power: -3, divisor: 1 } };
        let plain = Scaled { number: Number::Integer(2), scale: Scale::NONE };
        assert_eq!(sum(&[milli, milli]), "0.5");
        assert_eq!(sum(&[milli, plain]), "2.25");
    }

    #[test]
    fn times_are_utc() {
        let time = UNIX_EPOCH + Duration::from_millis(1_353_442_620_125);
        assert_eq!(rfc_3339(time), "2012-11-20T20:17:00.125Z");
        assert_eq!(time_of_day(time), "20:17:00");
    }
}
