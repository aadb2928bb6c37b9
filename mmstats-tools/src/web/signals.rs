//! The signals that end the program. One that it was started to ignore stays ignored, as with `nohup`.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::source::interrupt::is_ignored;

/// Their numbers.
pub(super) fn ending() -> Vec<i32> {
    [SIGTERM, SIGINT, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)).collect()
}
