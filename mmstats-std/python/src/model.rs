//! The base class of models, and the descriptors that are the attributes of their classes.

use crate::family::Family;
use crate::instance::{Instance, Publishing, leak};
use crate::kind::Kind;
use crate::objects::{Series, object};
use crate::spec::{MAX_TEXT, Spec};
use mmstats_core::{Aggregation, Unit, units};
use mmstats_std::template::Environment;
use mmstats_std::{Flush, Options};
use pyo3::exceptions::{PyAttributeError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The base class of models: an instance has a file for each thread that uses it.
#[pyclass(subclass, frozen, module = "mmstats._native")]
#[derive(Debug)]
pub(crate) struct Model(OnceLock<Opened>);

#[derive(Debug)]
struct Opened {
    instance: Arc<Instance>,
    /// The identities of the descriptors, sorted, with the indexes of their fields.
    indexes: Vec<(usize, usize)>,
    specs: Vec<Arc<Spec>>,
    /// The objects that attributes return, for fields that are not values.
    objects: Vec<Option<Py<PyAny>>>,
}

/// A field as the class declares it.
#[derive(FromPyObject)]
struct Declaration<'py> {
    descriptor: Bound<'py, Descriptor>,
    label: String,
    kind: String,
    size: usize,
    help: String,
    unit: String,
    scale: i8,
    divisor: u32,
    aggregation: String,
    kept: bool,
    parameter: Option<Py<PyAny>>,
    /// The names of the dimensions of a family.
    dimensions: Option<Vec<String>>,
    max_series: usize,
}

impl Model {
    fn opened(&self) -> PyResult<&Opened> {
        let error = || PyRuntimeError::new_err("a model needs BaseMmStats.__init__ to be called");
        self.0.get().ok_or_else(error)
    }
}

#[pymethods]
impl Model {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Model {
        Model(OnceLock::new())
    }

    /// Publishes these fields in the calling thread.
    #[pyo3(signature = (name, fields, path, filename, prefix, format, mode, keep, quiet))]
    #[expect(clippy::too_many_arguments, reason = "the options of the class in Python")]
    fn _open(
        &self,
        py: Python<'_>,
        name: String,
        fields: Vec<Declaration<'_>>,
        path: Option<PathBuf>,
        filename: Option<PathBuf>,
        prefix: &str,
        format: u8,
        mode: Option<u32>,
        keep: bool,
        quiet: bool,
    ) -> PyResult<()> {
        if self.0.get().is_some() {
            return Err(PyRuntimeError::new_err("__init__ was called twice"));
        }
        if format != 1 && format != 2 {
            let message = format!("invalid format: {format} (1 or 2 expected)");
            return Err(PyValueError::new_err(message));
        }
        let prefix = leak(prefix);
        let is_quiet = quiet || (path.is_none() && Environment::read().is_switched_off());
        let mut options = location(py, path, filename)?.label_prefix(prefix);
        if let Some(mode) = mode {
            options = options.mode(mode);
        }
        if keep {
            options = options.keep();
        }
        if quiet {
            options = options.quiet();
        }
        let mut specs = Vec::new();
        let mut families = Vec::new();
        let mut indexes = Vec::new();
        for field in fields {
            let id = field.descriptor.get().0;
            let names = field.dimensions.clone();
            let max_series = field.max_series;
            let spec = field.into_spec()?;
            match names {
                Some(names) => families.push((id, spec, names, max_series)),
                None => {
                    indexes.push((id, specs.len()));
                    specs.push(spec);
                }
            }
        }
        if let (Some((_, spec, ..)), 1) = (families.first(), format) {
            let message = format!("{}: version 1 has no families (format=2 expected)", spec.label);
            return Err(PyValueError::new_err(message));
        }
        let publishing = Publishing { name, format, options, prefix, is_quiet };
        let specs: Vec<Arc<Spec>> = specs.into_iter().map(Arc::new).collect();
        let instance = Instance::new(publishing, specs.clone())?;
        let objects = specs.iter().enumerate().map(|(index, spec)| {
            if spec.kind.is_value() || spec.kind == Kind::Timer {
                return Ok(None);
            }
            let series = Series { instance: instance.clone(), index };
            object(py, spec.kind, series).map(Some)
        });
        let mut objects = objects.collect::<PyResult<Vec<_>>>()?;
        for (id, spec, names, max_series) in families {
            indexes.push((id, objects.len()));
            let family = Family::new(instance.clone(), spec, names, max_series)?;
            objects.push(Some(Py::new(py, family)?.into_any()));
        }
        indexes.sort_unstable();
        instance.open(py, None)?;
        let _ = self.0.set(Opened { instance, indexes, specs, objects });
        Ok(())
    }

