//! Damaged, hostile and vanishing files: a reader gets fields or an error, and reads the other
//! files as usual.

use mmstats_core::format::v2::Header;
use mmstats_core::reader::Value;
use mmstats_std::discover::discover;
use mmstats_std::read::{FileError, Reader, Sample, StatsFile};
use mmstats_std::template::Environment;
use mmstats_std::{Counter, Gauge, Histogram, Latched, Options, Text, V2Narrow, model, publish};
use mmstats_tests::cli::golden;
use mmstats_tests::damage::update_check;
use mmstats_tests::programs::directory;
use mmstats_tests::record;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Uid;
use rustix::thread::set_thread_uid;
use std::fs::{self, File, OpenOptions, Permissions};
use std::mem::offset_of;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a test; fails if it takes longer or more memory than this.
fn within(seconds: u64, mebibytes: u64, test: impl FnOnce() + Send + 'static) {
    let before = peak_memory();
    let (sender, done) = channel::<()>();
    let running = thread::spawn(|| {
        let _sender = sender;
        test();
    });
    let hangs = done.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout);
    assert!(!hangs, "the test still runs after {seconds} s");
    running.join().unwrap();
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < mebibytes << 10, "{grown} KiB more than the {before} before");
}

/// Returns the peak memory of this process in KiB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Reads everything in a sample, and if `deep`, all buckets of histograms.
fn exhaust(sample: &Sample<'_>, deep: bool) -> usize {
    let layout = sample.layout();
    let values = sample.fields().map(|(field, value)| match value {
        Ok(Value::Histogram(distribution)) if deep => {
            distribution.buckets().count() + usize::from(distribution.quantile(0.5).is_some())
        }
        Ok(value) => usize::from(value.as_f64().is_some()),
        Err(error) => error.to_string().len() + field.label.len(),
    });
    let values: usize = values.sum();
    values + layout.errors.len() + sample.verdict().reason.as_str().len()
}

/// A file with all kinds of readers.
struct Readers {
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
    reader: Reader,
    open: StatsFile,
    mapped: StatsFile,
    /// The number of reads that returned fields.
    with_fields: usize,
    /// The number of those that returned an error.
    errors: usize,
}

impl Readers {
    fn new(path: &Path, bytes: &[u8]) -> Readers {
        fs::write(path, bytes).unwrap();
        let mut reader = Reader::new();
        let open = StatsFile::open(path, &mut reader).unwrap();
        let mut mapped = StatsFile::open(path, &mut reader).unwrap();
        mapped.map().unwrap();
        let file = OpenOptions::new().write(true).open(path).unwrap();
        Readers {
            path: path.into(),
            file,
            bytes: bytes.into(),
            reader,
            open,
            mapped,
            with_fields: 0,
            errors: 0,
        }
    }

    /// Reads the file; not always with every reader, as that takes long.
    fn read(&mut self, at: usize) {
        let deep = at < 1024 || at % 16 == 0;
        let mut count = |sample: Result<Sample<'_>, FileError>| match sample {
            Ok(sample) => {
                exhaust(&sample, deep);
                self.with_fields += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                self.errors += 1;
            }
        };
        count(self.reader.read(&self.path));
        if !deep {
            return;
        }
        count(self.open.sample(&mut self.reader));
        count(self.mapped.sample(&mut self.reader));
        if let Ok(mut opened) = StatsFile::open(&self.path, &mut self.reader) {
            count(opened.sample(&mut self.reader));
        }
    }

    /// Cuts the file at every length.
    fn cut(&mut self) {
        for length in (0..self.bytes.len()).rev() {
            self.file.set_len(length as u64).unwrap();
            self.read(length);
        }
        self.file.write_all_at(&self.bytes, 0).unwrap();
    }

    /// Changes every byte in turn.
    fn change(&mut self) {
        for at in 0..self.bytes.len() {
            self.file.write_all_at(&[!self.bytes[at]], at as u64).unwrap();
            self.read(at);
            if at < Header::SIZE {
                let mut bytes = self.bytes.clone();
                bytes[at] = !bytes[at];
                update_check(&mut bytes);
                self.file.write_all_at(&bytes, 0).unwrap();
                self.read(at);
                self.file.write_all_at(&self.bytes, 0).unwrap();
            }
            self.file.write_all_at(&self.bytes[at..=at], at as u64).unwrap();
        }
    }

    /// Checks that all readers see the original values again.
    fn assert_restored(&mut self, before: &[serde_json::Value]) {
        assert_eq!(record::from_sample(&self.reader.read(&self.path).unwrap()), before);
        assert_eq!(record::from_sample(&self.open.sample(&mut self.reader).unwrap()), before);
        assert_eq!(record::from_sample(&self.mapped.sample(&mut self.reader).unwrap()), before);
    }
}

