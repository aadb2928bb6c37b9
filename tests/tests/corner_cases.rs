//! Unusual programs.
#![allow(unsafe_code)]

use mmstats_std::liveness::Liveness;
use mmstats_std::read::Reader;
use mmstats_std::{Constant, Counter, Gauge, Options, V2, model, per_thread, publish};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

static NEXT: AtomicU64 = AtomicU64::new(1);

model! {
    struct Numbered {
        number: Constant<u64> => NEXT.fetch_add(1, Ordering::Relaxed),
        done: Counter,
    }
    struct Supervisor {
/// A PID that is not the writer's.
        pid: Gauge<u32> = "worker.sys.pid" => u32::MAX / 4,
        no_errors: Gauge<u32> => 77,
        errors: Gauge<u32> = "io.errors" => 5,
    }
}

per_thread! {
    static NUMBERED: Numbered = Options::new().directory("/dev/shm").file_name("corner-{PID}-{TID}-{MODEL}.mmstats");
}

fn files(model: &str) -> Vec<PathBuf> {
    let beginning = format!("corner-{}-", std::process::id());
    let all = std::fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| {
        path.file_name().is_some_and(|name| {
            name.to_string_lossy().starts_with(&beginning) && name.to_string_lossy().contains(model)
        })
    })
    .collect()
}

#[test]
fn threads_adopt_files_with_other_constants() {
    for _ in 0..20 {
        thread::spawn(|| NUMBERED.with(|stats| stats.done.incr())).join().unwrap();
    }
    let files = files("Numbered");
    assert_eq!(files.len(), 1, "{files:?}");
    let mut reader = Reader::new();
    let sample = reader.read(&files[0]).unwrap();
    assert_eq!(sample.find("done"), Some(mmstats_core::reader::Value::Unsigned(20)));
    assert_eq!(sample.find("number"), Some(mmstats_core::reader::Value::Unsigned(1)));
    let taken = thread::spawn(|| NUMBERED.with(|stats| stats.number.get())).join().unwrap();
    assert_eq!(taken, 1, "the handle and the file differ");
}

#[test]
fn a_label_that_ends_in_sys_pid_is_not_taken_for_the_pid() {
    let options =
        Options::new().directory("/dev/shm").file_name("corner-{PID}-{TID}-{MODEL}.mmstats");
    let stats = publish::<Supervisor>(&options).unwrap();
    let mut reader = Reader::new();
    let sample = reader.read(&stats.path()).unwrap();
    assert_eq!(sample.pid(), Some(std::process::id()));
    assert_eq!(sample.verdict().liveness, Liveness::Alive, "{}", sample.verdict().reason);
    assert_eq!(sample.find("errors"), Some(mmstats_core::reader::Value::Unsigned(5)));
}

#[test]
fn the_file_is_found_after_a_change_of_the_working_directory() {
    let options = Options::new().directory(".").file_name("corner-{PID}-{TID}-{MODEL}.mmstats");
    let stats = publish::<Supervisor>(&options).unwrap();
    assert!(stats.path().is_absolute(), "{}", stats.path().display());
}

#[test]
fn a_forked_child_can_continue_with_its_parents_writer() {
    let options =
        Options::new().directory("/dev/shm").file_name("corner-{PID}-{TID}-{MODEL}.mmstats");
    let (mut writer, path) = mmstats_std::create_writer::<V2>("plugins", 8192, &options).unwrap();
    let first: Counter = writer.add(Counter::builder("first")).unwrap();
    first.incr();
    // SAFETY: the child needs no other thread, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a signal that ends the child if it hangs.
        unsafe { libc::alarm(10) };
        let added: Result<Counter, _> = writer.add(Counter::builder("second"));
        first.incr();
        // SAFETY: skips the exit handlers, which are its parent's.
        unsafe { libc::_exit(i32::from(added.is_err())) };
    }
    let mut status = 0;
    // SAFETY: a child of this process, and space for its status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the child hung or failed");
    let mut reader = Reader::new();
    let sample = reader.read(&path).unwrap();
    assert_eq!(
        (sample.find("first"), sample.find("second")),
        (Some(mmstats_core::reader::Value::Unsigned(1)), None)
    );
    std::fs::remove_file(path).unwrap();
}
