//! Renders fields as JSON Lines: one object per line, so that truncated output stays valid up to
//! its last complete line.
//!
//! ```json
//! {"label":"web.stats.status.2XX","value":7,"kind":"counter","type":"Q","unit":"",
//!  "help":"Responses with a 2xx status.","file":"/dev/shm/web-42-43.mmstats","version":2,
//!  "pid":42,"liveness":"alive"}
//! ```
//!
//! | key | |
//! |---|---|
//! | `label` | with any prefix and dimensions |
//! | `value` | the scaled number, a boolean, a text, or a histogram; `null` on error, and while a minimum or maximum has no value |
//! | `raw` | the stored value, if it differs from `value` |
//! | `kind` | `counter`, `gauge`, `info`, `histogram`; `untyped` in version 1 |
//! | `type` | a format of Python's `struct`: `Q`, `d`, `32s`; of a histogram's buckets |
//! | `unit` | the base unit in plural, `unixtime`, or empty |
//! | `scale`, `divisor` | `value` = `raw` × 10^`scale` / `divisor`; omitted if 0 and 1 |
//! | `aggregation` | how to combine several writers, if the field states it: `sum`, `mean`, `min`, `max`, `last` |
//! | `kept` | `true` if the value survives the end of its thread, and counts after it; else omitted |
//! | `help` | for people; may be empty |
//! | `file` | the path; bytes that are not UTF-8 are written as `\xff` |
//! | `version` | the version of the file's format |
//! | `pid` | the writer's PID; `null` if the file has none |
//! | `liveness` | of the writer: `alive`, `dead` or `unknown` |
//! | `owner` | the user ID of the file's owner, if it is not the file's `sys.uid` |
//! | `error` | why `value` is `null` |
//!
//! Integers are exact and have up to 20 digits; a reader that converts them to doubles loses
//! precision. JSON has no NaN or infinity, and numbers beyond doubles (1e+427) count as infinite:
//! these are the strings `"NaN"`, `"Infinity"` and
//! `"-Infinity"`, which `float()` in Python and `Number()` in JavaScript parse.
//!
//! A histogram is
//! `{"count":…,"sum":…,"p50":…,"p90":…,"p99":…,"buckets":[{"from":…,"to":…,"count":…},…]}`. Its
//! buckets are the non-empty ones, with inclusive bounds; `to` is `null` for the unbounded bucket.
//! A quantile is the middle of its bucket, and `null` if the count is 0.

use std::io;
use std::path::Path;

use mmstats_core::Type;
use mmstats_core::reader::ValueError;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::value::RawValue;

use super::distribution::QUANTILES;
use super::number::{Scale, ScaledNumber};
use super::text::FieldValue;
use crate::escape::{lossless_path, needs_escape};
use crate::scraper::OwnedValue;
use crate::series::{HistogramSnapshot, has_value, stated_aggregation};

/// The keys that all fields of a file share.
#[derive(Clone, Debug, Serialize)]
pub struct FileKeys {
    file: String,
    version: u8,
    pid: Option<u32>,
    liveness: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<u32>,
}

impl FileKeys {
    /// Creates the keys of a file.
    #[must_use]
    pub fn new(path: &Path, version: u8, pid: Option<u32>, liveness: Liveness) -> Self {
        let (file, liveness) = (lossless_path(path), liveness_name(liveness));
        FileKeys { file, version, pid, liveness, owner: None }
    }

    /// Adds the user ID of the file's owner, if it is not the one that the file states.
    #[must_use]
    pub fn with_owner(self, other_owner: Option<u32>) -> Self {
        FileKeys { owner: other_owner, ..self }
    }
}

/// Returns the name of a liveness.
#[must_use]
pub fn liveness_name(liveness: Liveness) -> &'static str {
    match liveness {
        Liveness::Alive => "alive",
        Liveness::Dead => "dead",
        Liveness::Unknown => "unknown",
    }
}

/// A line of output; the module describes the keys.
#[derive(Serialize)]
struct FieldLine<'l> {
    label: &'l str,
    value: Option<JsonValue<'l>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<JsonValue<'l>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    kind: &'static str,
    r#type: String,
    unit: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    divisor: Option<u32>,
    #[serde(flatten)]
    properties: Properties,
    help: &'l str,
    #[serde(flatten)]
    file: &'l FileKeys,
}

