//! Reads all writers repeatedly.
//!
//! A [`Scraper`] keeps files open between scrapes. It detects new and ended writers, and a process
//! that has replaced another, even in the same file. Devices and dumps are opened for each scrape,
//! so that a device is halted only while it is read.

mod files;
mod histogram;
mod scrape;
mod tracker;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mmstats_std::discover::discover;
use mmstats_std::read::{Field, Reader, Sample};
use mmstats_std::template::Environment;

use crate::escape::lossless_path;
use crate::source::{Opened, Sources};
pub use files::raise_descriptors;
use files::{Files, Outcome};
pub use histogram::{Bucket, HistogramSnapshot};
pub use scrape::{OwnedValue, Scrape, ScrapeError, UnreadWriters, WriterId, WriterSample, owner_note};
use tracker::WriterTracker;

/// Fields that several writers may share.
type Fields = Arc<[Field]>;

/// How long a writer is assumed to stay alive after a check.
const VERDICT_LIFETIME: Duration = Duration::from_secs(1);

/// The number of fields in a scrape; those of more writers are not read.
const MAX_FIELDS: usize = 500_000;

/// Scrapes the files and devices that a command's arguments name.
pub struct Scraper {
    arguments: Vec<PathBuf>,
    sources: Sources,
    environment: Environment,
    reader: Reader,
    files: Files,
    tracker: WriterTracker,
    /// The errors of the last scrape, by file or region.
    errors: HashMap<PathBuf, String>,
    searched: Vec<PathBuf>,
    started: Option<Instant>,
    /// The time of the last scrape.
    last_time: Option<SystemTime>,
}

/// A scrape in progress.
struct ScrapeBuilder {
    scrape: Scrape,
    /// The number of all fields.
    fields: usize,
    /// The index of each name's error.
    failed: HashMap<PathBuf, usize>,
    /// The time of the last scrape.
    before: Option<SystemTime>,
}

impl Scraper {
    /// Creates a scraper of these files, directories and devices; without any, of the default
    /// locations.
    ///
    /// Raises this process's limit of open files as far as possible. Files beyond it are opened and
    /// closed in each scrape.
    #[must_use]
    pub fn new(arguments: Vec<PathBuf>, sources: Sources) -> Self {
        Scraper {
            arguments,
            sources,
            environment: Environment::read(),
            reader: Reader::new(),
            files: Files::new(),
            tracker: WriterTracker::default(),
            errors: HashMap::new(),
            searched: Vec::new(),
            started: None,
            last_time: None,
        }
    }

    /// Leaves this many descriptors for other uses than files, but at most half of all.
    #[must_use]
    pub fn with_spare_descriptors(mut self, count: usize) -> Self {
        self.files.reserve(count);
        self
    }

    /// Returns where the last scrape searched for files, for a message that it found none.
    #[must_use]
    pub fn searched(&self) -> &[PathBuf] {
        &self.searched
    }

    /// Reads all writers.
    pub fn scrape(&mut self) -> Scrape {
        let now = Instant::now();
        let elapsed = now.duration_since(*self.started.get_or_insert(now));
        let scrape = Scrape::new(SystemTime::now(), elapsed);
        let before = self.last_time.replace(scrape.time);
        let mut builder = ScrapeBuilder { scrape, fields: 0, failed: HashMap::new(), before };
        self.tracker.begin_round(now);
        self.searched.clear();
        let arguments = std::mem::take(&mut self.arguments);
        let each: Vec<&[PathBuf]> =
            if arguments.is_empty() { vec![&[]] } else { arguments.chunks(1).collect() };
        for argument in each {
            match argument.first().filter(|path| self.sources.is_memory(path)) {
                Some(path) => self.scrape_memory(path, &mut builder),
                None => self.scrape_files(argument, &mut builder),
            }
        }
        self.arguments = arguments;
        self.files.end_round();
        builder.scrape.lost = self.tracker.end_round();
        self.mark_new_errors(&mut builder.scrape);
        builder.scrape
    }

    fn scrape_files(&mut self, argument: &[PathBuf], builder: &mut ScrapeBuilder) {
        let found = discover(&self.environment, argument);
        for error in found.errors {
            builder.fail(&error.path, &error.error);
            if error.error.kind() == ErrorKind::NotADirectory {
                // A link may have replaced a directory, and lead to other files.
                continue;
            }
            // Known files in it may still exist, and must not count as new later.
            for path in self.files.below(&error.path) {
                self.scrape_file(&path, false, builder);
            }
        }
        self.searched.extend(found.searched);
        for path in found.paths {
            let is_named = argument.first() == Some(&path);
            self.scrape_file(&path, is_named, builder);
        }
    }

