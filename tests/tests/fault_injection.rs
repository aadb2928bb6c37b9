//! Lets each system call of publishing fail with each error. strace finds the calls in a run
//! without failures, and makes one of them fail in each further run.

use mmstats_tests::files::names;
use mmstats_tests::programs::{End, Program, directory, tool};
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const ERRORS: [&str; 16] = [
    "ENOENT", "EACCES", "EPERM", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM", "EINTR", "EIO",
    "EROFS", "ELOOP", "EINVAL", "EEXIST", "ENOTDIR", "ENOSYS",
];

/// A run of the program: its end, the calls of its operations, and the files it left.
struct Run {
    end: End,
    calls: Vec<Call>,
    left: Vec<String>,
}

/// A system call: its name, and how many of that name there were up to it.
struct Call {
    name: String,
    nth: usize,
    /// As strace prints it.
    line: String,
}

impl Call {
    fn is_injected(&self) -> bool {
        self.line.ends_with("(INJECTED)")
    }
}

fn run(scene: &str, injections: &[&str]) -> Run {
    let (directory, log) = (directory(), directory());
    let trace = log.path().join("trace");
    let mut strace = tool("strace");
    strace.arg("-o").arg(&trace);
    for injection in injections {
        strace.args(["-e", injection]);
    }
    let faults = env!("CARGO_BIN_EXE_faults");
    let end = if scene == "child" {
        end_with_traced_child(Program::start(faults, directory.path(), &[scene]), strace)
    } else {
        strace.args([faults, scene]).env("MMSTATS_PATH", directory.path());
        Program::spawn(strace.env_remove("MMSTATS_FILES")).end()
    };
    let trace = fs::read_to_string(trace).unwrap();
    Run { end, calls: calls(&trace), left: names(directory.path()) }
}

/// Traces the forked child of a program, which says its PID, and returns the program's end.
fn end_with_traced_child(mut program: Program, mut strace: Command) -> End {
    let mut strace = strace.args(["-p", &program.line()]).stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(strace.stderr.take().unwrap());
    let mut message = String::new();
    messages.read_line(&mut message).unwrap();
    assert!(message.contains(" attached"), "{message}");
    program.go();
    let end = program.end();
    strace.wait().unwrap();
    end
}

/// Returns the calls between `begin` and `end` that can fail.
fn calls(trace: &str) -> Vec<Call> {
    let mut counts = HashMap::new();
    let mut is_during = false;
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((name, rest)) = line.split_once('(') else { continue };
        let nth = counts.entry(name).or_insert(0);
        *nth += 1;
        match (name, rest.get(..6)) {
            ("write", Some("1, \"be")) => is_during = true,
            ("write", Some("1, \"en")) => is_during = false,
            // They cannot fail, except for `close`, which has closed its descriptor even then.
            ("close" | "exit_group" | "getpid" | "gettid" | "getuid" | "getgid", _) => {}
            _ if is_during => {
                let (name, line) = (name.to_owned(), line.to_owned());
                calls.push(Call { name, nth: *nth, line });
            }
            _ => {}
        }
    }
    calls
}

/// Lets each call of a run with these injections fail with each error, and returns their number.
fn inject(scene: &str, base: &[&str], errors: &[&str]) -> usize {
    let clean = run(scene, base);
    assert!(clean.end.status.success(), "{:?}", clean.end);
    assert_eq!((&*clean.end.errors, clean.left.len()), ("", 0));
    let calls = clean.calls.iter().filter(|call| !call.is_injected());
    let runs: Vec<_> =
        calls.flat_map(|call| errors.iter().map(move |error| (call, error))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut complaints = Vec::new();
        while let Some((call, error)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let injection = format!("inject={}:error={error}:when={}", call.name, call.nth);
            let run = run(scene, &[base, &[&*injection]].concat());
            if let Err(complaint) = judge(call, error, &clean, &run) {
                complaints.push(format!(
                    "{error} in {}: {complaint}, {:?} {:?}\n",
                    call.line, run.end, run.left
                ));
            }
        }
        complaints
    };
    let complaints: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(
        complaints.is_empty(),
        "{} of {} runs:\n{}",
        complaints.len(),
        runs.len(),
        complaints.concat()
    );
    runs.len() / errors.len()
}

/// Compares a run in which a call failed with a run without failures.
fn judge(call: &Call, error: &str, clean: &Run, run: &Run) -> Result<(), &'static str> {
    let is_it = |other: &&Call| (&other.name, other.nth) == (&call.name, call.nth);
    if !run.calls.iter().find(is_it).is_some_and(Call::is_injected) {
        return Err("nothing fails");
    }
    if !run.end.status.success() {
        return Err("it ends");
    }
    let privates = run.end.lines.iter().filter_map(|line| line.split_once(": private: "));
    // What returns an error does not warn.
    let must_warn =
        privates.clone().any(|(name, _)| name.contains("use") || name.contains("adopt"));
    let is_warned = match &*run.end.errors.lines().collect::<Vec<_>>() {
        [] => !must_warn,
        [warning] => warning.starts_with("mmstats: Steps is not published: /"),
        _ => false,
    };
    if !is_warned {
        return Err("it does not warn once");
    }
    let may_repeat = error == "EINTR" && !call.name.starts_with('m');
    if may_repeat && (&run.end.lines, &*run.end.errors) != (&clean.end.lines, "") {
        return Err("it does not repeat the call");
    }
    // Memory that cannot be replaced stays.
    let kept = usize::from(call.line.contains("MAP_FIXED"));
    let is_leak =
        |(now, clean): (Vec<usize>, Vec<usize>)| now[0] != clean[0] || now[1] > clean[1] + kept;
    if uses(run).zip(uses(clean)).any(is_leak) {
        return Err("it leaks");
    }
    // At the exit, nothing tries again.
    let is_removal = call.name.starts_with("unlink") || call.line.contains("AT_SYMLINK_NOFOLLOW");
    if run.left.len() > usize::from(is_removal) {
        return Err("files are left");
    }
    Ok(())
}

/// Returns the numbers of descriptors and of mappings after each operation.
fn uses(run: &Run) -> impl Iterator<Item = Vec<usize>> {
    let lines = run.end.lines.iter().filter_map(|line| line.strip_prefix("uses "));
    lines.map(|line| line.split(' ').map(|number| number.parse().unwrap()).collect())
}

/// Checks that enough calls were seen.
fn assert_many(calls: usize, expected: usize) {
    assert!(calls > expected, "too few calls are seen: {calls}");
}

#[test]
fn a_program_goes_on_whichever_system_call_fails() {
    assert_many(inject("process", &[], &ERRORS), 50);
}

#[test]
fn a_program_goes_on_whichever_system_call_fails_on_an_old_file_system() {
    // It neither renames without replacing nor allocates.
    let old = ["inject=renameat2:error=EINVAL", "inject=fallocate:error=EOPNOTSUPP"];
    assert_many(inject("process", &old, &["ENOENT", "ENOSPC", "EINTR", "EIO"]), 50);
}

#[test]
fn a_forked_child_goes_on_whichever_system_call_fails() {
    assert_many(inject("child", &[], &ERRORS), 40);
}
