//! Updates make no system calls, with or without a reader. (Timers do on machines whose clock
//! requires one.)

use mmstats_core::reader::Value;
use mmstats_std::read::{Reader, StatsFile};
use mmstats_tests::builds::release;
use mmstats_tests::programs::{Program, directory, tool};
use std::fs;
use std::path::Path;

/// Runs the program under strace for `steps` updates of every field, and `meanwhile` during them.
fn trace(steps: u64, meanwhile: impl FnOnce(&Path, &mut Program)) {
    let exe = release("hot_loop");
    let directory = directory();
    let trace = directory.path().join("trace");
    let mut command = tool("strace");
    command
        .args(["-f", "-o"])
        .args([&trace, &exe])
        .arg(steps.to_string())
        .env("MMSTATS_PATH", directory.path())
        .env_remove("MMSTATS_FILES");
    let mut program = Program::spawn(&mut command);
    program.expect("before");
    program.expect("begin");
    meanwhile(directory.path(), &mut program);
    program.go();
    let end = program.end();
    assert!(end.status.success(), "{end:?}");

    let trace = fs::read_to_string(trace).unwrap();
    let is_marker = |line: &str, what: &str| line.contains(&format!("write(1, \"{what}\\n\""));
    let writer = trace
        .lines()
        .find(|line| is_marker(line, "begin"))
        .and_then(|line| line.split(' ').next())
        .expect("the marker is in the trace");
    // A call interrupted by another thread's call takes two lines.
    let calls = trace.lines().filter(|line| line.starts_with(writer) && !line.contains("resumed>"));
    let between = |from, to| {
        calls
            .clone()
            .skip_while(move |line| !is_marker(line, from))
            .skip(1)
            .take_while(move |line| !is_marker(line, to))
    };
    assert_eq!(between("before", "begin").count(), 1, "the trace has the known call");
    assert!(calls.clone().any(|line| is_marker(line, "end")));
    let calls: Vec<_> = between("begin", "end").collect();
    assert!(calls.is_empty(), "{calls:#?}");
}

#[test]
fn ten_million_updates_of_every_field_make_no_system_call() {
    trace(10_000_000, |_, program| assert_eq!(program.expect("end"), ""));
}

#[test]
fn updates_make_no_system_call_while_a_reader_reads() {
    trace(2_000_000, |directory, program| {
        let mut reader = Reader::new();
        let mut open = |name| StatsFile::open(&directory.join(name), &mut reader).unwrap();
        let mut files = [open("two.mmstats"), open("one.mmstats"), open("two.mmstats")];
        files[2].map().unwrap();
        let mut seen = [0; 3];
        let mut growths = 0;
        while !program.has_said("end") {
            for (file, seen) in files.iter_mut().zip(&mut seen) {
                let Some(Value::Unsigned(done)) = file.sample(&mut reader).unwrap().find("done")
                else {
                    panic!("no count")
                };
                assert!(done >= *seen, "{done} after {seen}");
                growths += u32::from(done > *seen);
                *seen = done;
            }
        }
        assert!(growths > 50, "only {growths} reads found new values: too few");
    });
}
