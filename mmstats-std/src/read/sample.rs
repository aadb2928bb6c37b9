//! The values of a file at one time, and what they say about its process.

use super::identity::IdentityField;
use super::layout::{Field, Layout};
use crate::identity::ProcessId;
use crate::liveness::{Evidence, Liveness, Reason, Verdict, liveness};
use crate::mappings::{FileId, time_of_file};
use mmstats_core::reader::{Snapshot, Storage, Value, ValueError};
use std::time::SystemTime;

/// The values of a file or region at one time.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'r> {
    pub(super) layout: &'r Layout,
    pub(super) snapshot: Snapshot<'r>,
    /// `None` if it was not read from a file.
    pub(super) stat: Option<FileStat>,
}

impl<'r> Sample<'r> {
    /// Returns the layout, with the fields.
    #[must_use]
    pub fn layout(&self) -> &'r Layout {
        self.layout
    }

    /// Returns the value of the field with this index.
    ///
    /// # Errors
    /// If the value was being written during all attempts, or there is no such field.
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

    /// Returns the value of the field with this index as a number; `None` for texts and histograms,
    /// and where [`Self::value`] is an error. It is the fastest way to add up many fields.
    #[inline(always)]
    #[must_use]
    pub fn number(&self, index: usize) -> Option<f64> {
        let location = self.layout.locations.get(index)?;
        if location.storage == Storage::Constant {
            return self.layout.constant(location).ok()?.as_f64();
        }
        self.snapshot.number(location)
    }

    /// Returns all fields and their values.
    pub fn fields(
        &self,
    ) -> impl Iterator<Item = (&'r Field, Result<Value<'r>, ValueError>)> + use<'r> {
        let sample = *self;
        self.layout.fields.iter().enumerate().map(move |(i, field)| (field, sample.value(i)))
    }

    /// Returns the value of the field with this label, with or without a prefix (see
    /// [`Layout::find`]); `None` if there is no such field or [`Self::value`] is an error.
    #[must_use]
    pub fn find(&self, label: &str) -> Option<Value<'r>> {
        self.value(self.layout.find(label)?).ok()
    }

    /// Judges whether the process that writes the file still runs, and the thread.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let verdict = liveness(&Evidence {
            process: self.process_id(),
            created: self.created(),
            modified: self.stat.map(|stat| stat.modified),
            file: self.stat.map(|stat| stat.file),
        });
        if verdict.liveness == Liveness::Alive && self.thread_has_ended() {
            return Reason::ThreadEnded.into();
        }
        verdict
    }

    /// Returns `true` if the file states that its thread has ended (`sys.tid` is 0) and the next
    /// thread of the process has not taken it over yet.
    #[must_use]
    pub fn thread_has_ended(&self) -> bool {
        self.identity_value(IdentityField::Tid).and_then(|tid| tid.as_f64()) == Some(0.0)
    }

    /// Returns the identity of the process that writes the file, as the file states it; `None` if
    /// it has no valid `sys.pid`.
    #[must_use]
    pub fn process_id(&self) -> Option<ProcessId> {
        let unsigned = |field| match self.identity_value(field) {
            Some(Value::Unsigned(number)) => number,
            _ => 0,
        };
        let boot_id = match self.identity_value(IdentityField::BootId) {
            Some(Value::Text(text)) => std::str::from_utf8(text).unwrap_or(""),
            _ => "",
        };
        let pid = self.pid().filter(|pid| *pid > 0)?;
        let start = unsigned(IdentityField::Start);
        Some(ProcessId::new(pid, start, boot_id, unsigned(IdentityField::PidNamespace)))
    }

    /// Returns when the file was created, in seconds since 1970, as it states (`sys.created`).
    #[must_use]
    pub fn created(&self) -> Option<f64> {
        self.identity_value(IdentityField::Created)?.as_f64()
    }

    /// Returns the user ID of the file's owner if it is not the one that the file states
    /// (`sys.uid`): another user may have written it, or its process is in another user namespace
    /// or was setuid.
    #[must_use]
    pub fn other_owner(&self) -> Option<u32> {
        let owner = self.stat?.owner;
        let stated = self.identity_value(IdentityField::Uid)?.as_f64()?;
        (stated != f64::from(owner)).then_some(owner)
    }

    /// Returns the ID of the process that writes the file, as it states (`sys.pid`).
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match self.identity_value(IdentityField::Pid)? {
            Value::Unsigned(pid) => u32::try_from(pid).ok(),
            Value::Signed(pid) => u32::try_from(pid).ok(),
            _ => None,
        }
    }

    fn identity_value(&self, field: IdentityField) -> Option<Value<'r>> {
        self.value(self.layout.identity.index(field)?).ok()
    }
}

/// The owner and the times of a file when it was opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileStat {
    owner: u32,
    /// In whole seconds.
    modified: SystemTime,
    file: FileId,
}

impl FileStat {
    pub(super) fn new(stat: &rustix::fs::Stat) -> Self {
        let modified = time_of_file(u64::try_from(stat.st_mtime).unwrap_or(0), 0);
        FileStat { owner: stat.st_uid, modified, file: FileId::from_stat(stat) }
    }
}
