//! A library that publishes and reads stats, for programs that load and unload it.
#![allow(unsafe_code)]

use mmstats_std::read::{Reader, StatsFile};
use mmstats_std::{Counter, Options, Publication, model, per_thread};

model! {
    /// Stats of a plugin.
    pub struct Plugin {
        /// Runs.
        runs: Counter,
    }
}
per_thread! { static STATS: Plugin = Options::new(); }

/// Counts in a file and reads it by a mapping; returns whether that worked.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> bool {
    STATS.with(|stats| stats.runs.incr());
    let Publication::File(path) = STATS.publication() else { return false };
    let mut reader = Reader::new();
    StatsFile::open(&path, &mut reader).is_ok_and(|mut file| {
        file.map().is_ok() && file.sample(&mut reader).is_ok_and(|now| now.find("runs").is_some())
    })
}
