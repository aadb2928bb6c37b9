//! Our readers and writers agree with `independent.py`, which was written from FORMAT.md only, and
//! they read the golden files.

use mmstats_core::reader::{ByteOrder, Directory};
use mmstats_std::{Format, Model, V1, V1Exact, V2, V2Narrow};
use mmstats_tests::cli::golden;
use mmstats_tests::damage::Random;
use mmstats_tests::every_field::{EveryField, publish_filled};
use mmstats_tests::independent::{
    assert_reads, assert_same, beside, dump, kept, run, run_well, script,
};
use mmstats_tests::programs::{Program, directory};
use mmstats_tests::record;
use mmstats_tests::regions::{bytes, leaked_region};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Fields with the process's identity.
const IDENTITY: usize = 8;

fn what_we_write_is_read_alike<F: Format>() {
    let directory = directory();
    let published = publish_filled::<F>(directory.path(), "all.mmstats").unwrap();
    let theirs = dump(&published.path());
    let fields: usize = EveryField::<F>::FIELDS.iter().map(|field| field.layouts.len()).sum();
    assert_eq!(theirs.len(), fields + IDENTITY);
    assert_reads(&published.path(), &theirs);
}

#[test]
fn our_version_2_is_read_alike() {
    what_we_write_is_read_alike::<V2>();
}

#[test]
fn our_version_2_with_words_of_4_bytes_is_read_alike() {
    what_we_write_is_read_alike::<V2Narrow>();
}

#[test]
fn our_version_1_is_read_alike() {
    what_we_write_is_read_alike::<V1>();
}

#[test]
fn our_exact_version_1_is_read_alike() {
    what_we_write_is_read_alike::<V1Exact>();
}

#[test]
fn our_directory_in_flash_is_read_alike() {
    let directory = directory();
    let path = directory.path().join("flash.mmstats");
    let publisher = EveryField::<V2>::publisher().directory_in_flash();
    let region = leaked_region(publisher.size() / 8);
    let view = region.view();
    publisher.publish(region).unwrap().fill();
    fs::write(&path, bytes(&view)).unwrap();
    fs::write(beside(&path, ".directory"), EveryField::<V2>::directory().entries).unwrap();
    let theirs = dump(&path);
    assert_eq!(
        theirs.len(),
        EveryField::<V2>::FIELDS.iter().map(|field| field.layouts.len()).sum::<usize>()
    );
    assert_reads(&path, &theirs);
}

#[test]
fn an_external_directory_of_the_other_implementation_is_read_as_written() {
    let directory = directory();
    for order in ["little", "big"] {
        for word in ["4", "8"] {
            let path = directory.path().join(format!("{order}-{word}"));
            run_well(
                script()
                    .args(["write", "v2", "--external", "--byte-order", order, "--word", word])
                    .arg(&path),
            );
            assert_reads(&path, &kept(&path));
        }
    }
}

/// Lets the other implementation write every kind of file.
fn foreign_files(directory: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for (version, more) in [("v1", None), ("v1", Some("--exact")), ("v2", None)] {
        for order in ["little", "big"] {
            for word in ["4", "8"] {
                let path = directory
                    .join(format!("{version}{}-{order}-{word}.mmstats", more.unwrap_or_default()));
                let arguments = [OsStr::new(version), path.as_os_str()];
                run_well(
                    script()
                        .arg("write")
                        .args(arguments)
                        .args(["--byte-order", order, "--word", word])
                        .args(more),
                );
                paths.push(path);
            }
        }
    }
    paths
}

#[test]
fn files_of_the_other_implementation_are_read_as_written() {
    let directory = directory();
    for path in foreign_files(directory.path()) {
        let theirs = kept(&path);
        assert!(theirs.len() > 100);
        assert_reads(&path, &theirs);
    }
}

#[test]
fn the_byte_order_of_version_1_is_detected() {
    let directory = directory();
    for path in
        foreign_files(directory.path()).iter().filter(|path| path.to_string_lossy().contains("v1"))
    {
        let (bytes, theirs) = (fs::read(path).unwrap(), kept(path));
        let order =
            if theirs[0]["byte_order"] == "little" { ByteOrder::Little } else { ByteOrder::Big };
        assert_same(
            &record::from_directory(
                &Directory::open_with(&bytes, &bytes, Some(order)).unwrap(),
                &bytes,
            ),
            &theirs,
            path,
        );
        let wrong = Directory::open_with(&bytes, &bytes, Some(order.other())).unwrap();
        assert!(wrong.entries().any(|entry| entry.is_err()), "{path:?} in the other order");
    }
}

