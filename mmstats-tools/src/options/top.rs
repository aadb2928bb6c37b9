//! Of `topstats`.

use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::{COLOURS, Selection, seconds};

/// Shows all stats live on the whole screen, as top does.
///
/// A row is a field over all writers that publish it: counters and other numbers are summed, what
/// is a measure (seconds, ratio, volts, …) is averaged. Keys are told in the last line, and all of
/// them by ?.
#[derive(Debug, Parser)]
#[command(name = "topstats", version, max_term_width = 100, after_help = status(), after_long_help = [EXAMPLES, KEYS, &status()].concat())]
pub struct Options {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub selection: Selection,

    /// Time between two looks: seconds, or with a unit (500ms, 5s, 1m). At least 0.1.
    #[arg(short = 'd', long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub interval: Duration,

    /// Only rows that hold all these words; a word with * is a pattern of the whole label.
    #[arg(short, long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub filter: String,

    /// What to sort by.
    #[arg(short, long, value_enum, default_value_t)]
    pub sort: Sort,

    /// What to group by.
    #[arg(short, long, value_enum, default_value_t)]
    pub group: Grouping,

    /// Hide rows that are zero or empty.
    #[arg(short = 'z', long)]
    pub hide_zeros: bool,

    /// Leave the mouse to the terminal.
    #[arg(long)]
    pub no_mouse: bool,

    /// Print a table as plain text after one interval, and end.
    #[arg(short, long)]
    pub batch: bool,

    /// Print so many tables, one after each interval.
    #[arg(
        short = 'n',
        long,
        value_name = "COUNT",
        default_value = "1",
        hide_default_value = true,
        requires = "batch"
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub count: u64,
}

/// What rows are sorted by.
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

/// What rows are put together by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Grouping {
    /// One list.
    #[default]
    None,
    /// A tree by the labels' dots.
    Prefix,
    /// By what stands before {…} in labels.
    Dimension,
    /// By process; a row is a field of one process.
    Process,
    /// By file; a row is a field of one writer.
    File,
}

/// The shortest interval, so that a slip of the keyboard does not take a whole core.
const SHORTEST: Duration = Duration::from_millis(100);

/// Parses the time between two looks.
///
/// # Errors
/// What would be one.
pub fn interval(text: &str) -> Result<Duration, String> {
    let time = seconds::parse(text)?;
    if time < SHORTEST { Err("shorter than 0.1s".to_owned()) } else { Ok(time) }
}

fn status() -> String {
    format!(
        "Exit status: 0 after q or all tables; 1 if the terminal fails, or with -b if not all could be read; 2 for wrong usage.\n{COLOURS}"
    )
}

const EXAMPLES: &str = "\
Examples:
  topstats                                         what runs on this machine
  topstats -f web -s rate -g process               some of it, the fastest first
  topstats --elf fw.elf qmp:///run/qemu.qmp        a device, in an emulator
  topstats -b -d 10 -n 6                           plain text, six times in a minute

";

const KEYS: &str = "\
Keys:
  / filter    s sort    r reverse    Tab group    ← → fold    Enter details    Space pause
  z hide zeros    u raw numbers    a aggregation    + - d interval    e errors    ? help    q quit

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_not_too_short() {
        assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(interval("100ms"), Ok(SHORTEST));
        assert_eq!(interval("99ms"), Err("shorter than 0.1s".to_owned()));
        assert!(interval("soon").is_err());
    }
}
