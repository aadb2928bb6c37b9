//! More files than the limit of open ones.

use std::fs;

use mmstats_tests::cli::VersionOne;
use mmstats_tests::programs::directory;
use mmstats_tools::options::SourceOptions;
use mmstats_tools::scraper::{OwnedValue, Scraper};
use mmstats_tools::source::Sources;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The only test of its program, because the limit applies to the process.
#[test]
fn files_beyond_the_limit_of_open_ones_are_read_too() {
    let dir = directory();
    for i in 0..200_u64 {
        fs::write(
            dir.path().join(format!("{i}.mmstats")),
            VersionOne::default().field("n", "Q", i.to_ne_bytes()).finish(),
        )
        .unwrap();
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(90), maximum: Some(120) }).unwrap();
    let mut scraper =
        Scraper::new(vec![dir.path().to_owned()], Sources::new(SourceOptions::default()).unwrap());
    assert_eq!(getrlimit(Resource::Nofile).current, Some(120), "the hard limit");
    for _ in 0..3 {
        let scrape = scraper.scrape();
        assert_eq!(scrape.errors, []);
        let number = |value: Option<&OwnedValue>| {
            if let Some(OwnedValue::Unsigned(number)) = value {
                *number
            } else {
                panic!("{value:?}")
            }
        };
        assert_eq!(
            scrape.samples.iter().map(|samples| number(samples.find("n"))).sum::<u64>(),
            199 * 200 / 2
        );
        assert_eq!(scrape.samples.iter().map(|samples| samples.writer_id.id).max(), Some(200));
        let open = fs::read_dir("/proc/self/fd").unwrap().count();
        assert!((50..80).contains(&open), "{open} are open");
    }
}
