//! A program that cannot publish continues: it counts in private memory, and warns once.

use mmstats_std::read::Reader;
use mmstats_std::{Options, Publication, Published, lost_files, publish};
use mmstats_tests::files::{all_values, files, names, only_file, values};
use mmstats_tests::programs::{End, Program, command, directory};
use mmstats_tests::step_model::Steps;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const EXE: &str = env!("CARGO_BIN_EXE_fails");

/// Runs a scene with the model `name`, in which publishing fails with `causes`.
fn fails(command: &mut Command, name: &str, causes: &[&str]) -> End {
    let end = Program::spawn(command).end();
    assert!(end.status.success(), "{end:?}");
    assert_eq!(end.lines[1], "counted: 2");
    let reason = end.lines[0].strip_prefix("private: ").unwrap_or_else(|| panic!("{end:?}"));
    assert!(causes.iter().all(|cause| reason.contains(cause)), "{causes:?} in {reason}");
    // One warning for three threads.
    assert_eq!(end.errors.lines().count(), 1, "{}", end.errors);
    assert!(
        end.errors.starts_with(&format!("mmstats: {name} is not published: ")),
        "{}",
        end.errors
    );
    assert!(causes.iter().all(|cause| end.errors.contains(cause)), "{causes:?} in {}", end.errors);
    end
}

/// Returns the error of `publish`, for causes that concern it too.
fn publish_said(end: &End) -> &str {
    end.lines[2].strip_prefix("publish: ").unwrap_or_else(|| panic!("{end:?}"))
}

#[test]
fn a_missing_directory_is_named() {
    let directory = directory();
    let missing = directory.path().join("missing");
    let causes = [missing.to_str().unwrap(), "No such file or directory"];
    let end = fails(&mut command(EXE, &missing, &["plain"]), "Steps", &causes);
    assert!(causes.iter().all(|cause| publish_said(&end).contains(cause)), "{end:?}");
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn a_file_in_place_of_the_directory_is_named() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    fails(
        &mut command(EXE, &file, &["plain"]),
        "Steps",
        &[file.to_str().unwrap(), "Not a directory"],
    );
}

#[test]
fn a_directory_without_permission_is_named() {
    let directory = directory();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = command(EXE, directory.path(), &["plain"]);
    if rustix::process::geteuid().is_root() {
        // A user whom permissions restrict.
        command.uid(65_534);
    }
    let causes = [directory.path().to_str().unwrap(), "Permission denied"];
    let end = fails(&mut command, "Steps", &causes);
    assert!(causes.iter().all(|cause| publish_said(&end).contains(cause)), "{end:?}");
}

/// Runs a scene on a file system of 64 KiB.
fn on_small_file_system(scene: &str) -> End {
    let directory = directory();
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let script = "mount -t tmpfs -o size=64k tmpfs \"$MMSTATS_PATH\" && exec \"$@\"";
    command
        .args(["--mount", "sh", "-c", script, "sh", EXE, scene])
        .env("MMSTATS_PATH", directory.path())
        .env_remove("MMSTATS_FILES");
    Program::spawn(&mut command).end()
}

#[test]
fn a_thread_that_met_a_full_file_system_publishes_once_there_is_room() {
    let end = on_small_file_system("freed");
    assert!(end.status.success(), "{end:?}");
    assert_eq!(end.lines, ["0", "goes on"], "{end:?}");
    assert_eq!(end.errors.lines().count(), 1, "{end:?}");
}

