//! Dimensions that the options give to all fields of a program.

use mmstats_core::reader::Value;
use mmstats_core::{Constant, Counter, V1, V2};
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Reader;
use mmstats_std::{
    Family, Options, Registry, Timer, WriterFile, create_writer, model, per_thread, publish,
};
use mmstats_tests::files::{all_values, files, only_file};
use mmstats_tests::programs::directory;
use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

model! {
    struct Cache {
        hits: Counter,
        misses: Counter = "misses{level=\"1\"}",
        lookup: Timer = "lookup{level=\"1\"}",
    }
}

const LABELS: [&str; 4] = [
    r#"web.hits{shard="a\"b",zone="\\n"}"#,
    r#"web.lookup.histogram{level="1",shard="a\"b",zone="\\n"}"#,
    r#"web.lookup{level="1",shard="a\"b",zone="\\n"}"#,
    r#"web.misses{level="1",shard="a\"b",zone="\\n"}"#,
];

fn options(directory: &Path) -> Options {
    Options::new()
        .directory(directory.to_str().unwrap().to_owned().leak())
        .label_prefix("web.")
        .dimension("shard", "a\"b")
        .dimension("zone", String::from("\\n").leak())
}

/// The labels of all files, but those about the process.
fn labels(directory: &Path) -> BTreeSet<String> {
    let labels = all_values(directory).into_iter().flat_map(|values| values.0.into_keys());
    labels.filter(|label| !label.starts_with("web.sys.")).collect()
}

#[test]
fn every_label_has_them_but_those_about_the_process() {
    let directory = directory();
    let stats = publish::<Cache>(&options(directory.path())).unwrap();
    drop(stats.lookup.start());
    assert!(labels(directory.path()).iter().eq(&LABELS));
    let mut reader = Reader::new();
    let sample = reader.read(&stats.path()).unwrap();
    assert_eq!(sample.pid(), Some(std::process::id()));
    assert_eq!(sample.verdict().liveness, Liveness::Alive);
    assert!(sample.find("web.sys.uid").is_some());
    drop(stats);
    let stats = publish::<Cache<V1>>(&options(directory.path())).unwrap();
    assert_eq!(stats.path(), only_file(directory.path()));
    let without_histogram = LABELS.into_iter().filter(|label| !label.contains("histogram"));
    assert!(labels(directory.path()).iter().eq(without_histogram));
}

per_thread! {
    static CACHE: Cache = Options::new().dimension("shard", "a");
    static OLD: Cache<V1> = Options::new().dimension("shard", "a");
}

#[test]
fn the_next_thread_adopts_a_file_with_dimensions() {
    let count = || {
        CACHE.with(|cache| cache.misses.incr());
        OLD.with(|cache| cache.misses.incr());
    };
    for _ in 0..3 {
        thread::spawn(count).join().unwrap();
    }
    let sums = (CACHE.sums().unwrap(), OLD.sums().unwrap());
    let label = r#"misses{level="1",shard="a"}"#;
    assert_eq!((sums.0[label], sums.1.get(label)), (3.0, None), "version 1 states no kinds");
}

#[test]
fn fields_with_names_at_run_time_have_them() {
    let directory = directory();
    let directory = directory.path();
    let registry = Registry::new("plugins").options(options(directory));
    let registry: &'static Registry = Box::leak(Box::new(registry));
    // More than the first file holds.
    let added: Vec<_> = (0..100)
        .map(|i| {
            let calls = Counter::<u64>::builder("calls");
            registry.field(calls, &[("name", &i.to_string())]).unwrap()
        })
        .collect();
    added.iter().for_each(|calls| calls.incr());
    assert!(files(directory).len() > 1);
    let found = labels(directory);
    assert_eq!(found.len(), 100);
    assert!(found.contains(r#"web.calls{name="99",shard="a\"b",zone="\\n"}"#), "{found:?}");
    registry.remove();

    let (mut writer, path) = create_writer::<V2>("plugins", 4096, &options(directory)).unwrap();
    writer.add(Counter::<u64>::builder("calls")).unwrap();
    assert!(labels(directory).iter().eq([r#"web.calls{shard="a\"b",zone="\\n"}"#]));
    assert_eq!(Reader::new().read(&path).unwrap().pid(), Some(std::process::id()));
    std::fs::remove_file(path).unwrap();

    let (file, pid) = WriterFile::create("cache", 4096, &options(directory), |writer| {
        writer.add(Constant::<u32, V2>::builder("pid").initial(7_u32))
    })
    .unwrap();
    assert_eq!(pid.get(), 7);
    assert!(labels(directory).iter().eq([r#"web.pid{shard="a\"b",zone="\\n"}"#]));
    file.remove();
}

static SHARDED: Registry = Registry::new("sharded").options(Options::new().dimension("shard", "a"));
per_thread! {
    static CALLS: Family<Counter, 1> = Family::new("calls", ["name"]).registry(&SHARDED);
}

#[test]
fn series_of_a_family_have_them_also_where_values_are_too_long() {
    let long = "x".repeat(65_520);
    for value in ["a", &long] {
        CALLS.with([value], Counter::incr);
    }
    let file = SHARDED.publications().remove(0);
    let mmstats_std::Publication::File(path) = file else { panic!("{file:?}") };
    let mut reader = Reader::new();
    let sample = reader.read(&path).unwrap();
    for label in [r#"calls{name="a",shard="a"}"#, r#"calls{name="_other",shard="a"}"#] {
        assert_eq!(sample.find(label), Some(Value::Unsigned(1)), "{label}");
    }
    SHARDED.remove();
}

#[test]
#[should_panic(expected = "two dimensions have the same name")]
fn a_name_given_twice_is_an_error() {
    let _ = Options::new().dimension("a", "1").dimension("b", "2").dimension("a", "3");
}

#[test]
#[should_panic(expected = "more than 4 dimensions")]
fn a_fifth_one_is_an_error() {
    let names = ["a", "b", "c", "d", "e"];
    let _ = names.into_iter().fold(Options::new(), |options, name| options.dimension(name, ""));
}