    fn scrape_file(&mut self, path: &Path, is_named: bool, builder: &mut ScrapeBuilder) {
        let (tracker, free_fields) = (&mut self.tracker, builder.free_fields());
        let observe =
            |sample: &Sample<'_>, is_other: bool| tracker.observe(path, sample, is_other, builder);
        match self.files.read(path, is_named, free_fields, &mut self.reader, observe) {
            Outcome::Read | Outcome::AlreadyRead | Outcome::Gone => {}
            Outcome::MayHoldRegions { otherwise } => match (self.sources.open(path), otherwise) {
                (Ok(opened), _) if opened.is_known || !opened.regions.is_empty() => {
                    self.scrape_regions(path, &opened, builder);
                }
                (Ok(_), Some(why)) => self.fail(path, why, builder),
                (Ok(_), None) => {
                    self.files.set_plain(path);
                    self.scrape_file(path, is_named, builder);
                }
                (Err(error), _) => self.fail(path, error, builder),
            },
            Outcome::OtherName(owner) => {
                builder.fail(path, format!("another name of {}, read once", lossless_path(&owner)));
            }
            Outcome::TooManyFields(fields) => self.fail(path, too_many_fields(fields), builder),
            Outcome::Missing(why) => builder.fail(path, why),
            Outcome::Failed(why) => self.fail(path, why, builder),
        }
    }

    fn scrape_memory(&mut self, path: &Path, builder: &mut ScrapeBuilder) {
        match self.sources.open(path) {
            Ok(opened) => self.scrape_regions(path, &opened, builder),
            Err(error) => self.fail(path, error, builder),
        }
    }

    fn scrape_regions(&mut self, path: &Path, opened: &Opened, builder: &mut ScrapeBuilder) {
        for region in &opened.regions {
            let name = Path::new(&region.name);
            match region.read(&mut self.reader) {
                Ok(sample) => self.tracker.observe(name, &sample, false, builder),
                Err(failure) => self.fail(name, failure, builder),
            }
        }
        for (name, error) in &opened.errors {
            self.fail(Path::new(name), error, builder);
        }
        if opened.regions.is_empty() && opened.errors.is_empty() {
            self.fail(path, &opened.why_nothing, builder);
        }
        builder.scrape.halted = match (builder.scrape.halted, opened.halted) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
    }

    /// Records an error. The writer stays known until it can be read again.
    fn fail(&mut self, name: &Path, why: impl ToString, builder: &mut ScrapeBuilder) {
        self.tracker.retain(name);
        builder.fail(name, why);
    }

    fn mark_new_errors(&mut self, scrape: &mut Scrape) {
        for error in &mut scrape.errors {
            error.is_new = self.errors.get(&error.name) != Some(&error.what);
        }
        self.errors =
            scrape.errors.iter().map(|error| (error.name.clone(), error.what.clone())).collect();
    }
}

fn too_many_fields(fields: usize) -> String {
    format!("not read: {fields} more fields (at most {MAX_FIELDS} in all expected)")
}

impl ScrapeBuilder {
    fn fail(&mut self, name: &Path, why: impl ToString) {
        let what = why.to_string();
        // Errors of one file are joined, so that an additional one counts as new.
        match self.failed.get(name).and_then(|&at| self.scrape.errors.get_mut(at)) {
            Some(error) => {
                error.what.push_str("; ");
                error.what.push_str(&what);
            }
            None => {
                self.failed.insert(name.to_owned(), self.scrape.errors.len());
                self.scrape.errors.push(ScrapeError { name: name.to_owned(), what, is_new: true });
            }
        }
    }

    /// Returns how many more fields may be read.
    fn free_fields(&self) -> usize {
        MAX_FIELDS - self.fields
    }

    fn push(&mut self, sample: WriterSample, errors: &[String]) {
        for error in errors {
            self.fail(&sample.writer_id.name, error);
        }
        self.fields += sample.fields.len();
        self.scrape.samples.push(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stay_in_order_and_cost_the_same_however_many_there_are() {
        const MANY: usize = 200_000;
        let scrape = Scrape::new(SystemTime::now(), Duration::ZERO);
        let mut builder = ScrapeBuilder { scrape, fields: 0, failed: HashMap::new(), before: None };
        let name = |i: usize| PathBuf::from(format!("/dev/shm/junk-{i}.mmstats"));
        let start = Instant::now();
        for i in (0..MANY).chain([7]) {
            builder.fail(&name(i), format!("error {i}"));
            // A test that fails should not take minutes to do so.
            assert!(start.elapsed() < Duration::from_secs(60), "{i} errors");
        }
        let errors = builder.scrape.errors;
        assert_eq!((errors.len(), errors[7].what.as_str()), (MANY, "error 7; error 7"));
        assert!(errors.iter().enumerate().all(|(i, error)| error.name == name(i) && error.is_new));
    }
}
