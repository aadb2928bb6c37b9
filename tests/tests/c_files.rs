//! Processes in C publish in files by `mmstats_file.h`, as Rust programs do.

use mmstats_tests::c::{COMPILERS, compile, example, source};
use mmstats_tests::cli::{program, run};
use mmstats_tests::every_field::publish_filled;
use mmstats_tests::files::{Held, Values, all_values, files, names, only_file, values};
use mmstats_tests::independent::{assert_reads, dump};
use mmstats_tests::programs::{Program, command, directory, tool};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const THREADS: u64 = 3;
const ADDITIONS: u64 = 10_000;

const SANITIZED: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover"];

/// The program, compiled, and a directory for its files.
struct Compiled {
    program: TempDir,
    files: TempDir,
}

impl Compiled {
    fn new(compiler: (&str, &str), arguments: &[&str]) -> Compiled {
        let compiled = Compiled { program: directory(), files: directory() };
        compile(compiler, &source("files.c"), arguments, &compiled.path());
        compiled
    }

    fn path(&self) -> PathBuf {
        self.program.path().join("files")
    }

    fn files(&self) -> &Path {
        self.files.path()
    }

    /// Returns a command that runs a scene.
    fn command(&self, scene: &str) -> Command {
        command(self.path().to_str().unwrap(), self.files(), &[scene])
    }

    fn start(&self, scene: &str) -> Program {
        Program::spawn(&mut self.command(scene))
    }

    /// Returns the values of the threads' files, and of the process's.
    fn values(&self) -> (Vec<Values>, Values) {
        let (mut common, threads): (Vec<_>, Vec<_>) = all_values(self.files())
            .into_iter()
            .partition(|values| values.0.contains_key("narrow"));
        assert_eq!(common.len(), 1);
        (threads, common.remove(0))
    }

    /// Waits until the program has ended, which has to remove its files.
    fn end(&self, program: Program) {
        let end = program.end();
        assert!(end.status.success() && end.errors.is_empty(), "{end:?}");
        assert_eq!(names(self.files()), [""; 0]);
    }
}

fn threads_count_end_and_are_followed(compiler: (&str, &str), arguments: &[&str]) {
    let compiled = Compiled::new(compiler, arguments);
    let mut program = compiled.start("threads");
    let pid = u64::from(program.pid());

    program.expect("counted");
    let (threads, common) = compiled.values();
    assert_eq!(threads.len() as u64, THREADS);
    for values in &threads {
        assert_eq!(values.count("web.steps"), ADDITIONS);
        let gauges = ["web.open", "web.limit", "web.kept"].map(|label| values.count(label));
        assert_eq!(gauges, [5, 100, 7]);
        assert_eq!(values.text("web.worker"), "counting");
        assert_eq!((values.count("web.port"), values.count("web.sys.pid")), (8080, pid));
        assert_ne!(values.count("web.sys.tid"), pid);
    }
    assert_eq!(common.count("sys.tid"), pid);
    let all = THREADS * ADDITIONS;
    assert_eq!((common.count("narrow"), common.count("wide")), (all, all << 20));
    assert_eq!((common.count("balance"), common.count("highest")), (0, ADDITIONS - 1));
    assert_eq!(*common.get("lowest"), Held::Signed(1 - ADDITIONS as i64));
    assert_eq!(*common.get("sum"), Held::Number(all as f64 / 2.));
    assert_eq!(common.text("last"), "odd, and longer");
    let sum = THREADS * (ADDITIONS - 1) * ADDITIONS / 2;
    assert_eq!(*common.get("sizes"), Held::Spread { count: all, sum });
    program.go();

    program.expect("ended");
    let created = |values: &Values| values.get("web.sys.created").clone();
    let (ended, _) = compiled.values();
    for values in &ended {
        assert_eq!((values.count("web.steps"), values.count("web.kept")), (ADDITIONS, 7));
        let gauges = ["web.open", "web.limit", "web.sys.tid"].map(|label| values.count(label));
        assert_eq!((gauges, values.text("web.worker")), ([0; 3], ""));
    }
    assert_eq!(
        ended.iter().map(created).collect::<Vec<_>>(),
        threads.iter().map(created).collect::<Vec<_>>()
    );
    program.go();

    program.expect("followed");
    let (followed, _) = compiled.values();
    assert_eq!(followed.len() as u64, THREADS);
    assert_eq!(followed.iter().map(|values| values.count("web.steps")).sum::<u64>(), all + 1);
    program.go();
    compiled.end(program);
}

impl Compiled {
    /// Returns the bytes of every file.
    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(self.files())
            .into_iter()
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    }
}

