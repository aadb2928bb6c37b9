//! Files with exactly the fields that their program adds, and registries with a large first file.

use mmstats_core::{AddError, Constant, Counter, Histogram, RegionError, V1Exact, V2};
use mmstats_std::read::Reader;
use mmstats_std::{Flush, Options, Publication, Registry, WriterFile, create_writer};
use mmstats_tests::files::{all_values, files, names};
use mmstats_tests::programs::directory;
use std::path::Path;

/// Returns options for files in this directory.
fn options(directory: &Path) -> Options {
    Options::new().directory(Box::leak(directory.to_str().unwrap().into()))
}

#[test]
fn a_file_has_exactly_the_fields_that_were_added() {
    let directory = directory();
    let directory = directory.path();
    let options = options(directory).label_prefix("web.").file_name("{MODEL}.mmstats");
    let (file, (pid, hits)) = WriterFile::create("cache", 4090, &options, |writer| {
        let pid = Constant::<u32, V1Exact>::builder("sys.pid").initial(7_u32);
        Ok((writer.add(pid)?, writer.add(Counter::<u64, V1Exact>::builder("hits"))?))
    })
    .unwrap();
    hits.add(3);
    assert_eq!(pid.get(), 7);
    let path = directory.join("cache.mmstats");
    assert!(matches!(file.publication(), Publication::File(found) if found == path));
    assert_eq!((file.length(), path.metadata().unwrap().len()), (4096, 4096));
    file.flush(Flush::Sync).unwrap();
    let mut reader = Reader::new();
    let sample = reader.read(&path).unwrap();
    let labels: Vec<&str> = sample.fields().map(|(field, _)| &*field.label).collect();
    assert_eq!((sample.layout().version, labels), (1, vec!["web.sys.pid", "web.hits"]));

    file.remove();
    assert_eq!(names(directory), [""; 0]);
    assert!(matches!(file.publication(), Publication::Private(_)));
    hits.incr();
    assert_eq!(hits.get(), 4);
}

#[test]
fn a_file_whose_fields_cannot_be_added_never_appears() {
    let directory = directory();
    let directory = directory.path();
    let error = WriterFile::create::<V2, ()>("cache", 4096, &options(directory), |writer| {
        writer.add(Counter::<u64>::builder("hits"))?;
        writer.add(Counter::<u64>::builder("hits")).map(drop)
    });
    assert!(matches!(error.unwrap_err(), AddError::DuplicateLabel { .. }));
    assert_eq!(names(directory), [""; 0]);
}

#[test]
fn a_length_that_no_region_can_have_is_an_error() {
    for length in [1 << 32, (1 << 32) - 7, usize::MAX] {
        let created =
            WriterFile::create::<V2, ()>("cache", length, &Options::new(), |_| unreachable!());
        let error = created.unwrap_err();
        assert_eq!(error, AddError::Region(RegionError::TooLarge { length }));
        let created = create_writer::<V2>("cache", length, &Options::new());
        assert!(created.unwrap_err().to_string().contains(&length.to_string()));
    }
}

#[test]
fn fields_count_in_private_memory_if_no_file_can_be_created() {
    let directory = directory();
    let missing = directory.path().join("missing");
    let (file, hits) = WriterFile::create("cache", 4096, &options(&missing), |writer| {
        writer.add(Counter::<u64>::builder("hits"))
    })
    .unwrap();
    hits.incr();
    assert_eq!(hits.get(), 1);
    let Publication::Private(error) = file.publication() else { panic!("{file:?}") };
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn a_registry_with_enough_capacity_has_one_file() {
    let directory = directory();
    let registry = Registry::new("plugins").options(options(directory.path())).capacity(40_000);
    let registry: &Registry = Box::leak(Box::new(registry));
    for label in ["a", "b", "c", "d"] {
        registry.field(Histogram::<5, 40>::builder(label), &[]).unwrap().record(1);
    }
    let files = files(directory.path());
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(files[0].metadata().unwrap().len(), 40_960);
    assert_eq!(all_values(directory.path()).len(), 1);
    registry.remove();
}
