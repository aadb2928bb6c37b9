//! Looks at all stats again and again.
//!
//! A [`Sampler`] keeps files open from one look to the next, and what is known of them. It finds
//! the writers that have come, notices those that are gone, and tells a process from one that took
//! its place, in the same file even. Devices, dumps and the like are opened anew at each look, so
//! that a device is halted no longer than one takes.

mod files;
mod look;
mod track;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mmstats_std::discover::discover;
use mmstats_std::read::{Field, Reader, Sample};
use mmstats_std::template::Environment;

use crate::source::{Opened, Sources};
pub use files::raise_descriptors;
use files::{Files, Outcome};
pub use look::{Look, Origin, Problem, Seen, Stored};
use track::Tracks;

/// Looks at what a command's arguments name.
pub struct Sampler {
    arguments: Vec<PathBuf>,
    sources: Sources,
    environment: Environment,
    reader: Reader,
    files: Files,
    tracks: Tracks,
    /// What was wrong at the look before, by its name.
    problems: HashMap<PathBuf, String>,
    follows_links: bool,
    searched: Vec<PathBuf>,
    started: Option<Instant>,
    /// When the last look was.
    looked: Option<SystemTime>,
}

/// A look while it is being made.
struct Looking {
    look: Look,
    /// Where each name's problem is.
    failed: HashMap<PathBuf, usize>,
    /// When the look before was.
    before: Option<SystemTime>,
}

impl Sampler {
    /// A sampler that has not looked yet. The files, directories and devices are those that users
    /// name; without any, the usual places are searched.
    ///
    /// It raises this process's limit of open files as far as it may; files beyond that are opened
    /// and closed at each look.
    #[must_use]
    pub fn new(arguments: Vec<PathBuf>, sources: Sources) -> Self {
        Sampler {
            arguments,
            sources,
            environment: Environment::read(),
            reader: Reader::new(),
            files: Files::new(),
            tracks: Tracks::default(),
            problems: HashMap::new(),
            follows_links: true,
            searched: Vec::new(),
            started: None,
            looked: None,
        }
    }

    /// Does not follow links that lead out of the directory in which they were found: where anybody
    /// may write, one could lead to what only this user may read.
    #[must_use]
    pub fn without_links(mut self) -> Self {
        self.follows_links = false;
        self
    }

    /// Leaves so many descriptors for others than files, or half of all.
    #[must_use]
    pub fn with_spare_descriptors(mut self, count: usize) -> Self {
        self.files.spare(count);
        self
    }

    /// Where the last look searched for files, to name it if nothing was found.
    #[must_use]
    pub fn searched(&self) -> &[PathBuf] {
        &self.searched
    }

    /// Looks at everything.
    pub fn look(&mut self) -> Look {
        let now = Instant::now();
        let elapsed = now.duration_since(*self.started.get_or_insert(now));
        let look = Look {
            time: SystemTime::now(),
            elapsed,
            seen: Vec::new(),
            problems: Vec::new(),
            halted: None,
        };
        let before = self.looked.replace(look.time);
        let mut looking = Looking { look, failed: HashMap::new(), before };
        self.tracks.begin(now);
        self.searched.clear();
        let arguments = std::mem::take(&mut self.arguments);
        let each: Vec<&[PathBuf]> =
            if arguments.is_empty() { vec![&[]] } else { arguments.chunks(1).collect() };
        for argument in each {
            match argument.first().filter(|path| self.sources.is_memory(path)) {
                Some(path) => self.look_at_memory(path, &mut looking),
                None => self.look_at_files(argument, &mut looking),
            }
        }
        self.arguments = arguments;
        self.files.end();
        self.tracks.end();
        self.note_problems(&mut looking.look);
        looking.look
    }

    fn look_at_files(&mut self, argument: &[PathBuf], looking: &mut Looking) {
        let found = discover(&self.environment, argument);
        for problem in found.problems {
            looking.fail(&problem.path, &problem.error);
            // What was in there may still be, and is not to be taken for new later.
            for path in self.files.below(&problem.path) {
                self.look_at_file(&path, false, looking);
            }
        }
        self.searched.extend(found.searched);
        for path in found.paths {
            let is_named = argument.first() == Some(&path);
            if !is_named && !self.follows_links && leads_out(&path) {
                looking
                    .fail(&path, "a link that leads out of its directory, which is not followed");
                continue;
            }
            self.look_at_file(&path, is_named, looking);
        }
    }

