//! Options of `topstats`.

use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::{COLOURS, Selection, duration};

/// Shows all stats live on the whole screen, as top does.
///
/// A row is a field over all writers that publish it, combined as the field states: by sum, mean,
/// minimum, maximum or last. Without that, counters and other numbers are summed, measurements
/// (seconds, ratio, volts, …) averaged. The last line shows the main keys; ? shows all.
#[derive(Debug, Parser)]
#[command(name = "topstats", version, max_term_width = 100)]
#[command(after_help = status(), after_long_help = [EXAMPLES, KEYS, &status()].concat())]
pub struct Options {
    /// Time between two scrapes: seconds, or with a unit (500ms, 5s, 1m). At least 0.1.
    #[arg(short = 'd', long, value_name = "TIME", default_value = "1")]
    #[arg(value_parser = duration::parse_scrape_interval)]
    pub interval: Duration,

    /// Only fields whose label has all these words; a word with * must match the whole label.
    #[arg(short, long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    pub filter: String,

    /// Sort by name, value or rate.
    #[arg(short, long, value_enum, default_value_t)]
    pub sort: Sort,

    /// Group by process, file, prefix or dimension.
    #[arg(short, long, value_enum, default_value_t)]
    pub group_by: Grouping,

    /// Hide rows that are zero or empty.
    #[arg(short = 'z', long)]
    pub hide_zeros: bool,

    /// Do not capture the mouse.
    #[arg(long)]
    pub no_mouse: bool,

    /// Print a table as plain text after one interval, and exit.
    #[arg(short, long)]
    pub batch: bool,

    /// Number of tables to print [default: 1].
    #[arg(
        short,
        long,
        value_name = "COUNT",
        default_value = "1",
        hide_default_value = true,
        requires = "batch"
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub count: u64,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub selection: Selection,
}

/// The order of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// By label.
    #[default]
    Name,
    /// By value, the largest first.
    Value,
    /// By change per second, the fastest first.
    Rate,
}

/// The groups of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Grouping {
    /// One list.
    #[default]
    None,
    /// A tree by the labels' dots.
    Prefix,
    /// By the part of labels before {…}.
    Dimension,
    /// By process; a row is a field of one process.
    Process,
    /// By file; a row is a field of one writer.
    File,
}

fn status() -> String {
    format!(
        "Exit status: 0 after q or all tables; 1 if the terminal fails, or with -b if a file could not be read; 2 for wrong usage.\n{COLOURS}"
    )
}

const EXAMPLES: &str = "\
Examples:
  topstats                                         programs on this machine
  topstats -f web -s rate -g process               some fields, the fastest first
  topstats --elf fw.elf qmp:///run/qemu.qmp        a device, in an emulator
  topstats -b -d 10 -c 6                           plain text, six times in a minute

";

const KEYS: &str = "\
Keys:
  / filter    s sort    r reverse    Tab group    ← → fold    Enter details    Space pause
  z hide zeros    u raw numbers    a aggregation    + - d interval    e errors    ? help    q quit

";