    /// The path of this thread's file; of the first one, if there are several. `None` if there is
    /// no file: see `error`.
    #[getter]
    fn filename(&self, py: Python<'_>) -> PyResult<Option<OsString>> {
        Ok(self.filenames(py)?.into_iter().next())
    }

    /// The paths of this thread's files: one, unless the series of families need more.
    #[getter]
    fn filenames(&self, py: Python<'_>) -> PyResult<Vec<OsString>> {
        let paths = self.opened()?.instance.paths(py)?.unwrap_or_default();
        Ok(paths.into_iter().map(PathBuf::into_os_string).collect())
    }

    /// Why this thread has no file, or `None`.
    #[getter]
    fn error(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.opened()?.instance.paths(py)?.err())
    }

    /// The bytes of this thread's files.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        self.opened()?.instance.size(py)
    }

    /// Writes this thread's files to their disk; with `async`, only starts that.
    #[pyo3(signature = (r#async = false))]
    fn flush(&self, py: Python<'_>, r#async: bool) -> PyResult<()> {
        let mode = if r#async { Flush::Async } else { Flush::Sync };
        self.opened()?.instance.flush(py, mode)
    }

    /// Removes this thread's files and those of threads that have ended. This thread's fields still
    /// work, but no other process sees them. A series that a family adds afterwards is published in
    /// a new file, which the next call removes.
    fn remove(&self, py: Python<'_>) -> PyResult<()> {
        self.opened()?.instance.remove(py)
    }
}

/// Returns the options of where the files go. `{CMD}` is replaced here, as it is the name of the
/// script, and not that of Python.
fn location(py: Python<'_>, path: Option<PathBuf>, filename: Option<PathBuf>) -> PyResult<Options> {
    let environment = Environment::read();
    let command: String = py
        .import("sys")?
        .getattr("argv")
        .and_then(|arguments| arguments.get_item(0)?.extract::<PathBuf>())
        .ok()
        .and_then(|script| Some(script.file_name()?.to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with('-'))
        .unwrap_or_else(|| "{CMD}".into());
    let command = if command == "{CMD}" { command } else { escape(&command) };
    let text = |path: PathBuf| path.to_string_lossy().replace("{CMD}", &command);
    let of_environment = environment.path.clone().map(PathBuf::from);
    let has_command =
        |path: &PathBuf| !environment.is_switched_off() && path.to_string_lossy().contains("{CMD}");
    let path = path.or(of_environment.filter(has_command));
    let default = || environment.files.clone().map_or(DEFAULT_FILES.into(), PathBuf::from);
    let mut options = Options::new().file_name(leak(&text(filename.unwrap_or_else(default))));
    if let Some(path) = path {
        options = options.directory(leak(&text(path)));
    }
    Ok(options)
}

const DEFAULT_FILES: &str = "{CMD}-{PID}-{TID}.mmstats";

/// Escapes a name for a template of paths, and shows a file that would be hidden.
fn escape(name: &str) -> String {
    let name = name.replace('{', "{{").replace('}', "}}");
    name.strip_prefix('.').map_or(name.clone(), |rest| format!("_{rest}"))
}

impl Declaration<'_> {
    fn into_spec(self) -> PyResult<Spec> {
        let invalid = |message: String| PyValueError::new_err(format!("{}: {message}", self.label));
        let kind = Kind::parse(&self.kind)
            .ok_or_else(|| invalid(format!("unknown kind of field: {:?}", self.kind)))?;
        let aggregation = Aggregation::ALL.into_iter().find(|one| one.name() == self.aggregation);
        let aggregation = aggregation.ok_or_else(|| {
            let found = &self.aggregation;
            invalid(format!(
                "unknown aggregation: {found:?} (sum, mean, min, max or last expected)"
            ))
        })?;
        let maximum = match kind {
            Kind::Text => MAX_TEXT,
            Kind::MovingAverage | Kind::Timer => 1 << 24,
            _ => usize::MAX,
        };
        let is_valid = kind == Kind::Constant('s') || (1..=maximum).contains(&self.size);
        if !is_valid {
            let size = self.size;
            return Err(invalid(format!("invalid size: {size} (1 to {maximum} expected)")));
        }
        if self.divisor == 0 {
            return Err(invalid("invalid divisor: 0 (1 or more expected)".into()));
        }
        let size = if kind == Kind::Constant('s') { 256 } else { self.size };
        let unit = unit(&self.unit);
        let unit = unit.e(unit.scale.saturating_add(self.scale)).over(self.divisor);
        Ok(Spec {
            label: self.label,
            kind,
            size,
            help: self.help,
            unit,
            aggregation,
            kept: self.kept,
            dimensions: Vec::new(),
            parameter: self.parameter,
        })
    }
}

