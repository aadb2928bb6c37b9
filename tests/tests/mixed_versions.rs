//! No reader ever sees a value mixed from two, or one older than an earlier one; and most reads
//! return a value, however busy the writer is.
//!
//! The long run: `MMSTATS_MIXED_READS=100000000 cargo test --release --test mixed_versions --
//! --nocapture`.

use mmstats_core::reader::{ReadBuffers, ReadPlan, Source, Value, ValueError};
use mmstats_std::read::{Reader, StatsFile};
use mmstats_tests::mixed::{LABELS, decode};
use mmstats_tests::programs::{Program, directory};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

/// The time between two writes, in nanoseconds.
const FULL_SPEED: &str = "0";
const HUNDRED_KILOHERTZ: &str = "10000";

/// The number of ways, periods and formats.
const RUNS: u64 = 12;
/// The duration of each, by default.
const SHORT: Duration = Duration::from_millis(750);
/// The duration of each if the writer rarely runs.
const LONG: Duration = Duration::from_secs(30);
/// The number of tries.
const TRIES: usize = 5;

/// Tests run one at a time: a reader and its writer need a processor each.
static ALONE: Mutex<()> = Mutex::new(());

/// The values that a reader has seen of one field.
#[derive(Clone, Copy, Default)]
struct Seen {
    accepted: u64,
    contended: u64,
    changes: u64,
    last: Option<u64>,
}

impl Seen {
    fn add(&mut self, label: &str, value: Result<Value<'_>, ValueError>) {
        let value = match value {
            Ok(value) => value,
            Err(ValueError::Contended) => return self.contended += 1,
            Err(error) => panic!("{label}: {error}"),
        };
        let i = decode(&value).unwrap_or_else(|| panic!("{label} is mixed: {value:x?}"));
        let last = self.last.replace(i).unwrap_or(i);
        // Numbers wrap around after 2^32.
        let younger = if label == "text" {
            i.wrapping_sub(last) as i64
        } else {
            i64::from((i as u32).wrapping_sub(last as u32) as i32)
        };
        assert!(younger >= 0, "{label}: {i} after {last}");
        self.accepted += 1;
        self.changes += u64::from(younger > 0);
    }

    fn reads(&self) -> u64 {
        self.accepted + self.contended
    }

    fn share(&self) -> f64 {
        self.accepted as f64 / self.reads() as f64
    }
}

/// A source that only calls `pread`.
struct Calls<'f>(&'f File);

impl Source for Calls<'_> {
    type Error = io::Error;

    fn read_at(&self, at: usize, to: &mut [u64]) -> io::Result<usize> {
        self.0.read_at(to.as_mut_bytes(), at as u64)
    }
}

/// The way in which a reader reads a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// By system calls only: three, and a few more for contended values.
    Calls,
    /// By [`StatsFile`], as it decides itself.
    File,
    /// By [`StatsFile`], mapped.
    Mapped,
}

/// A series of reads.
struct Watch {
    seen: [Seen; LABELS.len()],
    start: Instant,
    /// The number of reads; `None`: as many as possible in [`SHORT`].
    wanted: Option<u64>,
    samples: u64,
    reads: u64,
}

impl Watch {
    fn is_over(&mut self) -> bool {
        self.samples += 1;
        match self.wanted {
            Some(wanted) => self.reads >= wanted,
            None => {
                self.samples % 64 == 0
                    && self.start.elapsed() >= SHORT
                    && (self.has_met_its_writer() || self.start.elapsed() >= LONG)
            }
        }
    }

    /// Returns `true` if enough was written: the writer may have waited for a processor.
    fn has_met_its_writer(&self) -> bool {
        self.seen
            .iter()
            .filter(|seen| seen.reads() > 0)
            .all(|seen| seen.changes + seen.contended > 100)
    }

    fn see(&mut self, field: usize, value: Result<Value<'_>, ValueError>) {
        self.seen[field].add(LABELS[field], value);
        self.reads += 1;
    }

