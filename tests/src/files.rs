//! Reads the files in a directory.

use mmstats_core::reader::{Lossy, Value};
use mmstats_std::discover::discover;
use mmstats_std::read::{FileError, Reader, Sample};
use mmstats_std::template::Environment;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A value that outlives its reader.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// A flag.
    Flag(bool),
    /// An unsigned number.
    Count(u64),
    /// A signed number.
    Signed(i64),
    /// A floating-point number.
    Number(f64),
    /// A text.
    Text(String),
    /// A histogram.
    Spread {
        /// The number of values.
        count: u64,
        /// Their sum.
        sum: u64,
    },
}

/// The values of one file, by label.
#[derive(Clone, Debug, PartialEq)]
pub struct Values(pub BTreeMap<String, Held>);

/// Returns the stats files in a directory, as readers find them.
#[must_use]
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let found = discover(&Environment::read(), &[directory]);
    assert!(found.errors.is_empty(), "{:?}", found.errors);
    found.files.iter().map(|file| file.path().to_owned()).collect()
}

/// Returns the only stats file in a directory.
#[must_use]
pub fn only_file(directory: &Path) -> PathBuf {
    let files = files(directory);
    let [file] = &files[..] else { panic!("one file, not {files:?}") };
    file.clone()
}

/// Returns the names of everything in a directory.
#[must_use]
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is there");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Reads a file.
///
/// # Errors
/// If it cannot be read.
///
/// # Panics
/// If a field is damaged.
pub fn try_values(path: &Path) -> Result<Values, FileError> {
    Ok(Values::from_sample(&Reader::new().read(path)?))
}

/// Reads a file that has to exist and be undamaged.
#[must_use]
pub fn values(path: &Path) -> Values {
    try_values(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads every file in a directory.
#[must_use]
pub fn all_values(directory: &Path) -> Vec<Values> {
    files(directory).iter().map(|path| values(path)).collect()
}

/// Returns the sum of a counter over all files of a directory.
#[must_use]
pub fn total(directory: &Path, label: &str) -> u64 {
    all_values(directory).iter().map(|values| values.count(label)).sum()
}

/// Returns the generation of a version 2 file.
#[must_use]
pub fn generation(path: &Path) -> u32 {
    let bytes = fs::read(path).expect("it is there");
    u32::from_ne_bytes(bytes[32..36].try_into().expect("four bytes"))
}

impl Values {
    fn from_sample(sample: &Sample<'_>) -> Values {
        assert!(sample.layout().errors.is_empty(), "{:?}", sample.layout().errors);
        let held = sample.fields().map(|(field, value)| match value {
            Ok(value) => (field.label.clone(), Held::from(value)),
            Err(error) => panic!("{}: {error}", field.label),
        });
        Values(held.collect())
    }

    /// Returns the value of a label.
    #[must_use]
    pub fn get(&self, label: &str) -> &Held {
        self.0.get(label).unwrap_or_else(|| panic!("no {label} in {:?}", self.0.keys()))
    }

    /// Returns the non-negative integer of a label.
    #[must_use]
    pub fn count(&self, label: &str) -> u64 {
        match self.get(label) {
            Held::Count(count) => *count,
            Held::Signed(number) => u64::try_from(*number).expect("not negative"),
            other => panic!("{label} is {other:?}"),
        }
    }

    /// Returns the text of a label.
    #[must_use]
    pub fn text(&self, label: &str) -> &str {
        match self.get(label) {
            Held::Text(text) => text,
            other => panic!("{label} is {other:?}"),
        }
    }
}

impl From<Value<'_>> for Held {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Bool(flag) => Held::Flag(flag),
            Value::Unsigned(count) => Held::Count(count),
            Value::Signed(number) => Held::Signed(number),
            Value::Float(number) => Held::Number(number),
            Value::Text(bytes) => Held::Text(Lossy(bytes).to_string()),
            Value::Histogram(spread) => Held::Spread { count: spread.count(), sum: spread.sum },
        }
    }
}
