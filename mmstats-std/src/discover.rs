//! Finding the files to read.
//!
//! One place that cannot be looked through never hides what the others hold: problems are returned
//! beside the paths. Files whose name starts with a dot are still being made, and are left out.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use glob::Pattern;

use crate::template::{Environment, SHARED_MEMORY, Template, invalid_variable, parse_variable};

const ALL_FILES: &str = "*.mmstats";
const SUFFIX: &[u8] = b".mmstats";

/// Files to read, and what could not be searched for them.
#[derive(Debug, Default)]
pub struct Found {
    /// The files: sorted, each path once.
    pub paths: Vec<PathBuf>,
    /// The patterns that were searched, to name them if nothing was found.
    pub searched: Vec<PathBuf>,
    /// What went wrong.
    pub errors: Vec<DiscoverError>,
}

/// A place that could not be searched.
#[derive(Debug)]
pub struct DiscoverError {
    /// The directory, or the pattern or template that is not valid.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl fmt::Display for DiscoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

/// Finds the files that `arguments` name: all `*.mmstats` directly in a directory, and any other
/// argument itself, even if there is no such file (whoever opens it has the better message).
///
/// Without arguments these are the files that `environment` names: those that match `MMSTATS_GLOB`,
/// else the `*.mmstats` in `MMSTATS_PATH`, else those in `/dev/shm` and the temporary directory.
/// Placeholders match anything, and it is no problem if nothing matches.
pub fn discover<P: AsRef<Path>>(environment: &Environment, arguments: &[P]) -> Found {
    let mut found = Found::default();
    for path in arguments.iter().map(AsRef::as_ref) {
        if path.is_dir() {
            found.search(path);
        } else {
            found.paths.push(path.to_path_buf());
        }
    }
    if arguments.is_empty() {
        found.search_defaults(environment);
    }
    found.paths.sort_unstable();
    found.paths.dedup();
    found
}

impl Found {
    fn search_defaults(&mut self, environment: &Environment) {
        if let Some(glob) = &environment.glob {
            if let Err(error) = self.search_glob(glob) {
                self.note(glob, error);
            }
        } else if let Some(path) = &environment.path {
            if let Err(error) = self.search_path(path) {
                self.note(path, error);
            }
        } else {
            let shared_memory = Path::new(SHARED_MEMORY);
            self.search(shared_memory);
            if !is_same(shared_memory, &environment.temporary) {
                self.search(&environment.temporary);
            }
        }
    }

    fn search_glob(&mut self, glob: &OsStr) -> io::Result<()> {
        const NAME: &str = "MMSTATS_GLOB";
        let template = parse_variable(NAME, glob)?;
        let pattern = to_pattern(NAME, &template, str::to_owned)?;
        self.searched.push(pattern.clone().into());
        let files = self.matches(NAME, &pattern)?;
        let names = files.into_iter().filter(|path| !is_hidden(path));
        self.paths.extend(names);
        Ok(())
    }

    fn search_path(&mut self, path: &OsStr) -> io::Result<()> {
        const NAME: &str = "MMSTATS_PATH";
        let template = parse_variable(NAME, path)?;
        if let Some(directory) = template.as_literal() {
            self.search(directory);
            return Ok(());
        }
        let pattern = to_pattern(NAME, &template, Pattern::escape)?;
        self.searched.push(Path::new(&pattern).join(ALL_FILES));
        for directory in self.matches(NAME, &pattern)? {
            if directory.is_dir() {
                self.add_files(&directory);
            }
        }
        Ok(())
    }

    fn search(&mut self, directory: &Path) {
        self.searched.push(directory.join(ALL_FILES));
        self.add_files(directory);
    }

    /// Adds the files in `directory`. Their names need not be UTF-8, as a pattern's matches must.
    fn add_files(&mut self, directory: &Path) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.note(directory, error),
        };
        for entry in entries {
            match entry.map(|entry| entry.path()) {
                Ok(path) if is_finished(&path) => self.paths.push(path),
                Ok(_) => {}
                Err(error) => self.note(directory, error),
            }
        }
    }

    fn matches(&mut self, variable: &str, pattern: &str) -> io::Result<Vec<PathBuf>> {
        // Not with the option that leaves out hidden files: it panics at a name that is not UTF-8.
        let matches = glob::glob(pattern).map_err(|error| invalid_variable(variable, error))?;
        let mut paths = Vec::new();
        for path in matches {
            match path {
                Ok(path) => paths.push(path),
                Err(unreadable) => {
                    let path = unreadable.path().to_path_buf();
                    self.note(path, unreadable.into());
                }
            }
        }
        Ok(paths)
    }

    fn note(&mut self, path: impl Into<PathBuf>, error: io::Error) {
        let path = path.into();
        self.errors.push(DiscoverError { path, error });
    }
}

fn to_pattern(
    variable: &str,
    template: &Template,
    literal: fn(&str) -> String,
) -> io::Result<String> {
    template
        .to_pattern(literal)
        .ok_or_else(|| invalid_variable(variable, "a pattern has to be UTF-8"))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."))
}

fn is_finished(path: &Path) -> bool {
    let name = path.as_os_str().as_bytes();
    name.ends_with(SUFFIX) && !is_hidden(path)
}
