//! The cost of an update, compared with that of other crates and with the same work by hand, in
//! one run.
//!
//! Each line is a loop of updates, by one thread and then by two at once. All lines are timed in
//! interleaved rounds; the minimum over the rounds counts, because noise only ever adds. Of two
//! threads, a round counts only if both ran nearly all of the time: two that take turns do not
//! compete for memory.
//!
//! Fails if an update through the crate `metrics`, or a look-up in a family, costs more than the
//! limits in `main` allow, compared with peers in the same run.
//!
//! Run it with `tests/peers/run`.

mod facade;
mod ours;
mod rivals;
mod updates;

use facade::{EXPORTER, OURS};
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};
use updates::{Case, Run, Work};

/// Updates in one timing; few enough that an interrupt hits only some of them.
const UPDATES: u64 = 4000;
const ROUNDS: usize = 300;
/// The least part of a round in which both threads must run.
const MIN_OVERLAP: f64 = 0.9;

/// The shortest times of an update, in nanoseconds, by one thread and by two.
#[derive(Clone, Copy)]
struct Times([f64; 2]);

struct Line {
    case: Case,
    times: Times,
}

fn per_update(time: Duration) -> f64 {
    time.as_nanos() as f64 / UPDATES as f64
}

fn measure_one_thread(lines: &mut [Line]) {
    let exporter = facade::exporter();
    let runs: Vec<Run> = lines.iter().map(|line| facade::make(&line.case)).collect();
    for _ in 0..ROUNDS {
        for (line, run) in lines.iter_mut().zip(&runs) {
            let start = Instant::now();
            run(UPDATES);
            let [best, _] = &mut line.times.0;
            *best = best.min(per_update(start.elapsed()));
        }
        exporter.run_upkeep();
    }
}

/// Waits, without giving up the processor, until both threads have come here so often.
fn meet(arrivals: &AtomicU64, meetings: &mut u64) {
    *meetings += 2;
    arrivals.fetch_add(1, SeqCst);
    while arrivals.load(SeqCst) < *meetings {
        std::hint::spin_loop();
    }
}

/// Times every line in every round, together with the other thread; returns start and end.
fn measure_together(
    lines: &[Line],
    arrivals: &AtomicU64,
    created: &Barrier,
) -> Vec<(Instant, Instant)> {
    let exporter = facade::exporter();
    let runs: Vec<Run> = lines.iter().map(|line| facade::make(&line.case)).collect();
    let mut meetings = 0;
    let mut times = Vec::with_capacity(ROUNDS * lines.len());
    created.wait();
    for _ in 0..ROUNDS {
        for run in &runs {
            meet(arrivals, &mut meetings);
            let start = Instant::now();
            run(UPDATES);
            times.push((start, Instant::now()));
        }
        exporter.run_upkeep();
    }
    times
}

/// Returns the time of an update if the threads ran at the same time.
fn overlapping(first: (Instant, Instant), second: (Instant, Instant)) -> Option<f64> {
    let both = first.1.min(second.1).saturating_duration_since(first.0.max(second.0));
    let any = first.1.max(second.1).duration_since(first.0.min(second.0));
    let mean = (first.1 - first.0 + (second.1 - second.0)) / 2;
    (both.as_secs_f64() >= MIN_OVERLAP * any.as_secs_f64()).then(|| per_update(mean))
}

fn measure_two_threads(lines: &mut [Line]) {
    let (arrivals, created) = (AtomicU64::new(0), Barrier::new(2));
    let shared = &*lines;
    let [first, second] = thread::scope(|scope| {
        let threads =
            [(); 2].map(|()| scope.spawn(|| measure_together(shared, &arrivals, &created)));
        threads.map(|thread| thread.join().expect("no case panics"))
    });
    let count = lines.len();
    for (i, times) in first.into_iter().zip(second).enumerate() {
        if let Some(time) = overlapping(times.0, times.1) {
            let [_, best] = &mut lines[i % count].times.0;
            *best = best.min(time);
        }
    }
}

fn print(lines: &[Line]) {
    println!("Nanoseconds per update, and as a multiple of the first line of each part.");
    println!("{:46} {:>16} {:>19}", "", "1 thread", "2 threads at once");
    for work in Work::ALL {
        println!("{}", work.title());
        let of_work = || lines.iter().filter(move |line| line.case.work == work);
        let Some(Line { times: Times(base), .. }) = of_work().next() else { continue };
        for Line { case, times: Times(times) } in of_work() {
            print!("  {:18} {:25}", case.library, case.call);
            for (time, base) in times.iter().zip(base) {
                print!(" {time:8.2} {:8.2} ×", time / base);
            }
            println!();
        }
    }
}

/// Compares a line of ours with the best of the peers', for one thread; returns `true` if it is
/// within the limit.
fn check(
    lines: &[Line],
    work: Work,
    ours: (&str, &str),
    peers: &[(&str, &str)],
    limit: f64,
) -> bool {
    let time = |(library, call): (&str, &str)| {
        lines
            .iter()
            .filter(|line| line.case.work == work)
            .find(|line| line.case.library == library && line.case.call == call)
            .map_or(f64::NAN, |line| line.times.0[0])
    };
    let best = peers.iter().copied().map(time).fold(f64::INFINITY, f64::min);
    let ratio = time(ours) / best;
    let is_within = ratio <= limit;
    let verdict = if is_within { "" } else { "  TOO SLOW" };
    println!(
        "{:?}, {}, {}: {ratio:.2} × the best peer (at most {limit:.2}){verdict}",
        work, ours.0, ours.1
    );
    is_within
}

fn main() -> ExitCode {
    let cases = ours::cases().into_iter().chain(facade::cases()).chain(rivals::cases());
    let mut lines: Vec<Line> =
        cases.map(|case| Line { case, times: Times([f64::INFINITY; 2]) }).collect();
    measure_one_thread(&mut lines);
    measure_two_threads(&mut lines);
    print(&lines);
    println!();
    let third = 1.0 / 3.0;
    let of_recorders =
        |work, call, limit| check(&lines, work, (OURS, call), &[(EXPORTER, call)], limit);
    let results = [
        of_recorders(Work::Counter, "handle.increment(1)", third),
        of_recorders(Work::Gauge, "handle.set(…)", third),
        of_recorders(Work::Histogram, "handle.record(…)", third),
        // The same atomic addition.
        of_recorders(Work::SharedGauge, "handle.increment(…)", 1.15),
        of_recorders(Work::Counter, "counter!(…)", 1.0),
        of_recorders(Work::Labelled, "counter!(…)", 1.0),
        check(
            &lines,
            Work::Labelled,
            ("mmstats", "FAMILY.with(…)"),
            &[("prometheus", "with_label_values"), (EXPORTER, "counter!(…)")],
            0.4,
        ),
    ];
    if results.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
