//! Renders values for people and programs: [`text`], [`json`] and [`metrics`], and the formatting
//! they share.

pub mod date;
pub mod distribution;
pub mod escape;
pub mod human;
pub mod json;
pub mod metrics;
pub mod number;
pub mod pad;
pub mod text;
