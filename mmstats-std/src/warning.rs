//! Warnings on standard error.

use crate::options::Options;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Prints a warning, once for each `warned`, unless the options forbid it.
pub(crate) fn warn_once(options: &Options, warned: &AtomicBool, message: fmt::Arguments<'_>) {
    if options.quiet || warned.swap(true, Ordering::Relaxed) {
        return;
    }
    let line = format!("mmstats: {message}\n");
    // `eprintln!` would panic if this fails, and would wait forever in a forked child that
    // inherited its lock.
    let _ = rustix::io::write(io::stderr(), line.as_bytes());
}
