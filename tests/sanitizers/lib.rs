//! The helpers of the tests that are run with sanitizers.

#[path = "../src/files.rs"]
pub mod files;
#[path = "../src/programs.rs"]
pub mod programs;
#[path = "../src/step_model.rs"]
pub mod step_model;

/// Returns how often a test repeats what depends on chance: a tenth of `times`, as everything takes
/// ten times as long.
#[must_use]
pub const fn repetitions(times: u32) -> u32 {
    times / 10
}
