//! What `topstats` costs: 1000 files of 50 fields and more, half of them counters that count,
//! looked at twice a second on a screen of 80×24.
//!
//! Prints the processor time that it takes, in percent of one core, in the groupings that have the
//! fewest and the most rows. Fails above 25 %. Run it with `cargo bench -p mmstats-tests --bench
//! top`; it needs tmux.
#![allow(missing_docs, reason = "nobody reads the help of these fields")]

use std::fs;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mmstats_std::{Counter, Gauge, Options, Published, model, publish};
use mmstats_tests::cli::program;
use mmstats_tests::programs::directory;
use mmstats_tests::tmux::Tmux;

model! {
    pub struct Load in "bench.load." {
        c00: Counter, c01: Counter, c02: Counter, c03: Counter, c04: Counter, c05: Counter, c06: Counter, c07: Counter,
        c08: Counter, c09: Counter, c10: Counter, c11: Counter, c12: Counter, c13: Counter, c14: Counter, c15: Counter,
        c16: Counter, c17: Counter, c18: Counter, c19: Counter, c20: Counter, c21: Counter, c22: Counter, c23: Counter,
        c24: Counter,
        g00: Gauge<f64>, g01: Gauge<f64>, g02: Gauge<f64>, g03: Gauge<f64>, g04: Gauge<f64>, g05: Gauge<f64>,
        g06: Gauge<f64>, g07: Gauge<f64>, g08: Gauge<f64>, g09: Gauge<f64>, g10: Gauge<f64>, g11: Gauge<f64>,
        g12: Gauge<f64>, g13: Gauge<f64>, g14: Gauge<f64>, g15: Gauge<f64>, g16: Gauge<f64>, g17: Gauge<f64>,
        g18: Gauge<f64>, g19: Gauge<f64>, g20: Gauge<f64>, g21: Gauge<f64>, g22: Gauge<f64>, g23: Gauge<f64>,
        g24: Gauge<f64>,
    }
}

impl Load {
    fn count(&self) {
        let counters = [
            &self.c00, &self.c01, &self.c02, &self.c03, &self.c04, &self.c05, &self.c06, &self.c07,
            &self.c08, &self.c09, &self.c10, &self.c11, &self.c12, &self.c13, &self.c14, &self.c15,
            &self.c16, &self.c17, &self.c18, &self.c19, &self.c20, &self.c21, &self.c22, &self.c23,
            &self.c24,
        ];
        for (step, counter) in (1..).zip(counters) {
            counter.add(step);
        }
        self.g00.set(self.c00.get() as f64);
    }
}

const FILES: usize = 1000;
/// For how long it is measured, after it has begun.
const MEASURED: Duration = Duration::from_secs(10);
/// In percent of one core.
const LIMIT: f64 = 25.0;

fn main() -> ExitCode {
    let directory = directory();
    let path: &'static str = directory.path().to_str().expect("UTF-8").to_owned().leak();
    let file = |number: usize| {
        let name: &'static str = format!("load-{number}.mmstats").leak();
        publish::<Load>(&Options::new().directory(path).file_name(name)).expect("room on the tmpfs")
    };
    let files: Vec<_> = (0..FILES).map(file).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| count(files, &is_over));
        let results = [("none", "-g none"), ("by file", "-g file -s rate")]
            .map(|(name, arguments)| measure(name, path, arguments));
        is_over.store(true, Ordering::Relaxed);
        if results.iter().all(|percent| *percent <= LIMIT) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    })
}

/// Counts in all files, ten times a second.
fn count(files: Vec<Published<Load>>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        files.iter().for_each(|file| file.count());
        thread::sleep(Duration::from_millis(100));
    }
}

/// The processor time that it takes, in percent of one core.
fn measure(name: &str, directory: &str, arguments: &str) -> f64 {
    let tmux = Tmux::new();
    tmux.run(&format!("{} -d 0.5 {arguments} {directory}", program("--bin", "topstats").display()));
    tmux.wait("rates of all", |screen| {
        screen.contains("1000 writers: 1000 alive") && screen.contains('█')
    });
    let shell = tmux.variable("pane_pid");
    let pid = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).expect("it runs");
    let (begin, before) = (Instant::now(), ran(pid.trim()));
    thread::sleep(MEASURED);
    let percent = (ran(pid.trim()) - before) as f64 / begin.elapsed().as_nanos() as f64 * 100.0;
    let verdict = if percent > LIMIT { "ABOVE" } else { "at most" };
    println!("{name:12} {percent:5.1} % of one core ({verdict} {LIMIT})");
    percent
}

/// Nanoseconds that all threads of a process have run.
fn ran(pid: &str) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let ran = |thread: fs::DirEntry| {
        fs::read_to_string(thread.path().join("schedstat"))
            .ok()?
            .split(' ')
            .next()?
            .parse::<u64>()
            .ok()
    };
    threads.filter_map(|thread| ran(thread.ok()?)).sum()
}
