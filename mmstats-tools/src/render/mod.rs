//! What people and programs read: [`text`] and [`json`], and what both are made of.

pub mod date;
pub mod distribution;
pub mod escape;
pub mod human;
pub mod json;
pub mod number;
pub mod text;