fn a_child_has_files_of_its_own(compiler: (&str, &str), arguments: &[&str]) {
    let compiled = Compiled::new(compiler, arguments);
    let mut program = compiled.start("fork");
    program.expect("forking");
    let before = compiled.contents();
    assert_eq!(before.len(), 2);
    program.go();

    program.expect("child");
    let mut now = compiled.contents();
    for (path, bytes) in &before {
        assert!(now.remove(path).as_ref() == Some(bytes), "the child changed {}", path.display());
    }
    let children: Vec<Values> = now.keys().map(|path| values(path)).collect();
    let [of_thread, common] = match &children[..] {
        [one, other] if one.0.contains_key("web.steps") => [one, other],
        [one, other] => [other, one],
        other => panic!("two files, not {other:?}"),
    };
    assert_eq!((of_thread.count("web.steps"), common.count("narrow")), (4, 4));
    assert_eq!(common.text("last"), "child");
    assert_eq!(of_thread.count("web.sys.pid"), of_thread.count("web.sys.tid"));
    assert_ne!(of_thread.count("web.sys.pid"), u64::from(program.pid()));
    program.go();

    program.expect("parent");
    let (threads, common) = compiled.values();
    assert_eq!((threads[0].count("web.steps"), common.count("narrow")), (6, 3));
    program.go();
    compiled.end(program);
}

#[test]
fn threads_have_files_that_the_next_ones_take_over() {
    threads_count_end_and_are_followed(("gcc", "c99"), &["-O2"]);
    threads_count_end_and_are_followed(("clang++", "c++17"), &["-O2", "-DMMSTATS_WORD=4"]);
    threads_count_end_and_are_followed(("gcc", "c11"), &SANITIZED);
    // ThreadSanitizer does not know fences. They are for readers, which are other processes.
    threads_count_end_and_are_followed(("gcc", "c11"), &["-fsanitize=thread", "-Wno-tsan"]);
}

#[test]
fn a_forked_child_changes_nothing_of_its_parents_and_publishes_itself() {
    a_child_has_files_of_its_own(("clang", "c11"), &["-O2"]);
    a_child_has_files_of_its_own(("g++", "c++17"), &["-O2", "-DMMSTATS_WORD=4"]);
    a_child_has_files_of_its_own(("gcc", "c99"), &SANITIZED);
}

#[test]
fn the_example_in_the_header_is_a_program() {
    let directory = directory();
    let (code, program) = (directory.path().join("example.c"), directory.path().join("example"));
    fs::write(&code, example("mmstats_file.h")).unwrap();
    for compiler in COMPILERS {
        compile(compiler, &code, &[], &program);
        assert!(
            command(program.to_str().unwrap(), directory.path(), &[]).status().unwrap().success()
        );
    }
}

/// Returns the fields about the process, without their values.
fn identity(path: &Path, prefix: &str) -> Vec<Json> {
    let mut fields = dump(path);
    fields.retain(|field| field["label"].as_str().unwrap().starts_with(&format!("{prefix}sys.")));
    for field in &mut fields {
        let label = field["label"].as_str().unwrap().trim_start_matches(prefix).to_owned();
        field["label"] = label.into();
        let field = field.as_object_mut().unwrap();
        field.remove("value").unwrap();
        // In C, nothing but the mark makes `created` survive the end of its thread.
        field.remove("kept");
    }
    fields
}

#[test]
fn the_identity_of_a_process_is_that_of_mmstats_std() {
    let compiled = Compiled::new(("gcc", "c99"), &[]);
    let mut program = compiled.start("once");
    program.expect("once");
    let path = only_file(compiled.files());
    let pid = program.pid();
    assert_eq!(path.file_name().unwrap().to_str().unwrap(), format!("files-{pid}-{pid}.mmstats"));
    assert_reads(&path, &dump(&path));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o333, 0);

    let ours = directory();
    let published = publish_filled::<mmstats_std::V2>(ours.path(), "ours.mmstats").unwrap();
    assert_eq!(identity(&path, "web."), identity(&published.path(), ""));
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let values = values(&path);
    let start = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap();
    assert_eq!(values.count("web.sys.start").to_string(), start);
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert_eq!(values.text("web.sys.boot_id"), boot_id.trim_end());
    let namespace = fs::metadata("/proc/self/ns/pid").unwrap().ino();
    assert_eq!(values.count("web.sys.pid_namespace"), namespace);
    program.go();
    compiled.end(program);
}

#[test]
fn tools_read_it_and_remove_only_what_a_killed_process_left() {
    let compiled = Compiled::new(("gcc", "c99"), &[]);
    let mut program_in_c = compiled.start("once");
    program_in_c.expect("once");
    let tool = |name| run(Command::new(program("--bin", name)).arg(compiled.files()));
    let read = tool("slurpstats");
    assert!(read.status == 0 && read.out.contains("web.steps             1\n"), "{read:?}");
    assert_eq!(tool("cleanstats").status, 0);
    assert_eq!(names(compiled.files()).len(), 1);
    drop(program_in_c); // by SIGKILL
    assert_eq!(names(compiled.files()).len(), 1);
    assert_eq!(tool("cleanstats").status, 0);
    assert_eq!(names(compiled.files()), [""; 0]);
}

