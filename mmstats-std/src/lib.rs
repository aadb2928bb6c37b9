//! Publishes the metrics of a process in memory-mapped files, one per thread, without locks or
//! system calls; finds such files and reads them.
//!
//! ```
//! use mmstats_std::{Counter, Gauge, Options, Text, Timer, model, per_thread};
//!
//! model! {
//!     /// Metrics of the web server.
//!     pub struct WebStats {
//!         /// Responses with a 2xx status.
//!         status2xx: Counter = "status.2XX",
//!         last_hit: Gauge<f64> = "timers.last_hit" [unixtime],
//!         latency: Timer,
//!         worker: Text<32> => "idle",
//!     }
//! }
//! per_thread! { pub static STATS: WebStats = Options::new().label_prefix("web.stats."); }
//!
//! STATS.with(|stats| {
//!     let _timing = stats.latency.start();
//!     stats.status2xx.incr();
//! });
//! ```
//!
//! - [`per_thread!`] gives each thread a file of its own, which a later thread continues.
//!   [`per_process!`] has one for fields that several threads change, at a higher cost.
//!   [`publish()`] creates a file that belongs to no thread; a [`Sampler`] also starts a thread
//!   that sets its values at an interval.
//! - A [`Family`] has fields of one label that differ in the values of their dimensions. A
//!   [`Registry`] has fields with any names that are known at run time, and grows;
//!   [`create_writer`] creates a file of fixed size for such fields; a [`WriterFile`] has only
//!   those that the program adds, and none about the process.
//! - With the feature `metrics`, the module `recorder` publishes everything that a program and its
//!   libraries count by the crate [`metrics`](https://docs.rs/metrics).
//! - With the feature `quanta`, a `ProcessorTimer` reads the processor's counter instead of the
//!   operating system's clock, which takes about half the time.
//! - [`Options`] and the [environment](template::Environment) set where the files go.
//! - [`discover`] finds files, [`read`] reads them, and [`liveness`] judges whether the process
//!   that writes one is alive.
//!
//! The fields and their operations are in [`mmstats_core`], and re-exported here.

#![warn(missing_debug_implementations)]

pub mod clock;
mod dimensions;
pub mod discover;
mod error;
mod file;
mod file_region;
pub mod identity;
mod live_regions;
pub mod liveness;
pub mod mappings;
mod memory;
mod options;
mod per_process;
mod per_thread;
#[cfg(feature = "quanta")]
mod processor_clock;
mod publish;
pub mod read;
mod registry;
mod sampler;
pub mod template;
mod thread;
mod timer_guard;
mod warning;
mod writer_file;

pub use clock::{Monotonic, Timer};
pub use dimensions::label_with_dimensions;
pub use error::PublishError;
pub use file_region::{Flush, Publication, lost_files};
pub use mmstats_core::{
    AddError, Aggregation, Average, Clock, Constant, ConstantText, Counter, Field, FieldBuilder,
    Flag, Format, Gauge, Highest, Histogram, Kind, Latched, Lowest, Model, MovingAverage, Region,
    Shared, Text, TimerGuard, Unit, V1, V1Exact, V2, V2Narrow, Version, Writer, model, units,
};
pub use options::Options;
pub use per_process::PerProcess;
pub use per_thread::{Isolated, PerThread};
#[cfg(feature = "quanta")]
pub use processor_clock::{ProcessorClock, ProcessorTimer};
pub use publish::{Published, create_writer, publish};
#[cfg(feature = "metrics")]
pub use registry::recorder;
pub use registry::{Family, Handle, PerThreadFamily, Registry};
pub use sampler::Sampler;
pub use timer_guard::OwnedTimerGuard;
pub use writer_file::WriterFile;

/// For the macros of this crate alone.
#[doc(hidden)]
pub mod __private {
    pub use crate::memory::ThreadSlot;
    pub use crate::per_thread::Shared;
    pub use crate::registry::ThreadFamily;
}
