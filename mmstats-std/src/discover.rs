//! Finds the files to read.
//!
//! A directory that cannot be searched does not hide the files of others: errors are returned
//! beside the paths. Files whose names start with a dot are not complete yet, and are skipped.

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

/// The files to read, and the errors of the search.
#[derive(Debug, Default)]
pub struct Found {
    /// The files, sorted and without duplicates.
    pub paths: Vec<PathBuf>,
    /// The patterns that were searched, for messages if nothing was found.
    pub searched: Vec<PathBuf>,
    /// The errors.
    pub errors: Vec<DiscoverError>,
}

/// A directory or pattern that could not be searched.
#[derive(Debug)]
pub struct DiscoverError {
    /// The directory, or the invalid pattern or template.
    pub path: PathBuf,
    /// The error.
    pub error: io::Error,
}

impl fmt::Display for DiscoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

/// Finds the files that `arguments` name: every `*.mmstats` in a directory (not below it), and any
/// other argument itself, even if there is no such file: opening it gives the better error.
///
/// Without arguments, the files are those that match `MMSTATS_GLOB`, otherwise every `*.mmstats` in
/// `MMSTATS_PATH`, otherwise those in `/dev/shm` and the temporary directory. Placeholders match
/// anything. An empty result is not an error.
///
/// ```
/// use mmstats_std::discover::discover;
/// use mmstats_std::template::Environment;
///
/// let found = discover(&Environment::read(), &["/no/such.mmstats"]);
/// assert_eq!(found.paths, [std::path::Path::new("/no/such.mmstats")]);
/// assert!(found.errors.is_empty());
/// ```
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
                self.add_error(glob, error);
            }
        } else if let Some(path) = &environment.path {
            if let Err(error) = self.search_path(path) {
                self.add_error(path, error);
            }
        } else {
            let shared_memory = Path::new(SHARED_MEMORY);
            self.search(shared_memory);
            if !is_same_directory(shared_memory, &environment.temporary) {
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

    /// Adds the files in `directory`. Their names need not be UTF-8.
    fn add_files(&mut self, directory: &Path) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.add_error(directory, error),
        };
        for entry in entries {
            match entry.map(|entry| entry.path()) {
                Ok(path) if is_complete(&path) => self.paths.push(path),
                Ok(_) => {}
                Err(error) => self.add_error(directory, error),
            }
        }
    }

    fn matches(&mut self, variable: &str, pattern: &str) -> io::Result<Vec<PathBuf>> {
        // The option of `glob` that skips hidden files panics on names that are not UTF-8.
        let matches = glob::glob(pattern).map_err(|error| invalid_variable(variable, error))?;
        let mut paths = Vec::new();
        for path in matches {
            match path {
                Ok(path) => paths.push(path),
                Err(unreadable) => {
                    let path = unreadable.path().to_path_buf();
                    self.add_error(path, unreadable.into());
                }
            }
        }
        Ok(paths)
    }

    fn add_error(&mut self, path: impl Into<PathBuf>, error: io::Error) {
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
        .ok_or_else(|| invalid_variable(variable, "invalid pattern: not UTF-8"))
}

fn is_same_directory(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."))
}

fn is_complete(path: &Path) -> bool {
    let name = path.as_os_str().as_bytes();
    name.ends_with(SUFFIX) && !is_hidden(path)
}
