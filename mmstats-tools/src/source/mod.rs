//! Sources of bytes: files, dumps, cores and running targets.
//!
//! [`Sources`] opens the files and devices that a command's arguments name and finds the
//! [`Region`]s in them. A file can be memory as raw bytes, Intel HEX, S-records or an ELF core
//! (`image`,
//! `hex`, `core_file`); [`Gdb`] and [`Qmp`] read a running target. [`Firmware`] is the program's
//! ELF file, which has the addresses of the regions.

mod core_file;
mod error;
mod firmware;
pub mod gdb;
mod hex;
mod image;
mod link;
mod memory;
mod notes;
mod open;
pub mod qmp;
mod region;
mod scan;
pub mod url;

pub use error::RegionError;
pub use firmware::Firmware;
pub use gdb::Gdb;
pub use memory::{CloseReport, Memory, MemoryError, RunState};
pub use open::{Opened, Sources, may_hold_regions};
pub use qmp::Qmp;
pub use region::Region;
pub use url::Url;
