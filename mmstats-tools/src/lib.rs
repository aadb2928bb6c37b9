//! Tools that read mmstats.
//!
//! - [`slurp`] is `slurpstats`, which prints files as text or JSON; [`poll`] is `pollstats`, which
//!   prints how they change; [`top`] is `topstats`, which shows that on the whole screen; [`clean`]
//!   is `cleanstats`, which removes what dead processes left; [`web`] is `mmash`, which serves all
//!   of it.
//! - [`options`] is what can be written behind their names, [`command`] what they do alike,
//!   [`console`] where output goes, [`shutdown`] how they are ended.
//! - [`source`] is where bytes come from; [`scraper`] looks at them again and again.
//! - [`delta`] and [`buckets`] are what has changed between two looks.
//! - [`labels`] chooses fields, [`render`] makes text and JSON of them.
//!
//! The programs in `src/bin/` only call what is here, so that it can be called from elsewhere too.

#![forbid(unsafe_code)]

pub mod clean;
pub mod command;
pub mod console;
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
