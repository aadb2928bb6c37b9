//! Recordings: scrapes in a file.
//!
//! A recording has a header line, then a scrape per line in JSON. Fields are in the first scrape
//! that has them. Values are as stored, one for each field: `true`, `{"u":7}`, `{"i":-7}`,
//! `{"f":"0.5"}`, `{"t":"text"}`, a histogram's `{"h":[sum,[[low,high,count],…]]}`, and `null` if
//! the value could not be read. Floats are texts, so that all are read back exactly, also those
//! that are not finite.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use mmstats_core::reader::ValueError;
use mmstats_core::{Aggregation, Kind, Type};
use mmstats_std::identity::ProcessId;
use mmstats_std::liveness::{Liveness, Reason, Verdict};
use mmstats_std::read::{Field, IdentityField, IdentityFields};
use serde::{Deserialize, Serialize};

use crate::escape::lossless_path;
use crate::scraper::{OwnedValue, Scrape, ScrapeError, WriterId, WriterSample};
use crate::series::{Bucket, HistogramSnapshot, Number};

/// The first line.
pub(super) const HEADER_LINE: &str = "{\"mmstats-recording\":1}";

/// The longest line that is accepted.
const MAX_LINE_BYTES: u64 = 256 << 20;

#[derive(Serialize, Deserialize)]
struct ScrapeRecord<'l> {
    /// Nanoseconds since 1970.
    time: u64,
    /// Nanoseconds since the first scrape.
    elapsed: u64,
    /// The fields of writers that are new in this scrape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Vec<FieldRecord<'l>>>,
    samples: Vec<SampleRecord<'l>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<(Cow<'l, str>, Cow<'l, str>, bool)>,
}

#[derive(Serialize, Deserialize)]
struct FieldRecord<'l> {
    label: Cow<'l, str>,
    unit: Cow<'l, str>,
    kind: u8,
    r#type: char,
    scale: i8,
    divisor: u32,
    #[serde(default, skip_serializing_if = "is_unspecified")]
    aggregation: u8,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    kept: bool,
}

/// Returns `true` for the number of a field that does not state its aggregation.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_unspecified(aggregation: &u8) -> bool {
    *aggregation == Aggregation::Unspecified as u8
}

#[derive(Serialize, Deserialize)]
struct SampleRecord<'l> {
    id: u64,
    name: Cow<'l, str>,
    version: u8,
    #[serde(flatten)]
    process: ProcessRecord<'l>,
    new: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    dead: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    thread_ended: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<u32>,
    /// An index into the fields of all lines so far.
    fields: usize,
    values: Vec<Option<ValueRecord<'l>>>,
}

/// The identity of a process; 0 and the empty text are unknown parts.
#[derive(Default, Serialize, Deserialize)]
struct ProcessRecord<'l> {
    pid: Option<u32>,
    #[serde(default)]
    start: u64,
    #[serde(default)]
    boot_id: Cow<'l, str>,
    #[serde(default)]
    pid_namespace: u64,
}

#[derive(Serialize, Deserialize)]
enum ValueRecord<'l> {
    #[serde(rename = "b")]
    Bool(bool),
    #[serde(rename = "u")]
    Unsigned(u64),
    #[serde(rename = "i")]
    Signed(i64),
    #[serde(rename = "f")]
    Float(String),
    #[serde(rename = "t")]
    Text(Cow<'l, str>),
    #[serde(rename = "h")]
    Histogram(u64, Vec<(u64, Option<u64>, u64)>),
}

/// Encodes scrapes as lines.
#[derive(Default)]
pub(super) struct Recorder {
    /// The fields that were written, by address, which is kept in use.
    written: HashMap<*const Field, (usize, Arc<[Field]>)>,
}

