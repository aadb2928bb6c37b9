//! Memory and time are bounded, whatever files claim: sparse ones claim gigabytes.

use std::fs::{self, File};
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mmstats_core::format::crc32;
use mmstats_core::format::v2::{EntryHeader, Header};
use mmstats_core::{Counter, Gauge, V2, Writer};
use mmstats_std::read::{MAX_FIELDS, Reader, StatsFile};
use mmstats_tests::cli::{Outcome, VersionOne, golden, program, run};
use mmstats_tests::damage::update_check;
use mmstats_tests::elf::Elf;
use mmstats_tests::images::Dir;
use mmstats_tests::programs::tool;
use mmstats_tests::regions::{bytes, leaked_region, region_bytes};
use mmstats_tools::options::SourceOptions;
use mmstats_tools::scraper::Scraper;
use mmstats_tools::source::Sources;

/// The length that sparse regions claim.
const CLAIMED: u32 = 60 << 20;

/// The address space that a tool may use, in bytes: several times the largest region.
const MAX_MEMORY: u64 = 1 << 30;

/// Runs a tool that fails if it needs more memory than this.
fn bounded(bytes: u64, name: &str, arguments: &[&str], dir: &Dir) -> Command {
    let mut command = tool("prlimit");
    command.current_dir(dir.path()).arg(format!("--as={bytes}"));
    command.arg(program("--bin", name)).args(arguments);
    command
}

fn slurp(dir: &Dir, arguments: &[&str]) -> Outcome {
    run(&mut bounded(MAX_MEMORY, "slurpstats", arguments, dir))
}

/// Returns a header and an entry that claim `length` bytes.
fn claim(length: u32) -> Vec<u8> {
    let mut bytes = fs::read(golden().join("v2/rust-little-8.mmstats")).unwrap();
    bytes.truncate(Header::SIZE + 28);
    let directory = Header::SIZE as u64;
    bytes[offset_of!(Header, directory)..][..8].copy_from_slice(&directory.to_ne_bytes());
    bytes[offset_of!(Header, length)..][..4].copy_from_slice(&length.to_ne_bytes());
    let entry = length - Header::SIZE as u32;
    bytes[Header::PUBLISHED..][..4].copy_from_slice(&entry.to_ne_bytes());
    bytes[Header::SIZE..][..4].copy_from_slice(&entry.to_ne_bytes());
    update_check(&mut bytes);
    bytes
}

fn write_sparse(path: &Path, start: &[u8], length: u64) {
    let file = File::create(path).unwrap();
    file.write_all_at(start, 0).unwrap();
    file.set_len(length).unwrap();
}

#[test]
fn sparse_files_with_one_long_entry_take_no_memory_each() {
    let dir = Dir::default();
    const LENGTH: u32 = 32 << 20;
    for i in 0..4 {
        let path = dir.path().join(format!("sparse-{i}.mmstats"));
        let mut start = claim(LENGTH);
        // All layouts differ.
        start[Header::LAYOUT] = i;
        update_check(&mut start);
        write_sparse(&path, &start, LENGTH.into());
    }
    dir.file("z.mmstats", &VersionOne::default().field("n", "B", [7]).finish());
    // Enough for one region and the copies that reading it takes.
    let outcome = run(&mut bounded(220 << 20, "slurpstats", &["."], &dir));
    assert!(outcome.out.contains("n 7"), "{}", outcome.err);
    assert!(outcome.err.contains("invalid entry length"), "{}", outcome.err);
}

#[test]
fn a_damaged_file_is_parsed_once() {
    let dir = Dir::default();
    let length = 8 << 20;
    write_sparse(&dir.path().join("a.mmstats"), &claim(length), length.into());
    let sources = Sources::new(SourceOptions::default()).unwrap();
    let mut scraper = Scraper::new(vec![dir.path().to_owned()], sources);
    let mut scrape = || {
        let start = Instant::now();
        let errors = scraper.scrape().errors;
        assert!(errors[0].what.contains("invalid entry length"), "{errors:?}");
        start.elapsed()
    };
    let first = scrape();
    let later = (0..3).map(|_| scrape()).min().unwrap();
    assert!(later < first / 10, "{later:?}, {first:?} at first");
}

