//! A thread's fields: what the handles of both formats have in common.

use mmstats_core::{Constant, Counter, Format, Gauge, Histogram, Text};
use mmstats_std::Handle;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Deref;

/// A value on its way between Python and a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    /// The lowest 64 bits of an integer.
    Bits(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
}

impl Plain {
    pub(crate) fn to_object(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Plain::Bits(value) => value.into_py_any(py),
            Plain::Signed(value) => value.into_py_any(py),
            Plain::Float(value) => value.into_py_any(py),
            Plain::Bool(value) => value.into_py_any(py),
            Plain::Text(value) => PyString::new(py, value).into_py_any(py),
        }
    }
}

/// A field of one thread. Operations that a field does not have do nothing: the classes that
/// Python sees offer only those that it has.
pub(crate) trait ThreadField {
    fn load(&self) -> Plain;
    fn store(&self, _value: &Plain) {}
    /// Adds to a counter, modulo 2^64.
    fn add(&self, _amount: u64) {}
    /// Records a sample of an average, or a value of a histogram.
    fn record(&self, _sample: f64) {}
    /// The measurement of a timer that was started last.
    fn measurement(&self) -> Option<&RefCell<Option<Py<PyAny>>>> {
        None
    }
    /// Resets what describes only the present.
    fn reset(&self) {}
}

impl<H: ThreadField> ThreadField for Handle<H> {
    fn load(&self) -> Plain {
        self.deref().load()
    }

    fn store(&self, value: &Plain) {
        self.deref().store(value);
    }

    fn add(&self, amount: u64) {
        self.deref().add(amount);
    }

    fn record(&self, sample: f64) {
        self.deref().record(sample);
    }
}

impl<F: Format> ThreadField for Counter<u64, F> {
    fn load(&self) -> Plain {
        Plain::Bits(self.get())
    }

    fn store(&self, value: &Plain) {
        if let Plain::Bits(bits) = value {
            self.set(*bits);
        }
    }

    fn add(&self, amount: u64) {
        Counter::add(self, amount);
    }
}

/// A number of a gauge: how it is made from the lowest 64 bits of an integer or from a float.
pub(crate) trait Number: Copy {
    fn from_plain(value: &Plain) -> Option<Self>;
    fn to_plain(self) -> Plain;
}

macro_rules! number {
    ($plain:ident as $wide:ty: $($type:ty)*) => { $(
        impl Number for $type {
            fn from_plain(value: &Plain) -> Option<Self> {
                match value {
                    Plain::Bits(bits) => Some(*bits as $type),
                    _ => None,
                }
            }

            fn to_plain(self) -> Plain {
                Plain::$plain(<$wide>::from(self))
            }
        }
    )* };
}
number! { Bits as u64: u8 u16 u32 u64 }
number! { Signed as i64: i8 i16 i32 i64 }

impl Number for f64 {
    fn from_plain(value: &Plain) -> Option<Self> {
        if let Plain::Float(value) = value { Some(*value) } else { None }
    }

    fn to_plain(self) -> Plain {
        Plain::Float(self)
    }
}

impl Number for f32 {
    fn from_plain(value: &Plain) -> Option<Self> {
        f64::from_plain(value).map(|value| value as f32)
    }

    fn to_plain(self) -> Plain {
        Plain::Float(self.into())
    }
}

impl Number for bool {
    fn from_plain(value: &Plain) -> Option<Self> {
        if let Plain::Bool(value) = value { Some(*value) } else { None }
    }

    fn to_plain(self) -> Plain {
        Plain::Bool(self)
    }
}

impl<T: Number + mmstats_core::Scalar + Default, F: Format> ThreadField for Gauge<T, F> {
    fn load(&self) -> Plain {
        self.get().to_plain()
    }

    fn store(&self, value: &Plain) {
        if let Some(value) = T::from_plain(value) {
            self.set(value);
        }
    }

    fn reset(&self) {
        self.set(T::default());
    }
}

impl<const N: usize, F: Format> ThreadField for Text<N, F> {
    fn load(&self) -> Plain {
        Plain::Text(self.get().as_str().to_owned())
    }

