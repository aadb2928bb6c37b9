//! The cost of `topstats`: 1000 files of more than 50 fields, half of them counters that increase,
//! scraped twice a second on a screen of 80×24.
//!
//! Prints the processor time in percent of one core, for the groupings with the fewest and the most
//! rows, beside that of scraping the same files at the same rate without a screen. Fails if a ratio
//! of the two is above its limit. Run it with `cargo bench -p mmstats-tests --bench top`; it needs
//! tmux.
#![allow(missing_docs, reason = "the benchmark's fields need no help")]

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mmstats_std::{Counter, Gauge, Options, Published, model, publish};
use mmstats_tests::cli::program;
use mmstats_tests::programs::directory;
use mmstats_tests::tmux::Tmux;
use mmstats_tools::options::SourceOptions;
use mmstats_tools::scraper::Scraper;
use mmstats_tools::source::Sources;

model! {
    pub struct Load in "bench.load." {
        c00: Counter, c01: Counter, c02: Counter, c03: Counter, c04: Counter, c05: Counter,
        c06: Counter, c07: Counter, c08: Counter, c09: Counter, c10: Counter, c11: Counter,
        c12: Counter, c13: Counter, c14: Counter, c15: Counter, c16: Counter, c17: Counter,
        c18: Counter, c19: Counter, c20: Counter, c21: Counter, c22: Counter, c23: Counter,
        c24: Counter, g00: Gauge<f64>, g01: Gauge<f64>, g02: Gauge<f64>, g03: Gauge<f64>,
        g04: Gauge<f64>, g05: Gauge<f64>, g06: Gauge<f64>, g07: Gauge<f64>, g08: Gauge<f64>,
        g09: Gauge<f64>, g10: Gauge<f64>, g11: Gauge<f64>, g12: Gauge<f64>, g13: Gauge<f64>,
        g14: Gauge<f64>, g15: Gauge<f64>, g16: Gauge<f64>, g17: Gauge<f64>, g18: Gauge<f64>,
        g19: Gauge<f64>, g20: Gauge<f64>, g21: Gauge<f64>, g22: Gauge<f64>, g23: Gauge<f64>,
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
const INTERVAL: f64 = 0.5;
/// The duration of a measurement, after the first screen.
const MEASURED: Duration = Duration::from_secs(10);
/// The most that `topstats` may cost, as a multiple of scraping alone.
const MAX_RATIO: f64 = 6.0;

fn main() -> ExitCode {
    let directory = directory();
    let path: &'static str = directory.path().to_str().expect("UTF-8").to_owned().leak();
    let file = |number: usize| {
        let name: &'static str = format!("load-{number}.mmstats").leak();
        publish::<Load>(&Options::new().directory(path).file_name(name))
            .expect("space on the tmpfs")
    };
    let files: Vec<_> = (0..FILES).map(file).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| count(files, &is_over));
        let base = scrape(path);
        println!("{:14} {base:5.1} % of one core", "scraping alone");
        let ratios =
            [("no groups", "-g none"), ("by file", "-g file -s rate")].map(|(name, arguments)| {
                let percent = measure(path, arguments);
                let ratio = percent / base;
                let verdict = if ratio > MAX_RATIO { "ABOVE" } else { "at most" };
                println!(
                    "{name:14} {percent:5.1} % of one core, {ratio:.1} × ({verdict} {MAX_RATIO})"
                );
                ratio
            });
        is_over.store(true, Ordering::Relaxed);
        if ratios.iter().all(|ratio| *ratio <= MAX_RATIO) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    })
}

/// Increases counters in all files, ten times a second.
fn count(files: Vec<Published<Load>>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        files.iter().for_each(|file| file.count());
        thread::sleep(Duration::from_millis(100));
    }
}

/// Returns the processor time of scraping in this thread, in percent of one core: at the interval
/// of `topstats` and as long, as caches and clock rates differ after a pause.
fn scrape(directory: &str) -> f64 {
    let sources = Sources::new(SourceOptions::default()).expect("no device");
    let mut scraper = Scraper::new(vec![directory.into()], sources);
    let mut scrape = || assert_eq!(scraper.scrape().samples.len(), FILES);
    scrape();
    percent(
        || ran("thread-self/schedstat"),
        || {
            let begin = Instant::now();
            while begin.elapsed() < MEASURED {
                scrape();
                thread::sleep(Duration::from_secs_f64(INTERVAL));
            }
        },
    )
}

/// Returns the processor time of `topstats`, in percent of one core.
fn measure(directory: &str, arguments: &str) -> f64 {
    let tmux = Tmux::new();
    let program = program("--bin", "topstats");
    tmux.run(&format!("{} -d {INTERVAL} {arguments} {directory}", program.display()));
    tmux.wait("rates of all", |screen| {
        screen.contains("1000 writers: 1000 alive") && screen.contains('█')
    });
    let shell = tmux.variable("pane_pid");
    let pid = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).expect("a child");
    let threads = || {
        let threads = fs::read_dir(format!("/proc/{}/task", pid.trim())).expect("its threads");
        threads
            .filter_map(|thread| thread.ok()?.path().join("schedstat").to_str().map(ran))
            .sum::<u64>()
    };
    percent(threads, || thread::sleep(MEASURED))
}

/// Returns by how much the nanoseconds of `ran` increase while `measured` runs, in percent.
fn percent(ran: impl Fn() -> u64, measured: impl FnOnce()) -> f64 {
    let (begin, before) = (Instant::now(), ran());
    measured();
    (ran() - before) as f64 / begin.elapsed().as_nanos() as f64 * 100.0
}

/// Returns the nanoseconds that a thread has run, from its `schedstat`.
fn ran(path: &str) -> u64 {
    let text = fs::read_to_string(Path::new("/proc").join(path)).unwrap_or_default();
    text.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0)
}
