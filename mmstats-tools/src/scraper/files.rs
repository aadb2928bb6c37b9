//! Files that stay open between scrapes.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mmstats_std::discover::{FileStatus, FoundFile};
use mmstats_std::read::{FileError, Reader, Sample, StatsFile};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::quota::FreeFields;
use crate::source::may_hold_regions;

/// The number of descriptors left for everything else.
const RESERVED_DESCRIPTORS: usize = 64;

/// Files by their paths.
pub(super) struct Files {
    known: HashMap<PathBuf, KnownFile>,
    /// The path that each file is read by, by device and inode: others are names of the same file.
    names: HashMap<(u64, u64), PathBuf>,
    /// Named files that existed once: if one is missing later, its writer has ended.
    found: HashSet<PathBuf>,
    round: u64,
    open: usize,
    /// The number of files that may be open.
    max_open: usize,
    /// The number of descriptors that this process may have.
    limit: usize,
}

struct KnownFile {
    /// Where it was found last.
    found: FoundFile,
    /// Whether another file had its path when that was read last.
    is_other: bool,
    /// Device and inode.
    id: (u64, u64),
    /// In bytes. A mapping does not show that a file was truncated within its last page.
    length: u64,
    /// `None` if too many files are open or it could not be read.
    file: Option<StatsFile>,
    /// Whether there are no regions after its start.
    is_plain: bool,
    /// The number of its fields, and the time of its last change, if there was no room for them.
    refused: Option<(usize, SystemTime)>,
    /// The last scrape that found it.
    round: u64,
}

/// The result of reading a file.
pub(super) enum Outcome {
    /// The file was read.
    Read,
    /// The file was read earlier in this scrape.
    AlreadyRead,
    /// It has this many fields, and there is no room for them in this scrape.
    TooManyFields(usize),
    /// There may be room for its fields at the end of this scrape.
    Deferred,
    /// The file is read by another path.
    OtherName(PathBuf),
    /// The writer has ended and removed the file.
    Gone,
    /// The file has never existed.
    Missing(String),
    /// The file could not be read.
    Failed(String),
    /// The file has other data besides stats, or no stats.
    MayHoldRegions {
        /// Why it is not a stats file; `None` if it is one.
        otherwise: Option<String>,
    },
}

impl Files {
    pub(super) fn new() -> Self {
        let limit = raise_descriptors();
        Files {
            known: HashMap::new(),
            names: HashMap::new(),
            found: HashSet::new(),
            round: 1,
            open: 0,
            max_open: limit.saturating_sub(RESERVED_DESCRIPTORS),
            limit,
        }
    }

    /// Leaves this many descriptors for other uses, but at most half of all.
    pub(super) fn reserve(&mut self, count: usize) {
        self.max_open = self.limit.saturating_sub(count).max(self.limit / 2);
    }

    /// Returns the known files directly in a directory.
    pub(super) fn below(&self, directory: &Path) -> Vec<FoundFile> {
        let known = self.known.iter().filter(|(path, _)| path.parent() == Some(directory));
        let mut files: Vec<_> = known.map(|(_, known)| known.found.clone()).collect();
        files.sort_unstable_by(|one, other| one.path().cmp(other.path()));
        files
    }

