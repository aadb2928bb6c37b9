//! `exchange write DIRECTORY` publishes every kind of field, in a file of each format. `exchange
//! read FILE` prints the content of such a file, which does not depend on the machines that wrote
//! and read it: `tests/big_endian` compares them.
//!
//! It is an example of this library and not a program of the tests, because it is built with few
//! dependencies for machines in emulators.

#[path = "../../tests/src/every_field.rs"]
#[allow(unreachable_pub, reason = "it is part of a library there")]
mod every_field;

use every_field::publish_filled;
use mmstats_core::reader::{Lossy, Value};
use mmstats_std::read::{Field, Reader};
use mmstats_std::{Format, V1, V1Exact, V2, V2Narrow};
use std::path::{Path, PathBuf};

fn main() {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match &arguments[..] {
        [what, directory] if what == Path::new("write") => {
            write::<V2>(directory, "version-2");
            write::<V2Narrow>(directory, "version-2-narrow");
            write::<V1>(directory, "version-1");
            write::<V1Exact>(directory, "version-1-exact");
        }
        [what, file] if what == Path::new("read") => read(file),
        _ => panic!("write DIRECTORY, or read FILE, instead of {arguments:?}"),
    }
}

fn write<F: Format>(directory: &Path, name: &'static str) {
    publish_filled::<F>(directory, name).expect("the file can be created");
}

fn read(file: &Path) {
    let mut reader = Reader::new();
    let sample = reader.read(file).expect("a valid file");
    assert!(sample.layout().errors.is_empty(), "{:?}", sample.layout().errors);
    for (field, value) in sample.fields() {
        // The identity of the writer differs.
        if !field.label.starts_with("sys.") {
            print(field, &value.expect("a value that is not being written"));
        }
    }
}

/// Prints everything except the location and the size of words.
fn print(field: &Field, value: &Value<'_>) {
    let Field { label, unit, help, kind, scale, divisor, aggregation, kept, location } = field;
    let value = match value {
        Value::Text(text) => format!("{:?} of {}", Lossy(text).to_string(), location.size),
        Value::Histogram(spread) => format!(
            "sum {}, powers {:?}, {:?}",
            spread.sum,
            (spread.grouping_power(), spread.max_power()),
            spread.buckets().collect::<Vec<_>>()
        ),
        number => format!("{number:?} {:?}", location.ty),
    };
    println!(
        "{label} = {value}; {kind:?}, 10^{scale} / {divisor}, {unit:?}, {help:?}, {aggregation:?}, \
         kept {kept}"
    );
}
