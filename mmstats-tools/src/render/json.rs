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
//! | `value` | the scaled number, a boolean, a text, or a histogram; `null` on error |
//! | `raw` | the stored value, if it differs from `value` |
//! | `kind` | `counter`, `gauge`, `info`, `histogram`; `untyped` in version 1 |
//! | `type` | a format of Python's `struct`: `Q`, `d`, `32s`; of a histogram's buckets |
//! | `unit` | the base unit in plural, `unixtime`, or empty |
//! | `scale`, `divisor` | `value` = `raw` × 10^`scale` / `divisor`; omitted if 0 and 1 |
//! | `help` | for people; may be empty |
//! | `file` | the path; bytes that are not UTF-8 are written as `\xff` |
//! | `version` | the version of the file's format |
//! | `pid` | the writer's PID; `null` if the file has none |
//! | `liveness` | of the writer: `alive`, `dead` or `unknown` |
//! | `error` | why `value` is `null` |
//!
//! Integers are exact and have up to 20 digits; a reader that converts them to doubles loses
//! precision. JSON has no NaN or infinity: these are the strings `"NaN"`, `"Infinity"` and
//! `"-Infinity"`, which `float()` in Python and `Number()` in JavaScript parse.
//!
//! A histogram is
//! `{"count":…,"sum":…,"p50":…,"p90":…,"p99":…,"buckets":[{"from":…,"to":…,"count":…},…]}`. Its
//! buckets are the non-empty ones, with inclusive bounds; `to` is `null` for the unbounded bucket.
//! A quantile is the middle of its bucket, and `null` if the count is 0.

use std::io;
use std::path::Path;

use mmstats_core::Type;
use mmstats_core::reader::{Distribution, Lossy, Value, ValueError};
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::value::RawValue;

use super::distribution::QUANTILES;
use super::number::{Scale, ScaledNumber};
use super::text::Row;
use crate::escape::{lossless_path, needs_escape};

/// The keys that all fields of a file share.
#[derive(Clone, Debug, Serialize)]
pub struct File {
    file: String,
    version: u8,
    pid: Option<u32>,
    liveness: &'static str,
}

impl File {
    /// Creates the keys of a file.
    #[must_use]
    pub fn new(path: &Path, version: u8, pid: Option<u32>, liveness: Liveness) -> Self {
        File { file: lossless_path(path), version, pid, liveness: liveness_name(liveness) }
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
struct Line<'l> {
    label: &'l str,
    value: Option<JsonValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<JsonValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    kind: &'static str,
    r#type: String,
    unit: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    divisor: Option<u32>,
    help: &'l str,
    #[serde(flatten)]
    file: &'l File,
}

impl<'l> Line<'l> {
    fn new(file: &'l File, (field, value): &Row<'l>) -> Self {
        let scale = Scale::from_field(field);
        let scaled = matches!(value, Ok(value) if !scale.is_none() && !matches!(value, Value::Bool(_) | Value::Text(_)));
        Line {
            label: &field.label,
            value: value.as_ref().ok().map(|value| JsonValue::new(value, scale)),
            raw: value
                .as_ref()
                .ok()
                .filter(|_| scaled)
                .map(|value| JsonValue::new(value, Scale::NONE)),
            error: value.as_ref().err().map(ValueError::to_string),
            kind: field.kind.name(),
            r#type: type_code(field),
            unit: &field.unit,
            scale: Some(field.scale).filter(|scale| scaled && *scale != 0),
            divisor: Some(field.divisor).filter(|divisor| scaled && *divisor > 1),
            help: &field.help,
            file,
        }
    }
}

fn type_code(field: &Field) -> String {
    let letter = char::from(field.location.ty.letter());
    match field.location.ty {
        Type::Text | Type::Pascal => format!("{}{letter}", field.location.size),
        _ => letter.into(),
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum JsonValue {
    Bool(bool),
    Number(ScaledNumber),
    Text(String),
    Histogram(Histogram),
}

impl JsonValue {
    fn new(value: &Value<'_>, scale: Scale) -> Self {
        match value {
            Value::Bool(value) => JsonValue::Bool(*value),
            Value::Text(text) => JsonValue::Text(Lossy(text).to_string()),
            Value::Histogram(distribution) => {
                JsonValue::Histogram(Histogram::new(distribution, scale))
            }
            Value::Unsigned(value) => JsonValue::Number(scale.unsigned(*value)),
            Value::Signed(value) => JsonValue::Number(scale.signed(*value)),
            Value::Float(value) => JsonValue::Number(scale.float(*value)),
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
            // Python's text of a finite number is valid JSON and keeps all digits.
            ScaledNumber::Decimal(value) => RawValue::from_string(value.to_string())
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
        }
    }
}

#[derive(Serialize)]
struct Histogram {
    count: u64,
    sum: ScaledNumber,
    p50: Option<ScaledNumber>,
    p90: Option<ScaledNumber>,
    p99: Option<ScaledNumber>,
    buckets: Vec<Bucket>,
}

#[derive(Serialize)]
struct Bucket {
    from: ScaledNumber,
    to: Option<ScaledNumber>,
    count: u64,
}

impl Histogram {
    fn new(distribution: &Distribution<'_>, scale: Scale) -> Self {
        let show = |value| scale.unsigned(value);
        let [p50, p90, p99] =
            QUANTILES.map(|(_, fraction)| distribution.quantile(fraction).map(show));
        let buckets = distribution.buckets().map(|(low, high, count)| Bucket {
            from: show(low),
            to: high.map(show),
            count,
        });
        Histogram {
            count: distribution.count(),
            sum: show(distribution.sum),
            p50,
            p90,
            p99,
            buckets: buckets.collect(),
        }
    }
}

/// Writes the line of a field.
///
/// # Errors
/// Returns the errors of `to` only.
pub fn write_line(to: &mut impl io::Write, file: &File, row: &Row<'_>) -> io::Result<()> {
    write_object(to, &Line::new(file, row))
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
        let file = File::new(Path::new("f\x7f"), 2, None, Liveness::Unknown);
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
