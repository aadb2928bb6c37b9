//! Patterns of files in `MMSTATS_GLOB` and `MMSTATS_PATH`, which find no file through a link, and
//! patterns of labels.
#![no_main]

use std::env;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use mmstats_fuzz::tool::{empty_directory, run};
use mmstats_std::discover::discover;
use mmstats_std::template::Environment;
use mmstats_tools::slurp;

static SETUP: Once = Once::new();

/// Makes a directory with files, directories and links the current one.
fn set_up() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../golden/v2/rust-little-8.mmstats");
    let directory = empty_directory("globs");
    env::set_current_dir(&directory).expect("a directory");
    for name in ["dir/inner", "d[a]", "other"] {
        fs::create_dir_all(name).expect("a directory");
        File::create(Path::new(name).join("x.mmstats")).expect("a file");
    }
    symlink("dir", "link").expect("a link");
    symlink(&directory, "dir/loop").expect("a link");
    fs::copy(golden, "every.mmstats").expect("a golden file");
}

fuzz_target!(|data: &[u8]| {
    SETUP.call_once(set_up);
    let Some((&mode, data)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(data).into_owned();
    if mode & 3 == 3 {
        let output = run("slurpstats", slurp::run, &["-f", &text, "-x", "*b*", "every.mmstats"]);
        assert!(!output.contains("  all.b"), "{output}");
        return;
    }
    // Only in this directory.
    if data.starts_with(b"/") || text.contains("..") || data.contains(&0) {
        return;
    }
    let pattern = std::ffi::OsString::from_vec(data.to_vec());
    let (path, glob) = if mode & 1 == 0 { (None, Some(pattern)) } else { (Some(pattern), None) };
    let found =
        discover::<&Path>(&Environment { path, files: None, glob, temporary: ".".into() }, &[]);
    let paths: Vec<_> = found.files.iter().map(|file| file.path()).collect();
    assert!(paths.is_sorted());
    for error in found.errors {
        assert!(!error.to_string().is_empty());
    }
    let wild = text.find(['*', '?', '[', '{']).unwrap_or(text.len());
    for path in paths {
        let directory = path.parent().expect("a file");
        let links = directory.ancestors().filter(|directory| directory.is_symlink()).count();
        let named = ["link", "loop"].iter().map(|link| text[..wild].matches(link).count());
        assert!(links <= named.sum(), "{text:?} finds {path:?}");
    }
});
