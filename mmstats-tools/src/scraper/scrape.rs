//! What one look found.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mmstats_core::reader::{Lossy, Value, ValueError};
use mmstats_std::identity::ProcessId;
use mmstats_std::liveness::Verdict;
use mmstats_std::read::{Field, IdentityField, IdentityFields};

use super::histogram::HistogramSnapshot;

/// What all writers published, at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrape {
    /// When it was, by the clock on the wall.
    pub time: SystemTime,
    /// The same by a clock that never jumps, since the first look.
    pub elapsed: Duration,
    /// The writers.
    pub samples: Vec<WriterSample>,
    /// What could not be read, or not wholly.
    pub errors: Vec<ScrapeError>,
    /// For how long devices stood still to be read.
    pub halted: Option<Duration>,
}

/// What one writer published.
#[derive(Clone, Debug, PartialEq)]
pub struct WriterSample {
    /// Which one.
    pub writer_id: Arc<WriterId>,
    /// Its fields; as long as they are the same, so is this.
    pub fields: Arc<[Field]>,
    /// Their values, one for each.
    pub values: Vec<Result<OwnedValue, ValueError>>,
    /// Whether it still runs; this is looked at once a second.
    pub verdict: Verdict,
}

/// A writer: one file as long as it is the same process's, or one region in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterId {
    /// A number that no other one has, ascending.
    pub id: u64,
    /// The file's path; of a region, its source and its address there.
    pub name: PathBuf,
    /// Its format's version.
    pub version: u8,
    /// Its process, if the file states it. The PID alone does not identify it: containers that
    /// share a directory can have processes with the same one.
    pub process: Option<ProcessId>,
    /// Whether it was made between two looks, so that its counters were zero at the earlier one.
    pub is_new: bool,
}

impl WriterId {
    /// Returns the process ID.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ProcessId::pid)
    }
}

/// What is wrong with a file or region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrapeError {
    /// Its name.
    pub name: PathBuf,
    /// In words.
    pub what: String,
    /// Whether it was not so at the look before.
    pub is_new: bool,
}

/// A value that outlives the bytes it was read from; not scaled.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedValue {
    /// True or false.
    Bool(bool),
    /// An unsigned integer of any width.
    Unsigned(u64),
    /// A signed integer of any width.
    Signed(i64),
    /// A floating-point number of any width.
    Float(f64),
    /// Text; what is not UTF-8 in it has been replaced.
    Text(Box<str>),
    /// A distribution.
    Histogram(Box<HistogramSnapshot>),
}

impl From<&Value<'_>> for OwnedValue {
    fn from(value: &Value<'_>) -> Self {
        match value {
            Value::Bool(value) => OwnedValue::Bool(*value),
            Value::Unsigned(value) => OwnedValue::Unsigned(*value),
            Value::Signed(value) => OwnedValue::Signed(*value),
            Value::Float(value) => OwnedValue::Float(*value),
            Value::Text(text) => OwnedValue::Text(Lossy(text).to_string().into()),
            Value::Histogram(distribution) => {
                OwnedValue::Histogram(Box::new(HistogramSnapshot::new(distribution)))
            }
        }
    }
}

impl WriterSample {
    /// Returns the value of the field with this label; else of that with the file's label prefix in
    /// front of it; else of the first with any prefix that ends in a separator.
    #[must_use]
    pub fn find(&self, label: &str) -> Option<&OwnedValue> {
        let identity = self.identity_fields();
        let find = |is_prefix: &dyn Fn(&str) -> bool| {
            self.fields
                .iter()
                .position(|field| field.label.strip_suffix(label).is_some_and(is_prefix))
        };
        let index =
            find(&str::is_empty).or_else(|| find(&|prefix| prefix == identity.prefix())).or_else(
                || find(&|prefix| !prefix.ends_with(|c: char| c.is_alphanumeric() || c == '_')),
            )?;
        self.values.get(index)?.as_ref().ok()
    }

    fn identity_fields(&self) -> IdentityFields {
        IdentityFields::find(self.fields.iter().map(|field| field.label.as_str()))
    }

    /// Returns the value of an identity field; `None` if there is none that can be read.
    #[must_use]
    pub fn identity(&self, field: IdentityField) -> Option<&OwnedValue> {
        self.values.get(self.identity_fields().index(field)?)?.as_ref().ok()
    }

    /// The value of the field with exactly this label, which is most likely at this place: fields
    /// are only added at the end.
    #[must_use]
    pub fn value_at(&self, at: usize, label: &str) -> Option<&Result<OwnedValue, ValueError>> {
        let is_it = |field: &Field| field.label == label;
        let at = if self.fields.get(at).is_some_and(is_it) {
            at
        } else {
            self.fields.iter().position(is_it)?
        };
        self.values.get(at)
    }
}
