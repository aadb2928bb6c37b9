//! The meaning of values: deltas over time and aggregation over writers, for all tools.
//!
//! A field's [`Class`] follows from its kind, type, unit and label. These rules apply everywhere:
//!
//! - **Counters** ([`Class::Counter`]) are added. A counter that is smaller than before has wrapped
//!   at its own width, or its writer restarted and has counted the current value since. Integers
//!   without a kind, as in all files of version 1, count as counters, but may decrease.
//! - **Histograms** are added bucket by bucket.
//! - **Other fields** may state their [`Aggregation`]: sum, mean, minimum, maximum, or the value of
//!   the writer that was created last (of a text only this one). Booleans count as 0 and 1 for it.
//!   Without it:
//!   - **Gauges** are added. Those in a unit of measurement (seconds, ratio, celsius, …) are
//!     averaged. Of **timestamps** (`unixtime`) the latest counts.
//!   - **Booleans** have one value if all writers agree; as numbers they count the true ones.
//!   - **Texts, constants and identity** (`sys.pid`, …) are never added: there is a value only if
//!     all writers have the same.
//! - A command can choose another aggregation for numbers.
//! - Fields with one label that state different aggregations are different series.
//! - **No value yet**: a minimum or maximum that was never set ([`has_value`]) does not count.
//! - **Ended writers**, whose process or thread has ended, contribute to counters, histograms and
//!   constants. Their gauges, booleans and texts contribute only if no other writer has the field:
//!   they say nothing about the present. A **kept** one always contributes: after a crash, it is
//!   what one looks for. A kept text that is empty does not count if another writer has a text.
//! - **Restarts and ends** do not decrease totals over time: [`CounterTotal`] adds deltas.
//!
//! [`Aggregate`] combines the values of several writers in one scrape; [`Baseline`] and
//! [`CounterTotal`] compute increases over several scrapes.

mod aggregate;
mod aggregation;
mod class;
mod delta;
mod identity;
mod number;

pub use aggregate::{Aggregate, NoValue};
pub use aggregation::{Aggregation, Contributor, has_value, stated_aggregation};
pub use class::{Class, SeriesKey, is_cumulative};
pub use delta::{Baseline, Counted, CounterTotal, delta};
pub use identity::{distinguish_process, is_identity};
pub use number::{Number, Scale, Scaled, ScaledSum};

pub use crate::scraper::{Bucket, HistogramSnapshot, OwnedValue};
