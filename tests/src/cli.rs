//! Runs the tools, and makes files for them.

use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Returns the path of a program of `mmstats-tools`, which is built first:
/// `program("--bin", "slurpstats")`.
///
/// # Panics
/// If it does not build.
pub fn program(kind: &str, name: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(name.to_owned()).or_insert_with(|| build(kind, name)).clone()
}

fn build(kind: &str, name: &str) -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "build",
        "--quiet",
        "-p",
        "mmstats-tools",
        kind,
        name,
    ]);
    command.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{name} does not build");
    let messages = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let executable = |message: Value| {
        (message["target"]["name"] == name)
            .then(|| message["executable"].as_str().map(PathBuf::from))
            .flatten()
    };
    messages.filter_map(executable).next().expect("cargo prints the path of the program")
}

/// Returns the directory of golden files and their expected output.
#[must_use]
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// The result of a program.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit status; -1 if a signal killed it.
    pub status: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// Runs a program to its end, without this process's environment for stats and colours.
///
/// # Panics
/// If it cannot be run, or its output is not UTF-8.
pub fn run(command: &mut Command) -> Outcome {
    let output =
        without_environment(command).stdin(Stdio::null()).output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Outcome {
        status: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// Removes environment variables that change the tools' behaviour, unless the command sets them.
/// (`CI` counts as a terminal with colours.)
pub fn without_environment(command: &mut Command) -> &mut Command {
    for name in [
        "MMSTATS_PATH",
        "MMSTATS_FILES",
        "MMSTATS_GLOB",
        "NO_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "CI",
        "TERM",
    ] {
        if command.get_envs().all(|(set, _)| set != name) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a Python 3 script with this input, and returns its output.
///
/// # Panics
/// If it fails.
#[must_use]
pub fn python(script: &str, input: &[u8]) -> String {
    let mut child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("python3 reads its input"));
        child.wait_with_output().expect("python3 ends")
    });
    assert!(output.status.success(), "python3 fails");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Builds files of version 1 byte by byte, valid or invalid.
#[derive(Clone, Debug)]
pub struct VersionOne(Vec<u8>);

impl Default for VersionOne {
    fn default() -> Self {
        VersionOne(vec![1])
    }
}

impl VersionOne {
    /// Adds a field with a single value.
    ///
    /// # Panics
    /// If a text is too long.
    #[must_use]
    pub fn field(mut self, label: impl AsRef<[u8]>, ty: &str, value: impl AsRef<[u8]>) -> Self {
        for text in [label.as_ref(), ty.as_bytes()] {
            self.0.extend(u16::try_from(text.len()).expect("it fits").to_ne_bytes());
            self.0.extend(text);
        }
        self.0.push(0xff);
        self.0.extend(value.as_ref());
        self
    }

    /// Returns the bytes of the complete file.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.0.extend([0, 0]);
        self.0.resize(self.0.len().next_multiple_of(4096), 0);
        self.0
    }
}
