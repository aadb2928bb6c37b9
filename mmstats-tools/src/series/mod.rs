//! The meaning of values: numbers, deltas, histograms and aggregation over writers and over time.

pub mod aggregation;
pub mod delta;
pub mod histogram;

pub use aggregation::{is_averaged, is_gauge, is_timestamp};
pub use delta::{Number, delta, is_cumulative};
pub use histogram::{Bucket, HistogramSnapshot};
