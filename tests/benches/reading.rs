//! The cost of reading: 1000 files of 50 fields on a tmpfs, each value as a number.
//!
//! Prints millions of fields a second, and the ratio to the least that the same bytes cost on this
//! machine in the same run: opening, reading and closing the files; reading open ones; adding up
//! words in memory. The minimum over interleaved rounds counts. Fails if a ratio is above its
//! limit. Run it with `cargo bench -p mmstats-tests --bench reading`.

use mmstats_core::{Counter, Gauge, Text, Writer};
use mmstats_std::read::{Reader, Sample, StatsFile};
use mmstats_tests::regions::region_bytes;
use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const FILES: usize = 1000;
const FIELDS: usize = 50;
const ROUNDS: usize = 40;
/// Another load on the same core is seldom constant: if a ratio is above its limit, more rounds
/// follow after a pause.
const ATTEMPTS: usize = 6;
const PAUSE: Duration = Duration::from_secs(5);

/// Returns a file's bytes: counters and gauges, and a text among them if `latched`.
fn image(number: usize, latched: bool) -> Vec<u8> {
    region_bytes(|writer| add_fields(writer, number, latched))
}

fn add_fields(writer: &mut Writer<'_>, number: usize, latched: bool) {
    for i in 0..FIELDS {
        let (label, help) = (format!("bench.stats.field.{i:02}"), "One of the fields.");
        if latched && i == 0 {
            let field: Text<32, _> =
                writer.add(Text::builder(&label).help(help)).expect("space for a text");
            field.set("idle");
        } else if i % 2 == 0 {
            let field: Counter<u64, _> =
                writer.add(Counter::builder(&label).help(help)).expect("space for a counter");
            field.set((number * FIELDS + i) as u64);
        } else {
            let field: Gauge<f64, _> =
                writer.add(Gauge::builder(&label).help(help)).expect("space for a gauge");
            field.set(i as f64);
        }
    }
}

fn write_files(directory: &Path, latched: bool) -> Vec<PathBuf> {
    let name = |i| directory.join(format!("bench-{latched}-{i}.mmstats"));
    (0..FILES)
        .map(|i| {
            fs::write(name(i), image(i, latched)).map(|()| name(i)).expect("space on the tmpfs")
        })
        .collect()
}

/// Reads every value as a number and adds up their bits, because a sum of floats would measure the
/// latency of float additions.
#[inline]
fn total(sample: &Sample<'_>) -> u64 {
    let mut total = 0_u64;
    for i in 0..FIELDS {
        if let Some(number) = sample.number(i) {
            total = total.wrapping_add(number.to_bits());
        }
    }
    total
}

struct Case<'c> {
    name: &'static str,
    /// The case with the least possible cost, and the largest ratio to it.
    limit: Option<(usize, f64)>,
    run: Box<dyn FnMut() -> u64 + 'c>,
    best: f64,
}

fn case<'c>(
    name: &'static str,
    limit: impl Into<Option<(usize, f64)>>,
    run: impl FnMut() -> u64 + 'c,
) -> Case<'c> {
    Case { name, limit: limit.into(), run: Box::new(run), best: f64::INFINITY }
}

fn open(paths: &[PathBuf], reader: &mut Reader, map: bool) -> Vec<StatsFile> {
    let mut files: Vec<_> =
        paths.iter().map(|path| StatsFile::open(path, reader).expect("a valid file")).collect();
    if map {
        files.iter_mut().for_each(|file| file.map().expect("memory for a mapping"));
    }
    files
}

fn sample_all(files: &mut [StatsFile], reader: &mut Reader) -> u64 {
    files
        .iter_mut()
        .map(|file| total(&file.sample(reader).expect("a file that stays")))
        .fold(0, u64::wrapping_add)
}

fn main() -> ExitCode {
    let directory = tempfile::Builder::new()
        .prefix("mmstats-bench-")
        .tempdir_in("/dev/shm")
        .expect("a tmpfs at /dev/shm");
    let plain = write_files(directory.path(), false);
    let latched = write_files(directory.path(), true);
    let [mut r1, mut r2, mut r3, mut r4, mut r5] = [(); 5].map(|()| Reader::new());
    let mut open_files = open(&plain, &mut r2, false);
    let mut open_latched = open(&latched, &mut r3, false);
    let mut mapped = open(&plain, &mut r4, true);
    let mut mapped_latched = open(&latched, &mut r5, true);
    let descriptors: Vec<File> =
        plain.iter().map(|path| File::open(path).expect("a file that was written")).collect();
    let copies: Vec<Vec<u64>> = (0..FILES).map(|_| vec![1; FIELDS]).collect();
    let mut buffer = [0; 4096];
    let mut cases = [
        case("system: open, read, close", None, || {
            plain
                .iter()
                .map(|path| {
                    File::open(path)
                        .and_then(|file| file.read_at(&mut buffer, 0))
                        .map_or(0, |n| n as u64)
                })
                .sum()
        }),
        case("system: read an open file", None, || {
            descriptors
                .iter()
                .map(|file| file.read_at(&mut [0; 440], 3656).map_or(0, |n| n as u64))
                .sum()
        }),
        case("system: add up the words in memory", None, || {
            copies
                .iter()
                .flat_map(|words| words.iter().map(|word| *black_box(word)))
                .fold(0, u64::wrapping_add)
        }),
        case("read once", (0, 3.0), || {
            plain
                .iter()
                .map(|path| total(&r1.read(path).expect("a valid file")))
                .fold(0, u64::wrapping_add)
        }),
        case("open file", (1, 5.0), || sample_all(&mut open_files, &mut r2)),
        case("open file, with a latched field", (1, 8.0), || {
            sample_all(&mut open_latched, &mut r3)
        }),
        case("mapped", (2, 15.0), || sample_all(&mut mapped, &mut r4)),
        case("mapped, with a latched field", None, || sample_all(&mut mapped_latched, &mut r5)),
    ];
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        for _ in 0..ROUNDS {
            for case in &mut cases {
                // A few in a row, like a tool that polls.
                for _ in 0..5 {
                    let start = Instant::now();
                    black_box((case.run)());
                    case.best = case.best.min(start.elapsed().as_secs_f64());
                }
            }
        }
        if cases.iter().all(|case| {
            case.limit.is_none_or(|(base, limit)| case.best / cases[base].best <= limit)
        }) {
            break;
        }
    }
    let mut slow = 0;
    for case in &cases {
        let rate = (FILES * FIELDS) as f64 / case.best / 1e6;
        let ratio = case.limit.map_or(String::new(), |(base, limit)| {
            let ratio = case.best / cases[base].best;
            let above = ratio > limit;
            slow += usize::from(above);
            format!(
                "  {ratio:.2} × the system's ({} {limit})",
                if above { "ABOVE" } else { "at most" }
            )
        });
        println!("{:36} {rate:8.1} Mfields/s{ratio}", case.name);
    }
    if slow > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
