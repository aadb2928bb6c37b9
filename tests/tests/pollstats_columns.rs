//! The cost of many columns.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use mmstats_tests::cli::{VersionOne, program, without_environment};
use mmstats_tests::programs::directory;

const FIELDS: usize = 50;

/// Writes files that have no label in common.
fn publish(directory: &Path, files: usize) {
    for number in 0..files {
        let field = |file: VersionOne, i: usize| {
            file.field(format!("bench.{number:04}.field.{i:02}"), "Q", (number * i).to_ne_bytes())
        };
        fs::write(
            directory.join(format!("{number:04}.mmstats")),
            (0..FIELDS).fold(VersionOne::default(), field).finish(),
        )
        .unwrap();
    }
}

/// Returns the CPU time of printing a row of all columns, in nanoseconds.
fn cost(directory: &Path, form: &str, columns: usize) -> f64 {
    let mut command = Command::new(program("--bin", "pollstats"));
    let command = without_environment(command.args(["-c", "1", form, "bench.*"]).arg(directory));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    // The CPU time of the main thread, which does all the work, readable until the child is waited
    // for.
    let schedstat = fs::read_to_string(format!("/proc/{}/schedstat", child.id())).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(out.matches(".field.").count(), columns);
    schedstat.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn four_times_as_many_columns_cost_about_four_times_as_much() {
    let (few, many) = (directory(), directory());
    let files = 100;
    publish(few.path(), files);
    publish(many.path(), 4 * files);
    for form in ["--json", "--csv"] {
        let least = |directory: &Path, columns| {
            (0..3).map(|_| cost(directory, form, columns)).fold(f64::INFINITY, f64::min)
        };
        let (one, other) =
            (least(few.path(), files * FIELDS), least(many.path(), 4 * files * FIELDS));
        println!("{form}: {:.1} ms, {:.1} ms", one / 1e6, other / 1e6);
        // If each column was compared with each other, it would be 16 times.
        assert!(other < 8.0 * one, "{form}: {other} after {one}");
    }
}
