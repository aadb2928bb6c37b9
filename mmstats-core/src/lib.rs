//! Self-describing stats in any region of memory: `/proc` for your application, down to a
//! microcontroller.
//!
//! A program lays fields (counters, gauges, averages, timers, texts, histograms) into a region of
//! bytes and updates them by plain loads and stores. A reader of these bytes (another process that
//! maps the file, a debug probe, a dump after a crash) needs no schema and does not affect the
//! writer. `no_std`, no allocation, no locks, no system calls.
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
//! let Motor { steps, temperature, interval } = Motor::publish(&REGION)?;
//! steps.incr(); // on a Cortex-M: load, add, store
//! temperature.set(215);
//! interval.record(1_250);
//! # Ok::<(), mmstats_core::AddError>(())
//! ```
//!
//! # Overview
//!
//! - [`model!`] declares fields; [`Writer`] adds them one by one, while readers read; [`field`] has
//!   the types of fields.
//! - [`StaticRegion`] and [`persistent_region!`] reserve memory on a device; [`Region`] uses any
//!   memory.
//! - [`Publisher`] has options: a prefix of labels, the directory in flash, totals that go on over
//!   a reset.
//! - [`reader`] reads regions of both versions, trusting nothing.
//! - `FORMAT.md` describes the bytes; [`format`](mod@format) has their structures.
//!
//! # Guarantees
//!
//! A reader sees a whole value, the current or an earlier one, never parts of two. A writer that
//! dies between any two instructions leaves every field as its last completed write or the write in
//! progress. Writing never waits. A region has one writer, which the types enforce:
//!
//! ```compile_fail
//! # use mmstats_core::{Counter, V2};
//! fn share(counter: &'static Counter) {
//!     std::thread::spawn(move || counter.incr()); // a handle is not `Sync`
//! }
//! ```

#![no_std]

mod add_error;
mod allocator;
mod atomic;
mod bytes;
mod cell;
pub mod field;
pub mod format;
mod format_types;
mod kind;
pub mod model;
mod protocol;
pub mod reader;
pub mod region;
pub mod scalar;
mod text_buf;
mod writer;

pub use add_error::AddError;
pub use field::{
    Average, Clock, Constant, ConstantText, Counter, Field, FieldBuilder, Flag, Gauge, Highest,
    Histogram, Lowest, MovingAverage, Text, Timer, TimerGuard,
};
pub use format::Version;
pub use format_types::{Format, Shared, V1, V1Exact, V2, V2Narrow};
pub use kind::{Access, Aggregation, Kind, Type, Unit, units};
pub use model::{Member, Model, Publisher, Recovery};
pub use region::{IntoRegion, PersistentRegion, Region, RegionError, StaticRegion, View};
pub use scalar::{Latched, Scalar};
pub use text_buf::TextBuf;
pub use writer::Writer;

/// The parts that macros expand to, and that tests of the protocols need. Not for direct use.
///
/// None of them, and no other item of the crate, lets safe code break what `region.rs` and
/// `cell/` rely on: the traits of fields, formats, scalars and allocators are sealed; only the
/// crate's fields get slots, each for a cell of its own layouts; [`Model`] and [`Member`] are
/// unsafe traits, as their implementations handle cells before they are final; and whoever makes a
/// region of memory that is not its own promises so with `unsafe`.
#[doc(hidden)]
pub mod __private {
    pub use crate::allocator::Allocator;
    pub use crate::format::layout::{help_line, label};
    pub use crate::format::members::{
        MemberDef, Shape, check_model, field_count, fields, label_bytes, labels,
    };
    pub use crate::protocol::{PendingSum, RegionSeqlock, latch_read, latch_write};
    pub use crate::region::{Memory, check_section};
}