#[test]
fn templates_name_the_files() {
    let compiled = Compiled::new(("gcc", "c99"), &[]);
    fs::create_dir(compiled.files().join("files")).unwrap();
    // The first name is taken, by a link that must not be followed.
    let victim = compiled.program.path().join("victim");
    fs::write(&victim, "").unwrap();
    symlink(&victim, compiled.files().join("files/{web}.x")).unwrap();
    let mut command = compiled.command("once");
    command.current_dir(compiled.files()).env("MMSTATS_PATH", "{CMD}/../{CMD}");
    command.env("MMSTATS_FILES", "{{{MODEL}}}.x");
    let mut program = Program::spawn(&mut command);
    program.expect("once");
    let made = compiled.files().join("files/{web}.1.x");
    assert_eq!(values(&made).count("web.steps"), 1);
    assert_eq!(fs::read(&victim).unwrap(), b"");
    program.go();
    assert!(program.end().status.success());
    assert!(!made.exists());
}

#[test]
fn without_a_file_it_counts_in_private_memory_and_says_why() {
    let compiled = Compiled::new(("gcc", "c99"), &[]);
    let missing = compiled.files().join("missing");
    let missing = missing.to_str().unwrap();
    for (path, file, expected) in [
        (missing, "x", "missing/x: cannot be created: No such file or directory"),
        (
            "/dev/shm/{USER}",
            "x",
            "invalid template ({CMD}, {PID}, {TID}, {MODEL}, {{ or }} expected)",
        ),
        ("/dev/shm/}", "x", "invalid template"),
        ("/dev/shm", &"x".repeat(5000), "its path is too long (at most 4095 bytes expected)"),
    ] {
        let mut command = compiled.command("once");
        command.env("MMSTATS_PATH", path).env("MMSTATS_FILES", file);
        let mut program = Program::spawn(&mut command);
        program.expect("once");
        program.go();
        let end = program.end();
        assert!(end.status.success(), "{end:?}");
        let line = end.errors.strip_suffix('\n').unwrap();
        assert!(line.starts_with("mmstats: web is not published: "), "{line}");
        assert!(line.contains(expected), "{line}");
        assert!(line.ends_with("; it is counted in private memory"), "{line}");
    }
    assert_eq!(names(compiled.files()), [""; 0]);
}

#[test]
fn the_environment_switches_publishing_off() {
    let compiled = Compiled::new(("gcc", "c99"), &[]);
    let mut command = compiled.command("once");
    command.current_dir(compiled.files()).env("MMSTATS_PATH", "none");
    let mut program = Program::spawn(&mut command);
    program.expect("once");
    assert_eq!(names(compiled.files()), [""; 0]);
    let marked = format!("-{}-", program.pid());
    assert!(!names("/dev/shm".as_ref()).iter().any(|name| name.contains(&marked)));
    program.go();
    let end = program.end();
    assert!(end.status.success() && end.errors.is_empty(), "{end:?}");
}

#[test]
fn a_full_disk_kills_nothing() {
    let compiled = Compiled::new(("gcc", "c99"), &[]);
    let mut shell = command("sh", compiled.files(), &["-c", "ulimit -f 0; exec \"$0\" once"]);
    let mut program = Program::spawn(shell.arg(compiled.path()));
    program.expect("once");
    program.go();
    let end = program.end();
    assert!(end.status.success() && end.errors.contains("File too large"), "{end:?}");
    assert_eq!(names(compiled.files()), [""; 0]);
}

#[test]
fn a_thread_tries_again_to_create_its_file_and_its_counts_go_on() {
    let compiled = Compiled::new(("gcc", "c99"), &SANITIZED);
    // A soft limit, which can be raised again.
    let limited = ["-c", "ulimit -S -f 0; exec \"$0\" retry"];
    let mut shell = command("sh", compiled.files(), &limited);
    let mut program = Program::spawn(shell.arg(compiled.path()));
    program.expect("private");
    assert_eq!(names(compiled.files()), [""; 0]);
    let pid = program.pid().to_string();
    let raised = run(tool("prlimit").args(["--pid", &pid, "--fsize=unlimited"]));
    assert_eq!(raised.status, 0, "{}", raised.err);
    for steps in [2, 3] {
        program.go();
        program.expect("published");
        assert_eq!(values(&only_file(compiled.files())).count("web.steps"), steps);
    }
    let removed = only_file(compiled.files());
    fs::remove_file(&removed).unwrap();
    program.go();
    program.expect("published");
    assert_eq!(values(&only_file(compiled.files())).count("web.steps"), 4);
    program.go();
    let end = program.end();
    assert!(end.status.success(), "{end:?}");
    assert_eq!(end.errors.lines().count(), 1, "{end:?}");
    assert_eq!(names(compiled.files()), [""; 0]);
}