fn check_damage(bytes: Vec<u8>) {
    let directory = directory();
    let path = directory.path().join("damaged.mmstats");
    within(240, 50, move || {
        let mut readers = Readers::new(&path, &bytes);
        let before = record::from_sample(&readers.reader.read(&path).unwrap());
        let start = Instant::now();
        readers.cut();
        readers.assert_restored(&before);
        let cut = start.elapsed();
        readers.change();
        readers.assert_restored(&before);
        println!(
            "{} bytes: {} reads with fields, {} errors, {cut:.1?} and {:.1?}",
            bytes.len(),
            readers.with_fields,
            readers.errors,
            start.elapsed() - cut
        );
        assert!(readers.with_fields > 100 && readers.errors > 0);
    });
}

model! {
    struct Small {
        /// Things.
        things: Counter,
        note: Text<8> => "idle",
    }
}

/// Returns a new file of version 2.
fn fresh() -> Vec<u8> {
    let directory = directory();
    let path = directory.path().to_str().unwrap().to_owned().leak();
    fs::read(publish::<Small<V2Narrow>>(&Options::new().directory(path)).unwrap().path()).unwrap()
}

#[test]
fn a_damaged_file_of_version_2_returns_fields_or_an_error() {
    check_damage(fresh());
}

#[test]
fn a_damaged_golden_file_of_version_2_returns_fields_or_an_error() {
    check_damage(fs::read(golden().join("v2/rust-little-4.mmstats")).unwrap());
}

#[test]
fn a_damaged_golden_file_of_version_2_in_the_other_byte_order_returns_fields_or_an_error() {
    check_damage(fs::read(golden().join("v2/python-big-4.mmstats")).unwrap());
}

#[test]
fn damaged_golden_files_of_version_1_return_fields_or_an_error() {
    check_damage(fs::read(golden().join("v1/kinds.mmstats")).unwrap());
    check_damage(fs::read(golden().join("v1/webstats.mmstats")).unwrap());
}

