//! `steps_until_killed v2|v1 SCENE ACKNOWLEDGED`: makes steps until it is killed, and acknowledges
//! each in a file that it shares with the test.
#![allow(unsafe_code)]

use mmstats_std::{Format, Options, PerThread, V1, V2, per_thread};
use mmstats_tests::step_model::Steps;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

per_thread! {
    static TWO: Steps<V2> = Options::new();
    static ONE: Steps<V1> = Options::new();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [format, scene, path] = &arguments[..] else {
        panic!("FORMAT, SCENE and FILE, not {arguments:?}")
    };
    let acknowledged = shared(path);
    match format.as_str() {
        "v2" => play(scene, &TWO, acknowledged),
        "v1" => play(scene, &ONE, acknowledged),
        other => panic!("v2 or v1, not {other:?}"),
    }
}

/// A number at the start of a file of 8 bytes; what is stored there is there, even if the next
/// instruction is the program's last.
fn shared(path: &str) -> &'static AtomicU64 {
    let file = File::options().read(true).write(true).open(path).expect("the test made it");
    // SAFETY: a new mapping.
    let at = unsafe {
        libc::mmap(
            null_mut(),
            8,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    assert_ne!(at, libc::MAP_FAILED);
    // SAFETY: 8 bytes at the start of a page, which is never unmapped, and which other processes
    // only read.
    unsafe { AtomicU64::from_ptr(at.cast()) }
}

fn play<F: Format>(
    scene: &str,
    stats: &'static PerThread<Steps<F>>,
    acknowledged: &'static AtomicU64,
) {
    match scene {
        "steps" => stats.with(|stats| {
            for i in 1.. {
                stats.step(i);
                acknowledged.store(i, Ordering::Release);
            }
        }),
        "threads" => {
            let one_step = move || {
                stats.with(|stats| stats.step(1));
                acknowledged.fetch_add(1, Ordering::Release);
            };
            let lane = move || loop {
                thread::spawn(one_step).join().expect("it does not panic");
            };
            let lanes: Vec<_> = (0..4).map(|_| thread::spawn(lane)).collect();
            lanes.into_iter().for_each(|lane| lane.join().expect("it does not panic"));
        }
        other => panic!("no scene {other:?}"),
    }
}
