//! Finds the files to read.
//!
//! A directory that cannot be searched does not hide the files of others: errors are returned
//! together with the files. Files whose names start with a dot are not complete yet, and are
//! skipped.

mod directory;

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glob::Pattern;
use rustix::fs::FileType;

use crate::template::{Environment, SHARED_MEMORY, Template, invalid_variable, parse_variable};
pub(crate) use directory::Directory;
pub use directory::{FileStatus, FoundDirectory, FoundFile, Parent};

const ALL_FILES: &str = "*.mmstats";
const SUFFIX: &[u8] = b".mmstats";
const WILDCARDS: [char; 3] = ['*', '?', '['];

/// The files to read, and the errors of the search.
#[derive(Debug, Default)]
pub struct Found {
    /// The files, sorted by their paths and without duplicates.
    pub files: Vec<FoundFile>,
    /// The directories that were searched.
    pub directories: Vec<FoundDirectory>,
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
/// assert_eq!(found.files[0].path(), std::path::Path::new("/no/such.mmstats"));
/// assert!(found.errors.is_empty());
/// ```
pub fn discover<P: AsRef<Path>>(environment: &Environment, arguments: &[P]) -> Found {
    let mut found = Found::default();
    for path in arguments.iter().map(AsRef::as_ref) {
        if path.is_dir() {
            found.search(path);
        } else {
            found.files.push(FoundFile::named(path));
        }
    }
    if arguments.is_empty() {
        found.search_defaults(environment);
    }
    found.files.sort_by(|one, other| one.path().cmp(other.path()));
    found.files.dedup_by(|one, other| one.path() == other.path());
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
        let Some((directory, parts)) = self.open_literal(NAME, &pattern)? else { return Ok(()) };
        let mut paths = Vec::new();
        self.walk(&directory, directory.path(), &parts, &mut paths);
        // `**` also matches the directory itself, which is no file.
        paths.retain(|path| path != directory.path() && !path.file_name().is_some_and(is_hidden));
        for path in paths {
            self.files.push(FoundFile::below(&directory, path));
        }
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
        let Some((directory, parts)) = self.open_literal(NAME, &pattern)? else { return Ok(()) };
        let mut paths = Vec::new();
        self.walk(&directory, directory.path(), &parts, &mut paths);
        for path in paths {
            if directory.file_type(&path) == Ok(FileType::Directory) {
                self.add_files(FoundDirectory::new(&directory, path));
            }
        }
        Ok(())
    }

