//! Of `pollstats`.

use clap::Parser;

use super::Selection;

/// Prints how chosen stats change, line by line, as vmstat does.
#[derive(Debug, Parser)]
#[command(name = "pollstats", version, max_term_width = 100)]
pub struct Options {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub selection: Selection,
}
