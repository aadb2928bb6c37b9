//! Path templates, and the environment variables that hold them.
//!
//! A template is a path with placeholders: `{CMD}` is the base name of the program, `{PID}` and
//! `{TID}` are the process and thread IDs, `{MODEL}` is the name of the model. `{{` and `}}` are
//! literal braces.
//!
//! The text around placeholders is kept byte for byte. The values of `{CMD}` and `{MODEL}` must
//! neither add a directory to the path nor hide the file from the tools, so each `/` in them and a
//! leading `.` become `_`.

use std::env;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{Access, access, statfs};

use crate::identity;
use crate::memory::is_privileged;

const DEFAULT_FILES: &str = "{CMD}-{PID}-{TID}.mmstats";
pub(crate) const SHARED_MEMORY: &str = "/dev/shm";

/// A path with placeholders.
///
/// ```
/// # use mmstats_std::template::{TemplateVars, Template};
/// let template = Template::parse("/run/{CMD}/{PID}.mmstats")?;
/// let vars = TemplateVars { command: "web".into(), pid: 42, tid: 43, model: "WebStats".into() };
/// assert_eq!(template.expand(&vars).as_os_str(), "/run/web/42.mmstats");
/// # Ok::<(), mmstats_std::template::TemplateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(OsString),
    Command,
    Pid,
    Tid,
    Model,
}

impl Template {
    /// Parses a template, which need not be UTF-8.
    ///
    /// # Errors
    /// If a placeholder is unknown, or a brace is unpaired.
    pub fn parse(text: impl AsRef<OsStr>) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text.as_ref().as_bytes();
        while let Some(at) = rest.iter().position(|byte| b"{}".contains(byte)) {
            literal.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            if rest.starts_with(b"{{") || rest.starts_with(b"}}") {
                literal.push(rest[0]);
                rest = &rest[2..];
            } else {
                let (part, after) = parse_placeholder(rest)?;
                push_literal(&mut parts, &mut literal);
                parts.push(part);
                rest = after;
            }
        }
        literal.extend_from_slice(rest);
        push_literal(&mut parts, &mut literal);
        Ok(Self { parts })
    }

    /// Creates a template without placeholders: braces in `path` are literal.
    pub fn literal(path: impl Into<OsString>) -> Self {
        Self { parts: vec![Part::Literal(path.into())] }
    }

    /// Replaces the placeholders by these values.
    pub fn expand(&self, vars: &TemplateVars) -> PathBuf {
        let mut path = OsString::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => path.push(text),
                Part::Command => path.push(sanitize_file_name(&vars.command)),
                Part::Pid => path.push(vars.pid.to_string()),
                Part::Tid => path.push(vars.tid.to_string()),
                Part::Model => path.push(sanitize_file_name(vars.model.as_ref())),
            }
        }
        path.into()
    }

    /// Returns the path if the template has no placeholders.
    pub(crate) fn as_literal(&self) -> Option<&Path> {
        match self.parts.as_slice() {
            [Part::Literal(path)] => Some(Path::new(path)),
            _ => None,
        }
    }

    /// Returns the glob pattern of all paths that the template expands to: `*` for each
    /// placeholder, and the text between them converted by `literal`. `None` if that text is not
    /// UTF-8.
    pub(crate) fn to_pattern(&self, literal: fn(&str) -> String) -> Option<String> {
        let mut pattern = String::new();
        for part in &self.parts {
            // Two adjacent `*` would match directories.
            if let Part::Literal(text) = part {
                let text = literal(text.to_str()?);
                let doubled = pattern.ends_with('*');
                pattern.push_str(text.trim_start_matches(|c| doubled && c == '*'));
            } else if !pattern.ends_with('*') {
                pattern.push('*');
            }
        }
        Some(pattern)
    }
}

fn push_literal(parts: &mut Vec<Part>, literal: &mut Vec<u8>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(OsString::from_vec(std::mem::take(literal))));
    }
}

/// Parses the placeholder at the start of `text`, which is a brace, and returns what follows.
fn parse_placeholder(text: &[u8]) -> Result<(Part, &[u8]), TemplateError> {
    let lossy = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let closing = text.iter().position(|&byte| byte == b'}');
    let Some(end) = closing.filter(|&at| at > 0) else {
        return Err(TemplateError::Unpaired { at: lossy(text) });
    };
    let (name, after) = text.split_at(end + 1);
    let part = match name {
        b"{CMD}" => Part::Command,
        b"{PID}" => Part::Pid,
        b"{TID}" => Part::Tid,
        b"{MODEL}" => Part::Model,
        _ => return Err(TemplateError::Unknown { found: lossy(name) }),
    };
    Ok((part, after))
}

fn sanitize_file_name(value: &OsStr) -> OsString {
    let mut bytes = value.as_bytes().to_vec();
    if bytes.first() == Some(&b'.') {
        bytes[0] = b'_';
    }
    for byte in &mut bytes {
        // A path with a NUL cannot be opened.
        if matches!(byte, b'/' | b'\0') {
            *byte = b'_';
        }
    }
    OsString::from_vec(bytes)
}

