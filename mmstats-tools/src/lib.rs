//! The mmstats tools.
//!
//! Each tool is a module: [`slurp`] is `slurpstats`, which prints files as text or JSON; [`poll`]
//! is `pollstats`, which prints how values change; [`top`] is `topstats`, which shows that on the
//! whole screen; [`clean`] is `cleanstats`, which removes the files of dead processes; [`mmash`]
//! serves a web page, JSON and Prometheus metrics.
//!
//! The modules below them, each using only those before it:
//!
//! - [`console`] prints messages, [`shutdown`] handles signals, [`labels`] selects fields,
//!   [`escape`] makes texts safe for terminals;
//! - [`source`] reads bytes: files, dumps, cores, devices;
//! - [`scraper`] reads all writers repeatedly;
//! - [`series`] gives values their meaning: deltas, rates, aggregation over writers;
//! - [`render`] formats text, JSON and the exposition formats;
//! - [`options`] parses command lines, [`command`] holds what the tools' main functions share.
//!
//! The programs in `src/bin/` only call the `run` functions.

#![allow(missing_debug_implementations, reason = "the library is for these commands alone")]
#![forbid(unsafe_code)]

pub mod clean;
pub mod command;
pub mod console;
pub mod escape;
mod generate;
pub mod labels;
#[cfg(feature = "web")]
pub mod mmash;
pub mod options;
pub mod poll;
pub mod render;
pub mod scraper;
pub mod series;
pub mod shutdown;
pub mod slurp;
pub mod source;
#[cfg(feature = "tui")]
pub mod top;
