//! Formatting values as short texts.

use std::time::SystemTime;

use mmstats_std::clock::unix_seconds;

use mmstats_core::Type;

use super::model::{Aggregation, Class, Recorded, Row};
use super::settings::ViewSettings;
use crate::escape::Escaped;
use crate::render::date::Date;
use crate::render::human;
use crate::render::number::Scale;
use crate::scraper::OwnedValue;
use crate::series::HistogramSnapshot;
use crate::series::Number;

/// Shown instead of a missing value.
pub(crate) const NO_VALUE: &str = "–";

/// Units that [`human::quantity`] formats as a symbol; others are in the column UNIT.
const UNITS_WITH_SYMBOL: [&str; 10] = [
    "bytes", "seconds", "ratio", "volts", "amperes", "watts", "joules", "hertz", "meters", "grams",
];

/// Returns `true` if short numbers include their unit.
pub(crate) fn has_symbol(unit: &str) -> bool {
    UNITS_WITH_SYMBOL.contains(&unit) || matches!(unit, "celsius" | "unixtime")
}

/// Formats numbers by the settings.
#[derive(Clone, Copy)]
pub(crate) struct Formatter {
    pub(crate) is_raw: bool,
    pub(crate) aggregation: Aggregation,
    pub(crate) now: SystemTime,
}

impl Formatter {
    pub(crate) fn new(settings: &ViewSettings, now: SystemTime) -> Self {
        Formatter { is_raw: settings.is_raw, aggregation: settings.aggregation, now }
    }

    /// Formats a row's value.
    pub(crate) fn value(self, row: &Row) -> String {
        match (row.class, row.fact()) {
            (Class::Fact | Class::Text, Some(_)) if row.distinct > 1 => {
                format!("{} different", row.distinct)
            }
            (Class::Fact | Class::Text, Some(fact)) => self.stored(row, fact),
            (Class::Fact | Class::Text, _) => NO_VALUE.to_owned(),
            (Class::Flag, _) if row.resolve(self.aggregation) != Aggregation::Sum => {
                self.combined_flag(row)
            }
            (Class::Flag, _) if row.values() > 1 && !self.is_raw => {
                format!("{} of {}", row.sum().map_or(0.0, Number::as_f64), row.values())
            }
            (Class::Flag, _) if row.values() == 1 => {
                bool_text(row.sum().is_some_and(|sum| sum.as_f64() != 0.0)).to_owned()
            }
            _ => {
                let resolved = row.resolve(self.aggregation);
                let Some(number) = self.aggregated(row, resolved) else {
                    return NO_VALUE.to_owned();
                };
                let is_named =
                    row.values() > 1 && resolved != Aggregation::Sum && &*row.unit != "unixtime";
                if is_named { format!("{} {number}", resolved.name()) } else { number }
            }
        }
    }

    /// Formats a boolean that states how writers are combined.
    fn combined_flag(self, row: &Row) -> String {
        let aggregation = row.resolve(self.aggregation);
        let Some(number) = row.number(aggregation) else { return NO_VALUE.to_owned() };
        let shown = match aggregation {
            Aggregation::Mean if row.values() > 1 => human::number(number),
            _ => bool_text(number != 0.0).to_owned(),
        };
        if row.values() > 1 { format!("{} {shown}", aggregation.name()) } else { shown }
    }

    /// Formats an aggregation of all writers' numbers.
    pub(crate) fn aggregated(self, row: &Row, aggregation: Aggregation) -> Option<String> {
        let number = row.number(aggregation)?;
        Some(match (self.is_raw, row.sum()) {
            // Sums of integers are exact.
            (true, Some(Number::Integer(sum))) if aggregation == Aggregation::Sum => {
                sum.to_string()
            }
            (true, _) => Scale::NONE.float(number).to_string(),
            (false, _) if row.class == Class::Histogram => human::number(number),
            (false, _) => self.short(row.scale.approximate(number), &row.unit),
        })
    }