#[test]
fn a_file_with_a_wrong_check_is_parsed_once() {
    const FIELDS: usize = 2000;
    let region = leaked_region(50_000);
    let view = region.view();
    let mut writer: Writer<'_, V2> = Writer::with_immutable_layout(region).unwrap();
    for i in 0..FIELDS {
        let (label, help) = (format!("a.field.{i}"), "A field. ".repeat(8));
        let _: Counter<u64, _> = writer.add(Counter::builder(&label).help(&help)).unwrap();
    }
    let mut bytes = bytes(&view);
    bytes[Header::LAYOUT] ^= 1;
    update_check(&mut bytes);
    let dir = Dir::default();
    let path = dir.file("a.mmstats", &bytes);
    let (mut reader, start) = (Reader::new(), Instant::now());
    let mut file = StatsFile::open(&path, &mut reader).unwrap();
    let first = start.elapsed();
    let mut sample = || {
        let start = Instant::now();
        let layout = file.sample(&mut reader).unwrap().layout();
        assert_eq!(layout.fields.len(), FIELDS);
        assert!(layout.errors[0].contains("damaged directory: CRC"), "{:?}", layout.errors);
        start.elapsed()
    };
    let later = (0..10).map(|_| sample()).min().unwrap();
    assert!(later < first / 10, "{later:?}, {first:?} at first");
    bytes[Header::LAYOUT] ^= 1;
    update_check(&mut bytes);
    fs::write(path, bytes).unwrap();
    let layout = file.sample(&mut reader).unwrap().layout();
    assert!(layout.errors.is_empty(), "a repaired file is read again: {:?}", layout.errors);
}

#[test]
fn sparse_text_claims_and_notes_of_images_take_no_memory() {
    let dir = Dir::default();
    let hex = b":0400100001020304E2\n";
    write_sparse(&dir.path().join("sparse.hex"), hex, 6 << 30);
    let outcome = slurp(&dir, &["sparse.hex"]);
    assert!(outcome.err.contains("line 2 of Intel HEX"), "{}", outcome.err);

    let headers: Vec<u8> = (0..60).flat_map(|_| claim(CLAIMED)).collect();
    let core = Elf::core(true, cfg!(target_endian = "big"));
    let core = core.physical(0x1000, 0x1000, &headers).build();
    dir.file("headers.core", &core);
    let outcome = slurp(&dir, &["headers.core"]);
    assert_eq!((outcome.status, outcome.out.as_str()), (1, ""), "{}", outcome.err);
    assert!(!outcome.err.contains("memory allocation"), "{}", outcome.err);

    // 100 program headers of notes, each of 64 MiB.
    let mut notes = Elf::core(true, false).build();
    let [at, count] = [notes.len().next_multiple_of(8), 100];
    notes.resize(at, 0);
    notes[32..40].copy_from_slice(&(at as u64).to_le_bytes());
    notes[56..58].copy_from_slice(&(count as u16).to_le_bytes());
    for i in 0..count as u64 {
        let offset = (1 << 20) + (i << 26);
        let words = [4, offset, 0, 0, 64 << 20, 0, 4];
        notes.extend(words.iter().flat_map(|word: &u64| word.to_le_bytes()));
    }
    write_sparse(&dir.path().join("notes.core"), &notes, 8 << 30);
    let outcome = slurp(&dir, &["notes.core"]);
    assert_eq!(outcome.status, 1, "{}", outcome.err);
    assert!(outcome.err.contains("no stats found"), "{}", outcome.err);
}

#[test]
fn labels_padded_to_the_longest_are_not_kept_in_memory() {
    let dir = Dir::default();
    let mut file = VersionOne::default().field("l".repeat(60_000), "B", [1]);
    for i in 0..2000 {
        file = file.field(format!("n{i}"), "B", [1]);
    }
    dir.file("a.mmstats", &file.finish());
    let mut command = bounded(120 << 20, "slurpstats", &["a.mmstats"], &dir);
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
}

