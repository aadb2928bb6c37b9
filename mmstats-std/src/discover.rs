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
const WILDCARDS: [char; 3] = ['*', '?', '['];

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
        self.paths.extend(files.into_iter().filter(|path| !is_hidden(path)));
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
        let invalid = |error| invalid_variable(variable, error);
        Pattern::new(pattern).map_err(invalid)?;
        let mut parts = Vec::new();
        let wild = pattern.find(WILDCARDS).unwrap_or(pattern.len());
        // The part before any wildcard is of the user, who may name links.
        let (literal, rest) = pattern.split_at(pattern[..wild].rfind('/').map_or(0, |end| end + 1));
        for part in rest.split('/').filter(|part| !part.is_empty()) {
            let part = Pattern::new(part).map_err(invalid)?;
            if part.as_str() != "**" || parts.last() != Some(&part) {
                parts.push(part);
            }
        }
        let mut paths = Vec::new();
        self.walk(Path::new(literal), &parts, &mut paths);
        Ok(paths)
    }

    /// Finds the paths in a directory that match these parts of a pattern, one for each directory.
    /// (`glob` follows symbolic links to directories, which anyone who can write to a searched
    /// directory can make: to files of others, or in circles.)
    fn walk(&mut self, directory: &Path, parts: &[Pattern], paths: &mut Vec<PathBuf>) {
        let Some((part, rest)) = parts.split_first() else {
            // The part before any wildcard may not exist, or be empty.
            return paths.extend(directory.exists().then(|| directory.to_path_buf()));
        };
        let is_recursive = part.as_str() == "**";
        if is_recursive {
            self.walk(directory, rest, paths);
        }
        let entries = match part.as_str() {
            // Directories that can be searched need not be readable.
            name if !name.contains(WILDCARDS) => vec![directory.join(name)],
            _ => self.matching_entries(directory, part),
        };
        for path in entries {
            let Ok(metadata) = path.symlink_metadata() else { continue };
            if metadata.is_dir() {
                self.walk(&path, if is_recursive { parts } else { rest }, paths);
            } else if metadata.is_symlink() && path.is_dir() {
                if !is_recursive {
                    let text = "is a symbolic link (a directory expected)";
                    self.add_error(path, io::Error::new(io::ErrorKind::NotADirectory, text));
                }
            } else if rest.is_empty() && !is_recursive {
                paths.push(path);
            }
        }
    }

    /// Returns the entries of a directory whose names match; `**` matches all.
    fn matching_entries(&mut self, directory: &Path, part: &Pattern) -> Vec<PathBuf> {
        let searched = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let entries = match fs::read_dir(searched) {
            Ok(entries) => entries,
            Err(error) => {
                if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
                    self.add_error(directory, error);
                }
                return Vec::new();
            }
        };
        let matches = |name: &OsStr| name.to_str().is_some_and(|name| part.matches(name));
        let names = entries.flatten().map(|entry| entry.file_name());
        names.filter(|name| matches(name)).map(|name| directory.join(name)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_pattern_follows_only_links_that_it_names() {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path();
        fs::create_dir_all(top.join("real/a")).unwrap();
        fs::write(top.join("real/a/x.mmstats"), "").unwrap();
        fs::write(top.join("real/.hidden.mmstats"), "").unwrap();
        symlink("real", top.join("link")).unwrap();
        for circle in ["real/circle", "real/a/circle"] {
            symlink(top, top.join(circle)).unwrap();
        }
        let search = |pattern: &str| {
            let glob = Some(top.join(pattern).into());
            let environment = Environment { path: None, files: None, glob, temporary: top.into() };
            let found = discover::<&Path>(&environment, &[]);
            let names = |paths: Vec<PathBuf>| -> Vec<String> {
                let name = |path: PathBuf| path.strip_prefix(top).unwrap().display().to_string();
                paths.into_iter().map(name).collect()
            };
            let errors = found.errors.into_iter().map(|error| error.path).collect();
            (names(found.paths), names(errors))
        };
        for (pattern, paths, errors) in [
            ("*/a/x.mmstats", &["real/a/x.mmstats"][..], &["link"][..]),
            ("link/*/x.mmstats", &["link/a/x.mmstats"], &["link/circle"]),
            ("link/a/x.mmstats", &["link/a/x.mmstats"], &[]),
            ("**/x.mmstats", &["real/a/x.mmstats"], &[]),
            ("**/**/?.mmstats", &["real/a/x.mmstats"], &[]),
            ("r[e]al/[!b]/{PID}.mmstats", &["real/a/x.mmstats"], &[]),
            ("real/*.mmstats", &[], &[]),
            ("nothing/*/x", &[], &[]),
            ("nothing/", &[], &[]),
            ("real/a/x.mmstats/*", &[], &[]),
        ] {
            let (mut found, mut reported) = search(pattern);
            found.sort();
            reported.sort();
            assert_eq!(found, paths, "{pattern}");
            assert_eq!(reported, errors, "{pattern}");
        }
    }
}