    fn look_at_file(&mut self, path: &Path, is_named: bool, looking: &mut Looking) {
        let tracks = &mut self.tracks;
        let see = |sample: &Sample<'_>, is_other: bool| tracks.see(path, sample, is_other, looking);
        match self.files.read(path, is_named, &mut self.reader, see) {
            Outcome::Seen | Outcome::Twice | Outcome::Gone => {}
            Outcome::MayHoldRegions { otherwise } => match (self.sources.open(path), otherwise) {
                (Ok(opened), _) if opened.is_known || !opened.regions.is_empty() => {
                    self.look_at_regions(path, &opened, looking)
                }
                (Ok(_), Some(why)) => self.fail(path, why, looking),
                (Ok(_), None) => {
                    self.files.set_plain(path);
                    self.look_at_file(path, is_named, looking);
                }
                (Err(error), _) => self.fail(path, error, looking),
            },
            Outcome::Missing(why) => looking.fail(path, why),
            Outcome::Failed(why) => self.fail(path, why, looking),
        }
    }

    fn look_at_memory(&mut self, path: &Path, looking: &mut Looking) {
        match self.sources.open(path) {
            Ok(opened) => self.look_at_regions(path, &opened, looking),
            Err(error) => self.fail(path, error, looking),
        }
    }

    fn look_at_regions(&mut self, path: &Path, opened: &Opened, looking: &mut Looking) {
        for region in &opened.regions {
            let name = Path::new(&region.name);
            match region.read(&mut self.reader) {
                Ok(sample) => self.tracks.see(name, &sample, false, looking),
                Err(failure) => self.fail(name, failure, looking),
            }
        }
        for (name, problem) in &opened.problems {
            self.fail(Path::new(name), problem, looking);
        }
        if opened.regions.is_empty() && opened.problems.is_empty() {
            self.fail(path, &opened.why_nothing, looking);
        }
        looking.look.halted = match (looking.look.halted, opened.halted) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
    }

    /// It stays known: when it can be read again, it goes on.
    fn fail(&mut self, name: &Path, why: impl ToString, looking: &mut Looking) {
        self.tracks.keep(name);
        looking.fail(name, why);
    }

    fn note_problems(&mut self, look: &mut Look) {
        for problem in &mut look.problems {
            problem.is_new = self.problems.get(&problem.name) != Some(&problem.what);
        }
        self.problems = look
            .problems
            .iter()
            .map(|problem| (problem.name.clone(), problem.what.clone()))
            .collect();
    }
}

impl Looking {
    fn fail(&mut self, name: &Path, why: impl ToString) {
        let what = why.to_string();
        // Several of one file are told together, so that a new one shows.
        match self.failed.get(name).and_then(|&at| self.look.problems.get_mut(at)) {
            Some(problem) => {
                problem.what.push_str("; ");
                problem.what.push_str(&what);
            }
            None => {
                self.failed.insert(name.to_owned(), self.look.problems.len());
                self.look.problems.push(Problem { name: name.to_owned(), what, is_new: true });
            }
        }
    }

    fn push(&mut self, seen: Seen, problems: &[String]) {
        for problem in problems {
            self.fail(&seen.origin.name, problem);
        }
        self.look.seen.push(seen);
    }
}

/// Whether it is a link to a file that is not beside it.
fn leads_out(path: &Path) -> bool {
    let parent = |path: &Path| path.parent().and_then(|parent| parent.canonicalize().ok());
    let stays = || {
        path.canonicalize()
            .ok()
            .and_then(|target| parent(&target))
            .is_some_and(|target| parent(path) == Some(target))
    };
    path.is_symlink() && !stays()
}

/// How long a writer that runs is believed to run on.
const BELIEVED: Duration = Duration::from_secs(1);

/// Fields that several writers have in common.
type Fields = Arc<[Field]>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_stay_in_order_and_cost_the_same_however_many_there_are() {
        const MANY: usize = 200_000;
        let look = Look {
            time: SystemTime::now(),
            elapsed: Duration::ZERO,
            seen: Vec::new(),
            problems: Vec::new(),
            halted: None,
        };
        let mut looking = Looking { look, failed: HashMap::new(), before: None };
        let name = |i: usize| PathBuf::from(format!("/dev/shm/junk-{i}.mmstats"));
        let start = Instant::now();
        for i in (0..MANY).chain([7]) {
            looking.fail(&name(i), format!("problem {i}"));
            // A test that fails should not take minutes to do so.
            assert!(start.elapsed() < Duration::from_secs(60), "{i} problems");
        }
        let problems = looking.look.problems;
        assert_eq!((problems.len(), problems[7].what.as_str()), (MANY, "problem 7; problem 7"));
        assert!(
            problems
                .iter()
                .enumerate()
                .all(|(i, problem)| problem.name == name(i) && problem.is_new)
        );
    }
}