    /// Formats a row's value with all digits and its unit; `None` if it is not a number.
    pub(crate) fn exact(self, row: &Row) -> Option<String> {
        if row.is_amount() {
            let aggregation = row.resolve(self.aggregation);
            let number = match row.sum()? {
                Number::Integer(sum) if aggregation == Aggregation::Sum => {
                    match (u64::try_from(sum), i64::try_from(sum)) {
                        (Ok(sum), _) => row.scale.unsigned(sum),
                        (_, Ok(sum)) => row.scale.signed(sum),
                        _ => row.scale.float(sum as f64),
                    }
                }
                _ => row.scale.float(row.number(aggregation)?),
            };
            let date =
                Date::from_unix(row.scaled(self.aggregation)?).filter(|_| &*row.unit == "unixtime");
            let unit =
                date.map_or_else(|| Escaped(&row.unit).to_string(), |date| format!("({date})"));
            return Some(format!("{number} {unit}").trim_end().to_owned());
        }
        None
    }

    /// Formats the value of one writer.
    pub(crate) fn stored(self, row: &Row, stored: &OwnedValue) -> String {
        match stored {
            OwnedValue::Text(text) => Escaped(text).to_string(),
            OwnedValue::Bool(value) => bool_text(*value).to_owned(),
            OwnedValue::Histogram(buckets) if self.is_raw => buckets.count().to_string(),
            OwnedValue::Histogram(buckets) => human::number(buckets.count() as f64),
            OwnedValue::Unsigned(value) if self.is_raw || is_identifier(row) => value.to_string(),
            OwnedValue::Signed(value) if self.is_raw || is_identifier(row) => value.to_string(),
            OwnedValue::Float(value) if self.is_raw => Scale::NONE.float(*value).to_string(),
            number => self.short(
                row.scale.approximate(Number::from_value(number).map_or(f64::NAN, Number::as_f64)),
                &row.unit,
            ),
        }
    }

    /// Formats a change per second.
    pub(crate) fn rate(self, row: &Row, rate: Option<f64>) -> String {
        let Some(rate) = rate else { return String::new() };
        match row.class {
            Class::Histogram => human::number(rate),
            _ if self.is_raw => Scale::NONE.float((rate * 10.0).round() / 10.0).to_string(),
            _ => self.short(
                row.scale.approximate(rate),
                if &*row.unit == "bytes" { "bytes" } else { "" },
            ),
        }
    }

    /// Formats a number in few characters.
    pub(crate) fn short(self, number: f64, unit: &str) -> String {
        match unit {
            "unixtime" => self.date(number),
            unit if has_symbol(unit) => human::quantity(number, unit),
            _ => human::number(number),
        }
    }

    /// Formats the time of day if it is within a day, else the date.
    fn date(self, seconds: f64) -> String {
        let now = unix_seconds(self.now);
        let Some(date) = Date::from_unix(seconds) else { return NO_VALUE.to_owned() };
        let date = date.to_string();
        let part = if (now - seconds).abs() < 86_400.0 { date.get(11..19) } else { date.get(..10) };
        part.unwrap_or(&date).to_owned()
    }

    /// Formats the median and the 99th percentile of values since the previous scrape; if there are
    /// none, of all values, in parentheses.
    pub(crate) fn percentiles(self, row: &Row, recorded: &Recorded) -> String {
        let of = |buckets: &HistogramSnapshot| {
            let quantile = |fraction| Some(self.bucket(row, buckets.quantile(fraction)?));
            Some(format!("p50 {} p99 {}", quantile(0.5)?, quantile(0.99)?))
        };
        match of(&recorded.since_last_scrape) {
            Some(text) => text,
            None => of(&recorded.total).map_or(String::new(), |text| format!("({text})")),
        }
    }

    /// Formats a bound of a histogram bucket.
    pub(crate) fn bucket(self, row: &Row, value: u64) -> String {
        if self.is_raw {
            value.to_string()
        } else {
            self.short(row.scale.approximate(value as f64), &row.unit)
        }
    }
}

/// Returns `true` if an integer is an identifier and keeps all digits: a process id is not `12.3k`.
fn is_identifier(row: &Row) -> bool {
    row.class == Class::Fact && row.unit.is_empty() && row.scale.is_none() && row.ty != Type::F64
}

fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
