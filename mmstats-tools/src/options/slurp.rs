//! Options of `slurpstats`.

use clap::{Parser, ValueEnum};

use super::{COLOURS, Selection};
use crate::labels::Labels;

/// Prints what programs publish in their mmstats files: every field's label and value.
#[derive(Debug, Parser)]
#[command(name = "slurpstats", version, max_term_width = 100)]
#[command(after_help = status(), after_long_help = [EXAMPLES, &status()].concat())]
pub struct Options {
    /// Print JSON, one object per line for each field.
    ///
    /// Keys: label, value (null with an "error" if it cannot be read; null while a minimum or
    /// maximum has no value), kind, type, unit, help, file (of a region in memory with @ and its
    /// address), version, pid, liveness (alive, dead, unknown); of a scaled number also raw, scale
    /// and divisor; aggregation (sum, mean, min, max, last) and kept (true) if the field states
    /// them. Numbers that are not finite are the texts "NaN", "Infinity" and "-Infinity".
    #[arg(long)]
    pub json: bool,

    /// Print in Prometheus' text format 0.0.4, or in OpenMetrics.
    ///
    /// Labels become metric names, dimensions become labels; numbers are in base units. Each file
    /// has its own series with a label "file", or see --sum. Fields without a kind, such as all of
    /// version 1, are untyped. If two fields would have the same name, one is dropped, which is an
    /// error.
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "text", conflicts_with = "json")]
    pub prometheus: Option<Exposition>,

    /// With --prometheus: add all writers; texts and constants are omitted.
    ///
    /// Counters and histograms are added over all files. Other fields are combined as they state:
    /// sum, mean, minimum, maximum or last. Without that, gauges are added, measurements (seconds,
    /// ratio, celsius, …) averaged, and of timestamps the latest is shown. Files whose writer has
    /// ended count if the field is kept, or if there are no others.
    #[arg(long, requires = "prometheus")]
    pub sum: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub labels: Labels,

    /// Only files whose process is alive.
    #[arg(long)]
    pub live: bool,

    /// Also print units and help texts.
    #[arg(short, long)]
    pub verbose: bool,

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
        "Exit status: 0 if all files could be read, also if there were none; 1 if not, or if nothing was printed because no label matches; 2 for wrong usage.\n{COLOURS}"
    )
}

const EXAMPLES: &str = "\
Examples:
  slurpstats                                       programs on this machine
  slurpstats -f '*.2XX' --json /dev/shm            some fields, as JSON
  slurpstats --prometheus --sum /dev/shm           for Prometheus, all writers added
  slurpstats --elf fw.elf gdb://localhost:3333     a device, by a debug server
  slurpstats --elf fw.elf --load-address 0x20000000 ram.bin
                                                   a dump of its memory
  slurpstats --elf app core                        a crashed process

";
