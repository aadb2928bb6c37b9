//! The fields. Each type is a marker in [`model!`](crate::model!) and the handle it becomes:
//! `Counter` there is `Counter<u64, V2>` here.
//!
//! A handle can be moved to another thread but not shared: it is `Send` and not `Sync`, and writing
//! needs no `&mut`. One handle belongs to one context; an interrupt or signal handler needs a
//! handle of its own, or a [`Shared`](crate::Shared) field.

mod average;
mod constant;
mod counter;
mod definition;
mod extreme;
mod gauge;
mod histogram;
mod text;
mod timer;

pub use average::{Average, MovingAverage};
pub use constant::{Constant, ConstantText};
pub use counter::Counter;
pub(crate) use definition::attach;
pub use definition::{Field, FieldBuilder};
pub use extreme::{Highest, Lowest};
pub use gauge::{Flag, Gauge};
pub use histogram::Histogram;
pub use text::Text;
pub use timer::{Clock, HISTOGRAM_SUFFIX, Timer, TimerGuard};
