//! Repeated scrapes: new, gone and replaced writers, and errors.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use mmstats_core::reader::ValueError;
use mmstats_std::{Counter, Options, Published, Text, model, per_thread, publish};
use mmstats_tests::cli::VersionOne;
use mmstats_tests::images::{image, pump};
use mmstats_tests::programs::directory;
use mmstats_tools::options::SourceOptions;
use mmstats_tools::scraper::{OwnedValue, Scrape, Scraper, WriterSample};
use mmstats_tools::source::Sources;

model! {
/// The stats of these tests.
    struct Server in "server." {
        /// Requests answered.
        requests: Counter,
/// The state of the server.
        state: Text<300> => "starting",
    }
}

fn scraper(arguments: &[&Path]) -> Scraper {
    let sources = Sources::new(SourceOptions::default()).unwrap();
    Scraper::new(arguments.iter().map(|path| path.to_path_buf()).collect(), sources)
}

fn server(directory: &Path, name: &str) -> Published<Server> {
    publish::<Server>(
        &Options::new()
            .directory(String::leak(directory.to_str().unwrap().to_owned()))
            .file_name(String::leak(name.to_owned())),
    )
    .unwrap()
}

/// Returns the writers of a scrape: file name, identity, whether it is new, and its requests.
fn writers(scrape: &Scrape) -> Vec<(String, u64, bool, u64)> {
    let writer = |samples: &WriterSample| {
        let Some(OwnedValue::Unsigned(requests)) = samples.find("server.requests") else {
            panic!("{samples:?}")
        };
        (
            samples.writer_id.name.file_name().unwrap().to_string_lossy().into_owned(),
            samples.writer_id.id,
            samples.writer_id.is_new,
            *requests,
        )
    };
    scrape.samples.iter().map(writer).collect()
}

/// Returns the errors of a scrape: file name, whether the error is new, and the start of its
/// message.
fn errors(scrape: &Scrape) -> Vec<(String, bool)> {
    let problem = |problem: &mmstats_tools::scraper::ScrapeError| {
        (problem.name.file_name().unwrap().to_string_lossy().into_owned(), problem.is_new)
    };
    scrape.errors.iter().map(problem).collect()
}

fn expect(name: &str, id: u64, is_new: bool, requests: u64) -> (String, u64, bool, u64) {
    (name.to_owned(), id, is_new, requests)
}

#[test]
fn values_are_current_and_properties_are_shared() {
    let dir = directory();
    let (a, b) = (server(dir.path(), "a.mmstats"), server(dir.path(), "b.mmstats"));
    b.requests.add(5);
    let mut scraper = scraper(&[dir.path()]);
    let first = scraper.scrape();
    assert_eq!(
        writers(&first),
        [expect("a.mmstats", 1, false, 0), expect("b.mmstats", 2, false, 5)]
    );
    a.requests.add(3);
    a.state.set("busy");
    let second = scraper.scrape();
    assert_eq!(
        writers(&second),
        [expect("a.mmstats", 1, false, 3), expect("b.mmstats", 2, false, 5)]
    );
    assert_eq!(second.samples[0].find("state"), Some(&OwnedValue::Text("busy".into())));
    assert!(second.elapsed > first.elapsed && second.errors.is_empty());
    // Both writers share one allocation, and so do consecutive scrapes.
    assert!(std::sync::Arc::ptr_eq(&second.samples[0].fields, &second.samples[1].fields));
    assert!(std::sync::Arc::ptr_eq(&first.samples[0].fields, &second.samples[0].fields));
    assert_eq!(second.samples[0].writer_id.pid(), Some(std::process::id()));
}

#[test]
fn files_appear_and_vanish_without_an_error() {
    let dir = directory();
    let a = server(dir.path(), "a.mmstats");
    let mut scraper = scraper(&[dir.path()]);
    assert_eq!(writers(&scraper.scrape()), [expect("a.mmstats", 1, false, 0)]);
    let b = server(dir.path(), "b.mmstats");
    b.requests.add(7);
    assert_eq!(
        writers(&scraper.scrape()),
        [expect("a.mmstats", 1, false, 0), expect("b.mmstats", 2, true, 7)]
    );
    a.remove();
    let scrape = scraper.scrape();
    assert_eq!(writers(&scrape), [expect("b.mmstats", 2, true, 7)]);
    assert!(scrape.errors.is_empty(), "{:?}", scrape.errors);
    // With the name of an earlier file.
    let _a = server(dir.path(), "a.mmstats");
    assert_eq!(
        writers(&scraper.scrape()),
        [expect("a.mmstats", 3, true, 0), expect("b.mmstats", 2, true, 7)]
    );
}

