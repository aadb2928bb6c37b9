//! The objects with methods that the attributes of an instance return. They belong to no thread:
//! each use changes the field of the calling thread.

use crate::field::ThreadField;
use crate::instance::Instance;
use crate::kind::{Kind, to_bits};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyDeprecationWarning, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::{Arc, Mutex, PoisonError};

/// A field of an instance, in whatever thread it is used.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) instance: Arc<Instance>,
    pub(crate) index: usize,
}

impl Series {
    #[inline(always)]
    pub(crate) fn with<R>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&dyn ThreadField) -> R,
    ) -> PyResult<R> {
        self.instance.with(py, self.index, f)
    }

    fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.with(py, |field| field.load())?.to_object(py)
    }

    fn set(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let plain = self.instance.spec(self.index).convert(value)?;
        self.with(value.py(), |field| field.store(&plain))
    }

    fn repr(&self, py: Python<'_>, class: &str) -> PyResult<String> {
        Ok(format!("{class}(value={})", self.value(py)?.bind(py).repr()?))
    }
}

/// Returns the object for a field that is not a value of its own.
pub(crate) fn object(py: Python<'_>, kind: Kind, series: Series) -> PyResult<Py<PyAny>> {
    match kind {
        Kind::Counter => Counter(series).into_py_any(py),
        Kind::Average | Kind::MovingAverage => Average(series).into_py_any(py),
        Kind::Timer => Timer { series, running: Mutex::default() }.into_py_any(py),
        Kind::Histogram => Histogram(series).into_py_any(py),
        Kind::Number(_) | Kind::Bool | Kind::Text | Kind::Constant(_) => {
            Value(series).into_py_any(py)
        }
    }
}

/// A counter, which only goes up and wraps at 2^64.
#[pyclass(frozen, module = "mmstats")]
#[derive(Debug)]
pub(crate) struct Counter(Series);

#[pymethods]
impl Counter {
    /// Adds `amount`, 1 unless given.
    #[pyo3(signature = (amount = None), text_signature = "($self, amount=1)")]
    fn incr(&self, py: Python<'_>, amount: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let amount = amount.map_or(Ok(1), to_bits)?;
        self.0.with(py, |field| field.add(amount))
    }

    /// Adds `n`, 1 unless given. Deprecated: use `incr`.
    #[pyo3(signature = (n = None), text_signature = "($self, n=1)")]
    fn inc(&self, py: Python<'_>, n: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let category = py.get_type::<PyDeprecationWarning>();
        PyErr::warn(py, &category, c"inc() is deprecated: use incr()", 1)?;
        self.incr(py, n)
    }

    /// The count of this thread.
    #[getter]
    fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.value(py)
    }

    #[setter]
    fn set_value(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.set(value)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.0.repr(py, "Counter")
    }
}

/// A value of a family: a number, a flag or a text.
#[pyclass(frozen, module = "mmstats")]
#[derive(Debug)]
pub(crate) struct Value(Series);

#[pymethods]
impl Value {
    /// The value of this thread.
    #[getter]
    fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.value(py)
    }

    #[setter]
    fn set_value(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.set(value)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.0.repr(py, "Value")
    }
}

/// The mean of all samples, or of the last ones.
#[pyclass(frozen, module = "mmstats")]
#[derive(Debug)]
pub(crate) struct Average(Series);

#[pymethods]
impl Average {
    /// Adds a sample.
    fn add(&self, py: Python<'_>, value: f64) -> PyResult<()> {
        self.0.with(py, |field| field.record(value))
    }

    /// The mean of this thread's samples; 0.0 before the first.
    #[getter]
    fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.value(py)
    }

    #[setter]
    fn set_value(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.set(value)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.0.repr(py, "Average")
    }
}

/// A distribution of unsigned integers: buckets, a count and a sum.
#[pyclass(frozen, module = "mmstats")]
#[derive(Debug)]
pub(crate) struct Histogram(Series);

#[pymethods]
impl Histogram {
    /// Records a value of 0 or more.
    fn record(&self, py: Python<'_>, value: u64) -> PyResult<()> {
        self.0.with(py, |field| field.add(value))
    }
}

/// Durations. As a context manager, it measures the time of its block, also if that raises; several
/// blocks may run at once, in one thread or several, if each gets its timer from the instance.
#[pyclass(frozen, module = "mmstats")]
#[derive(Debug)]
pub(crate) struct Timer {
    series: Series,
    /// The measurements of the blocks that this object is the context manager of.
    running: Mutex<Vec<Py<Measurement>>>,
}

