//! Of `slurpstats`.

use clap::{Parser, ValueEnum};
use glob::Pattern;

use super::{COLOURS, Selection};
use crate::labels;

/// Prints what programs publish in their mmstats files: every field's label and value.
#[derive(Debug, Parser)]
#[command(name = "slurpstats", version, max_term_width = 100, after_help = status(), after_long_help = [EXAMPLES, &status()].concat())]
pub struct Options {
    /// Print JSON, one object per line for each field.
    ///
    /// Keys: label, value (null with an "error" if it cannot be read), kind, type, unit, help,
    /// file (of a region in memory with @ and its address), version, pid, liveness (alive, dead,
    /// unknown); of a scaled number also raw, scale and divisor. Numbers that are not finite are
    /// the texts "NaN", "Infinity" and "-Infinity".
    #[arg(long)]
    pub json: bool,

    /// Print a page for Prometheus: text (its format 0.0.4, the default) or openmetrics.
    ///
    /// Labels become names, dimensions labels; numbers are in base units. Each file has series of
    /// its own, told by the label "file", or see --sum. What has no kind, as all of version 1, is
    /// untyped. Of two fields that would have the same name, one is left out, which is an error.
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text", conflicts_with = "json")]
    pub prometheus: Option<Exposition>,

    /// Add up all files; texts and constants are left out.
    ///
    /// Counters and histograms are added up over all files, gauges over those whose writer is not
    /// dead. Measures (seconds, ratio, celsius, …) are averaged, and of dates the latest is shown.
    #[arg(long, requires = "prometheus")]
    pub sum: bool,

    /// Only fields whose whole label matches: * is any text, ? any character, [abc] one of these.
    /// Can be repeated.
    #[arg(short, long, value_name = "GLOB", value_parser = labels::parse)]
    pub filter: Vec<Pattern>,

    /// No fields whose whole label matches, even if --filter takes them. Can be repeated.
    #[arg(short = 'x', long, value_name = "GLOB", value_parser = labels::parse)]
    pub exclude: Vec<Pattern>,

    /// Only files whose writer is alive.
    #[arg(long)]
    pub live: bool,

    /// Also units and help texts.
    #[arg(short, long)]
    pub verbose: bool,

    // The last, or its heading would be that of all others.
    #[command(flatten)]
    #[allow(missing_docs)]
    pub selection: Selection,
}

/// The formats that Prometheus reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Exposition {
    /// Its text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    Openmetrics,
}

fn status() -> String {
    format!(
        "Exit status: 0 if all files could be read, even if there were none; 1 if not; 2 for wrong usage.\n{COLOURS}"
    )
}

const EXAMPLES: &str = "\
Examples:
  slurpstats                                       what runs on this machine
  slurpstats -f '*.2XX' --json /dev/shm            some of it, for programs
  slurpstats --prometheus --sum /dev/shm           a page for Prometheus, all files added up
  slurpstats --elf fw.elf gdb://localhost:3333     a device, through a debug server
  slurpstats --elf fw.elf --load-address 0x20000000 ram.bin
                                                   a dump of its RAM
  slurpstats --elf app core                        a process that crashed

";
