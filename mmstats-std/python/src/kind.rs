//! The types of fields, and the values that Python can give them.

use crate::field::Plain;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// The types of fields, named by the letters of Python's `struct` module where those have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Number(char),
    Bool,
    Text,
    Average,
    MovingAverage,
    Timer,
    Histogram,
    Constant(char),
}

impl Kind {
    pub(crate) fn parse(name: &str) -> Option<Kind> {
        let letter = |text: &str| text.chars().next();
        Some(match name {
            "counter" => Kind::Counter,
            "bool" => Kind::Bool,
            "text" => Kind::Text,
            "average" => Kind::Average,
            "moving_average" => Kind::MovingAverage,
            "timer" => Kind::Timer,
            "histogram" => Kind::Histogram,
            _ => match name.split_once(' ')? {
                ("number", ty) => Kind::Number(letter(ty)?),
                ("constant", ty) => Kind::Constant(letter(ty)?),
                _ => return None,
            },
        })
    }

    /// Returns `true` if the attribute of an instance is the value itself, and not an object with
    /// methods.
    pub(crate) fn is_value(self) -> bool {
        matches!(self, Kind::Number(_) | Kind::Bool | Kind::Text | Kind::Constant(_))
    }

    /// Converts a value from Python, as the `ctypes` module does: integers wrap at the width of
    /// their field.
    pub(crate) fn convert(self, value: &Bound<'_, PyAny>) -> PyResult<Plain> {
        Ok(match self {
            Kind::Counter
            | Kind::Number('b' | 'B' | 'h' | 'H' | 'i' | 'I' | 'q' | 'Q')
            | Kind::Histogram
            | Kind::Constant('I' | 'q' | 'Q') => Plain::Bits(to_bits(value)?),
            Kind::Bool => Plain::Bool(value.is_truthy()?),
            Kind::Text | Kind::Constant('s') => Plain::Text(to_text(value)?),
            _ => Plain::Float(value.extract()?),
        })
    }
}

/// Returns the lowest 64 bits of an integer.
pub(crate) fn to_bits(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    if let Ok(bits) = value.extract::<i64>() {
        return Ok(bits as u64);
    }
    if let Ok(bits) = value.extract::<u64>() {
        return Ok(bits);
    }
    let integer = value.call_method0("__index__").map_err(|_| {
        let found = value.get_type().qualname().map(|name| name.to_string());
        PyTypeError::new_err(format!("{} (int expected)", found.unwrap_or_default()))
    })?;
    integer.bitand(u64::MAX)?.extract()
}

fn to_text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(String::from_utf8_lossy(bytes.as_bytes()).into_owned());
    }
    Ok(value.cast::<PyString>()?.to_string_lossy().into_owned())
}
