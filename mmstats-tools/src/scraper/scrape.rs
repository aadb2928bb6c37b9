//! The result of one scrape.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mmstats_core::reader::{Lossy, Value, ValueError};
use mmstats_std::identity::ProcessId;
use mmstats_std::liveness::Verdict;
use mmstats_std::read::{Field, IdentityField, IdentityFields};

use super::histogram::HistogramSnapshot;

/// The values of all writers at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrape {
    /// The wall-clock time.
    pub time: SystemTime,
    /// The monotonic time since the first scrape.
    pub elapsed: Duration,
    /// The samples of all writers.
    pub samples: Vec<WriterSample>,
    /// Files and regions that could not be read completely.
    pub errors: Vec<ScrapeError>,
    /// How long devices were halted to be read.
    pub halted: Option<Duration>,
    /// The IDs of writers whose file is gone although their process runs: the file was removed
    /// under them, and may be created again.
    pub lost: Vec<u64>,
}

impl Scrape {
    /// Creates a scrape without samples.
    #[must_use]
    pub fn new(time: SystemTime, elapsed: Duration) -> Self {
        let (samples, errors, lost) = (Vec::new(), Vec::new(), Vec::new());
        Scrape { time, elapsed, samples, errors, halted: None, lost }
    }

    /// Returns the writers that it did not read although they may exist.
    #[must_use]
    pub fn unread_writers(&self) -> UnreadWriters<'_> {
        UnreadWriters {
            names: self.errors.iter().map(|error| error.name.as_path()).collect(),
            lost: self.lost.iter().copied().collect(),
        }
    }
}

/// The writers that a scrape did not read although they may exist.
#[derive(Debug)]
pub struct UnreadWriters<'s> {
    names: HashSet<&'s Path>,
    lost: HashSet<u64>,
}

impl UnreadWriters<'_> {
    /// Returns `true` if a writer without a sample in the scrape has a file that could not be read.
    #[must_use]
    pub fn has_file(&self, writer_id: &WriterId) -> bool {
        self.names.contains(writer_id.name.as_path())
    }

    /// Returns `true` if a writer without a sample in the scrape may be read again as the same one:
    /// its file could not be read, or was removed while its process runs.
    #[must_use]
    pub fn may_return(&self, writer_id: &WriterId) -> bool {
        self.has_file(writer_id) || self.lost.contains(&writer_id.id)
    }
}

/// The values of one writer.
#[derive(Clone, Debug, PartialEq)]
pub struct WriterSample {
    /// The writer.
    pub writer_id: Arc<WriterId>,
    /// Its fields, shared between scrapes until they change.
    pub fields: Arc<[Field]>,
    /// The value of each field.
    pub values: Vec<Result<OwnedValue, ValueError>>,
    /// Whether its process is alive, checked once a second.
    pub verdict: Verdict,
}

/// A writer: one file as long as it is the same process's, or one region in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WriterId {
    /// A unique number, in the order of discovery.
    pub id: u64,
    /// The file's path, or a region's source and address.
    pub name: PathBuf,
    /// The version of its format.
    pub version: u8,
    /// Its process, if the file states it. The PID alone does not identify it: containers that
    /// share a directory can have processes with the same one.
    pub process: Option<ProcessId>,
    /// When its file was created, in seconds since 1970, if the file states it.
    pub created: Option<f64>,
    /// Whether it was created after the previous scrape, so that its counters were zero then.
    pub is_new: bool,
    /// The user ID of the file's owner, if it is not the one that the file states.
    pub other_owner: Option<u32>,
}

impl WriterId {
    /// Returns the process ID.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ProcessId::pid)
    }

    /// Returns a note that the file may be forged; `None` if its owner is the user that it states.
    #[must_use]
    pub fn owner_note(&self) -> Option<String> {
        self.other_owner.map(owner_note)
    }
}

/// Returns the note on a file that does not state its owner, which has this user ID.
#[must_use]
pub fn owner_note(owner: u32) -> String {
    format!("owned by user {owner}, not by its sys.uid")
}

/// An error in a file or region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrapeError {
    /// The name of the file or region.
    pub name: PathBuf,
    /// The message.
    pub what: String,
    /// Whether the previous scrape did not have this error.
    pub is_new: bool,
}

/// An owned value, not scaled.
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
    /// Text; bytes that are not UTF-8 have been replaced.
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
    /// Returns the value of the field with this label, with or without a prefix; see
    /// [`IdentityFields::find_label`].
    #[must_use]
    pub fn find(&self, label: &str) -> Option<&OwnedValue> {
        let index = self.identity_fields().find_label(self.labels(), label)?;
        self.values.get(index)?.as_ref().ok()
    }

    fn labels(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.label.as_str())
    }

    pub(crate) fn identity_fields(&self) -> IdentityFields {
        IdentityFields::find(self.labels())
    }

    /// Returns the value of an identity field; `None` if it is missing or unreadable.
    #[must_use]
    pub fn identity(&self, field: IdentityField) -> Option<&OwnedValue> {
        self.values.get(self.identity_fields().index(field)?)?.as_ref().ok()
    }

    /// Returns the value of a field of another scrape, which has the same label and most likely
    /// this index, as fields are only added at the end; `None` if there is no such field.
    #[must_use]
    pub fn value_of(&self, index: usize, field: &Field) -> Option<&Result<OwnedValue, ValueError>> {
        // Scrapes share their fields until they change.
        let is_same = |own: &Field| ptr::eq(own, field) || own.label == field.label;
        let index = if self.fields.get(index).is_some_and(is_same) {
            index
        } else {
            self.fields.iter().position(is_same)?
        };
        self.values.get(index)
    }
}
