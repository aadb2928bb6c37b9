//! Where bytes come from: files, dumps, cores, targets that run.

pub mod memory;

pub use memory::{Closed, Memory, MemoryError, Motion};
