//! Stats of a process in memory-mapped files, one for each thread: published without locks or
//! system calls, read by anybody.
//!
//! ```
//! use mmstats_std::{Counter, Gauge, Options, Text, Timer, model, per_thread};
//!
//! model! {
//!     /// What the web server does.
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
//! - [`per_thread!`] gives each thread a file of its own, made at its first touch and taken over
//!   from threads that have ended; [`publish()`] makes a file for anything else, and [`writer`] one
//!   for fields that are added as one goes.
//! - [`Options`] and the [environment](template::Environment) say where the files go.
//! - [`read`] reads files: once, or again and again; [`discover`] finds them; [`liveness`] tells
//!   whether their process runs.
//!
//! Everything that fields can do is in [`mmstats_core`], and exported from here as well.

pub mod clock;
pub mod discover;
mod error;
mod file;
pub mod identity;
pub mod liveness;
mod memory;
mod options;
mod per_thread;
mod publish;
pub mod read;
pub mod template;

pub use clock::{Monotonic, Timer};
pub use error::PublishError;
pub use mmstats_core::{
    AddError, Average, Clock, Constant, ConstantText, Counter, Field, FieldBuilder, Flag, Format,
    Gauge, Histogram, Kind, Latched, Model, MovingAverage, Region, Text, TimerGuard, Unit, V1,
    V1Exact, V2, V2Narrow, Version, Writer, model, units,
};
pub use options::Options;
pub use per_thread::PerThread;
pub use publish::{Flush, Publication, Published, publish, writer};

#[doc(hidden)]
pub use memory::ThreadSlot;
#[doc(hidden)]
pub use per_thread::Shared;
