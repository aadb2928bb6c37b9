//! Fields that all threads of a process change: each process has one file, and loses no update.

use mmstats_tests::files::{Held, Values, all_values, files, names, only_file, values};
use mmstats_tests::programs::{Program, directory};
use std::fs;
use std::path::Path;

fn start(scene: &str, directory: &Path) -> Program {
    Program::start(env!("CARGO_BIN_EXE_shared_fields"), directory, &[scene])
}

fn end(program: Program, directory: &Path) {
    let end = program.end_without_files(directory);
    assert!(end.errors.is_empty(), "{}", end.errors);
}

/// Returns the values of the files that have this label.
fn values_with(directory: &Path, label: &str) -> Vec<Values> {
    all_values(directory).into_iter().filter(|values| values.0.contains_key(label)).collect()
}

#[test]
fn all_threads_change_one_field_and_nothing_is_lost() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("threads", directory);
    program.expect("counted");
    // One of the process, although five threads used it, and one of the main thread.
    assert_eq!(files(directory).len(), 2);
    let [values] = &values_with(directory, "web.open")[..] else {
        panic!("one file of the process")
    };
    assert_eq!(values.get("web.open"), &Held::Signed(5));
    assert_eq!(values.get("web.load"), &Held::Number(20_000.0));
    assert_eq!(values.get("web.served"), &Held::Count(40_000));
    assert_eq!(values.get("web.is_ready"), &Held::Flag(true));
    assert_eq!(values.get("web.peak"), &Held::Signed(3));
    assert_eq!(values.get("web.best"), &Held::Count(3));
    assert_eq!(values.get("web.size"), &Held::Spread { count: 40_000, sum: 140_000 });
    assert_eq!(values.get("web.created_by"), &Held::Count(7));
    assert_eq!(values.count("web.sys.tid"), u64::from(program.pid()), "whoever was first");
    assert_eq!(values.count("web.sys.pid"), u64::from(program.pid()));
    program.go();
    end(program, directory);
}

#[test]
fn after_a_kill_the_values_are_left() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("threads", directory);
    program.expect("counted");
    program.kill();
    let [values] = &values_with(directory, "web.open")[..] else {
        panic!("one file of the process")
    };
    assert_eq!(values.get("web.open"), &Held::Signed(5));
    assert_eq!(values.get("web.served"), &Held::Count(40_000));
}

#[test]
fn a_forked_child_counts_in_a_file_of_its_own() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("fork", directory);
    program.expect("child");
    let served = |directory| {
        let all = all_values(directory);
        let mut served: Vec<_> = all
            .iter()
            .map(|values| (values.count("web.sys.pid"), values.count("web.served")))
            .map(|(pid, served)| (pid == u64::from(program.pid()), served))
            .collect();
        served.sort_unstable();
        served
    };
    assert_eq!(served(directory), [(false, 1), (true, 3)]);
    program.go();
    program.expect("parent");
    let path = only_file(directory);
    assert_eq!(values(&path).count("web.served"), 7);
    assert_eq!(values(&path).get("web.load"), &Held::Number(20_000.0));
    program.go();
    program.expect("removed");
    assert_eq!(names(directory), [""; 0]);
    program.go();
    end(program, directory);
}

#[test]
fn counts_go_on_in_a_new_file_after_the_first_was_removed() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("lost", directory);
    program.expect("published");
    fs::remove_file(only_file(directory)).unwrap();
    program.go();
    program.expect("published again");
    assert_eq!(values(&only_file(directory)).count("web.served"), 12);
    program.go();
    end(program, directory);
}

#[test]
fn without_a_file_the_program_counts_on_and_says_so_once() {
    let directory = directory();
    let mut program = start("refused", &directory.path().join("missing"));
    program.expect("refused");
    program.go();
    let end = program.end();
    assert!(end.status.success());
    let [line] = &end.errors.lines().collect::<Vec<_>>()[..] else { panic!("{:?}", end.errors) };
    assert!(line.starts_with("mmstats: Requests is not published: "), "{line}");
}
