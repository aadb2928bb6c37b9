//! Whatever a file holds, whatever it is, and whatever becomes of it: its reader gets fields or an error, and the files beside it are read as ever.

use mmstats_core::format::v2::Header;
use mmstats_core::reader::Value;
use mmstats_std::discover::discover;
use mmstats_std::read::{FileError, Reader, Sample, StatsFile};
use mmstats_std::template::Environment;
use mmstats_std::{Counter, Options, Text, V2Narrow, model, publish};
use mmstats_tests::damage::mend_check;
use mmstats_tests::programs::directory;
use mmstats_tests::record;
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Fails if it takes this long, or if it takes this process more memory than so many MiB.
fn within(seconds: u64, mebibytes: u64, test: impl FnOnce() + Send + 'static) {
    let before = peak();
    let (sender, done) = channel::<()>();
    let running = thread::spawn(|| {
        let _sender = sender;
        test();
    });
    let hangs = done.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout);
    assert!(!hangs, "no end after {seconds} s");
    running.join().unwrap();
    let grown = peak() - before;
    assert!(grown < mebibytes << 10, "{grown} KiB more than the {before} before");
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// Looks at everything that a sample tells.
fn exhaust(sample: &Sample<'_>) -> usize {
    let layout = sample.layout();
    let values = sample.fields().map(|(field, value)| match value {
        Ok(Value::Histogram(distribution)) => distribution.buckets().count() + usize::from(distribution.quantile(0.5).is_some()),
        Ok(value) => usize::from(value.as_f64().is_some()),
        Err(problem) => problem.to_string().len() + field.label.len(),
    });
    let values: usize = values.sum();
    values + layout.problems.len() + sample.verdict().to_string().len()
}

/// A file in all ways in which it can be looked at.
struct Looks {
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
    reader: Reader,
    kept: StatsFile,
    mapped: StatsFile,
    /// How often there were fields, and how often an error.
    fields: usize,
    errors: usize,
}

impl Looks {
    fn new(path: &Path, bytes: &[u8]) -> Looks {
        fs::write(path, bytes).unwrap();
        let mut reader = Reader::new();
        let kept = StatsFile::open(path, &mut reader).unwrap();
        let mut mapped = StatsFile::open(path, &mut reader).unwrap();
        mapped.map().unwrap();
        let file = OpenOptions::new().write(true).open(path).unwrap();
        Looks { path: path.into(), file, bytes: bytes.into(), reader, kept, mapped, fields: 0, errors: 0 }
    }

    fn look(&mut self) {
        let mut see = |sample: Result<Sample<'_>, FileError>| match sample {
            Ok(sample) => {
                exhaust(&sample);
                self.fields += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                self.errors += 1;
            }
        };
        see(self.reader.read(&self.path));
        see(self.kept.sample(&mut self.reader));
        see(self.mapped.sample(&mut self.reader));
        if let Ok(mut opened) = StatsFile::open(&self.path, &mut self.reader) {
            see(opened.sample(&mut self.reader));
        }
    }

    /// Cuts the file at every length.
    fn cut(&mut self) {
        for length in (0..self.bytes.len()).rev() {
            self.file.set_len(length as u64).unwrap();
            self.look();
        }
        self.file.write_all_at(&self.bytes, 0).unwrap();
    }

    /// Changes every byte in turn.
    fn change(&mut self) {
        for at in 0..self.bytes.len() {
            self.file.write_all_at(&[!self.bytes[at]], at as u64).unwrap();
            self.look();
            if at < Header::SIZE {
                let mut bytes = self.bytes.clone();
                bytes[at] = !bytes[at];
                mend_check(&mut bytes);
                self.file.write_all_at(&bytes, 0).unwrap();
                self.look();
                self.file.write_all_at(&self.bytes, 0).unwrap();
            }
            self.file.write_all_at(&self.bytes[at..=at], at as u64).unwrap();
        }
    }

    /// Nothing of the damage is left: all see what there was in the beginning.
    fn assert_whole(&mut self, before: &[serde_json::Value]) {
        assert_eq!(record::of_sample(&self.reader.read(&self.path).unwrap()), before);
        assert_eq!(record::of_sample(&self.kept.sample(&mut self.reader).unwrap()), before);
        assert_eq!(record::of_sample(&self.mapped.sample(&mut self.reader).unwrap()), before);
    }
}

fn damage_gives_fields_or_an_error(bytes: Vec<u8>) {
    let directory = directory();
    let path = directory.path().join("damaged.mmstats");
    within(60, 50, move || {
        let mut looks = Looks::new(&path, &bytes);
        let before = record::of_sample(&looks.reader.read(&path).unwrap());
        let start = Instant::now();
        looks.cut();
        looks.assert_whole(&before);
        let cut = start.elapsed();
        looks.change();
        looks.assert_whole(&before);
        println!("{} bytes: {} times fields, {} times an error, {cut:.1?} and {:.1?}", bytes.len(), looks.fields, looks.errors, start.elapsed() - cut);
        assert!(looks.fields > 100 && looks.errors > 100);
    });
}

model! {
    struct Small {
        /// Things.
        things: Counter,
        note: Text<8> => "idle",
    }
}

/// A file of version 2 as it is today.
fn fresh() -> Vec<u8> {
    let directory = directory();
    let path = directory.path().to_str().unwrap().to_owned().leak();
    fs::read(publish::<Small<V2Narrow>>(&Options::new().directory(path)).unwrap().path()).unwrap()
}

#[test]
fn a_damaged_file_of_version_2_gives_fields_or_an_error() {
    damage_gives_fields_or_an_error(fresh());
}

#[test]
fn damaged_golden_files_of_version_2_give_fields_or_an_error() {
    damage_gives_fields_or_an_error(fs::read(golden("v2/rust-little-4.mmstats")).unwrap());
    damage_gives_fields_or_an_error(fs::read(golden("v2/python-big-8.mmstats")).unwrap());
}

#[test]
fn damaged_golden_files_of_version_1_give_fields_or_an_error() {
    damage_gives_fields_or_an_error(fs::read(golden("v1/kinds.mmstats")).unwrap());
    damage_gives_fields_or_an_error(fs::read(golden("v1/webstats.mmstats")).unwrap());
}
