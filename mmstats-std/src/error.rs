//! Why stats cannot be published.

use rustix::io::Errno;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An error while stats are published. The message names the file, the attempt that failed and the
/// cause.
#[derive(Debug)]
pub struct PublishError {
    path: PathBuf,
    /// The operation that failed, as part of the message; may be empty.
    attempt: String,
    cause: Box<dyn Error + Send + Sync>,
    class: Class,
}

/// Whether an error is a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Fault,
    /// The thread or process is ending, which is not reported.
    TooLate,
    /// The user has switched publishing off.
    SwitchedOff,
}

impl PublishError {
    pub(crate) fn new(
        path: &Path,
        attempt: impl Into<String>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> PublishError {
        let (path, attempt, cause) = (path.to_owned(), attempt.into(), cause.into());
        PublishError { path, attempt, cause, class: Class::Fault }
    }

    pub(crate) fn too_late(reason: &str) -> PublishError {
        PublishError { class: Class::TooLate, ..PublishError::new(Path::new(""), "", reason) }
    }

    pub(crate) fn switched_off(reason: &str) -> PublishError {
        PublishError { class: Class::SwitchedOff, ..PublishError::new(Path::new(""), "", reason) }
    }

    /// The file is that of the process from which this one was forked.
    pub(crate) fn of_parent(path: &Path) -> PublishError {
        PublishError::new(path, "", "published by the parent process")
    }

    pub(crate) fn removed(path: &Path) -> PublishError {
        PublishError::new(path, "", "removed by this program")
    }

    /// Returns `true` if nothing failed: publishing is switched off.
    pub(crate) fn is_switched_off(&self) -> bool {
        self.class == Class::SwitchedOff
    }

    /// Returns `true` if something failed that the user should know.
    pub(crate) fn is_fault(&self) -> bool {
        self.class == Class::Fault
    }

    /// Returns `true` if the operating system refused something, so that another attempt may
    /// succeed: a removed directory may have been created again.
    pub(crate) fn may_pass(&self) -> bool {
        self.cause.is::<io::Error>()
    }

    /// Returns `true` if there was too little memory, disk space or descriptors, of which there may
    /// be enough soon.
    pub(crate) fn is_temporary(&self) -> bool {
        let error = self.cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        [Errno::NOSPC, Errno::DQUOT, Errno::NOMEM, Errno::MFILE, Errno::NFILE]
            .into_iter()
            .any(|temporary| error == Some(temporary.raw_os_error()))
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
        if !self.attempt.is_empty() {
            write!(f, "{}: ", self.attempt)?;
        }
        self.cause.fmt(f)
    }
}

impl Error for PublishError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}