impl Timer {
    fn measure(&self, py: Python<'_>) -> PyResult<Py<Measurement>> {
        let spec = self.series.instance.spec(self.series.index);
        let clock = match &spec.parameter {
            Some(clock) => clock.clone_ref(py),
            None => py.import("time")?.getattr("perf_counter")?.unbind(),
        };
        let start = clock.call0(py)?.extract(py)?;
        Py::new(py, Measurement { clock, start, end: Mutex::new(None) })
    }

    /// Makes a measurement the last one of this thread.
    fn set_last(&self, py: Python<'_>, last: &Py<Measurement>) -> PyResult<()> {
        let last = last.clone_ref(py).into_any();
        let earlier =
            self.series.with(py, |field| Some(field.measurement()?.replace(Some(last))))?;
        // Only here, where no table is borrowed: its end may run other code.
        drop(earlier);
        Ok(())
    }

    fn last_measurement(&self, py: Python<'_>) -> PyResult<Option<Py<Measurement>>> {
        let last = self.series.with(py, |field| {
            field.measurement()?.borrow().as_ref().map(|last| last.clone_ref(py))
        })?;
        let last = last.map(|last| last.into_bound(py).cast_into::<Measurement>());
        Ok(last.transpose()?.map(Bound::unbind))
    }

    fn record(&self, py: Python<'_>, measurement: &Py<Measurement>) -> PyResult<()> {
        let measurement = measurement.bind(py).get();
        measurement.stop(py)?;
        let elapsed = measurement.elapsed(py)?;
        self.series.with(py, |field| field.record(elapsed))
    }
}

#[pymethods]
impl Timer {
    /// Starts a measurement, which `stop` ends in the same thread.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let measurement = self.measure(py)?;
        self.set_last(py, &measurement)
    }

    /// Records the time since `start`.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let started = self.last_measurement(py)?;
        let error = || PyRuntimeError::new_err("stop() without start() in this thread");
        self.record(py, &started.ok_or_else(error)?)
    }

    /// Records a duration in seconds that was measured elsewhere.
    fn add(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        self.series.with(py, |field| field.record(seconds))
    }

    /// Starts a measurement and returns it.
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<Measurement>> {
        let measurement = self.measure(py)?;
        self.set_last(py, &measurement)?;
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.push(measurement.clone_ref(py));
        Ok(measurement)
    }

    /// Records the time since `__enter__`.
    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        let measurement = self.running.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let error = || PyRuntimeError::new_err("__exit__() without __enter__()");
        let measurement = measurement.ok_or_else(error)?;
        self.record(py, &measurement)?;
        self.set_last(py, &measurement)
    }

    /// The moving average of this thread's durations, in seconds.
    #[getter]
    fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.series.value(py)
    }

    #[setter]
    fn set_value(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.series.set(value)
    }

    /// The last duration of this thread in seconds, or the time since the start if it is still
    /// running; 0.0 before the first.
    #[getter]
    fn last(&self, py: Python<'_>) -> PyResult<f64> {
        self.last_measurement(py)?.map_or(Ok(0.0), |last| last.bind(py).get().elapsed(py))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.series.repr(py, "Timer")
    }
}

/// A measurement of a timer.
#[pyclass(frozen, module = "mmstats")]
#[derive(Debug)]
pub(crate) struct Measurement {
    clock: Py<PyAny>,
    /// When it started, by the timer's clock.
    #[pyo3(get)]
    start: f64,
    end: Mutex<Option<f64>>,
}

#[pymethods]
impl Measurement {
    /// Returns the time by the timer's clock.
    fn get_time(&self, py: Python<'_>) -> PyResult<f64> {
        self.clock.call0(py)?.extract(py)
    }

    /// When it ended, by the timer's clock; `None` while it runs.
    #[getter]
    fn end(&self) -> Option<f64> {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has ended.
    #[getter]
    fn done(&self) -> bool {
        self.end().is_some()
    }

    /// Seconds from the start to the end, or until now.
    #[getter]
    fn elapsed(&self, py: Python<'_>) -> PyResult<f64> {
        let end = self.end().map_or_else(|| self.get_time(py), Ok)?;
        Ok(end - self.start)
    }

    /// Ends it, without recording it.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let now = self.get_time(py)?;
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }
}