    /// Reads a file with at most `free.now` fields: one that has more is closed, and not parsed
    /// again until there is room for it or it changes. `observe` also gets whether another file had
    /// this path before.
    pub(super) fn read(
        &mut self,
        found: &FoundFile,
        status: io::Result<FileStatus>,
        free: FreeFields,
        reader: &mut Reader,
        observe: impl FnOnce(&Sample<'_>, bool),
    ) -> Outcome {
        let (path, is_named) = (found.path(), found.is_named());
        let status = match status {
            Ok(status) => status,
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && (!is_named || self.found.contains(path)) =>
            {
                return Outcome::Gone;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Outcome::Missing(error.to_string());
            }
            Err(error) => {
                // The file stays known.
                if let Some(known) = self.known.get_mut(path) {
                    known.round = self.round;
                }
                return Outcome::Failed(error.to_string());
            }
        };
        if is_named {
            self.found.insert(path.to_owned());
        }
        if let Some(name) = self.other_name(path, &status) {
            return Outcome::OtherName(name);
        }
        if !self.update(found, &status) {
            return Outcome::AlreadyRead;
        }
        let has_room = self.open < self.max_open;
        let Some(known) = self.known.get_mut(path) else { return Outcome::Gone };
        known.refused = known.refused.filter(|(_, modified)| *modified == status.modified);
        if let Some((fields, _)) = known.refused.filter(|(fields, _)| *fields > free.now) {
            return known.refuse(fields, free);
        }
        known.refused = None;
        let look_further = is_named && !known.is_plain;
        if known.file.is_none() && has_room {
            let opened = known.open().and_then(|file| StatsFile::from_file(path, file, reader));
            match opened {
                Ok(file) => {
                    known.file = Some(file);
                    self.open += 1;
                }
                Err(error) => return failed(found, error, look_further),
            }
        }
        let sample = match &mut known.file {
            Some(file) => file.sample(reader),
            None => known.open().and_then(|file| reader.read_file(&file)),
        };
        if look_further && may_hold_regions(path, &sample) {
            return Outcome::MayHoldRegions {
                otherwise: sample.err().map(|error| error.to_string()),
            };
        }
        match sample {
            Ok(sample) if sample.layout().fields.len() > free.now => {
                let fields = sample.layout().fields.len();
                if fields > free.later {
                    known.refused = Some((fields, status.modified));
                    self.open -= usize::from(known.file.take().is_some());
                }
                known.refuse(fields, free)
            }
            Ok(sample) => {
                observe(&sample, mem::take(&mut known.is_other));
                Outcome::Read
            }
            Err(error) => failed(found, error, look_further),
        }
    }

    /// Returns the other path that a file is read by, if it still has that name. So a file with
    /// many hard links counts once, and goes on to count as the same.
    fn other_name(&mut self, path: &Path, status: &FileStatus) -> Option<PathBuf> {
        match self.names.get(&status.id) {
            Some(name) if name == path => return None,
            Some(name) => {
                let known = self.known.get(name);
                let now = known.and_then(|known| known.found.status().ok());
                if now.is_some_and(|now| now.id == status.id) {
                    return Some(name.clone());
                }
            }
            None => {}
        }
        self.names.insert(status.id, path.to_owned());
        None
    }

    /// Updates what is known of a file. Returns `false` if it has been read in this round.
    fn update(&mut self, found: &FoundFile, status: &FileStatus) -> bool {
        let new = || KnownFile {
            found: found.clone(),
            is_other: false,
            id: status.id,
            length: status.length,
            file: None,
            is_plain: false,
            refused: None,
            round: 0,
        };
        let known = self.known.entry(found.path().to_owned()).or_insert_with(new);
        if known.round == self.round {
            return false;
        }
        let is_other = known.is_other || known.id != status.id;
        if known.id != status.id || known.length != status.length {
            self.open -= usize::from(known.file.is_some());
            *known = new();
        }
        known.is_other = is_other;
        known.found = found.clone();
        known.round = self.round;
        true
    }

    /// Records that there are no regions after this file's start.
    pub(super) fn set_plain(&mut self, path: &Path) {
        if let Some(known) = self.known.get_mut(path) {
            known.is_plain = true;
            known.round = 0;
        }
    }

    /// Ends a round: closes files that it did not find.
    pub(super) fn end_round(&mut self) {
        let round = self.round;
        self.known.retain(|_, known| known.round == round);
        self.names.retain(|id, path| self.known.get(path).is_some_and(|known| known.id == *id));
        self.open = self.known.values().filter(|known| known.file.is_some()).count();
        self.round += 1;
    }
}

impl KnownFile {
    /// Opens the file. Another one may have its path since it was found.
    fn open(&mut self) -> Result<File, FileError> {
        let file = self.found.open()?;
        let metadata = file.metadata()?;
        let id = (metadata.dev(), metadata.ino());
        self.is_other |= self.id != id;
        (self.id, self.length) = (id, metadata.len());
        Ok(file)
    }

    /// Returns the outcome of a file that has more fields than are free.
    fn refuse(&mut self, fields: usize, free: FreeFields) -> Outcome {
        if fields > free.later {
            return Outcome::TooManyFields(fields);
        }
        self.round = 0;
        Outcome::Deferred
    }
}

fn failed(found: &FoundFile, error: FileError, look_further: bool) -> Outcome {
    match error {
        FileError::Format(_) | FileError::TooLarge { .. } if look_further => {
            Outcome::MayHoldRegions { otherwise: Some(error.to_string()) }
        }
        // A file that disappears between being found and read was removed by its writer.
        _ if !found.is_named() && found.status().is_err() => Outcome::Gone,
        error => Outcome::Failed(error.to_string()),
    }
}

/// Raises this process's limit of open files as far as possible and returns it.
#[must_use]
pub fn raise_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
