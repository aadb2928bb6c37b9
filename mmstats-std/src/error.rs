//! Why stats cannot be published.

use mmstats_core::AddError;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An error while stats are published. The message names the file, the attempt that failed and the
/// cause.
#[derive(Debug)]
pub struct PublishError {
    path: PathBuf,
    attempt: Attempt,
    cause: Cause,
}

#[derive(Debug)]
pub(crate) enum Attempt {
    /// Expanding the path templates.
    Name,
    Create,
    /// Allocating this many bytes.
    Allocate(usize),
    Map,
    /// Adding the fields.
    Layout,
    /// Renaming the file to its final name.
    Rename,
    /// At the end of a thread or process, which is not reported as a fault.
    TooLate,
}

#[derive(Debug)]
pub(crate) enum Cause {
    Io(io::Error),
    Add(AddError),
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Cause::Io(error)
    }
}

impl From<AddError> for Cause {
    fn from(error: AddError) -> Self {
        Cause::Add(error)
    }
}

impl PublishError {
    pub(crate) fn new(path: &Path, attempt: Attempt, cause: impl Into<Cause>) -> PublishError {
        PublishError { path: path.to_owned(), attempt, cause: cause.into() }
    }

    pub(crate) fn too_late(reason: &str) -> PublishError {
        PublishError::new(Path::new(""), Attempt::TooLate, io::Error::other(reason))
    }

    pub(crate) fn is_too_late(&self) -> bool {
        matches!(self.attempt, Attempt::TooLate)
    }

    /// Returns the path of the file; empty if there is none yet.
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
            Attempt::Rename => write!(f, "cannot be renamed into place: ")?,
            Attempt::Layout | Attempt::TooLate => {}
        }
        match &self.cause {
            Cause::Io(error) => error.fmt(f),
            Cause::Add(error) => error.fmt(f),
        }
    }
}

impl Error for PublishError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match &self.cause {
            Cause::Io(error) => error,
            Cause::Add(error) => error,
        })
    }
}