/// Creates things that are not stats files; returns their names and errors.
fn strange_things(directory: &Path) -> Vec<(&'static str, &'static str)> {
    let path = |name| directory.join(name);
    fs::write(path("empty.mmstats"), "").unwrap();
    fs::write(path("short.mmstats"), b"\x02MMST").unwrap();
    fs::write(path("text.mmstats"), "#!/bin/sh\n".repeat(1000)).unwrap();
    fs::write(path("zeros.mmstats"), [0; 4096]).unwrap();
    fs::create_dir(path("directory.mmstats")).unwrap();
    mknodat(CWD, path("pipe.mmstats"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _ = UnixListener::bind(path("socket.mmstats")).unwrap();
    symlink("/dev/null", path("null.mmstats")).unwrap();
    symlink("/dev/zero", path("zero.mmstats")).unwrap();
    symlink("loop.mmstats", path("loop.mmstats")).unwrap();
    symlink("nothing", path("dangling.mmstats")).unwrap();
    for (name, beginning) in [
        ("huge.mmstats", b"\x02MMSTATS".as_slice()),
        ("huge1.mmstats", b"\x01"),
        ("sparse.mmstats", b"\0"),
    ] {
        let file = File::create(path(name)).unwrap();
        file.write_all_at(beginning, 0).unwrap();
        file.set_len(if name == "sparse.mmstats" { 60 << 20 } else { 1 << 40 }).unwrap();
    }
    vec![
        ("empty", "empty (0 bytes)"),
        ("short", "cut short: 5 bytes"),
        ("text", "not an mmstats file"),
        ("zeros", "not initialised"),
        ("directory", "is a directory"),
        ("pipe", "is a pipe"),
        ("socket", "is a socket"),
        ("null", "is a device"),
        ("zero", "is a device"),
        ("loop", "symbolic links"),
        ("dangling", "No such file"),
        ("huge", "has 1099511627776 bytes"),
        ("huge1", "has 1099511627776 bytes"),
        ("sparse", "not initialised"),
    ]
}

fn error_of(path: &Path) -> String {
    let mut reader = Reader::new();
    let read =
        reader.read(path).map(|sample| sample.layout().fields.len()).unwrap_err().to_string();
    assert_eq!(StatsFile::open(path, &mut reader).map(|_| ()).unwrap_err().to_string(), read);
    read
}

#[test]
fn files_that_hold_no_stats_cause_an_error_and_the_others_are_read() {
    let directory = directory();
    within(60, 50, move || {
        let things = strange_things(directory.path());
        let whole = [
            ("a.mmstats", golden().join("v2/rust-little-8.mmstats")),
            ("z.mmstats", golden().join("v1/kinds.mmstats")),
        ];
        whole
            .iter()
            .for_each(|(name, from)| assert!(fs::copy(from, directory.path().join(name)).is_ok()));
        for (name, error) in &things {
            let path = directory.path().join(name).with_extension("mmstats");
            assert!(error_of(&path).contains(error), "{name}: {}", error_of(&path));
        }

        let found = discover(&Environment::read(), &[directory.path()]);
        assert!(found.errors.is_empty(), "{:?}", found.errors);
        assert_eq!(found.files.len(), things.len() + whole.len());
        let mut reader = Reader::new();
        let paths = found.files.iter().map(|file| file.path().to_owned());
        let read: Vec<PathBuf> = paths.filter(|path| reader.read(path).is_ok()).collect();
        assert_eq!(read, whole.map(|(name, _)| directory.path().join(name)));
    });
}

#[test]
fn a_header_that_claims_4_gib_takes_little_memory() {
    let directory = directory();
    within(60, 50, move || {
        let mut bytes = fs::read(golden().join("v2/rust-little-8.mmstats")).unwrap();
        for at in [offset_of!(Header, length), Header::PUBLISHED] {
            bytes[at..at + 4].fill(0xff);
            bytes[at] = 0xf8;
        }
        update_check(&mut bytes);
        let path = directory.path().join("large.mmstats");
        fs::write(&path, &bytes).unwrap();
        let mut reader = Reader::new();
        let mut file = StatsFile::open(&path, &mut reader).unwrap();
        assert!(!file.layout().errors.is_empty());
        file.map().unwrap();
        assert!(exhaust(&file.sample(&mut reader).unwrap(), true) > 0);
    });
}

#[test]
fn an_unreadable_file_causes_an_error() {
    let directory = directory();
    let path = directory.path().join("secret.mmstats");
    fs::copy(golden().join("v1/kinds.mmstats"), &path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    // Drops the capability of this thread only, as root can read everything.
    let without_rights = move || {
        if rustix::process::getuid().is_root() {
            set_thread_uid(Uid::from_raw(65534)).unwrap();
        }
        error_of(&path)
    };
    let error = thread::spawn(without_rights).join().unwrap();
    assert!(error.contains("Permission denied"), "{error}");
}

/// The value of all fields of [`Steady`].
const VALUE: u64 = 0x0102_0304_0506_0708;

model! {
    struct Steady {
        first: Counter => VALUE,
        latched: Gauge<Latched<u64>> => Latched(VALUE),
        /// Spreads the values over several pages.
        between: Histogram,
        last: Counter => VALUE,
    }
}

/// Truncates and restores a file as fast as possible while it is read.
fn cut_while_it_is_read(mapped: bool) {
    let directory = directory();
    let path = directory.path().join("cut.mmstats");
    let whole = {
        let directory = directory.path().to_str().unwrap().to_owned().leak();
        fs::read(publish::<Steady>(&Options::new().directory(directory)).unwrap().path()).unwrap()
    };
    assert!(whole.len() > 8192);
    fs::write(&path, &whole).unwrap();
    let mut reader = Reader::new();
    let mut file = StatsFile::open(&path, &mut reader).unwrap();
    if mapped {
        file.map().unwrap();
    }
    let is_over = AtomicBool::new(false);
    let (mut values, mut errors) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            let end = Instant::now() + Duration::from_secs(2);
            let mut generation = 0_u32;
            while Instant::now() < end {
                for length in [0, 4096] {
                    file.set_len(length).unwrap();
                    thread::sleep(Duration::from_micros(50));
                    // Like a writer that reinitialises a region: the first bytes come last.
                    generation += 1;
                    file.write_all_at(&[0; 8], 0).unwrap();
                    file.write_all_at(&generation.to_ne_bytes(), Header::GENERATION as u64)
                        .unwrap();
                    file.write_all_at(&whole[8..Header::GENERATION], 8).unwrap();
                    file.write_all_at(&whole[Header::PUBLISHED..], Header::PUBLISHED as u64)
                        .unwrap();
                    file.write_all_at(&whole[..8], 0).unwrap();
                    thread::sleep(Duration::from_micros(50));
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
        while !is_over.load(Ordering::Relaxed) {
            match file.sample(&mut reader) {
                Ok(sample) => {
                    for (field, value) in sample.fields().filter(|(field, _)| {
                        ["first", "latched", "last"].contains(&field.label.as_str())
                    }) {
                        assert!(
                            matches!(value, Ok(Value::Unsigned(VALUE)) | Err(_)),
                            "{} is {value:x?}",
                            field.label
                        );
                        values += usize::from(value.is_ok());
                    }
                }
                Err(_) => errors += 1,
            }
        }
    });
    println!("mapped: {mapped}, {values} values, {errors} errors");
    assert!(values > 100 && errors > 100, "{values} values, {errors} errors");

    let is_restored = |file: &mut StatsFile, reader: &mut Reader| {
        file.sample(reader).unwrap().find("last") == Some(Value::Unsigned(VALUE))
    };
    assert!(
        is_restored(&mut file, &mut reader) && is_restored(&mut file, &mut reader),
        "the restored file is not read"
    );
    fs::write(&path, "").unwrap();
    assert!(file.sample(&mut reader).is_err());
    fs::write(&path, &whole[..4096]).unwrap();
    let sample = file.sample(&mut reader).unwrap();
    assert_eq!(sample.find("last"), Some(Value::Unsigned(VALUE)), "it is in the first page");
    assert!(sample.find("first").is_none() && !sample.layout().errors.is_empty());
}

#[test]
fn a_truncated_open_file_causes_errors_until_it_is_restored() {
    cut_while_it_is_read(false);
}

#[test]
fn a_truncated_mapped_file_causes_errors_until_it_is_restored() {
    cut_while_it_is_read(true);
}