#[test]
fn a_file_that_replaces_another_is_a_new_writer() {
    let dir = directory();
    let (old, new) = (server(dir.path(), "a.mmstats"), server(dir.path(), "b.hidden"));
    old.requests.add(100);
    new.requests.add(3);
    let mut scraper = scraper(&[dir.path()]);
    assert_eq!(writers(&scraper.scrape()), [expect("a.mmstats", 1, false, 100)]);
    fs::rename(new.path(), dir.path().join("a.mmstats")).unwrap();
    assert_eq!(writers(&scraper.scrape()), [expect("a.mmstats", 2, true, 3)]);
}

#[test]
fn another_process_in_the_same_file_is_a_new_writer() {
    let dir = directory();
    let path = dir.path().join("a.mmstats");
    // The original overwrites files without a process in their names.
    let write = |pid: u32, requests: u64| {
        let file = VersionOne::default()
            .field("server.requests", "Q", requests.to_ne_bytes())
            .field("server.sys.pid", "I", pid.to_ne_bytes());
        fs::write(&path, file.finish()).unwrap();
    };
    let mut scraper = scraper(&[dir.path()]);
    write(100, 50);
    assert_eq!(writers(&scraper.scrape()), [expect("a.mmstats", 1, false, 50)]);
    write(100, 60);
    assert_eq!(writers(&scraper.scrape()), [expect("a.mmstats", 1, false, 60)]);
    write(101, 3);
    assert_eq!(writers(&scraper.scrape()), [expect("a.mmstats", 2, true, 3)]);
}

#[test]
fn a_truncated_file_is_reported_once_and_continues_when_restored() {
    let dir = directory();
    let (a, b) = (server(dir.path(), "a.mmstats"), server(dir.path(), "b.mmstats"));
    a.requests.add(10);
    let whole = fs::read(a.path()).unwrap();
    let copy = dir.path().join("c.mmstats");
    fs::write(&copy, &whole).unwrap();
    let mut scraper = scraper(&[dir.path()]);
    let _ = b;
    assert_eq!(writers(&scraper.scrape()).len(), 3);
    OpenOptions::new().write(true).open(&copy).unwrap().set_len(100).unwrap();
    let scrape = scraper.scrape();
    assert_eq!(errors(&scrape), [("c.mmstats".to_owned(), true)]);
    assert_eq!(
        scrape
            .samples
            .iter()
            .filter(|samples| !samples.writer_id.name.ends_with("c.mmstats"))
            .count(),
        2
    );
    assert_eq!(errors(&scraper.scrape()), [("c.mmstats".to_owned(), false)]);
    // In place: the file itself has to stay the same.
    OpenOptions::new()
        .write(true)
        .open(&copy)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &whole))
        .unwrap();
    let scrape = scraper.scrape();
    assert_eq!(writers(&scrape)[2], expect("c.mmstats", 3, false, 10));
    assert!(scrape.errors.is_empty());
}

#[test]
fn a_file_moved_into_the_directory_has_no_increase_yet() {
    let [dir, elsewhere] = [directory(), directory()];
    let a = server(elsewhere.path(), "a.mmstats");
    a.requests.add(10);
    // Long before the previous scrape.
    thread::sleep(Duration::from_millis(200));
    let mut scraper = scraper(&[dir.path()]);
    assert!(scraper.scrape().samples.is_empty());
    fs::rename(elsewhere.path().join("a.mmstats"), dir.path().join("a.mmstats")).unwrap();
    let _b = server(dir.path(), "b.mmstats");
    assert_eq!(
        writers(&scraper.scrape()),
        [expect("a.mmstats", 1, false, 10), expect("b.mmstats", 2, true, 0)]
    );
}

#[test]
fn a_bad_file_does_not_hide_the_others() {
    let dir = directory();
    let _a = server(dir.path(), "a.mmstats");
    fs::write(dir.path().join("bad.mmstats"), b"no stats at all").unwrap();
    File::create(dir.path().join("empty.mmstats")).unwrap();
    fs::create_dir(dir.path().join("d.mmstats")).unwrap();
    let mut scraper = scraper(&[dir.path()]);
    for is_new in [true, false] {
        let scrape = scraper.scrape();
        assert_eq!(writers(&scrape).len(), 1);
        assert_eq!(
            errors(&scrape),
            ["bad.mmstats", "d.mmstats", "empty.mmstats"].map(|name| (name.to_owned(), is_new))
        );
    }
}

