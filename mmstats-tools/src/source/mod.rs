//! Sources of bytes: files, dumps, cores and running targets.
//!
//! [`Sources`] opens the files and devices that a command's arguments name and finds the
//! [`Region`]s in them. An [`Image`](image) is memory in a file: raw, [Intel HEX or
//! S-records](hex), or an [ELF core](core_file). [`Gdb`] and [`Qmp`] read a running target.
//! [`Firmware`] is the program's ELF file, which has the addresses of the regions.

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