/// An error while a template is parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// An unknown placeholder.
    Unknown {
        /// The placeholder, with its braces.
        found: String,
    },
    /// An unpaired brace.
    Unpaired {
        /// The template from that brace on.
        at: String,
    },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { found } => {
                write!(
                    f,
                    "unknown placeholder {found} ({{CMD}}, {{PID}}, {{TID}} or {{MODEL}} expected)"
                )
            }
            Self::Unpaired { at } => {
                write!(f, "unpaired brace at {at:?} ({{{{ or }}}} expected for a literal brace)")
            }
        }
    }
}

impl Error for TemplateError {}

/// The values of the placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateVars {
    /// `{CMD}`: the base name of the program.
    pub command: OsString,
    /// `{PID}`: the process ID.
    pub pid: u32,
    /// `{TID}`: the thread ID.
    pub tid: u32,
    /// `{MODEL}`: the name of the model.
    pub model: String,
}

impl TemplateVars {
    /// Returns the values of the calling process and thread.
    pub fn current(model: impl Into<String>) -> Self {
        Self {
            command: identity::command(),
            pid: process::id(),
            tid: identity::tid(),
            model: model.into(),
        }
    }
}

/// The environment variables about files. An empty variable counts as unset, and all do in a
/// program that is setuid, setgid or has file capabilities: otherwise, whoever starts it could
/// choose where it creates files with its privileges.
///
/// ```
/// use mmstats_std::template::Environment;
/// let environment = Environment { path: Some("/run/{CMD}".into()), ..Environment::read() };
/// assert!(environment.directory().is_ok());
/// let environment = Environment { path: Some("/run/{USER}".into()), ..environment };
/// assert_eq!(
///     environment.directory().unwrap_err().to_string(),
///     "MMSTATS_PATH: unknown placeholder {USER} ({CMD}, {PID}, {TID} or {MODEL} expected)"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `MMSTATS_PATH`: the template of the directory; `none` switches publishing off.
    pub path: Option<OsString>,
    /// `MMSTATS_FILES`: the template of the file name.
    pub files: Option<OsString>,
    /// `MMSTATS_GLOB`: the glob pattern of the files to read. Placeholders match anything.
    pub glob: Option<OsString>,
    /// The temporary directory: `TMPDIR`, otherwise `/tmp`.
    pub temporary: PathBuf,
}

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Self {
        let is_trusted = !is_privileged();
        let variable = |name| env::var_os(name).filter(|value| is_trusted && !value.is_empty());
        Self {
            path: variable("MMSTATS_PATH"),
            files: variable("MMSTATS_FILES"),
            glob: variable("MMSTATS_GLOB"),
            temporary: variable("TMPDIR").map_or_else(|| "/tmp".into(), PathBuf::from),
        }
    }

    /// Returns `true` if `MMSTATS_PATH` is `none`: then programs count in private memory, as in
    /// tests, unless [`Options::directory`](crate::Options::directory) is set.
    #[must_use]
    pub fn is_switched_off(&self) -> bool {
        self.path.as_deref() == Some(OsStr::new("none"))
    }

    /// Returns the directory of new files: `MMSTATS_PATH` unless that is `none`, otherwise
    /// `/dev/shm` if it is a writable tmpfs, otherwise the temporary directory.
    ///
    /// # Errors
    /// If `MMSTATS_PATH` is not a valid template.
    pub fn directory(&self) -> io::Result<Template> {
        match self.path.as_ref().filter(|_| !self.is_switched_off()) {
            Some(path) => parse_variable("MMSTATS_PATH", path),
            None if is_writable_tmpfs(SHARED_MEMORY) => Ok(Template::literal(SHARED_MEMORY)),
            None => Ok(Template::literal(&self.temporary)),
        }
    }

    /// Returns the name of new files: `MMSTATS_FILES`, otherwise `{CMD}-{PID}-{TID}.mmstats`.
    ///
    /// # Errors
    /// If `MMSTATS_FILES` is not a valid template.
    pub fn file_name(&self) -> io::Result<Template> {
        let files = self.files.as_deref().unwrap_or(DEFAULT_FILES.as_ref());
        parse_variable("MMSTATS_FILES", files)
    }
}

/// Parses the template in the environment variable `name`.
pub(crate) fn parse_variable(name: &str, value: &OsStr) -> io::Result<Template> {
    Template::parse(value).map_err(|error| invalid_variable(name, error))
}

/// Creates an error about the value of the environment variable `name`.
pub(crate) fn invalid_variable(name: &str, fault: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{name}: {fault}"))
}

/// Returns `true` if files can be created in `directory` and stay in memory. (On a disk, a store to
/// a mapping can block while the disk is busy.)
fn is_writable_tmpfs(directory: &str) -> bool {
    // `TMPFS_MAGIC` in statfs(2), whose type depends on the architecture.
    statfs(directory).is_ok_and(|stat| stat.f_type == 0x0102_1994)
        && access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}
