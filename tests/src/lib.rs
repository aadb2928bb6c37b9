//! Tests across crates: of real programs, real files and other implementations, and their
//! helpers.

#![allow(missing_debug_implementations, reason = "the library is for these tests alone")]

pub mod builds;
pub mod c;
pub mod cli;
pub mod damage;
pub mod elf;
pub mod every_field;
pub mod files;
pub mod firmware;
pub mod gdb_script;
pub mod gdb_server;
pub mod gdb_stub;
pub mod hex;
pub mod http;
pub mod images;
pub mod independent;
pub mod mixed;
pub mod mmash;
pub mod programs;
pub mod qemu;
pub mod record;
pub mod regions;
pub mod step_model;
pub mod tmux;

/// Returns how often a test repeats what depends on chance: `times`. With sanitizers, which slow
/// everything down, the same tests repeat less.
#[must_use]
pub const fn repetitions(times: u32) -> u32 {
    times
}
