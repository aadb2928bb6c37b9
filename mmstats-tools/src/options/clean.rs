//! Of `cleanstats`.

use clap::Parser;

use super::Selection;

/// Removes the stats files that dead processes left.
#[derive(Debug, Parser)]
#[command(name = "cleanstats", version, max_term_width = 100)]
pub struct Options {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub selection: Selection,
}
