//! The helpers of the tests that are run with sanitizers.

#[path = "../src/files.rs"]
pub mod files;
#[path = "../src/programs.rs"]
pub mod programs;
#[path = "../src/step_model.rs"]
pub mod step_model;
