//! The other implementation of the format, `independent.py`, and its comparison with ours.

use crate::record;
use mmstats_core::reader::Directory;
use mmstats_std::read::Reader;
use serde_json::Value as Json;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns a command that starts the other implementation.
#[must_use]
pub fn script() -> Command {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/independent.py"));
    command
}

/// Runs it, and returns its output and standard error.
///
/// # Panics
/// If it cannot be started, or its output is not UTF-8.
pub fn run(command: &mut Command) -> (String, String) {
    let output = command.output().expect("python3 starts");
    [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8")).into()
}

/// Runs it, and returns its output.
///
/// # Panics
/// If it writes to standard error.
pub fn run_well(command: &mut Command) -> String {
    let (out, err) = run(command);
    assert_eq!(err, "");
    out
}

/// Returns a path with a suffix added to its name.
#[must_use]
pub fn beside(path: &Path, more: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(more);
    path.into()
}

/// Returns the external directory of a file, if it has one.
fn directory_of(path: &Path) -> Option<PathBuf> {
    Some(beside(path, ".directory")).filter(|directory| directory.exists())
}

/// Returns the other implementation's records of a file.
///
/// # Panics
/// If it reports an error.
#[must_use]
pub fn dump(path: &Path) -> Vec<Json> {
    let mut command = script();
    command.arg("dump").arg(path);
    if let Some(directory) = directory_of(path) {
        command.arg("--directory").arg(directory);
    }
    let mut records: Vec<Json> = run_well(&mut command)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for record in &mut records {
        record.as_object_mut().and_then(|record| record.remove("file")).expect("a path");
    }
    records
}

/// Returns the golden records of a file.
///
/// # Panics
/// If there are none.
#[must_use]
pub fn kept(path: &Path) -> Vec<Json> {
    serde_json::from_slice(&fs::read(beside(path, ".json")).expect("a file")).expect("JSON")
}

/// Compares records one by one, so that a failure shows the difference; as text, so that 0.0 is not
/// -0.0.
///
/// # Panics
/// If they differ.
pub fn assert_same(ours: &[Json], theirs: &[Json], what: &dyn Debug) {
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours.to_string(), theirs.to_string(), "{what:?}");
    }
    assert_eq!(ours.len(), theirs.len(), "{what:?}");
}

/// Reads a file by our readers, and compares with these records.
///
/// # Panics
/// If they differ.
pub fn assert_reads(path: &Path, theirs: &[Json]) {
    let bytes = fs::read(path).expect("a file");
    if let Some(directory) = directory_of(path) {
        let entries = fs::read(directory).expect("a file");
        let directory = Directory::open_external(&bytes, &bytes, &entries).expect("a region");
        assert_same(&record::from_directory(&directory, &bytes), theirs, &path);
        return;
    }
    let mut reader = Reader::new();
    let sample = reader.read(path).expect("a region");
    assert_same(&record::from_sample(&sample), theirs, &path);
    let directory = Directory::open(&bytes).expect("a region");
    assert_same(&record::from_directory(&directory, &bytes), theirs, &path);
}
