//! Where bytes come from: files, dumps, cores, targets that run.
//!
//! [`Sources`] opens what a command's arguments name and finds the [`Region`]s in it. An
//! [`Image`](image) is memory out of a file: raw, [Intel HEX or S-records](hex), an [ELF
//! core](core_file). [`Gdb`] and [`Qmp`] read a target that runs. [`Firmware`] is the ELF file that
//! tells where its regions are.

pub mod core_file;
pub mod error;
pub mod firmware;
pub mod gdb;
pub mod hex;
pub mod image;
mod link;
pub mod memory;
pub mod notes;
pub mod open;
pub mod qmp;
pub mod region;
pub mod scan;
pub mod url;

pub use error::RegionError;
pub use firmware::Firmware;
pub use gdb::Gdb;
pub use memory::{CloseReport, Memory, MemoryError, RunState};
pub use open::{Opened, Sources, may_hold_regions};
pub use qmp::Qmp;
pub use region::Region;
pub use url::Url;