impl Recorder {
    /// Encodes a scrape as a line, without its end.
    ///
    /// # Errors
    /// Only those of `serde_json`.
    pub(super) fn encode(&mut self, scrape: &Scrape) -> serde_json::Result<String> {
        let mut fields = Vec::new();
        let samples = scrape.samples.iter().map(|sample| {
            let next = self.written.len();
            let (index, _) = self.written.entry(sample.fields.as_ptr()).or_insert_with(|| {
                fields.push(sample.fields.iter().map(FieldRecord::new).collect());
                (next, sample.fields.clone())
            });
            SampleRecord::new(sample, *index)
        });
        let samples = samples.collect();
        let error = |error: &ScrapeError| {
            (lossless_path(&error.name).into(), error.what.clone().into(), error.is_new)
        };
        serde_json::to_string(&ScrapeRecord {
            time: nanoseconds(scrape.time.duration_since(UNIX_EPOCH).unwrap_or_default()),
            elapsed: nanoseconds(scrape.elapsed),
            fields,
            samples,
            errors: scrape.errors.iter().map(error).collect(),
        })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl<'l> FieldRecord<'l> {
    fn new(field: &'l Field) -> Self {
        FieldRecord {
            label: field.label.as_str().into(),
            unit: field.unit.as_str().into(),
            kind: field.kind as u8,
            r#type: field.location.ty.letter().into(),
            scale: field.scale,
            divisor: field.divisor,
            aggregation: field.aggregation as u8,
            kept: field.kept,
        }
    }

    fn decode(self) -> Result<Field, String> {
        let ty = match self.r#type {
            'e' => Some(Type::F16),
            'p' => Some(Type::Pascal),
            letter => u8::try_from(letter).ok().and_then(Type::from_letter),
        };
        let ty = ty.ok_or_else(|| format!("unknown type: {:?}", self.r#type))?;
        let kind = Kind::from_number(self.kind);
        Ok(Field {
            unit: self.unit.into_owned(),
            scale: self.scale,
            divisor: self.divisor,
            aggregation: Aggregation::from_number(self.aggregation),
            kept: self.kept,
            ..Field::new(self.label, kind, ty)
        })
    }
}

impl<'l> SampleRecord<'l> {
    fn new(sample: &'l WriterSample, fields: usize) -> Self {
        // When it was created is the value of a field.
        let WriterId { id, name, version, process, created: _, is_new, other_owner } =
            &*sample.writer_id;
        let values =
            sample.values.iter().map(|value| value.as_ref().ok().map(ValueRecord::new)).collect();
        SampleRecord {
            id: *id,
            name: lossless_path(name).into(),
            version: *version,
            process: process.as_ref().map(ProcessRecord::new).unwrap_or_default(),
            new: *is_new,
            owner: *other_owner,
            dead: sample.verdict.liveness == Liveness::Dead,
            thread_ended: sample.verdict.reason == Reason::ThreadEnded,
            fields,
            values,
        }
    }
}

impl<'l> ProcessRecord<'l> {
    fn new(process: &'l ProcessId) -> Self {
        ProcessRecord {
            pid: Some(process.pid()),
            start: process.start().unwrap_or(0),
            boot_id: process.boot_id().unwrap_or("").into(),
            pid_namespace: process.pid_namespace().unwrap_or(0),
        }
    }

    fn decode(&self) -> Option<ProcessId> {
        Some(ProcessId::new(self.pid?, self.start, &self.boot_id, self.pid_namespace))
    }
}

impl<'l> ValueRecord<'l> {
    fn new(stored: &'l OwnedValue) -> Self {
        match stored {
            OwnedValue::Bool(value) => Self::Bool(*value),
            OwnedValue::Unsigned(value) => Self::Unsigned(*value),
            OwnedValue::Signed(value) => Self::Signed(*value),
            OwnedValue::Float(value) => Self::Float(value.to_string()),
            OwnedValue::Text(text) => Self::Text((&**text).into()),
            OwnedValue::Histogram(buckets) => Self::Histogram(
                buckets.sum,
                buckets.filled.iter().map(|it| (it.low, it.high, it.count)).collect(),
            ),
        }
    }

    fn decode(self) -> Result<OwnedValue, String> {
        Ok(match self {
            Self::Bool(value) => OwnedValue::Bool(value),
            Self::Unsigned(value) => OwnedValue::Unsigned(value),
            Self::Signed(value) => OwnedValue::Signed(value),
            Self::Float(text) => {
                OwnedValue::Float(text.parse().map_err(|_| format!("invalid number: {text:?}"))?)
            }
            Self::Text(text) => OwnedValue::Text(text.into()),
            Self::Histogram(sum, filled) => {
                if filled.iter().any(|(low, high, _)| high.is_some_and(|high| high < *low)) {
                    return Err("invalid bucket: its end is before its start".to_owned());
                }
                let filled = filled
                    .into_iter()
                    .map(|(low, high, count)| Bucket { low, high, count })
                    .collect();
                OwnedValue::Histogram(Box::new(HistogramSnapshot { sum, filled }))
            }
        })
    }
}

/// Decodes the scrapes of a recording.
pub(super) struct Replay {
    input: Box<dyn BufRead>,
    /// The number of lines read.
    lines: u64,
    fields: Vec<RecordedFields>,
}

/// The fields of some writers.
struct RecordedFields {
    fields: Arc<[Field]>,
    /// The index of the field that states when a writer was created.
    created: Option<usize>,
}

impl RecordedFields {
    fn new(fields: Vec<Field>) -> Self {
        let labels = fields.iter().map(|field| field.label.as_str());
        let created = IdentityFields::find(labels).index(IdentityField::Created);
        RecordedFields { fields: fields.into(), created }
    }
}

impl Replay {
    pub(super) fn new(input: Box<dyn BufRead>) -> Replay {
        Replay { input, lines: 0, fields: Vec::new() }
    }

    /// Returns the next scrape, or `None` at the end.
    ///
    /// # Errors
    /// If the line cannot be read or decoded; the message has its number.
    pub(super) fn next(&mut self) -> Result<Option<Scrape>, String> {
        let header_bytes = HEADER_LINE.len() as u64 + 1;
        if self.lines == 0 && self.read_line(header_bytes)?.as_deref() != Some(HEADER_LINE) {
            return Err(format!("line 1: not a recording of pollstats ({HEADER_LINE} expected)"));
        }
        let Some(line) = self.read_line(MAX_LINE_BYTES)? else { return Ok(None) };
        let number = self.lines;
        if line.len() as u64 == MAX_LINE_BYTES {
            return Err(format!(
                "line {number}: too long (at most {MAX_LINE_BYTES} bytes expected)"
            ));
        }
        let parsed = serde_json::from_str(&line).map_err(|error| {
            if error.is_eof() { "truncated".to_owned() } else { error.to_string() }
        });
        parsed
            .and_then(|record| self.decode_scrape(record))
            .map(Some)
            .map_err(|error| format!("line {number}: {error}"))
    }

    fn read_line(&mut self, max_bytes: u64) -> Result<Option<String>, String> {
        let mut line = String::new();
        self.lines += 1;
        match self.input.by_ref().take(max_bytes).read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => {
                line.truncate(line.trim_end_matches('\n').len());
                Ok(Some(line))
            }
            Err(error) => Err(format!("line {}: {error}", self.lines)),
        }
    }

    fn decode_scrape(&mut self, record: ScrapeRecord<'_>) -> Result<Scrape, String> {
        for fields in record.fields {
            let fields = fields.into_iter().map(FieldRecord::decode).collect::<Result<_, _>>()?;
            self.fields.push(RecordedFields::new(fields));
        }
        let samples = record
            .samples
            .into_iter()
            .map(|sample| self.decode_sample(sample))
            .collect::<Result<_, _>>()?;
        let error = |(name, what, is_new): (Cow<'_, str>, Cow<'_, str>, bool)| ScrapeError {
            name: PathBuf::from(&*name),
            what: what.into_owned(),
            is_new,
        };
        let time = UNIX_EPOCH + Duration::from_nanos(record.time);
        let errors = record.errors.into_iter().map(error).collect();
        let elapsed = Duration::from_nanos(record.elapsed);
        Ok(Scrape { samples, errors, ..Scrape::new(time, elapsed) })
    }

    fn decode_sample(&self, record: SampleRecord<'_>) -> Result<WriterSample, String> {
        let SampleRecord {
            id,
            name,
            version,
            process,
            new: is_new,
            owner: other_owner,
            fields,
            values,
            ..
        } = record;
        let reason = match record {
            SampleRecord { dead: true, .. } => Reason::Ended,
            SampleRecord { thread_ended: true, .. } => Reason::ThreadEnded,
            _ => Reason::NotObservable,
        };
        let RecordedFields { fields, created } =
            self.fields.get(fields).ok_or_else(|| format!("unknown fields of {name}: {fields}"))?;
        if fields.len() != values.len() {
            return Err(format!(
                "invalid number of values of {name}: {} ({} expected)",
                values.len(),
                fields.len()
            ));
        }
        let value = |value: Option<ValueRecord<'_>>| match value {
            Some(value) => value.decode().map(Ok),
            None => Ok(Err(ValueError::Contended)),
        };
        let process = process.decode();
        let name = PathBuf::from(&*name);
        let values: Vec<_> = values.into_iter().map(value).collect::<Result<_, _>>()?;
        let created = created.and_then(|index| Number::from_value(values[index].as_ref().ok()?));
        let created = created.map(Number::as_f64);
        let writer_id = WriterId { id, name, version, process, created, is_new, other_owner };
        Ok(WriterSample {
            writer_id: Arc::new(writer_id),
            fields: fields.clone(),
            values,
            verdict: Verdict::from(reason),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrape() -> Scrape {
        let field = |label: &str, ty, kind| Field {
            unit: "bytes".to_owned(),
            scale: -3,
            divisor: 7,
            ..Field::new(label, kind, ty)
        };
        let fields: Arc<[Field]> = [
            field("a", Type::U64, Kind::Counter),
            field("b", Type::F64, Kind::Gauge),
            field("c", Type::F16, Kind::Untyped),
            field("d\n\u{1b}", Type::Text, Kind::Info),
            field("e", Type::U32, Kind::Histogram),
            field("f", Type::Bool, Kind::Gauge),
            field("g", Type::Pascal, Kind::Untyped),
            field("h", Type::I64, Kind::Gauge),
            Field {
                aggregation: Aggregation::Max,
                kept: true,
                ..field("i", Type::I64, Kind::Gauge)
            },
            field("sys.created", Type::F64, Kind::Gauge),
        ]
        .into();
        let buckets = HistogramSnapshot {
            sum: u64::MAX,
            filled: vec![
                Bucket { low: 1, high: Some(2), count: 3 },
                Bucket { low: 4, high: None, count: u64::MAX },
            ],
        };
        let values = vec![
            Ok(OwnedValue::Unsigned(u64::MAX)),
            Ok(OwnedValue::Float(0.1 + 0.2)),
            Ok(OwnedValue::Float(f64::NEG_INFINITY)),
            Ok(OwnedValue::Text("x\n\"\u{1b}☃".into())),
            Ok(OwnedValue::Histogram(Box::new(buckets))),
            Ok(OwnedValue::Bool(true)),
            Err(ValueError::Contended),
            Ok(OwnedValue::Signed(i64::MIN)),
            Ok(OwnedValue::Signed(-7)),
            Ok(OwnedValue::Float(1_353_442_620.125)),
        ];
        let writer_id = WriterId {
            id: 7,
            name: "/dev/shm/x y".into(),
            version: 2,
            process: Some(ProcessId::new(42, 7, "f00", 9)),
            created: Some(1_353_442_620.125),
            is_new: true,
            other_owner: Some(65534),
        };
        let sample = WriterSample {
            writer_id: Arc::new(writer_id),
            fields,
            values,
            verdict: Verdict::from(mmstats_std::liveness::Reason::NotObservable),
        };
        let error = ScrapeError { name: "z".into(), what: "damaged".into(), is_new: true };
        let time = UNIX_EPOCH + Duration::new(1_353_442_620, 123_456_789);
        Scrape {
            samples: vec![sample.clone(), sample],
            errors: vec![error],
            ..Scrape::new(time, Duration::from_nanos(5))
        }
    }

    fn replay(text: String) -> Replay {
        Replay::new(Box::new(std::io::Cursor::new(text)))
    }

    #[test]
    fn a_recording_is_read_back_exactly() {
        let (scrape, mut recorder) = (scrape(), Recorder::default());
        let lines = [
            HEADER_LINE.to_owned(),
            recorder.encode(&scrape).unwrap(),
            recorder.encode(&scrape).unwrap(),
            String::new(),
        ];
        // Fields are written once.
        assert!(lines[1].contains("divisor") && !lines[2].contains("divisor"));
        let mut replay = replay(lines.join("\n"));
        assert_eq!(replay.next(), Ok(Some(scrape.clone())));
        assert_eq!(replay.next(), Ok(Some(scrape)));
        assert_eq!(replay.next(), Ok(None));
    }

    #[test]
    fn errors_have_the_number_of_the_damaged_line() {
        let line = Recorder::default().encode(&scrape()).unwrap();
        for (bad, expected) in [
            ("".to_owned(), "line 3: truncated"),
            (line[..line.len() / 2].to_owned(), "line 3: truncated"),
            ("{}".to_owned(), "line 3: missing field"),
            (
                line.replace("\"fields\":0", "\"fields\":9"),
                "line 3: unknown fields of /dev/shm/x y: 9",
            ),
            (
                line.replace("[1,2,3]", "[2,1,3]"),
                "line 3: invalid bucket: its end is before its start",
            ),
            (line.replace("\"-inf\"", "\"much\""), "line 3: invalid number: \"much\""),
            (
                line.replace("true},null", "true},null,null"),
                "line 3: invalid number of values of /dev/shm/x y: 11 (10 expected)",
            ),
            (line.replace("\"e\"", "\"w\""), "line 3: unknown type: 'w'"),
        ] {
            let mut replay = replay([HEADER_LINE, &line, &bad, ""].join("\n"));
            assert!(replay.next().unwrap().is_some());
            let error = replay.next().unwrap_err();
            assert!(error.starts_with(expected), "{error} instead of {expected}");
        }
        for text in ["", "x", "{\"mmstats-recording\":2}\n"] {
            assert!(
                replay(text.to_owned())
                    .next()
                    .unwrap_err()
                    .starts_with("line 1: not a recording of pollstats")
            );
        }
    }
}