/// The keys about what becomes of the values of several and of ended writers.
#[derive(Serialize)]
pub struct Properties {
    #[serde(skip_serializing_if = "str::is_empty")]
    aggregation: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    kept: bool,
}

impl Properties {
    /// Creates the keys of a field, which are omitted if it states nothing.
    #[must_use]
    pub fn new(field: &Field) -> Self {
        Properties { aggregation: stated_aggregation(field).name(), kept: field.kept }
    }
}

/// Returns the type of a field, or of the buckets of a histogram, as in Python's `struct`.
#[must_use]
pub fn type_code(field: &Field) -> String {
    let letter = char::from(field.location.ty.letter());
    match field.location.ty {
        Type::Text | Type::Pascal => format!("{}{letter}", field.location.size),
        _ => letter.into(),
    }
}

/// Returns the power of ten and the divisor that scale the stored value; `None` if without effect.
#[must_use]
pub fn scaling(field: &Field) -> (Option<i8>, Option<u32>) {
    let is_number = !matches!(field.location.ty, Type::Bool | Type::Text | Type::Pascal);
    (
        Some(field.scale).filter(|power| is_number && *power != 0),
        Some(field.divisor).filter(|divisor| is_number && *divisor > 1),
    )
}

/// Returns the value of a field in its base unit, and the stored value if it differs. There is none
/// of a minimum or maximum that was never set.
#[must_use]
pub fn values<'v>(
    field: &Field,
    value: Option<&'v OwnedValue>,
) -> (Option<JsonValue<'v>>, Option<JsonValue<'v>>) {
    let value = value.filter(|stored| has_value(field, stored));
    let is_scaled = scaling(field) != (None, None);
    let raw = value.filter(|_| is_scaled).map(|stored| JsonValue::new(stored, Scale::NONE));
    (value.map(|stored| JsonValue::new(stored, Scale::from_field(field))), raw)
}

/// A value in its base unit.
#[derive(Clone, Copy)]
pub struct JsonValue<'v> {
    stored: &'v OwnedValue,
    scale: Scale,
    interval: Option<Option<&'v HistogramSnapshot>>,
}

impl<'v> JsonValue<'v> {
    /// Creates a value from the stored one and its scale.
    #[must_use]
    pub fn new(stored: &'v OwnedValue, scale: Scale) -> Self {
        JsonValue { stored, scale, interval: None }
    }

    /// Also shows the quantiles of the values that a histogram recorded in the last interval;
    /// `None` if they are unknown.
    #[must_use]
    pub fn with_interval(self, increase: Option<&'v HistogramSnapshot>) -> Self {
        JsonValue { interval: Some(increase), ..self }
    }
}

impl Serialize for JsonValue<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct BucketJson {
            from: ScaledNumber,
            to: Option<ScaledNumber>,
            count: u64,
        }
        match self.stored {
            OwnedValue::Bool(value) => serializer.serialize_bool(*value),
            OwnedValue::Text(text) => serializer.serialize_str(text),
            OwnedValue::Float(value) if self.scale.is_none() => Float(*value).serialize(serializer),
            OwnedValue::Histogram(histogram) => {
                let json = HistogramJson::new(histogram, self.scale, |from, to, count| {
                    BucketJson { from, to, count }
                });
                let quantiles = |increase| Quantiles::new(increase, self.scale);
                let recorded = |increase: &&HistogramSnapshot| increase.count() > 0;
                let interval =
                    self.interval.map(|increase| increase.filter(recorded).map(quantiles));
                let sum = Some(self.scale.unsigned(histogram.sum));
                HistogramJson { sum, interval, ..json }.serialize(serializer)
            }
            number => self.scale.number(number).serialize(serializer),
        }
    }
}

/// A number. JSON has only finite numbers, so others are written as strings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Float(pub f64);

impl Serialize for Float {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            ScaledNumber::NotFinite(self.0).serialize(serializer)
        }
    }
}

impl Serialize for ScaledNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ScaledNumber::Unsigned(value) => serializer.serialize_u64(*value),
            ScaledNumber::Signed(value) => serializer.serialize_i64(*value),
            ScaledNumber::NotFinite(value) if value.is_nan() => serializer.serialize_str("NaN"),
            ScaledNumber::NotFinite(value) => {
                serializer.serialize_str(if *value > 0.0 { "Infinity" } else { "-Infinity" })
            }
            // Parsers that read doubles refuse the whole line if one number is beyond them.
            ScaledNumber::Decimal(value) if value.exceeds_f64() => {
                ScaledNumber::NotFinite(value.infinity()).serialize(serializer)
            }
            // Python's text of a finite number is valid JSON and keeps all digits.
            ScaledNumber::Decimal(value) => RawValue::from_string(value.to_string())
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
        }
    }
}

