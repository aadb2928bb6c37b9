//! Why stats cannot be published.

use mmstats_core::AddError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why stats cannot be published: what was tried, with which file, and what came of it.
#[derive(Debug)]
pub struct PublishError {
    pub(crate) path: PathBuf,
    pub(crate) attempt: Attempt,
    pub(crate) cause: Cause,
}

#[derive(Debug)]
pub(crate) enum Attempt {
    Name,
    Create,
    Allocate(usize),
    Map,
    Publish,
    Lay,
    /// At the end of a thread or the process: no fault of anybody's.
    TooLate,
}

#[derive(Debug)]
pub(crate) enum Cause {
    Io(io::Error),
    Add(AddError),
}

impl PublishError {
    pub(crate) fn io(path: &Path, attempt: Attempt) -> impl FnOnce(io::Error) -> PublishError {
        let path = path.to_owned();
        move |error| PublishError { path, attempt, cause: Cause::Io(error) }
    }

    pub(crate) fn too_late(what: &str) -> PublishError {
        PublishError {
            path: PathBuf::new(),
            attempt: Attempt::TooLate,
            cause: Cause::Io(io::Error::other(what)),
        }
    }

    pub(crate) fn is_too_late(&self) -> bool {
        matches!(self.attempt, Attempt::TooLate)
    }

    /// The file; empty if it did not come to a name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.as_os_str().is_empty() {
            write!(f, "{}: ", self.path.display())?;
        }
        match self.attempt {
            Attempt::Name => write!(f, "no name for the file: ")?,
            Attempt::Create => write!(f, "cannot be created: ")?,
            Attempt::Allocate(length) => write!(f, "cannot allocate {length} bytes: ")?,
            Attempt::Map => write!(f, "cannot be mapped: ")?,
            Attempt::Publish => write!(f, "cannot be renamed into origin: ")?,
            Attempt::Lay | Attempt::TooLate => {}
        }
        match &self.cause {
            Cause::Io(error) => error.fmt(f),
            Cause::Add(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PublishError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match &self.cause {
            Cause::Io(error) => error,
            Cause::Add(error) => error,
        })
    }
}