#[test]
fn a_removed_file_of_a_live_writer_is_replaced_and_its_counts_go_on() {
    let directory = directory();
    let mut program = Program::start(EXE, directory.path(), &["lost"]);
    for turn in 1..=2 {
        let path = program.expect("file:");
        assert_eq!(only_file(directory.path()).to_str(), Some(&*path));
        let values = values(path.as_ref());
        assert_eq!((values.count("done"), values.count("sys.pid")), (turn, program.pid().into()));
        assert_eq!(values.text("note"), "b".repeat(48), "what is not counted stays as well");
        if turn == 1 {
            fs::remove_file(path).unwrap();
        }
        program.go();
    }
    // The file of a thread that has ended.
    for turn in 1..=2 {
        program.expect("ended");
        let mut done: Vec<_> = files(directory.path())
            .into_iter()
            .map(|path| (values(&path).count("done"), values(&path).count("sys.tid"), path))
            .collect();
        done.sort();
        assert_eq!((done[0].0, done[1].0), (turn.min(2), 2), "{done:?}");
        let parked = done.into_iter().find(|(_, tid, _)| *tid == 0).unwrap();
        assert_eq!(parked.0, turn);
        fs::remove_file(parked.2).unwrap();
        program.go();
    }
    let end = program.end();
    assert!(end.status.success() && end.errors.is_empty(), "{end:?}");
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn a_removed_file_of_published_stats_is_replaced_and_counted() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    let own = published(directory.path(), "own.mmstats");
    for turn in 1..=5 {
        own.step(turn);
        let Publication::File(path) = own.publication() else { panic!("private") };
        assert_eq!((values(&path).count("done"), lost_files()), (turn, turn - 1));
        assert_eq!(own.path(), path);
        match turn {
            1 => fs::remove_file(path).unwrap(),
            2 => fs::write(at("other"), "another's")
                .and_then(|()| fs::rename(at("other"), path))
                .unwrap(),
            3 => fs::rename(path, at("renamed")).unwrap(),
            4 => {
                assert!(Reader::new().read(&at("renamed")).is_err(), "it would count twice");
                assert_eq!(names(directory.path()), ["own.1.mmstats", "own.mmstats", "renamed"]);
                assert_eq!(fs::read(at("own.mmstats")).unwrap(), b"another's");
                fs::remove_dir_all(directory.path()).unwrap();
                assert!(matches!(own.publication(), Publication::Private(_)));
                fs::create_dir(directory.path()).unwrap();
            }
            _ => {}
        }
    }
    own.remove();
    let Publication::Private(error) = own.publication() else { panic!("there is a file") };
    assert!(error.to_string().ends_with("own.mmstats: removed by this program"), "{error}");
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn a_program_without_mappings_left_goes_on() {
    let directory = directory();
    let end = Program::start(EXE, directory.path(), &["no_mappings"]).end();
    assert!(end.status.success(), "{end:?}");
    assert_eq!(end.lines, ["2 true", "true"], "{end:?}");
}

#[test]
fn stats_that_are_removed_again_and_again_are_released() {
    let directory = directory();
    let end = Program::start(EXE, directory.path(), &["remove_often"]).end();
    assert!(end.status.success(), "{end:?}");
    let grown =
        |line: usize, name| -> i64 { end.lines[line].strip_prefix(name).unwrap().parse().unwrap() };
    // A mapping and 5 KiB for each of 4000 would be 4000 and 20 000.
    assert!(grown(0, "mappings: ") < 100 && grown(1, "memory: ") < 2000, "{end:?}");
}

#[test]
fn a_full_file_system_is_reported_and_kills_nothing() {
    let end = on_small_file_system("full");
    assert!(end.status.success(), "{end:?}");
    let count = |beginning| end.lines.iter().filter(|line| line.starts_with(beginning)).count();
    let (files, private) = (count("file: "), count("private: "));
    assert_eq!(files + private, 20, "{end:?}");
    assert!(files > 2 && private > 2, "{end:?}");
    let all_alike = |line: &String| {
        line.contains("cannot allocate")
            && line.contains("No space left on device")
            && line.contains("fails-")
    };
    assert!(
        end.lines.iter().filter(|line| line.starts_with("private: ")).all(all_alike),
        "{end:?}"
    );
    assert!(end.lines.contains(&format!("in files: {:?}", vec![1000; files])), "{end:?}");
    assert!(end.lines.contains(&"left over: []".to_owned()), "{end:?}");
    assert_eq!(end.errors.lines().count(), 1, "{end:?}");
}

#[test]
fn an_unknown_placeholder_is_named_with_its_variable() {
    let directory = directory();
    for variable in ["MMSTATS_FILES", "MMSTATS_PATH"] {
        let mut command = command(EXE, directory.path(), &["plain"]);
        command.env(variable, "{HOST}-{PID}.mmstats");
        let end = fails(&mut command, "Steps", &[variable, "{HOST}", "{PID}"]);
        assert!(publish_said(&end).contains("{HOST}"), "{end:?}");
    }
    fails(&mut command(EXE, directory.path(), &["bad_name"]), "Small", &["{HOST}"]);
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn invalid_labels_are_refused() {
    let directory = directory();
    let path = directory.path().to_str().unwrap();
    let refused = |scene, name, cause| {
        fails(&mut command(EXE, directory.path(), &[scene]), name, &[path, cause])
    };
    refused("long", "Steps", "65535");
    refused("wordy", "Wordy", "65535");
    refused("wordy_v1", "Wordy", "65535");
    refused("nul", "Small", "NUL");
    refused("collides", "Collides", "\"sys.pid\"");
    refused("collides_v1", "Collides", "\"sys.pid\"");
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn quiet_does_not_warn() {
    let directory = directory();
    let end = Program::start(EXE, &directory.path().join("missing"), &["quiet"]).end();
    assert!(end.status.success(), "{end:?}");
    assert!(end.lines[0].starts_with("private: "), "{end:?}");
    assert_eq!(end.errors, "");
}

#[test]
fn a_closed_standard_error_does_not_cause_a_panic() {
    let directory = directory();
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$@\" 2>/dev/full", "sh", EXE, "plain"])
        .env("MMSTATS_PATH", directory.path().join("missing"));
    let end = Program::spawn(&mut command).end();
    assert!(end.status.success(), "{end:?}");
    assert_eq!(end.lines[1], "counted: 2");
}

#[test]
fn frequent_signals_do_not_cause_failures() {
    let directory = directory();
    let end = Program::start(EXE, directory.path(), &["interrupted"]).end();
    assert!(end.status.success(), "{end:?}");
    assert_eq!(end.lines, ["done"]);
}

#[test]
fn two_models_in_one_thread_have_a_file_each() {
    let directory = directory();
    let mut program = Program::start(EXE, directory.path(), &["two"]);
    let paths = [0, 1].map(|_| {
        let path = program.expect("file:");
        program.expect("counted:");
        path
    });
    program.expect("both");
    let found = files(directory.path());
    assert_eq!(found.len(), 2, "{found:?}");
    for path in paths.map(std::path::PathBuf::from) {
        assert!(found.contains(&path), "{} is not among {found:?}", path.display());
    }
    let steps: Vec<usize> =
        all_values(directory.path()).iter().map(|values| values.0.len()).collect();
    assert_ne!(steps[0], steps[1]);
    program.go();
    assert_eq!(program.end().errors, "");
}

/// Publishes in this directory.
fn published(directory: &Path, name: &'static str) -> Published<Steps> {
    // Options need `'static` texts.
    publish(
        &Options::new()
            .directory(String::leak(directory.to_str().unwrap().to_owned()))
            .file_name(name),
    )
    .unwrap()
}

fn file_name(own: &Published<Steps>) -> String {
    own.path().file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_file_whose_name_is_taken_gets_a_number() {
    let directory = directory();
    let path = directory.path();
    fs::write(path.join("a.mmstats"), "another's").unwrap();
    let both = [
        published(path, "a.mmstats"),
        published(path, "a.mmstats"),
        published(path, "plain"),
        published(path, "plain"),
    ];
    assert_eq!(both.each_ref().map(file_name), ["a.1.mmstats", "a.2.mmstats", "plain", "plain.1"]);
    both.iter().for_each(|own| assert_eq!(values(&own.path()).count("done"), 0));
    drop(both);
    assert_eq!(fs::read(path.join("a.mmstats")).unwrap(), b"another's");
    assert_eq!(names(path), ["a.mmstats"]);
}

#[test]
fn a_random_name_is_used_if_all_predictable_names_are_taken() {
    let directory = directory();
    let path = directory.path();
    fs::write(path.join("a.mmstats"), "").unwrap();
    (1..1000).for_each(|i| fs::write(path.join(format!("a.{i}.mmstats")), "").unwrap());
    let both = [published(path, "a.mmstats"), published(path, "a.mmstats")];
    for own in &both {
        let name = file_name(own);
        let suffix = name.strip_prefix("a.").and_then(|name| name.strip_suffix(".mmstats"));
        assert_eq!(suffix.unwrap().len(), 16, "{name}");
        assert_eq!(values(&own.path()).count("done"), 0);
    }
    assert_ne!(both[0].path(), both[1].path());
    drop(both);
    assert_eq!(names(path).len(), 1000);
}

#[test]
fn existing_links_are_not_followed() {
    let directory = directory();
    let path = directory.path();
    let victim = path.join("victim");
    fs::write(&victim, "of an attack").unwrap();
    let plant = |name: &str, i: u32| {
        symlink(path.join(if i % 2 == 0 { "victim" } else { "nowhere" }), path.join(name)).unwrap();
    };
    plant("a.mmstats", 0);
    plant("b.mmstats", 1);
    // All names that this process can give to pending files.
    (0..2000).for_each(|i| plant(&format!(".mmstats-{}-{i}.tmp", std::process::id()), i));
    let both = [published(path, "a.mmstats"), published(path, "b.mmstats")];
    for (own, name) in both.iter().zip(["a.1.mmstats", "b.1.mmstats"]) {
        own.step(1);
        assert_eq!(file_name(own), name);
        assert_eq!(values(&own.path()).count("done"), 1);
    }
    drop(both);
    assert_eq!(fs::read(&victim).unwrap(), b"of an attack");
    assert!(!path.join("nowhere").exists());
    assert_eq!(names(path).len(), 2000 + 3);
}

#[test]
fn a_file_size_limit_causes_an_error_and_no_signal() {
    let directory = directory();
    let mut command =
        command("/bin/sh", directory.path(), &["-c", "ulimit -f 0; exec \"$0\" plain", EXE]);
    fails(&mut command, "Steps", &["File too large"]);
    assert_eq!(names(directory.path()), [""; 0]);
}
