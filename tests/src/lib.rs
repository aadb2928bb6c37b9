//! Tests across crates: of real programs, real files and other implementations, and their
//! helpers.

#![allow(missing_debug_implementations, reason = "the library is for these tests alone")]

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
