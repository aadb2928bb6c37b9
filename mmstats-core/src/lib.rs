//! Self-describing stats in any region of memory: `/proc` for your application, down to a
//! microcontroller.
//!
//! A program lays fields (counters, gauges, averages, timers, texts, histograms) into a region of
//! bytes and updates them by plain loads and stores. Whoever has the bytes (another process that
//! maps the file, a debug probe, a dump after a crash) reads them without a schema, and without any
//! effect on the writer. `no_std`, no allocation, no locks, no system calls.
//!
//! ```text
//! 0          40                                                            region length
//! | header   | entry | entry | entry | →        free        ← | value | value | value |
//!              └ label, unit, help, kind, type …                └ words and latches
//! ```
//!
//! ```
//! use mmstats_core::{Counter, Gauge, Histogram, StaticRegion, model};
//!
//! model! {
//!     /// A stepper motor.
//!     pub struct Motor {
//!         /// Steps made.
//!         steps: Counter<u32>,
//!         /// Of the winding.
//!         temperature: Gauge<i16> [celsius.e(-1)],
//!         /// Time between steps.
//!         interval: Histogram<2, 20, u32> [microseconds],
//!     }
//! }
//!
//! static REGION: StaticRegion<{ Motor::SIZE }> = StaticRegion::new();
//!
//! let Motor { steps, temperature, interval }: Motor = REGION.publish().unwrap();
//! steps.incr(); // on a Cortex-M: load, add, store
//! temperature.set(215);
//! interval.record(1_250);
//! ```
//!
//! # Where to look
//!
//! - [`model!`] declares fields; [`Writer`] adds them one by one, while readers read; [`field`] has
//!   them all.
//! - [`StaticRegion`] and [`persistent_region!`] reserve memory on a device; [`Region`] takes any memory.
//!   [`Model::publish_with_flash`] leaves all but header and values in flash.
//! - [`reader`] reads regions of both formats, trusting nothing.
//! - `FORMAT.md` describes the bytes; [`format`](mod@format) has their structure.
//!
//! # What a write promises
//!
//! A reader sees a whole value: this one or an earlier one, never parts of two. A writer that dies
//! between any two instructions leaves every field as its last completed write, or the one in
//! progress. Writing never waits. There is one writer for each region, and the types see to it:
//!
//! ```compile_fail
//! # use mmstats_core::{Counter, V2};
//! fn share(counter: &'static Counter) {
//!     std::thread::spawn(move || counter.incr()); // a handle is not `Sync`
//! }
//! ```

#![no_std]

mod atomic;
mod bytes;
mod cell;
pub mod field;
pub mod format;
mod kind;
pub mod model;
mod once;
mod protocol;
pub mod reader;
pub mod region;
pub mod scalar;
mod writer;

pub use field::{
    Average, Clock, Constant, ConstantText, Counter, Field, FieldBuilder, Flag, Gauge, Histogram,
    MovingAverage, Text, Timer, TimerGuard,
};
pub use format::{Borrowed, Format, V1, V1Exact, V2, V2Narrow, Version};
pub use kind::{Access, Kind, Type, Unit, units};
pub use model::Model;
pub use region::{Region, RegionError, StaticRegion, View};
pub use scalar::{Latched, Scalar};
pub use writer::{AddError, Excerpt, Writer};

#[doc(hidden)]
pub use protocol::{RegionSeqlock, latch_read, latch_write};
#[doc(hidden)]
pub use writer::{Allocator, attach};
