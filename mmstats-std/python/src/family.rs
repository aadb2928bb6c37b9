//! Fields of one label that differ in the values of their dimensions.

use crate::instance::Instance;
use crate::objects::{Series, object};
use crate::spec::Spec;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyDictMethods, PyTuple};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The value of all dimensions of the series that stands for those that are not published.
const OTHER: &str = "_other";
/// The most bytes of the values of a series. Escaped, and with the names and the prefix, they fit
/// into a label.
const MAX_VALUE_BYTES: usize = 24_000;

/// Fields of one label that differ in the values of their dimensions.
#[pyclass(frozen, module = "mmstats")]
#[derive(Debug)]
pub(crate) struct Family {
    instance: Arc<Instance>,
    template: Spec,
    names: Vec<String>,
    max_series: usize,
    series: Mutex<HashMap<Vec<String>, Py<PyAny>>>,
}

impl Family {
    pub(crate) fn new(
        instance: Arc<Instance>,
        template: Spec,
        names: Vec<String>,
        max_series: usize,
    ) -> PyResult<Family> {
        if names.is_empty() {
            let message = format!("{}: a family has at least one dimension", template.label);
            return Err(PyValueError::new_err(message));
        }
        Ok(Family { instance, template, names, max_series, series: Mutex::default() })
    }

    /// Returns the series of these values. If there are too many series, or no label can hold the
    /// values, they become those of the series that stands for them.
    fn find(&self, py: Python<'_>, values: &mut Vec<String>) -> Option<Py<PyAny>> {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let known = series.get(values).or_else(|| {
            let is_unfit = values.iter().any(|value| value.contains('\0'))
                || values.iter().map(String::len).sum::<usize>() > MAX_VALUE_BYTES;
            if is_unfit || series.len() >= self.max_series {
                values.fill_with(|| OTHER.into());
            }
            series.get(values)
        });
        known.map(|known| known.clone_ref(py))
    }

    fn values(
        &self,
        values: &Bound<'_, PyTuple>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Vec<String>> {
        let named_values = named.map_or(0, PyDictMethods::len);
        let names = self.names.join(", ");
        let error = || {
            let found = values.len() + named_values;
            let label = &self.template.label;
            PyTypeError::new_err(format!("{label}: {found} values (one each for {names} expected)"))
        };
        if values.len() + named_values != self.names.len() {
            return Err(error());
        }
        let rest = self.names[values.len()..].iter().map(|name| {
            named.and_then(|named| named.get_item(name).transpose()).transpose()?.ok_or_else(error)
        });
        let values = values.iter().map(Ok).chain(rest);
        values.map(|value| Ok(value?.str()?.to_string_lossy().into_owned())).collect()
    }
}

#[pymethods]
impl Family {
    /// Returns the field with these values of the dimensions, in the order of their names or by
    /// name. Keep it where it is used often: it belongs to no thread.
    #[pyo3(signature = (*values, **named))]
    fn series(
        &self,
        values: &Bound<'_, PyTuple>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let py = values.py();
        let mut values = self.values(values, named)?;
        if let Some(known) = self.find(py, &mut values) {
            return Ok(known);
        }
        let dimensions = self.names.iter().cloned().zip(values.iter().cloned()).collect();
        let spec = Spec { dimensions, ..self.template.clone_ref(py) };
        let kind = spec.kind;
        let index = self.instance.push(spec);
        let field = Series { instance: self.instance.clone(), index };
        // So that a wrong name of a dimension is refused here.
        field.with(py, |_| ())?;
        let object = object(py, kind, field)?;
        // Not locked until now, as other threads may have run meanwhile. Two series of the same
        // values share their field.
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(series.entry(values).or_insert(object).clone_ref(py))
    }

    fn __repr__(&self) -> String {
        format!("Family({:?}, {:?})", self.template.label, self.names)
    }
}
