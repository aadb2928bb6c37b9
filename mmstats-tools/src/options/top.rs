//! Of `topstats`.

use clap::Parser;

use super::Selection;

/// Shows all stats live on the whole screen, as top does.
#[derive(Debug, Parser)]
#[command(name = "topstats", version, max_term_width = 100)]
pub struct Options {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub selection: Selection,
}
