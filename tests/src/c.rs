//! Compiles programs with the headers for C, `mmstats-core/c`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compilers and the oldest and newest standards that the headers support.
pub const COMPILERS: [(&str, &str); 9] = [
    ("gcc", "c99"),
    ("gcc", "c11"),
    ("gcc", "c2x"),
    ("clang", "c99"),
    ("clang", "c11"),
    ("g++", "c++17"),
    ("g++", "c++20"),
    ("clang++", "c++17"),
    ("clang++", "c++20"),
];

/// The warnings that the headers must not cause.
const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];

/// Returns the folder with the headers.
fn headers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mmstats-core/c")
}

/// Returns the path of a program's source in `tests/c`.
#[must_use]
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(name)
}

/// Compiles a program.
///
/// # Errors
/// The compiler's messages, warnings included.
///
/// # Panics
/// If the compiler is not installed.
pub fn try_compile(
    (compiler, standard): (&str, &str),
    source: &Path,
    arguments: &[&str],
    program: &Path,
) -> Result<(), String> {
    let language = if compiler.ends_with("++") { "c++" } else { "c" };
    let output = Command::new(compiler)
        .args(["-x", language, &format!("-std={standard}"), "-g", "-pthread"])
        .args(WARNINGS)
        .arg("-I")
        .arg(headers())
        .args(arguments)
        .arg(source)
        .arg("-o")
        .arg(program)
        .output()
        .unwrap_or_else(|error| panic!("this test needs {compiler}: {error}"));
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(messages) }
}

/// Compiles a program without any warning.
///
/// # Panics
/// If it cannot be compiled.
pub fn compile(compiler: (&str, &str), source: &Path, arguments: &[&str], program: &Path) {
    if let Err(messages) = try_compile(compiler, source, arguments, program) {
        panic!("{compiler:?} {arguments:?}: {messages}");
    }
}

/// Returns the example in the comment at the top of a header.
///
/// # Panics
/// If the header cannot be read.
#[must_use]
pub fn example(header: &str) -> String {
    let text = fs::read_to_string(headers().join(header)).expect("a header");
    let code = text.lines().skip_while(|line| !line.contains("#include"));
    let code = code.take_while(|line| *line == " *" || line.starts_with(" *     "));
    code.map(|line| format!("{}\n", line.get(7..).unwrap_or(""))).collect()
}