/// A histogram whose buckets have the form `B`.
#[derive(Serialize)]
pub struct HistogramJson<B> {
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<ScaledNumber>,
    #[serde(flatten)]
    quantiles: Quantiles,
    buckets: Vec<B>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<Option<Quantiles>>,
}

impl<B> HistogramJson<B> {
    /// Creates the object without a sum. `bucket` gets the bounds and the count of each bucket.
    #[must_use]
    pub fn new(
        histogram: &HistogramSnapshot,
        scale: Scale,
        bucket: impl Fn(ScaledNumber, Option<ScaledNumber>, u64) -> B,
    ) -> Self {
        let show = |value| scale.unsigned(value);
        let buckets = histogram
            .filled
            .iter()
            .map(|filled| bucket(show(filled.low), filled.high.map(show), filled.count));
        HistogramJson {
            count: histogram.count(),
            sum: None,
            quantiles: Quantiles::new(histogram, scale),
            buckets: buckets.collect(),
            interval: None,
        }
    }
}

/// The keys of [`QUANTILES`].
#[derive(Serialize)]
struct Quantiles {
    p50: Option<ScaledNumber>,
    p90: Option<ScaledNumber>,
    p99: Option<ScaledNumber>,
}

impl Quantiles {
    fn new(histogram: &HistogramSnapshot, scale: Scale) -> Self {
        let show = |value| scale.unsigned(value);
        let [p50, p90, p99] = QUANTILES.map(|(_, fraction)| histogram.quantile(fraction).map(show));
        Quantiles { p50, p90, p99 }
    }
}

/// Writes the line of a field.
///
/// # Errors
/// Returns the errors of `to` only.
pub fn write_line(
    to: &mut impl io::Write,
    file: &FileKeys,
    (field, value): &FieldValue<'_>,
) -> io::Result<()> {
    let owned = value.as_ref().ok().map(OwnedValue::from);
    let (value_json, raw) = values(field, owned.as_ref());
    let (scale, divisor) = scaling(field);
    let line = FieldLine {
        label: &field.label,
        scale: scale.filter(|_| value_json.is_some()),
        divisor: divisor.filter(|_| value_json.is_some()),
        value: value_json,
        raw,
        error: value.as_ref().err().map(ValueError::to_string),
        kind: field.kind.name(),
        r#type: type_code(field),
        unit: &field.unit,
        properties: Properties::new(field),
        help: &field.help,
        file,
    };
    write_object(to, &line)
}

/// Serializes an object as JSON.
#[must_use]
pub fn bytes(object: &impl Serialize) -> Vec<u8> {
    // Writing to memory cannot fail, and all keys are strings.
    serde_json::to_vec(object).unwrap_or_default()
}

/// Writes an object on its own line.
///
/// # Errors
/// Returns the errors of `to` only.
pub fn write_object(to: &mut impl io::Write, object: &impl Serialize) -> io::Result<()> {
    object.serialize(&mut Serializer::with_formatter(&mut *to, EscapingFormatter))?;
    to.write_all(b"\n")
}

/// Also escapes the control and format characters that JSON allows unescaped, for terminals.
struct EscapingFormatter;

impl Formatter for EscapingFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        to: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(needs_escape) {
            to.write_all(&rest.as_bytes()[..at])?;
            let mut characters = rest[at..].chars();
            if let Some(character) = characters.next() {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(to, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        to.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mmstats_core::Kind;

    #[test]
    fn an_unreadable_value_is_null_with_an_error() {
        let field = Field {
            help: "About\u{202e} it.".to_owned(),
            scale: -3,
            ..Field::new("a\n\u{e0041}", Kind::Gauge, Type::I64)
        };
        let file = FileKeys::new(Path::new("f\x7f"), 2, None, Liveness::Unknown);
        let mut line = Vec::new();
        write_line(&mut line, &file, &(&field, Err(ValueError::Contended))).unwrap();
        let expected = concat!(
            r#"{"label":"a\n\udb40\udc41","value":null,"error":"contended: written repeatedly while it was read","kind":"gauge","type":"q","#,
            r#""unit":"","help":"About\u202e it.","file":"f\u007f","version":2,"pid":null,"liveness":"unknown"}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }
}