    fn store(&self, value: &Plain) {
        if let Plain::Text(text) = value {
            self.set(text);
        }
    }

    fn reset(&self) {
        self.set("");
    }
}

impl<T: Number + mmstats_core::Scalar, F: Format> ThreadField for Constant<T, F> {
    fn load(&self) -> Plain {
        self.get().to_plain()
    }
}

impl<const P: u32, const N: u32, F: Format> ThreadField for Histogram<P, N, u64, F> {
    fn load(&self) -> Plain {
        Plain::Bits(0)
    }

    fn add(&self, amount: u64) {
        self.record(amount);
    }
}

/// A constant that is in the file by another way, or whose handle does not return it.
pub(crate) struct Fixed(pub(crate) Plain);

impl ThreadField for Fixed {
    fn load(&self) -> Plain {
        self.0.clone()
    }
}

/// The mean of all samples of this thread, or of its last ones.
pub(crate) struct Mean<C> {
    cell: C,
    samples: RefCell<Samples>,
}

struct Samples {
    /// The last samples, if only those count.
    window: Option<Window>,
    sum: f64,
    count: u64,
}

struct Window {
    samples: VecDeque<f64>,
    size: usize,
    /// Replaced samples since the sum was last computed from all of them.
    replaced: usize,
}

impl<C> Mean<C> {
    /// `size` is the number of samples that count; `None` means all of them.
    pub(crate) fn new(cell: C, size: Option<usize>) -> Self {
        let window = size.map(|size| Window { samples: VecDeque::new(), size, replaced: 0 });
        Mean { cell, samples: RefCell::new(Samples { window, sum: 0.0, count: 0 }) }
    }
}

impl Samples {
    /// Adds a sample and returns the mean.
    fn record(&mut self, sample: f64) -> f64 {
        self.sum += sample;
        self.count += 1;
        if let Some(window) = &mut self.window {
            window.samples.push_back(sample);
            if window.samples.len() > window.size {
                self.sum -= window.samples.pop_front().unwrap_or(0.0);
                window.replaced += 1;
            }
            self.count = window.samples.len() as u64;
            if window.replaced == window.size {
                // So that rounding errors do not accumulate, and a NaN leaves with its sample.
                window.replaced = 0;
                self.sum = window.samples.iter().sum();
            }
        }
        self.sum / self.count as f64
    }
}

impl<C: ThreadField> ThreadField for Mean<C> {
    fn load(&self) -> Plain {
        self.cell.load()
    }

    fn store(&self, value: &Plain) {
        self.cell.store(value);
    }

    fn record(&self, sample: f64) {
        let mean = self.samples.borrow_mut().record(sample);
        self.cell.store(&Plain::Float(mean));
    }

    fn reset(&self) {
        self.cell.reset();
        let mut samples = self.samples.borrow_mut();
        (samples.sum, samples.count) = (0.0, 0);
        if let Some(window) = &mut samples.window {
            window.samples.clear();
            window.replaced = 0;
        }
    }
}

/// Durations in seconds: their moving average and, where the format has histograms, their
/// distribution in nanoseconds.
pub(crate) struct Durations<C, D> {
    mean: Mean<C>,
    distribution: D,
    measurement: RefCell<Option<Py<PyAny>>>,
}

impl<C, D> Durations<C, D> {
    pub(crate) fn new(mean: Mean<C>, distribution: D) -> Self {
        Durations { mean, distribution, measurement: RefCell::new(None) }
    }
}

impl<C: ThreadField, D: ThreadField> ThreadField for Durations<C, D> {
    fn load(&self) -> Plain {
        self.mean.load()
    }

    fn store(&self, value: &Plain) {
        self.mean.store(value);
    }

    fn record(&self, seconds: f64) {
        self.mean.record(seconds);
        // A negative duration, by a clock that was set back, counts as 0.
        self.distribution.add((seconds * 1e9) as u64);
    }

    fn measurement(&self) -> Option<&RefCell<Option<Py<PyAny>>>> {
        Some(&self.measurement)
    }

    fn reset(&self) {
        self.mean.reset();
        self.measurement.take();
    }
}