/// Returns the processor time of a tool.
fn processor_time(dir: &Dir, name: &str, arguments: &[&str]) -> Duration {
    let mut command = tool("bash");
    command.current_dir(dir.path()).args(["-c", "\"$@\" > /dev/null 2> err; times", "bash"]);
    let outcome = run(command.arg(program("--bin", name)).args(arguments));
    // The second line has the times of children, in the user's and the system's mode: 0m1.234s.
    let times = outcome.out.lines().nth(1).unwrap().split_whitespace();
    let seconds = |time: &str| {
        let (minutes, seconds) = time.strip_suffix('s').unwrap().split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    let errors = fs::read_to_string(dir.path().join("err")).unwrap();
    assert!(!errors.contains("rror"), "{name} {arguments:?}: {errors:.300}");
    Duration::from_secs_f64(times.map(seconds).sum())
}

#[test]
fn files_of_different_layouts_are_read_in_linear_time() {
    const FILES: usize = 1500;
    let labels = |i: usize| {
        let fields = (0..5).fold(VersionOne::default(), |file, field| {
            file.field(format!("field.{i:05}.{field}"), "B", [1])
        });
        fields.finish()
    };
    let helps = |i: usize| {
        region_bytes(|writer| {
            for field in ["one", "two", "three"] {
                let help = format!("Of file {i}.");
                let _: Counter<u64, _> = writer.add(Counter::builder(field).help(&help)).unwrap();
            }
        })
    };
    let kinds: [&dyn Fn(usize) -> Vec<u8>; 2] = [&labels, &helps];
    for file in kinds {
        let [few, many] = [1, 4].map(|times| {
            let dir = Dir::default();
            (0..times * FILES).for_each(|i| {
                dir.file(format!("{i}.mmstats"), &file(i));
            });
            dir
        });
        for (name, arguments) in [
            ("slurpstats", &["."][..]),
            ("slurpstats", &["--prometheus", "."]),
            ("slurpstats", &["--prometheus", "--sum", "."]),
            ("pollstats", &["-c", "2", "-d", "0.01", "field.00000.0,one", "."]),
            ("topstats", &["-b", "-c", "2", "-d", "0.1", "."]),
            ("cleanstats", &["-n", "."]),
        ] {
            let best = |dir| (0..2).map(|_| processor_time(dir, name, arguments)).min().unwrap();
            let (few, many) = (best(&few), best(&many));
            // 4 if the time is linear, 16 if it is quadratic.
            assert!(
                many < few * 7,
                "{name} {arguments:?}: {few:?}, {many:?} of four times as many"
            );
        }
    }
}

/// Returns a file of version 1 with this many fields.
fn many_fields(count: usize) -> Vec<u8> {
    (0..count)
        .fold(VersionOne::default(), |file, at| file.field(format!("{:04x}", at as u16), "B", [1]))
        .finish()
}

/// Returns a file of version 2 whose only entry is there this many times.
fn many_entries(count: usize) -> Vec<u8> {
    let mut bytes = region_bytes(|writer| {
        let gauge: Gauge<u64, _> = writer.add(Gauge::builder("many")).unwrap();
        gauge.set(1);
    });
    const ENTRY: usize = EntryHeader::SIZE + 4;
    let mut entry = bytes[Header::SIZE..][..ENTRY].to_vec();
    let directory = count * ENTRY;
    bytes.truncate(Header::SIZE);
    let value = (Header::SIZE + directory).next_multiple_of(8);
    entry[offset_of!(EntryHeader, value)..][..4].copy_from_slice(&(value as u32).to_ne_bytes());
    bytes.extend(entry.repeat(count));
    bytes.resize(value + 8, 0);
    let layout = crc32(0, &bytes[Header::SIZE..][..directory]);
    let length = bytes.len() as u32;
    for (at, number) in [
        (offset_of!(Header, length), length),
        (Header::LAYOUT, layout),
        (Header::PUBLISHED, directory as u32),
    ] {
        bytes[at..][..4].copy_from_slice(&number.to_ne_bytes());
    }
    update_check(&mut bytes);
    bytes
}

#[test]
fn the_fields_of_a_file_are_bounded_and_its_first_are_read() {
    const FIELDS: usize = 1_500_000;
    let limit = format!("more than {MAX_FIELDS} fields; the others are not read");
    for file in [many_fields(FIELDS), many_entries(FIELDS)] {
        let dir = Dir::default();
        dir.file("a.mmstats", &file);
        dir.file("z.mmstats", &VersionOne::default().field("n", "B", [7]).finish());
        // Several copies of the file, and far less than 180 bytes for each field in it.
        let max_memory = 4 * file.len() as u64 + (140 << 20);
        for arguments in [&["--filter=n"][..], &["--prometheus", "--filter=n"]] {
            let arguments = [arguments, &["."]].concat();
            let outcome = run(&mut bounded(max_memory, "slurpstats", &arguments, &dir));
            let is_n = |line: &str| line.contains('n') && line.ends_with(" 7");
            assert!(outcome.out.lines().any(is_n), "{}", outcome.err);
            assert!(outcome.err.contains(&limit), "{}", outcome.err);
            assert_eq!(outcome.status, 1);
        }
        let outcome = run(&mut bounded(max_memory, "cleanstats", &["."], &dir));
        assert!(!outcome.err.contains("memory allocation"), "{}", outcome.err);
    }
}

#[test]
fn a_file_with_many_invalid_fields_reports_few_of_them() {
    let dir = Dir::default();
    let mut file = many_entries(100_000);
    for entry in file[Header::SIZE..].chunks_exact_mut(EntryHeader::SIZE + 4).take(100_000) {
        entry[offset_of!(EntryHeader, ty)] = b'~';
    }
    dir.file("a.mmstats", &file);
    let outcome = slurp(&dir, &["a.mmstats"]);
    // The directory's CRC is wrong as well.
    assert!(outcome.err.contains("99001 more invalid fields"), "{:.200}", outcome.err);
    assert_eq!(outcome.err.lines().count(), 1001);
}

/// Returns the bytes that this thread has read by system calls.
fn bytes_read() -> usize {
    let counts = fs::read_to_string("/proc/thread-self/io").unwrap();
    counts.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[test]
fn a_file_without_room_in_a_scrape_is_closed_and_parsed_once() {
    const FIELDS: usize = 200_000;
    let dir = Dir::default();
    let file = many_fields(FIELDS);
    for name in ["a", "b", "c"] {
        dir.file(format!("{name}.mmstats"), &file);
    }
    let sources = Sources::new(SourceOptions::default()).unwrap();
    let mut scraper = Scraper::new(vec![dir.path().to_owned()], sources);
    let mut scrape = || {
        let start = bytes_read();
        let scrape = scraper.scrape();
        let errors: Vec<_> = scrape.errors.iter().map(|error| error.what.clone()).collect();
        (scrape.samples.len(), errors.join("\n"), (bytes_read() - start) / file.len())
    };
    let refused = format!("not read: {FIELDS} more fields (at most 500000 in all expected)");
    let (samples, errors, _) = scrape();
    assert_eq!((samples, &errors), (2, &refused));
    let path = dir.path().join("c.mmstats");
    let open = fs::read_dir("/proc/self/fd").unwrap();
    assert!(open.flatten().all(|fd| fs::read_link(fd.path()).ok().as_deref() != Some(&path)));
    assert_eq!(scrape(), (2, refused, 1));
    fs::remove_file(dir.path().join("a.mmstats")).unwrap();
    let (samples, errors, _) = scrape();
    assert_eq!((samples, errors.as_str()), (2, ""));
}

#[test]
fn lines_of_a_recording_are_bounded() {
    let dir = Dir::default();
    write_sparse(&dir.path().join("long"), b"x", 1 << 30);
    write_sparse(&dir.path().join("second"), b"{\"mmstats-recording\":1}\n", 512 << 20);
    let replay = |name| run(&mut bounded(600 << 20, "pollstats", &["--replay", name, "n"], &dir));
    let outcome = replay("long");
    assert!(outcome.err.contains("line 1: not a recording"), "{}", outcome.err);
    let outcome = replay("second");
    assert!(outcome.err.contains("line 2: too long"), "{}", outcome.err);
}

#[test]
fn sums_of_one_page_have_no_limit() {
    let dir = Dir::default();
    let long = "x".repeat(4000);
    let file = (0..6000)
        .fold(VersionOne::default(), |file, at| file.field(format!("{long}.{at}"), "B", [1]));
    dir.file("a.mmstats", &file.finish());
    let outcome = slurp(&dir, &["--prometheus", "--sum", "a.mmstats"]);
    assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
    assert!(outcome.out.contains(".5999"), "{:.200}", outcome.out);
}
