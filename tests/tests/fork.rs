//! After a fork, parent and child both publish, each in its own files.

use mmstats_tests::files::{Values, all_values, files, values};
use mmstats_tests::programs::{Program, directory};
use mmstats_tests::repetitions;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FORMATS: [&str; 3] = ["v2", "v1", "v1exact"];

fn start(format: &str, scene: &str, directory: &Path) -> Program {
    Program::start(env!("CARGO_BIN_EXE_forks"), directory, &[format, scene])
}

/// Returns every byte of every file.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(directory).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Checks that the earlier files are unchanged, and returns the new ones.
fn new_files(directory: &Path, before: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<Values> {
    let mut now = contents(directory);
    for (path, bytes) in before {
        let now = now.remove(path);
        assert!(now.as_ref() == Some(bytes), "{} is not as it was before the fork", path.display());
    }
    now.keys().map(|path| values(path)).collect()
}

fn end(program: Program, directory: &Path) {
    let end = program.end_without_files(directory);
    assert!(end.errors.is_empty(), "{}", end.errors);
}

fn done(values: &[Values]) -> Vec<u64> {
    let mut done: Vec<u64> = values.iter().map(|values| values.count("done")).collect();
    done.sort_unstable();
    done
}

#[test]
fn writes_of_a_child_through_its_parents_handles_stay_in_the_child() {
    for format in FORMATS {
        let directory = directory();
        let directory = directory.path();
        let mut program = start(format, "handles", directory);
        program.expect("forking");
        let before = contents(directory);
        assert_eq!(before.len(), 2);
        program.go();

        program.expect("child");
        let childs = new_files(directory, &before);
        assert_eq!(done(&childs), [1], "{format}");
        let pid = childs[0].count("sys.pid");
        assert_ne!(pid, u64::from(program.pid()));
        assert_eq!(childs[0].count("sys.tid"), pid);
        program.go();

        program.expect("parent");
        assert_eq!(done(&all_values(directory)), [4, 6], "{format}");
        assert!(
            all_values(directory)
                .iter()
                .all(|values| values.count("sys.pid") == u64::from(program.pid()))
        );
        program.go();
        end(program, directory);
    }
}

#[test]
fn a_child_that_exits_at_once_leaves_its_own_files_and_its_parents() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("v2", "handles_without_exit", directory);
    program.expect("forking");
    program.go();
    program.expect("child");
    program.go();
    program.expect("parent");
    assert_eq!(done(&all_values(directory)), [1, 4, 6]);
    program.go();
    program.end();
    assert_eq!(done(&all_values(directory)), [1]);
}

#[test]
fn a_child_cannot_remove_its_parents_files() {
    for format in FORMATS {
        let directory = directory();
        let directory = directory.path();
        let mut program = start(format, "removing", directory);
        program.expect("forking");
        let before = contents(directory);
        assert_eq!(before.len(), 3);
        program.go();
        for now in ["child", "parent"] {
            program.expect(now);
            assert_eq!(new_files(directory, &before), [], "{format}");
            program.go();
        }
        end(program, directory);
    }
}

#[test]
fn a_child_can_publish_a_model_or_sample_it_in_a_file_of_its_own() {
    for scene in ["republishing", "sampling"] {
        for format in FORMATS {
            let directory = directory();
            let directory = directory.path();
            let mut program = start(format, scene, directory);
            program.expect("forking");
            let before = contents(directory);
            assert_eq!(done(&all_values(directory)), [5]);
            program.go();
            program.expect("child");
            let childs = new_files(directory, &before);
            assert_eq!(done(&childs), [7], "{scene} {format}");
            assert_ne!(childs[0].count("sys.pid"), u64::from(program.pid()));
            program.go();
            program.expect("parent");
            assert_eq!(new_files(directory, &before), [], "{scene} {format}");
            program.go();
            end(program, directory);
        }
    }
}

#[test]
fn a_child_of_many_threads_adopts_none_of_their_files() {
    for format in FORMATS {
        let directory = directory();
        let directory = directory.path();
        let mut program = start(format, "threads", directory);
        for _ in ["main thread", "another"] {
            program.expect("forking");
            let before = contents(directory);
            assert_eq!(before.len(), 5);
            program.go();
            program.expect("child");
            assert_eq!(done(&new_files(directory, &before)), [3, 3], "{format}");
            program.go();
            program.expect("parent");
            assert_eq!(new_files(directory, &before), [], "{format}");
            program.go();
        }
        end(program, directory);
    }
}

#[test]
fn locks_held_by_other_threads_during_a_fork_do_not_block_the_child() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("v2", "busy", directory);
    program.expect("parent");
    // The children have removed their files.
    let values = all_values(directory);
    assert!(values.len() <= 3, "{values:?}");
    assert!(values.iter().all(|values| values.count("sys.pid") == u64::from(program.pid())));
    program.go();
    end(program, directory);
}

#[test]
fn locks_held_by_other_threads_at_their_first_access_do_not_block_the_child() {
    for _ in 0..repetitions(200) {
        let directory = directory();
        let directory = directory.path();
        let mut program = start("v2", "first", directory);
        program.expect("ready");
        program.go();
        program.expect("parent");
        assert_eq!(done(&all_values(directory)).iter().sum::<u64>(), 3);
        program.go();
        end(program, directory);
    }
}

#[test]
fn a_child_uses_nothing_that_another_thread_published_while_the_fork_had_begun() {
    for format in FORMATS {
        let directory = directory();
        let directory = directory.path();
        let mut program = start(format, "first_during_a_fork", directory);
        program.expect("forking");
        let before = contents(directory);
        assert_eq!(before.len(), 1);
        program.go();
        program.expect("child");
        let childs = new_files(directory, &before);
        assert_eq!(done(&childs), [1], "{format}");
        assert_ne!(childs[0].count("sys.pid"), u64::from(program.pid()));
        program.go();
        program.expect("parent");
        assert_eq!(new_files(directory, &before), [], "{format}");
        program.go();
        end(program, directory);
    }
}

#[test]
fn each_generation_of_forks_has_a_file() {
    for format in FORMATS {
        let directory = directory();
        let directory = directory.path();
        let mut program = start(format, "nested", directory);
        program.expect("deepest");
        let values = all_values(directory);
        assert_eq!(done(&values), [1, 2, 3], "{format}");
        let mut pids: Vec<u64> = values.iter().map(|values| values.count("sys.pid")).collect();
        pids.sort_unstable();
        pids.dedup();
        assert_eq!(pids.len(), 3, "{format}");
        program.go();
        end(program, directory);
    }
}

#[test]
fn a_fork_before_the_first_access_has_no_effect() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("v2", "untouched", directory);
    program.expect("child");
    assert_eq!(done(&all_values(directory)), [1]);
    program.go();
    program.expect("parent");
    assert_eq!(done(&all_values(directory)), [2]);
    program.go();
    end(program, directory);
}
