//! The native part of the Python package `mmstats`: instances of models, which publish through
//! `mmstats-std`, and readers of files.

use pyo3::prelude::*;

mod family;
mod field;
mod instance;
mod kind;
mod model;
mod objects;
mod read;
mod spec;

/// The native part of `mmstats`.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::family::Family;
    #[pymodule_export]
    use crate::model::{Descriptor, Model};
    #[pymodule_export]
    use crate::objects::{Average, Counter, Histogram, Measurement, Timer, Value};
    #[pymodule_export]
    use crate::read::{Distribution, FieldValue, ReadError, read};

    /// The version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// Makes a forked child forget its parent's fields; Python calls it.
    #[pyfunction]
    fn _after_fork() {
        crate::instance::after_fork();
    }

    /// Returns the ID of the calling thread, see gettid(2).
    #[pyfunction]
    fn gettid() -> u32 {
        mmstats_std::identity::tid()
    }
}
