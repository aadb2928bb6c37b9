//! The signals that end the program. One that it was started to ignore stays ignored, as with
//! `nohup`.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::source::interrupt::not_ignored;

/// Their numbers.
pub(super) fn shutdown() -> Vec<i32> {
    not_ignored([SIGTERM, SIGINT, SIGHUP])
}