#[test]
fn golden_files_have_their_original_values() {
    let folder = golden().join("v2");
    let files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let files: Vec<&PathBuf> =
        files.iter().filter(|path| path.extension() == Some(OsStr::new("mmstats"))).collect();
    assert!(files.len() >= 9, "{files:?}");
    for path in files {
        let theirs = kept(path);
        assert_same(&dump(path), &theirs, path);
        assert_reads(path, &theirs);
    }
}

#[test]
fn files_of_the_original_are_read_alike() {
    for name in ["kinds", "webstats"] {
        let path = golden().join("v1").join(name).with_extension("mmstats");
        assert_reads(&path, &dump(&path));
    }
}

#[test]
fn the_other_implementation_reads_no_mixed_value_while_we_write() {
    for (format, labels) in
        [("wide", &["number", "text"][..]), ("narrow", &["number", "plain", "text"])]
    {
        let directory = directory();
        let mut writer = Program::start(
            env!("CARGO_BIN_EXE_mixed_writer"),
            directory.path(),
            &[format, "10000"],
        );
        let path = writer.line();
        for label in labels {
            let seen: Json = serde_json::from_str(&run_well(script().args([
                "live",
                path.as_str(),
                *label,
                "1",
                "--halves",
            ])))
            .unwrap();
            assert!(
                seen["reads"].as_u64() > Some(1000) && seen["first"] != seen["last"],
                "{label}: {seen}"
            );
            assert!(seen["torn"] == 0 && seen["decreasing"] == 0, "{label}: {seen}");
        }
    }
}

/// Returns the other implementation's view of damaged files: the readable fields, and whether it
/// reports errors.
fn judge(paths: &[PathBuf]) -> BTreeMap<PathBuf, (Vec<Json>, bool)> {
    let mut verdicts: BTreeMap<_, _> =
        paths.iter().map(|path| (path.clone(), (Vec::new(), false))).collect();
    let (out, err) = run(script().arg("dump").args(paths));
    for line in out.lines() {
        let mut record: Json = serde_json::from_str(line).unwrap();
        let file = record.as_object_mut().unwrap().remove("file").unwrap();
        verdicts.get_mut(Path::new(file.as_str().unwrap())).unwrap().0.push(record);
    }
    for line in err.lines() {
        let (path, _) = line.split_once(": ").unwrap();
        verdicts.get_mut(Path::new(path)).unwrap_or_else(|| panic!("{line}")).1 = true;
    }
    verdicts
}

#[test]
fn damaged_files_are_judged_alike() {
    let directory = directory();
    let mut bases = foreign_files(directory.path());
    bases.push(publish_filled::<V2>(directory.path(), "ours").unwrap().path());
    bases.push(golden().join("v1/kinds.mmstats"));
    let count = std::env::var("MMSTATS_DAMAGED_FILES").map_or(300, |count| count.parse().unwrap());
    let mut random = Random(1);
    let bases: Vec<Vec<u8>> = bases.iter().map(|path| fs::read(path).unwrap()).collect();
    let paths: Vec<PathBuf> =
        (0..count).map(|i| directory.path().join(format!("{i}.damaged"))).collect();
    for (path, base) in paths.iter().zip(bases.iter().cycle()) {
        fs::write(path, random.damage(base)).unwrap();
    }
    let mut sound = 0;
    for (path, (theirs, complained)) in judge(&paths) {
        let bytes = fs::read(&path).unwrap();
        let (ours, complain) = match Directory::open(&bytes) {
            Ok(directory) => (
                record::from_directory(&directory, &bytes),
                directory.entries().any(|entry| entry.is_err()),
            ),
            Err(_) => (Vec::new(), true),
        };
        assert_same(&ours, &theirs, &path);
        assert_eq!(complain, complained, "{path:?}");
        sound += usize::from(!complained);
    }
    assert!(sound > count / 10 && sound < count * 9 / 10, "{sound} of {count} are sound");
}
