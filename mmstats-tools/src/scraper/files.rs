//! Files that are kept open from one look to the next.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mmstats_std::read::{FileError, Reader, Sample, StatsFile};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::source::may_hold_regions;

/// Descriptors that are left for everything else.
const RESERVED_DESCRIPTORS: usize = 64;

/// Files by their paths.
pub(super) struct Files {
    kept: HashMap<PathBuf, OpenFile>,
    /// Those of the user's own that were there once: when they are gone, their writer has ended.
    found: HashSet<PathBuf>,
    round: u64,
    open: usize,
    /// How many may be open.
    max_open: usize,
    /// How many descriptors this process may have.
    limit: usize,
}

struct OpenFile {
    /// Device and inode.
    id: (u64, u64),
    /// In bytes. A mapping does not tell of a file that was cut short within its last page.
    length: u64,
    /// `None` if too many are open, or it could not be read.
    file: Option<StatsFile>,
    /// Whether there are no regions further on in it.
    is_plain: bool,
    /// The last look that found it.
    round: u64,
}

/// What came of reading a file.
pub(super) enum Outcome {
    /// It was read.
    WriterSample,
    /// It was read in this look already.
    AlreadyRead,
    /// Its writer has ended, and removed it.
    Gone,
    /// It was not there, ever.
    Missing(String),
    /// It could not be read.
    Failed(String),
    /// It is not only stats, or none at all; why it could not be read otherwise.
    MayHoldRegions {
        /// In words; `None` if it could.
        otherwise: Option<String>,
    },
}

impl Files {
    pub(super) fn new() -> Self {
        let limit = raise_descriptors();
        Files {
            kept: HashMap::new(),
            found: HashSet::new(),
            round: 1,
            open: 0,
            max_open: limit.saturating_sub(RESERVED_DESCRIPTORS),
            limit,
        }
    }

    /// Leaves so many descriptors for others, or half of all.
    pub(super) fn reserve(&mut self, count: usize) {
        self.max_open = self.limit.saturating_sub(count).max(self.limit / 2);
    }

    /// The files that are known directly in a directory.
    pub(super) fn below(&self, directory: &Path) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> =
            self.kept.keys().filter(|path| path.parent() == Some(directory)).cloned().collect();
        paths.sort_unstable();
        paths
    }

    /// Reads a file. `observe` is also told whether it is another one than that of this path before.
    pub(super) fn read(
        &mut self,
        path: &Path,
        is_named: bool,
        reader: &mut Reader,
        observe: impl FnOnce(&Sample<'_>, bool),
    ) -> Outcome {
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
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
                // It is still known.
                if let Some(kept) = self.kept.get_mut(path) {
                    kept.round = self.round;
                }
                return Outcome::Failed(error.to_string());
            }
        };
        if is_named {
            self.found.insert(path.to_owned());
        }
        let Some(is_other) = self.update(path, &metadata) else { return Outcome::AlreadyRead };
        let (round, has_room) = (self.round, self.open < self.max_open);
        let Some(kept) = self.kept.get_mut(path) else { return Outcome::Gone };
        kept.round = round;
        let look_further = is_named && !kept.is_plain;
        if kept.file.is_none() && has_room {
            match StatsFile::open(path, reader) {
                Ok(file) => {
                    kept.file = Some(file);
                    self.open += 1;
                }
                Err(error) => return failed(path, error, is_named, look_further),
            }
        }
        let sample = match &mut kept.file {
            Some(file) => file.sample(reader),
            None => reader.read(path),
        };
        if look_further && may_hold_regions(path, &sample) {
            return Outcome::MayHoldRegions {
                otherwise: sample.err().map(|error| error.to_string()),
            };
        }
        match sample {
            Ok(sample) => {
                observe(&sample, is_other);
                Outcome::WriterSample
            }
            Err(error) => failed(path, error, is_named, look_further),
        }
    }

    /// Whether it is another file than before; `None` if it was looked at in this round.
    fn update(&mut self, path: &Path, metadata: &Metadata) -> Option<bool> {
        let id = (metadata.dev(), metadata.ino());
        let length = metadata.len();
        let new = || OpenFile { id, length, file: None, is_plain: false, round: 0 };
        let kept = self.kept.entry(path.to_owned()).or_insert_with(new);
        if kept.round == self.round {
            return None;
        }
        let is_other = kept.id != id;
        if is_other || kept.length != length {
            self.open -= usize::from(kept.file.is_some());
            *kept = new();
        }
        Some(is_other)
    }

    /// There is nothing further on in this file, so that it can be read as it is.
    pub(super) fn set_plain(&mut self, path: &Path) {
        if let Some(kept) = self.kept.get_mut(path) {
            kept.is_plain = true;
            kept.round = 0;
        }
    }

    /// Ends a round: closes what is there no more.
    pub(super) fn end_round(&mut self) {
        let round = self.round;
        self.kept.retain(|_, kept| kept.round == round);
        self.open = self.kept.values().filter(|kept| kept.file.is_some()).count();
        self.round += 1;
    }
}

fn failed(path: &Path, error: FileError, is_named: bool, look_further: bool) -> Outcome {
    match error {
        FileError::Format(_) | FileError::TooLarge { .. } if look_further => {
            Outcome::MayHoldRegions { otherwise: Some(error.to_string()) }
        }
        // A file that was found and is gone now was removed by its writer, which is how a writer
        // ends.
        _ if !is_named && path.symlink_metadata().is_err() => Outcome::Gone,
        error => Outcome::Failed(error.to_string()),
    }
}

/// Raises the limit of open files as far as this process may, and tells how many descriptors it may
/// have now.
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