/// Returns the unit with this name: one that `model!` knows, or a new base unit.
fn unit(name: &str) -> Unit {
    match name {
        "milliseconds" => units::milliseconds,
        "microseconds" => units::microseconds,
        "nanoseconds" => units::nanoseconds,
        "percent" => units::percent,
        "millivolts" => units::millivolts,
        "milliamperes" => units::milliamperes,
        "millicelsius" => units::millicelsius,
        "" => Unit::NONE,
        other => Unit::named(leak(other)),
    }
}

/// The base class of fields: an attribute of a class, which returns this thread's value.
#[pyclass(subclass, frozen, module = "mmstats._native")]
#[derive(Debug)]
pub(crate) struct Descriptor(usize);

#[pymethods]
impl Descriptor {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Descriptor {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: the number only has to be unique.
        Descriptor(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn __get__(
        slf: &Bound<'_, Self>,
        model: Option<&Bound<'_, PyAny>>,
        _owner: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let Some(model) = model else { return Ok(slf.clone().into_any().unbind()) };
        let opened = model.cast::<Model>()?.get().opened()?;
        let index = slf.get().index(opened)?;
        if let Some(object) = &opened.objects[index] {
            return Ok(object.clone_ref(py));
        }
        let spec = &opened.specs[index];
        if spec.kind == Kind::Timer {
            let series = Series { instance: opened.instance.clone(), index };
            return object(py, spec.kind, series);
        }
        opened.instance.with(py, index, |field| field.load())?.to_object(py)
    }

    fn __set__(
        &self,
        py: Python<'_>,
        model: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let opened = model.cast::<Model>()?.get().opened()?;
        let index = self.index(opened)?;
        if opened.objects[index].is_some() || opened.specs[index].kind == Kind::Timer {
            let message = "the field cannot be assigned: use the methods of its object";
            return Err(PyAttributeError::new_err(message));
        }
        let spec = &opened.specs[index];
        match spec.kind {
            Kind::Constant(_) => Err(PyAttributeError::new_err("the field is a constant")),
            _ => {
                let value = spec.convert(value)?;
                opened.instance.with(py, index, |field| field.store(&value))
            }
        }
    }
}

impl Descriptor {
    fn index(&self, opened: &Opened) -> PyResult<usize> {
        let found = opened.indexes.binary_search_by_key(&self.0, |(id, _)| *id);
        let error = |_| PyAttributeError::new_err("the model was created without this field");
        found.map(|at| opened.indexes[at].1).map_err(error)
    }
}
