//! Reads files.

use mmstats_core::reader::{Distribution as Buckets, Lossy, Value};
use mmstats_std::discover::discover;
use mmstats_std::read::{Reader, Sample};
use mmstats_std::template::Environment;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use std::ffi::{CString, OsString};
use std::path::{Path, PathBuf};

pyo3::create_exception!(
    mmstats,
    ReadError,
    pyo3::exceptions::PyOSError,
    "A file cannot be read, or is not an mmstats file."
);

/// A field of a file, with its value when it was read.
#[pyclass(frozen, get_all, module = "mmstats")]
#[derive(Debug)]
pub(crate) struct FieldValue {
    /// The file.
    path: OsString,
    /// The name, with any dimensions.
    label: String,
    /// A number, a bool, a text or a `Distribution`, as stored: `scale` and `divisor` are not
    /// applied.
    value: Py<PyAny>,
    /// `counter`, `gauge`, `info`, `histogram`, or `untyped` in version 1.
    kind: &'static str,
    /// The base unit; empty for a plain number.
    unit: String,
    /// The value in the base unit is `value` × 10^`scale` / `divisor`.
    scale: i8,
    divisor: u32,
    /// The help text.
    help: String,
    /// `sum`, `mean`, `min`, `max` or `last`; empty if the reader may choose.
    aggregation: &'static str,
    /// Whether the value survives the end of its thread.
    kept: bool,
    /// The letter of the type in Python's `struct` module.
    r#type: char,
    /// The version of the format.
    format: u8,
}

#[pymethods]
impl FieldValue {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("FieldValue({:?}, {})", self.label, self.value.bind(py).repr()?))
    }
}

/// The values that a histogram recorded.
#[pyclass(frozen, module = "mmstats")]
#[derive(Debug)]
pub(crate) struct Distribution {
    /// The number of values.
    #[pyo3(get)]
    count: u64,
    /// The sum of all values, modulo 2^64.
    #[pyo3(get)]
    sum: u64,
    /// The buckets that are not empty: the smallest and the largest value, which is `None` for the
    /// last bucket, and the count.
    #[pyo3(get)]
    buckets: Vec<(u64, Option<u64>, u64)>,
}

#[pymethods]
impl Distribution {
    /// Returns the value below which this fraction of the values lies; `None` without values.
    fn quantile(&self, fraction: f64) -> Option<u64> {
        mmstats_core::reader::quantile(self.buckets.iter().copied(), fraction)
    }

    fn __repr__(&self) -> String {
        format!("Distribution(count={}, sum={})", self.count, self.sum)
    }
}

impl From<Buckets<'_>> for Distribution {
    fn from(buckets: Buckets<'_>) -> Self {
        let (count, sum) = (buckets.count(), buckets.sum);
        Distribution { count, sum, buckets: buckets.buckets().collect() }
    }
}

/// Reads a file, or all files of a directory; without an argument, those that the tools read.
/// Returns a list of their fields.
///
/// A file that is named and cannot be read is a `ReadError`. A file of a directory that cannot be
/// read, and an invalid field, is a `RuntimeWarning`.
#[pyfunction]
#[pyo3(signature = (path = None))]
pub(crate) fn read(py: Python<'_>, path: Option<PathBuf>) -> PyResult<Vec<FieldValue>> {
    let mut reader = Reader::new();
    let mut fields = Vec::new();
    if let Some(file) = path.as_ref().filter(|path| !path.is_dir()) {
        let sample = reader.read(file);
        let sample =
            sample.map_err(|error| ReadError::new_err(format!("{}: {error}", file.display())))?;
        add_fields(py, file, &sample, &mut fields)?;
        return Ok(fields);
    }
    let found = discover(&Environment::read(), path.as_slice());
    for error in &found.errors {
        warn(py, &error.to_string())?;
    }
    for found in &found.files {
        let sample = found.open().and_then(|file| reader.read_file(&file));
        match sample {
            Ok(sample) => add_fields(py, found.path(), &sample, &mut fields)?,
            Err(error) => warn(py, &format!("{}: {error}", found.path().display()))?,
        }
    }
    Ok(fields)
}

fn add_fields(
    py: Python<'_>,
    path: &Path,
    sample: &Sample<'_>,
    fields: &mut Vec<FieldValue>,
) -> PyResult<()> {
    let layout = sample.layout();
    for error in &layout.errors {
        warn(py, &format!("{}: {error}", path.display()))?;
    }
    for (field, value) in sample.fields() {
        match value {
            Ok(value) => fields.push(FieldValue {
                path: path.as_os_str().to_owned(),
                label: field.label.clone(),
                value: to_object(py, value)?,
                kind: field.kind.name(),
                unit: field.unit.clone(),
                scale: field.scale,
                divisor: field.divisor,
                help: field.help.clone(),
                aggregation: field.aggregation.name(),
                kept: field.kept,
                r#type: field.location.ty.letter().into(),
                format: layout.version,
            }),
            Err(error) => warn(py, &format!("{}: {}: {error}", path.display(), field.label))?,
        }
    }
    Ok(())
}

fn to_object(py: Python<'_>, value: Value<'_>) -> PyResult<Py<PyAny>> {
    match value {
        Value::Bool(value) => value.into_py_any(py),
        Value::Unsigned(value) => value.into_py_any(py),
        Value::Signed(value) => value.into_py_any(py),
        Value::Float(value) => value.into_py_any(py),
        Value::Text(text) => Lossy(text).to_string().into_py_any(py),
        Value::Histogram(buckets) => Distribution::from(buckets).into_py_any(py),
    }
}

fn warn(py: Python<'_>, message: &str) -> PyResult<()> {
    let message = CString::new(message.replace('\0', "\\0"))?;
    PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &message, 1)
}
