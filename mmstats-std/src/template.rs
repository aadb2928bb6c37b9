//! Path templates, and the environment variables that hold them.
//!
//! A template is a path with placeholders: `{CMD}` is the base name of the program, `{PID}` and
//! `{TID}` number the process and the thread, `{MODEL}` vars the set of fields. `{{` and `}}`
//! stand for the braces themselves.
//!
//! The text around placeholders is the user's own and stays as it is, byte for byte. What replaces
//! `{CMD}` and `{MODEL}` is not: it must neither add a directory to the path nor hide the file from
//! the tools, so each `/` in it and a leading `.` become `_`.

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
    /// Parses `text`, which need not be UTF-8.
    ///
    /// # Errors
    ///
    /// An unknown placeholder, or a brace without its partner.
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
                let (part, after) = placeholder(rest)?;
                push_literal(&mut parts, &mut literal);
                parts.push(part);
                rest = after;
            }
        }
        literal.extend_from_slice(rest);
        push_literal(&mut parts, &mut literal);
        Ok(Self { parts })
    }

    /// A template without placeholders: braces in `path` mean nothing.
    pub fn literal(path: impl Into<OsString>) -> Self {
        Self { parts: vec![Part::Literal(path.into())] }
    }

    /// The path for `vars`.
    pub fn expand(&self, vars: &TemplateVars) -> PathBuf {
        let mut path = OsString::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => path.push(text),
                Part::Command => path.push(within_file_name(&vars.command)),
                Part::Pid => path.push(vars.pid.to_string()),
                Part::Tid => path.push(vars.tid.to_string()),
                Part::Model => path.push(within_file_name(vars.model.as_ref())),
            }
        }
        path.into()
    }

    /// The path, if it is the same for all vars.
    pub(crate) fn as_literal(&self) -> Option<&Path> {
        match self.parts.as_slice() {
            [Part::Literal(path)] => Some(Path::new(path)),
            _ => None,
        }
    }

    /// The pattern of all paths this can expand to: `*` for each placeholder, and whatever
    /// `literal` makes of the text around them. `None` if that text is not UTF-8.
    pub(crate) fn to_pattern(&self, literal: fn(&str) -> String) -> Option<String> {
        let mut pattern = String::new();
        for part in &self.parts {
            // `**` would mean something else, whichever two parts it came from.
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
fn placeholder(text: &[u8]) -> Result<(Part, &[u8]), TemplateError> {
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

fn within_file_name(value: &OsStr) -> OsString {
    let mut bytes = value.as_bytes().to_vec();
    if bytes.first() == Some(&b'.') {
        bytes[0] = b'_';
    }
    for byte in &mut bytes {
        // A NUL would make the path one that cannot be opened.
        if matches!(byte, b'/' | b'\0') {
            *byte = b'_';
        }
    }
    OsString::from_vec(bytes)
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// A placeholder that is none.
    Unknown {
        /// The placeholder, with its braces.
        found: String,
    },
    /// A brace without its partner.
    Unpaired {
        /// The template from that brace on.
        at: String,
    },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { found } => {
                write!(f, "{found} is not known ({{CMD}}, {{PID}}, {{TID}} and {{MODEL}} are)")
            }
            Self::Unpaired { at } => write!(
                f,
                "the brace at {at:?} has no partner ({{{{ and }}}} stand for braces themselves)"
            ),
        }
    }
}

impl Error for TemplateError {}

/// What the placeholders stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateVars {
    /// `{CMD}`: the base name of the program.
    pub command: OsString,
    /// `{PID}`: the process.
    pub pid: u32,
    /// `{TID}`: the thread.
    pub tid: u32,
    /// `{MODEL}`: the set of fields.
    pub model: String,
}

impl TemplateVars {
    /// The vars of the calling process and thread.
    pub fn current(model: impl Into<String>) -> Self {
        Self {
            command: identity::command(),
            pid: process::id(),
            tid: identity::tid(),
            model: model.into(),
        }
    }
}

/// What the environment says about files. An empty variable counts as one that is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `MMSTATS_PATH`: a template of the directory.
    pub path: Option<OsString>,
    /// `MMSTATS_FILES`: a template of the file name.
    pub files: Option<OsString>,
    /// `MMSTATS_GLOB`: a pattern of the files to read. Placeholders in it match anything.
    pub glob: Option<OsString>,
    /// The temporary directory: `TMPDIR`, else the system's.
    pub temporary: PathBuf,
}

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            path: variable("MMSTATS_PATH"),
            files: variable("MMSTATS_FILES"),
            glob: variable("MMSTATS_GLOB"),
            temporary: variable("TMPDIR").map_or_else(|| "/tmp".into(), PathBuf::from),
        }
    }

    /// The directory for new files: `MMSTATS_PATH`, else `/dev/shm` where it is a tmpfs that can be
    /// written to, else the temporary directory.
    ///
    /// # Errors
    ///
    /// `MMSTATS_PATH` is no template.
    pub fn directory(&self) -> io::Result<Template> {
        match &self.path {
            Some(path) => parse_variable("MMSTATS_PATH", path),
            None if is_writable_tmpfs(SHARED_MEMORY) => Ok(Template::literal(SHARED_MEMORY)),
            None => Ok(Template::literal(&self.temporary)),
        }
    }

    /// The name of new files: `MMSTATS_FILES`, else `{CMD}-{PID}-{TID}.mmstats`.
    ///
    /// # Errors
    ///
    /// `MMSTATS_FILES` is no template.
    pub fn file_name(&self) -> io::Result<Template> {
        let files = self.files.as_deref().unwrap_or(DEFAULT_FILES.as_ref());
        parse_variable("MMSTATS_FILES", files)
    }
}

/// Parses the template that the environment variable `name` holds.
pub(crate) fn parse_variable(name: &str, value: &OsStr) -> io::Result<Template> {
    Template::parse(value).map_err(|error| invalid_variable(name, error))
}

/// An error about what the environment variable `name` holds.
pub(crate) fn invalid_variable(name: &str, fault: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{name}: {fault}"))
}

/// Whether new files can be made in `directory` and stay in memory: a store to a mapping of a file
/// on a disk can block for as long as the disk is busy.
fn is_writable_tmpfs(directory: &str) -> bool {
    // `TMPFS_MAGIC`, of a type that depends on the architecture.
    statfs(directory).is_ok_and(|stat| stat.f_type == 0x0102_1994)
        && access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}