#[test]
fn a_named_file_can_appear_later() {
    let dir = directory();
    let path = dir.path().join("late.mmstats");
    let mut scraper = scraper(&[&path]);
    assert_eq!(errors(&scraper.scrape()), [("late.mmstats".to_owned(), true)]);
    assert_eq!(errors(&scraper.scrape()), [("late.mmstats".to_owned(), false)]);
    let late = server(dir.path(), "late.mmstats");
    late.requests.add(2);
    let scrape = scraper.scrape();
    assert_eq!(
        (writers(&scrape), errors(&scrape)),
        (vec![expect("late.mmstats", 1, true, 2)], vec![])
    );
    // A file that existed and is gone is not an error: its writer has ended.
    late.remove();
    let scrape = scraper.scrape();
    assert_eq!((writers(&scrape), errors(&scrape)), (vec![], vec![]));
}

#[test]
fn a_file_that_becomes_readable_has_no_increase_yet() {
    let dir = directory();
    let path = dir.path().join("a.mmstats");
    fs::write(&path, b"not yet").unwrap();
    let published = server(dir.path(), "b.hidden");
    published.requests.add(1000);
    let mut scraper = scraper(&[dir.path()]);
    assert_eq!(errors(&scraper.scrape()), [("a.mmstats".to_owned(), true)]);
    fs::rename(published.path(), &path).unwrap();
    assert_eq!(writers(&scraper.scrape()), [expect("a.mmstats", 1, false, 1000)]);
}

#[test]
fn a_thread_that_adopts_a_file_continues_it() {
    per_thread! { static STATS: Server = Options::new().file_name("sampler-threads-{TID}.mmstats"); }
    fn touch() -> PathBuf {
        let touched = thread::spawn(|| {
            STATS.with(|stats| stats.requests.add(5));
            match STATS.publication() {
                mmstats_std::Publication::File(path) => path,
                other => panic!("{other:?}"),
            }
        });
        touched.join().unwrap()
    }
    let path = touch();
    let mut scraper = scraper(&[&path]);
    let first = writers(&scraper.scrape());
    assert_eq!(touch(), path);
    let second = writers(&scraper.scrape());
    assert_eq!((first[0].3, second[0].3), (5, 10));
    assert_eq!((first[0].1, second[0].1, second[0].2), (1, 1, false));
}

#[test]
fn regions_among_other_memory_are_found_at_each_scrape() {
    let dir = directory();
    let path = dir.path().join("ram.bin");
    let pressure = |scrape: &Scrape| {
        scrape
            .samples
            .iter()
            .map(|samples| (samples.writer_id.id, samples.find("turns").cloned()))
            .collect::<Vec<_>>()
    };
    fs::write(&path, image(4096, &[(512, &pump(3)), (2048, &pump(9))])).unwrap();
    let mut scraper = scraper(&[&path]);
    let first = scraper.scrape();
    assert_eq!(
        pressure(&first),
        [(1, Some(OwnedValue::Unsigned(3))), (2, Some(OwnedValue::Unsigned(9)))]
    );
    assert_eq!(first.samples[0].writer_id.name, PathBuf::from(format!("{}@0x200", path.display())));
    // In place, like memory.
    OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &image(4096, &[(512, &pump(4))])))
        .unwrap();
    let second = scraper.scrape();
    assert_eq!(pressure(&second), [(1, Some(OwnedValue::Unsigned(4)))]);
    assert!(std::sync::Arc::ptr_eq(&first.samples[0].fields, &second.samples[0].fields));
}

#[test]
fn a_file_named_twice_is_one_writer() {
    let dir = directory();
    let published = server(dir.path(), "a.mmstats");
    let mut scraper = scraper(&[dir.path(), &published.path(), &published.path()]);
    for _ in 0..2 {
        assert_eq!(writers(&scraper.scrape()), [expect("a.mmstats", 1, false, 0)]);
    }
}

#[test]
fn an_unreadable_value_keeps_its_position() {
    // A version 1 file whose last value is cut off.
    let dir = directory();
    let path = dir.path().join("a.mmstats");
    let file = VersionOne::default()
        .field("a", "Q", 7_u64.to_ne_bytes())
        .field("b", "255s", [b'x'; 255])
        .finish();
    fs::write(&path, &file[..200]).unwrap();
    let mut scraper = scraper(&[&path]);
    let scrape = scraper.scrape();
    assert_eq!(scrape.errors.len(), 1);
    for sample in &scrape.samples {
        assert_eq!(sample.find("a"), Some(&OwnedValue::Unsigned(7)));
        assert!(sample.values.iter().all(|value| !matches!(value, Err(ValueError::Contended))));
    }
}
