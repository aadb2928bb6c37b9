//! Programs and libraries of this package that tests build.

use std::path::PathBuf;
use std::process::Command;

/// Builds a program of this package in release mode, and returns its path.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn release(name: &str) -> PathBuf {
    build(&["--release", "--bin", name], "/executable")
}

/// Builds the library that publishes, and returns its path.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn plugin() -> PathBuf {
    build(&["--example", "plugin"], "/filenames/0")
}

/// Builds something of this package; returns the path that cargo reports last.
fn build(arguments: &[&str], pointer: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--package", "mmstats-tests", "--message-format", "json"]);
    let output = command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("JSON");
    let path = |message: serde_json::Value| message.pointer(pointer)?.as_str().map(PathBuf::from);
    let path =
        messages.lines().filter_map(|line| path(serde_json::from_str(line).ok()?)).next_back();
    path.expect("something was built")
}
