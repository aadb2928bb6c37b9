//! Reads all writers repeatedly.
//!
//! A [`Scraper`] keeps files open between scrapes. It detects new and ended writers, and a process
//! that has replaced another, even in the same file. Devices and dumps are opened for each scrape,
//! so that a device is halted only while it is read.

mod files;
mod histogram;
mod quota;
mod scrape;
mod tracker;

use std::collections::{HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mmstats_std::clock::ClockReading;
use mmstats_std::discover::{FileStatus, FoundFile, discover};
use mmstats_std::read::{Field, Reader, Sample};
use mmstats_std::template::Environment;

use crate::escape::lossless_path;
use crate::source::{Opened, Sources};
pub use files::raise_descriptors;
use files::{Files, Outcome};
pub use histogram::{Bucket, HistogramSnapshot};
use quota::{FieldQuota, MAX_FIELDS};
pub use scrape::{
    OwnedValue, Scrape, ScrapeError, UnreadWriters, WriterId, WriterSample, owner_note,
};
use tracker::WriterTracker;

/// Fields that several writers may share.
type Fields = Arc<[Field]>;

/// How long a writer is assumed to stay alive after a check.
const VERDICT_LIFETIME: Duration = Duration::from_secs(1);

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
    last_time: Option<ClockReading>,
}

/// A device or file to read, which an argument names or a search has found.
enum Target {
    Memory(PathBuf),
    File(FoundFile, io::Result<FileStatus>),
}

/// A scrape in progress.
struct ScrapeBuilder {
    scrape: Scrape,
    quota: FieldQuota,
    /// The index of each name's error.
    failed: HashMap<PathBuf, usize>,
    /// The time of the last scrape.
    before: Option<ClockReading>,
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
        let time = ClockReading::now();
        let now = time.monotonic;
        let elapsed = now.duration_since(*self.started.get_or_insert(now));
        let scrape = Scrape::new(time.wall, elapsed);
        let before = self.last_time.replace(time);
        let mut builder = ScrapeBuilder::new(scrape, before);
        self.tracker.begin_round(now);
        let targets = self.find_targets(&mut builder);
        let owners: HashSet<_> = targets.iter().map(Target::owner).collect();
        builder.quota = FieldQuota::new(owners.len());
        let mut deferred = Vec::new();
        for target in targets {
            builder.quota.set_owner(target.owner());
            match target {
                Target::Memory(path) => self.scrape_memory(&path, &mut builder),
                Target::File(file, status) => {
                    if self.scrape_file(&file, status, &mut builder) {
                        deferred.push(file);
                    }
                }
            }
        }
        builder.quota.merge_shares();
        for file in deferred {
            let status = file.status();
            builder.quota.set_owner(status.as_ref().ok().map(|status| status.owner));
            self.scrape_file(&file, status, &mut builder);
        }
        self.files.end_round();
        builder.scrape.lost = self.tracker.end_round();
        self.mark_new_errors(&mut builder.scrape);
        builder.scrape
    }

    /// Finds the files and devices that the arguments name, in their order.
    fn find_targets(&mut self, builder: &mut ScrapeBuilder) -> Vec<Target> {
        self.searched.clear();
        let mut targets = Vec::new();
        let arguments: Vec<&[PathBuf]> =
            if self.arguments.is_empty() { vec![&[]] } else { self.arguments.chunks(1).collect() };
        for argument in arguments {
            if let Some(path) = argument.first().filter(|path| self.sources.is_memory(path)) {
                targets.push(Target::Memory(path.clone()));
                continue;
            }
            let found = discover(&self.environment, argument);
            let mut files = Vec::new();
            for error in found.errors {
                builder.fail(&error.path, &error.error);
                if error.error.kind() == ErrorKind::NotADirectory {
                    // A link may have replaced a directory, and lead to other files.
                    continue;
                }
                // Known files in it may still exist, and must not count as new later.
                files.extend(self.files.below(&error.path));
            }
            self.searched.extend(found.searched);
            files.extend(found.files);
            targets.extend(files.into_iter().map(|file| {
                let status = file.status();
                Target::File(file, status)
            }));
        }
        targets
    }

    /// Reads a file. Returns `true` if it has to be read again after the shares are merged.
    fn scrape_file(
        &mut self,
        file: &FoundFile,
        status: io::Result<FileStatus>,
        builder: &mut ScrapeBuilder,
    ) -> bool {
        let (path, tracker, free) = (file.path(), &mut self.tracker, builder.quota.free());
        let observe =
            |sample: &Sample<'_>, is_other: bool| tracker.observe(path, sample, is_other, builder);
        match self.files.read(file, status, free, &mut self.reader, observe) {
            Outcome::Read | Outcome::AlreadyRead | Outcome::Gone => {}
            Outcome::Deferred => return true,
            Outcome::MayHoldRegions { otherwise } => match (self.sources.open(path), otherwise) {
                (Ok(opened), _) if opened.is_known || !opened.regions.is_empty() => {
                    self.scrape_regions(path, &opened, builder);
                }
                (Ok(_), Some(why)) => self.fail(path, why, builder),
                (Ok(_), None) => {
                    self.files.set_plain(path);
                    return self.scrape_file(file, file.status(), builder);
                }
                (Err(error), _) => self.fail(path, error, builder),
            },
            Outcome::OtherName(name) => {
                builder.fail(path, format!("another name of {}, read once", lossless_path(&name)));
            }
            Outcome::TooManyFields(fields) => self.fail(path, too_many_fields(fields), builder),
            Outcome::Missing(why) => builder.fail(path, why),
            Outcome::Failed(why) => self.fail(path, why, builder),
        }
        false
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

impl Target {
    fn owner(&self) -> Option<u32> {
        match self {
            Target::Memory(_) => None,
            Target::File(_, status) => status.as_ref().ok().map(|status| status.owner),
        }
    }
}

impl ScrapeBuilder {
    fn new(scrape: Scrape, before: Option<ClockReading>) -> Self {
        ScrapeBuilder { scrape, quota: FieldQuota::new(1), failed: HashMap::new(), before }
    }

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

    fn push(&mut self, sample: WriterSample, errors: &[String]) {
        for error in errors {
            self.fail(&sample.writer_id.name, error);
        }
        self.quota.take(sample.fields.len());
        self.scrape.samples.push(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn errors_stay_in_order_and_cost_the_same_however_many_there_are() {
        const MANY: usize = 200_000;
        let scrape = Scrape::new(SystemTime::now(), Duration::ZERO);
        let mut builder = ScrapeBuilder::new(scrape, None);
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