    fn run(&mut self, path: &Path, way: Way) {
        let mut reader = Reader::new();
        let mut file = StatsFile::open(path, &mut reader).unwrap();
        let fields = LABELS.map(|label| file.layout().find(label).unwrap());
        let places = fields.map(|field| file.layout().fields[field].location);
        let latched: Vec<_> = (0..places.len()).filter(|i| places[*i].is_latched()).collect();
        if way == Way::Calls {
            let file = File::open(path).unwrap();
            let plan = places.iter().fold(ReadPlan::default(), ReadPlan::with);
            let mut memory = vec![0; ReadBuffers::words(plan.end)];
            let mut buffers = ReadBuffers::new(&mut memory);
            while !self.is_over() {
                assert!(buffers.sample(&Calls(&file), &plan).unwrap());
                // A few tries each, like the readers of files, but without a mapping.
                for place in &places {
                    if buffers.snapshot().is_contended(place) {
                        buffers.read_latch(&Calls(&file), place, 4).unwrap();
                    }
                }
                assert!(buffers.recheck_header(&Calls(&file)).unwrap());
                latched.iter().for_each(|i| self.see(*i, buffers.snapshot().value(&places[*i])));
            }
            return;
        }
        if way == Way::Mapped {
            file.map().unwrap();
        }
        while !self.is_over() {
            let sample = file.sample(&mut reader).unwrap();
            latched.iter().for_each(|i| self.see(*i, sample.value(fields[*i])));
        }
    }
}

/// Reads a writer's file for a while, or `MMSTATS_MIXED_READS` times in all tests together. At
/// least `share` of the reads of each field have to return a value; the best of a few tries counts,
/// because others use the processors too. Every read asserts that no value is mixed or older than
/// an earlier one.
fn watch(way: Way, period: &str, share: f64) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for format in ["wide", "narrow"] {
        let best =
            (0..TRIES).map(|_| try_to_watch(way, period, format)).find(|worst| *worst >= share);
        assert!(best.is_some(), "{way:?}, {format}: less than {share} of the reads return a value");
    }
}

/// Returns the share of reads that return a value, of the field where it is smallest.
fn try_to_watch(way: Way, period: &str, format: &str) -> f64 {
    let directory = directory();
    let mut writer =
        Program::start(env!("CARGO_BIN_EXE_mixed_writer"), directory.path(), &[format, period]);
    let path = PathBuf::from(writer.line());
    let wanted = std::env::var("MMSTATS_MIXED_READS")
        .ok()
        .map(|reads| reads.parse::<u64>().unwrap().div_ceil(RUNS));
    let mut watch =
        Watch { seen: Default::default(), start: Instant::now(), wanted, samples: 0, reads: 0 };
    watch.run(&path, way);
    let time = watch.start.elapsed();
    let written = watch.seen.iter().filter_map(|seen| seen.last).max().unwrap_or(0);
    let thousands = written as f64 / time.as_secs_f64() / 1e3;
    println!(
        "{way:?}, a write each {period} ns, {format}: {} reads in {time:.1?}, about {thousands:.0} thousand writes a second",
        watch.reads
    );
    assert!(watch.has_met_its_writer(), "the writer hardly wrote");
    let mut worst = 1.0_f64;
    for (label, seen) in LABELS.iter().zip(&watch.seen).filter(|(_, seen)| seen.reads() > 0) {
        println!(
            "  {label}: {:.2} % of {}, {} changes",
            100.0 * seen.share(),
            seen.reads(),
            seen.changes
        );
        worst = worst.min(seen.share());
    }
    worst
}

#[test]
fn a_mapped_file_with_a_busy_writer_mostly_returns_whole_values() {
    watch(Way::Mapped, FULL_SPEED, 0.5);
}

#[test]
fn a_mapped_file_written_at_100_khz_mostly_returns_whole_values() {
    watch(Way::Mapped, HUNDRED_KILOHERTZ, 0.8);
}

#[test]
fn system_calls_on_a_file_written_at_100_khz_mostly_return_whole_values() {
    watch(Way::Calls, HUNDRED_KILOHERTZ, 0.8);
}

#[test]
fn a_file_written_at_100_khz_mostly_returns_whole_values() {
    watch(Way::File, HUNDRED_KILOHERTZ, 0.8);
}

#[test]
fn system_calls_on_a_file_with_a_busy_writer_return_whole_values_or_none() {
    watch(Way::Calls, FULL_SPEED, 0.0);
}

#[test]
fn a_file_with_a_busy_writer_returns_whole_values_or_none() {
    watch(Way::File, FULL_SPEED, 0.0);
}
