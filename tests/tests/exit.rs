//! A normal exit removes all files except those to keep; any other end leaves them readable.

use mmstats_core::reader::{FormatError, Value};
use mmstats_std::read::{FileError, Reader, StatsFile};
use mmstats_std::{Flush, Options, PublishError, Published, publish};
use mmstats_tests::files::{all_values, files, names, only_file, total, values};
use mmstats_tests::programs::{End, Program, directory};
use mmstats_tests::repetitions;
use mmstats_tests::step_model::Steps;
use std::fs;
use std::path::Path;

fn start(how: &str, directory: &Path) -> Program {
    Program::start(env!("CARGO_BIN_EXE_exits"), directory, &[how])
}

/// Lets a program end, and checks the files before and after.
fn end(how: &str, code: Option<i32>, files_left: usize) {
    let directory = directory();
    let directory = directory.path();
    let mut program = start(how, directory);
    let mut said = [program.line(), program.line()];
    said.sort();
    assert_eq!(said, ["ready", "running"]);
    assert_eq!(files(directory).len(), 6, "{how}: {:?}", names(directory));
    program.go();
    let End { status, errors, .. } = program.end();
    assert_eq!(status.code(), code, "{how}: {errors}");
    assert_eq!(files(directory).len(), files_left, "{how}: {:?}", names(directory));
    if code.is_some() {
        assert!(
            names(directory).iter().all(|name| name.starts_with("kept")),
            "{how}: {:?}",
            names(directory)
        );
    }
    // Two files of threads: the main thread's, and one that two others used; each made one step.
    let own = [directory.join("own.mmstats"), directory.join("kept-own.mmstats")];
    assert!(
        files(directory)
            .iter()
            .filter(|path| !own.contains(path))
            .all(|path| (1..=2).contains(&values(path).count("done"))),
        "{how}"
    );
}

#[test]
fn returning_from_main_removes_all_files_except_those_to_keep() {
    end("return", Some(0), 3);
}

#[test]
fn exit_removes_all_files_except_those_to_keep() {
    end("exit", Some(3), 3);
}

#[test]
fn exit_in_another_thread_removes_all_files_except_those_to_keep() {
    // One more: the file of the thread that exits.
    end("exit_in_thread", Some(3), 4);
}

#[test]
fn a_panic_in_main_removes_all_files_except_those_to_keep() {
    end("panic", Some(101), 3);
}

#[test]
fn an_abort_leaves_all_files_readable() {
    end("abort", None, 6);
}

#[test]
fn exit_removes_all_files_while_threads_start_and_end() {
    for _ in 0..repetitions(50) {
        let directory = directory();
        let end = start("busy", directory.path()).end();
        assert!(end.status.success(), "{}", end.errors);
        assert_eq!(names(directory.path()), [""; 0]);
    }
}

#[test]
fn files_published_during_exit_are_removed_too() {
    let directory = directory();
    let mut program = start("late", directory.path());
    program.expect("ready");
    program.go();
    let end = program.end();
    assert!(end.status.success(), "{}", end.errors);
    assert!(
        names(directory.path()).iter().all(|name| name.starts_with("kept")),
        "{:?}",
        names(directory.path())
    );
}

/// Returns the counts of the files that are not kept.
fn gone(directory: &Path) -> Vec<u64> {
    let files = files(directory)
        .into_iter()
        .filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with("kept"));
    files.map(|path| values(&path).count("done")).collect()
}

#[test]
fn a_thread_removes_its_own_file_and_unowned_ones_and_can_publish_again() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("remove", directory);
    let mut said = [program.line(), program.line()];
    said.sort();
    assert_eq!(said, ["running", "touched"]);
    assert_eq!(gone(directory).len(), 2);
    program.go();

    for _ in ["once", "twice"] {
        program.expect("removed");
        assert_eq!(gone(directory), [2], "the running thread keeps its file");
        assert_eq!(files(directory).len(), 3);
        program.go();
    }
    program.expect("touched");
    let mut counts = gone(directory);
    counts.sort_unstable();
    assert_eq!(counts, [1, 2], "a new file starts at zero");
    program.go();

    program.expect("touched");
    let mut counts = gone(directory);
    counts.sort_unstable();
    assert_eq!(counts, [1, 2], "counts in a removed file do not appear in the next one");
    program.go();

    program.expect("removed");
    assert_eq!(
        files(directory).len(),
        3,
        "a file to be kept is removed as well if somebody asks for it"
    );
    program.go();

    program.expect("joined");
    assert_eq!(total(directory, "done"), 1 + 3 + 3);
    program.go();
    assert!(program.end().status.success());
    assert_eq!(names(directory).len(), 1, "{:?}", names(directory));
}

#[test]
fn a_destructor_that_runs_after_the_regions_can_remove_files() {
    let directory = directory();
    let mut program = start("remove_late", directory.path());
    program.expect("joined");
    assert_eq!(gone(directory.path()), [0; 0]);
    assert_eq!(total(directory.path(), "done"), 1);
    program.go();
    assert!(program.end().status.success());
}

/// Publishes steps in this directory.
fn published(directory: &Path, options: Options) -> Result<Published<Steps>, PublishError> {
    // Options hold what a static can hold.
    publish(&options.directory(String::leak(directory.to_str().unwrap().to_owned())))
}

#[test]
fn published_stats_are_removed_with_their_handle_except_those_to_keep() {
    let directory = directory();
    let own = published(directory.path(), Options::new()).unwrap();
    own.step(1);
    assert_eq!(own.path(), only_file(directory.path()));
    drop(own);
    assert_eq!(names(directory.path()), [""; 0]);

    let kept = published(directory.path(), Options::new().keep()).unwrap();
    kept.step(1);
    drop(kept);
    assert_eq!(total(directory.path(), "done"), 1);
}

#[test]
fn published_stats_can_be_removed_while_they_are_in_use_and_twice() {
    let directory = directory();
    for options in [Options::new(), Options::new().keep()] {
        let own = published(directory.path(), options).unwrap();
        own.step(1);
        own.remove();
        assert_eq!(names(directory.path()), [""; 0]);
        own.step(2);
        assert_eq!(own.done.get(), 2);
        // Another file with its name belongs to another writer.
        fs::write(own.path(), "another's").unwrap();
        own.remove();
        let path = own.path().to_owned();
        drop(own);
        assert_eq!(fs::read(&path).unwrap(), b"another's");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_reader_of_a_removed_file_notices_it() {
    let directory = directory();
    for map in [false, true] {
        let own = published(directory.path(), Options::new()).unwrap();
        own.step(1);
        let mut reader = Reader::new();
        let mut file = StatsFile::open(&own.path(), &mut reader).unwrap();
        if map {
            file.map().unwrap();
        }
        assert_eq!(file.sample(&mut reader).unwrap().find("done"), Some(Value::Unsigned(1)));
        drop(own);
        let error = file.sample(&mut reader).map(|_| ()).unwrap_err();
        assert!(matches!(error, FileError::Format(FormatError::Uninitialised)), "{error}");
    }
}

#[test]
fn both_kinds_of_flush_work_and_change_nothing() {
    let directory = directory();
    let own = published(directory.path(), Options::new()).unwrap();
    own.steps(3);
    let before = all_values(directory.path());
    own.flush(Flush::Sync).unwrap();
    own.flush(Flush::Async).unwrap();
    assert_eq!(all_values(directory.path()), before);
    own.remove();
    own.flush(Flush::Sync).unwrap();
}
