//! What people and programs read: [`text`], [`json`] and [`metrics`], and what they are made of.

pub mod date;
pub mod distribution;
pub mod escape;
pub mod human;
pub mod json;
pub mod metrics;
pub mod number;
pub mod pad;
pub mod text;
