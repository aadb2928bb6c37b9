//! Tools that read mmstats.
//!
//! - [`slurp`] is `slurpstats`, which prints files as text or JSON.
//! - [`render`] makes text and JSON of fields, for all tools.
//! - [`source`] is where bytes come from.
//! - [`labels`] chooses fields, [`console`] is where output goes.
//!
//! The programs in `src/bin/` only call what is here, so that it can be called from elsewhere too.

#![forbid(unsafe_code)]

pub mod console;
pub mod labels;
pub mod render;
pub mod slurp;
pub mod source;