    fn search(&mut self, path: &Path) {
        self.searched.push(path.join(ALL_FILES));
        match Directory::open(path).map(Arc::new) {
            Ok(directory) => self.add_files(FoundDirectory::new(&directory, path.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => self.add_error(path, error),
        }
    }

    /// Adds the files in a directory. Their names need not be UTF-8.
    fn add_files(&mut self, directory: FoundDirectory) {
        match directory.files(is_complete) {
            Ok(files) => {
                for file in files {
                    match file {
                        Ok(file) => self.files.push(file),
                        Err(error) => self.add_error(directory.path(), error),
                    }
                }
            }
            Err(error) => self.add_error(directory.path(), error),
        }
        self.directories.push(directory);
    }

    /// Opens the directory that a pattern names before its first wildcard, and splits the rest.
    /// Links in that part are followed, as the user named them. Returns `None` if there is no such
    /// directory.
    fn open_literal(
        &mut self,
        variable: &str,
        pattern: &str,
    ) -> io::Result<Option<(Arc<Directory>, Vec<Pattern>)>> {
        let invalid = |error| invalid_variable(variable, error);
        Pattern::new(pattern).map_err(invalid)?;
        let mut parts = Vec::new();
        let wild = pattern.find(WILDCARDS).unwrap_or(pattern.len());
        let (literal, rest) = pattern.split_at(pattern[..wild].rfind('/').map_or(0, |end| end + 1));
        for part in rest.split('/').filter(|part| !part.is_empty()) {
            let part = Pattern::new(part).map_err(invalid)?;
            if part.as_str() != "**" || parts.last() != Some(&part) {
                parts.push(part);
            }
        }
        match Directory::open(Path::new(literal)) {
            Ok(directory) => Ok(Some((Arc::new(directory), parts))),
            Err(error) => {
                self.add_pattern_error(Path::new(literal), error);
                Ok(None)
            }
        }
    }

    /// Finds the paths in a directory that match these parts of a pattern, one for each level.
    /// (`glob` follows symbolic links to directories, which anyone who can write to a searched
    /// directory can make: to files of others, or in circles.)
    fn walk(
        &mut self,
        root: &Arc<Directory>,
        path: &Path,
        parts: &[Pattern],
        paths: &mut Vec<PathBuf>,
    ) {
        let Some((part, rest)) = parts.split_first() else {
            return paths.push(path.to_owned());
        };
        let is_recursive = part.as_str() == "**";
        if is_recursive {
            self.walk(root, path, rest, paths);
        } else if rest.is_empty() {
            self.directories.push(FoundDirectory::new(root, path.to_owned()));
        }
        let entries = match part.as_str() {
            // Directories that can be searched need not be readable.
            name if !name.contains(WILDCARDS) => vec![path.join(name)],
            _ => self.matching_entries(root, path, part),
        };
        for path in entries {
            match root.file_type(&path) {
                Ok(FileType::Directory) => {
                    self.walk(root, &path, if is_recursive { parts } else { rest }, paths);
                }
                Ok(FileType::Symlink) if !is_recursive && path.is_dir() => {
                    let text = "is a symbolic link (a directory expected)";
                    self.add_error(path, io::Error::new(ErrorKind::NotADirectory, text));
                }
                Ok(_) if rest.is_empty() && !is_recursive => paths.push(path),
                _ => {}
            }
        }
    }

    /// Returns the entries of a directory whose names match; `**` matches all.
    fn matching_entries(&mut self, root: &Directory, path: &Path, part: &Pattern) -> Vec<PathBuf> {
        let matches = |name: &OsStr| name.to_str().is_some_and(|name| part.matches(name));
        match root.names(path) {
            Ok(names) => {
                let names = names.flatten().filter(|name| matches(name));
                names.map(|name| path.join(name)).collect()
            }
            Err(error) => {
                self.add_pattern_error(path, error);
                Vec::new()
            }
        }
    }

    /// Adds the error of a directory that a pattern leads to, if it exists.
    fn add_pattern_error(&mut self, path: &Path, error: io::Error) {
        if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
            self.add_error(path, error);
        }
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

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

fn is_complete(name: &OsStr) -> bool {
    name.as_bytes().ends_with(SUFFIX) && !is_hidden(name)
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
            let files = found.files.iter().map(|file| file.path().to_owned());
            (names(files.collect()), names(errors))
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
            ("real/", &[], &[]),
            ("real/a/**", &[], &[]),
            ("real/a/x.mmstats/*", &[], &[]),
        ] {
            let (mut found, mut reported) = search(pattern);
            found.sort();
            reported.sort();
            assert_eq!(found, paths, "{pattern}");
            assert_eq!(reported, errors, "{pattern}");
        }
    }

    fn search_glob(pattern: PathBuf) -> Found {
        let (glob, temporary) = (Some(pattern.into()), "/nonexistent".into());
        discover::<&Path>(&Environment { path: None, files: None, glob, temporary }, &[])
    }

    #[test]
    fn directories_below_a_limit_are_reported_and_the_others_are_searched() {
        let directory = tempfile::tempdir().unwrap();
        let below = |depth| directory.path().join("d/".repeat(depth));
        fs::create_dir_all(below(200)).unwrap();
        for depth in [10, 64, 65] {
            fs::write(below(depth).join("x.mmstats"), "").unwrap();
        }
        let found = search_glob(directory.path().join("**/?.mmstats"));
        let paths: Vec<_> = found.files.iter().map(FoundFile::path).collect();
        assert_eq!(paths, [64, 10].map(|depth| below(depth).join("x.mmstats")));
        assert_eq!(found.errors.len(), 2, "of both parts of the pattern: {:?}", found.errors);
        assert_eq!(found.errors[0].path, below(65));
    }

    #[test]
    fn a_pattern_with_many_stars_takes_no_exponential_time() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a".repeat(255)), "").unwrap();
        let count = |pattern: String| search_glob(directory.path().join(pattern)).files.len();
        assert_eq!((count("*a".repeat(100) + "*b"), count("*a".repeat(100))), (0, 1));
    }
}
