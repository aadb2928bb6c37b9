//! Runs a tool in this process on a file of given bytes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mmstats_tools::console::Console;
use rustix::fs::{MemfdFlags, memfd_create};

/// A tool's main function.
pub type Run = fn(Vec<OsString>, &mut Console<'_>) -> ExitCode;

/// A file in memory, at a path that tools can open.
pub struct MemoryFile(File);

impl MemoryFile {
    /// Creates an empty file.
    ///
    /// # Panics
    /// If the system refuses.
    #[must_use]
    pub fn new() -> Self {
        MemoryFile(memfd_create("fuzz", MemfdFlags::CLOEXEC).expect("memory").into())
    }

    /// Replaces the bytes, and returns the path.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn fill(&mut self, bytes: &[u8]) -> String {
        self.0.set_len(0).and_then(|()| self.0.rewind()).expect("an empty file");
        self.0.write_all(bytes).expect("memory");
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }
}

impl Default for MemoryFile {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns a directory without files, for one target.
///
/// # Panics
/// If the system refuses.
#[must_use]
pub fn empty_directory(target: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz/files").join(target);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory");
    path.canonicalize().expect("a directory")
}

/// Runs a tool, and returns its results.
///
/// # Panics
/// If it prints a character that could harm a terminal, or bytes that are not UTF-8.
pub fn run(name: &str, tool: Run, arguments: &[&str]) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console {
        name,
        out: Box::new(&mut out),
        err: Box::new(&mut err),
        is_terminal: false,
        colour: false,
    };
    let arguments = [name].iter().chain(arguments).map(OsString::from).collect();
    tool(arguments, &mut console);
    drop(console);
    let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    for text in [&out, &err] {
        // CSV's lines end in CR and LF.
        assert!(!text.replace("\r\n", "\n").contains(is_harmful), "{text:?}");
    }
    out
}

/// Returns `true` for control characters, and for format characters that change the direction of
/// text or hide.
#[must_use]
pub fn is_harmful(character: char) -> bool {
    (character.is_control() && character != '\n')
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(character, '\u{2066}'..='\u{2069}')
}

/// Checks that each line is a JSON object.
///
/// # Panics
/// If one is not.
pub fn check_json_lines(text: &str) {
    for line in text.lines() {
        let value: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(value.as_ref().is_ok_and(serde_json::Value::is_object), "{value:?}: {line}");
    }
}
