use super::layout::{Field, Layout};
use crate::liveness::{Evidence, Verdict, liveness};
use mmstats_core::reader::{Snapshot, Storage, Value, ValueError};
use std::time::{Duration, SystemTime};

/// The values of a file at one time.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'r> {
    pub(super) layout: &'r Layout,
    pub(super) snapshot: Snapshot<'r>,
    pub(super) modified: Option<SystemTime>,
}

impl<'r> Sample<'r> {
    /// The fields.
    #[must_use]
    pub fn layout(&self) -> &'r Layout {
        self.layout
    }

    /// The value of the field with this index.
    ///
    /// # Errors
    /// If it was being written all the time, or there is no such field.
    #[inline(always)]
    pub fn value(&self, index: usize) -> Result<Value<'r>, ValueError> {
        match self.layout.locations.get(index) {
            Some(location) if location.storage == Storage::Constant => {
                self.layout.constant(location)
            }
            Some(location) => self.snapshot.value(location),
            None => Err(ValueError::CutOff),
        }
    }

    /// The value of the field with this index as a number; `None` for texts and histograms, and for
    /// what cannot be shown. For those who add up many.
    #[inline(always)]
    #[must_use]
    pub fn number(&self, index: usize) -> Option<f64> {
        let location = self.layout.locations.get(index)?;
        if location.storage == Storage::Constant {
            return self.layout.constant(location).ok()?.as_f64();
        }
        self.snapshot.number(location)
    }

    /// All fields and their values.
    pub fn fields(
        &self,
    ) -> impl Iterator<Item = (&'r Field, Result<Value<'r>, ValueError>)> + use<'r> {
        let sample = *self;
        self.layout.fields.iter().enumerate().map(move |(i, field)| (field, sample.value(i)))
    }

    /// The value of the field with this label, or the first that ends in it behind a prefix; `None`
    /// if there is none, or it was being written all the time.
    #[must_use]
    pub fn find(&self, label: &str) -> Option<Value<'r>> {
        self.value(self.layout.find(label)?).ok()
    }

    /// Whether the process that wrote the file still runs.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let value = |name| self.value(self.layout.identity(name)?).ok();
        let unsigned = |name| match value(name)? {
            Value::Unsigned(number) => Some(number),
            _ => None,
        };
        let boot_id = match value("sys.boot_id") {
            Some(Value::Text(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        liveness(&Evidence {
            pid: self.pid(),
            start: unsigned("sys.start"),
            boot_id,
            pid_namespace: unsigned("sys.pid_namespace"),
            created: self.created(),
            modified: self.modified,
        })
    }

    /// What tells the process that writes the file from one that did so before, or will later.
    #[must_use]
    pub fn writer(&self) -> Writer {
        let value = |name| self.value(self.layout.identity(name)?).ok();
        let start = match value("sys.start") {
            Some(Value::Unsigned(ticks)) if ticks > 0 => Some(ticks),
            // Without it, one that made the file anew.
            _ => self.created().map(f64::to_bits),
        };
        Writer { pid: self.pid(), start }
    }

    /// When the file was made, in seconds since 1970, as it says (`sys.created`).
    #[must_use]
    pub fn created(&self) -> Option<f64> {
        self.value(self.layout.identity("sys.created")?).ok()?.as_f64()
    }

    /// The process that wrote the file, as it says.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match self.value(self.layout.identity("sys.pid")?).ok()? {
            Value::Unsigned(pid) => u32::try_from(pid).ok(),
            Value::Signed(pid) => u32::try_from(pid).ok(),
            _ => None,
        }
    }
}

/// A process, as a file tells of it. If two samples of one file differ in this, its process is
/// another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    pid: Option<u32>,
    start: Option<u64>,
}

/// A file's time out of what the operating system tells.
pub(super) fn modified(stat: &rustix::fs::Stat) -> Option<SystemTime> {
    let seconds = Duration::from_secs(u64::try_from(stat.st_mtime).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(seconds)
}
