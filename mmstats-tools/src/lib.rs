//! The mmstats tools.
//!
//! Each tool is a module: [`slurp`] is `slurpstats`, which prints files as text or JSON; [`poll`]
//! is `pollstats`, which prints how values change; [`top`] is `topstats`, which shows that on the
//! whole screen; [`clean`] is `cleanstats`, which removes the files of dead processes; [`mmash`]
//! serves a web page, JSON and Prometheus metrics.
//!
//! The modules below them, each using only those before it:
//!
//! - [`console`] prints messages, `shutdown` handles signals, `labels` selects fields,
//!   `dimensions` splits labels, `search` finds words in labels, `escape` makes texts safe for
//!   terminals;
//! - [`source`] reads bytes: files, dumps, cores, devices;
//! - [`scraper`] reads all writers repeatedly;
//! - [`series`] gives values their meaning: deltas, rates, aggregation over writers;
//! - [`render`] formats text, JSON and the exposition formats;
//! - [`options`] parses command lines, `command` holds what the tools' main functions share.
//!
//! The programs in `src/bin/` only call the `run` functions, which are the interface of this crate.
//! The hidden modules are public for tests and benchmarks only.

#![allow(missing_debug_implementations, reason = "the library is for these commands alone")]
#![forbid(unsafe_code)]

pub mod clean;
mod command;
pub mod console;
mod dimensions;
mod escape;
mod generate;
mod label_glob;
mod labels;
#[cfg(feature = "web")]
pub mod mmash;
#[doc(hidden)]
pub mod options;
pub mod poll;
#[doc(hidden)]
pub mod render;
#[doc(hidden)]
pub mod scraper;
#[cfg(any(feature = "tui", feature = "web"))]
mod search;
#[doc(hidden)]
pub mod series;
mod shutdown;
pub mod slurp;
#[doc(hidden)]
pub mod source;
#[cfg(feature = "tui")]
pub mod top;
