//! `exchange write DIRECTORY` publishes every field there is, in a file of each format. `exchange
//! read FILE` prints what such a file holds: the same whichever machine wrote it, and whichever
//! reads it. `tests/big_endian` compares them.
//!
//! An example of this library and not a program of the tests, because it is built for foreign
//! machines, and with it all that it depends on.

#[path = "../../tests/src/every_field.rs"]
#[allow(unreachable_pub, reason = "there it is part of a library")]
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
    publish_filled::<F>(directory, name).expect("a file can be made there");
}

fn read(file: &Path) {
    let mut reader = Reader::new();
    let sample = reader.read(file).expect("a file of stats");
    assert!(sample.layout().errors.is_empty(), "{:?}", sample.layout().errors);
    for (field, value) in sample.fields() {
        // Who wrote it is another one each time.
        if !field.label.starts_with("sys.") {
            print(field, &value.expect("a value that nobody writes"));
        }
    }
}

/// Prints all but where the value lies, and in words of how many bytes.
fn print(field: &Field, value: &Value<'_>) {
    let Field { label, unit, help, kind, scale, divisor, location } = field;
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
    println!("{label} = {value}; {kind:?}, 10^{scale} / {divisor}, {unit:?}, {help:?}");
}
