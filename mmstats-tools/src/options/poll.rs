//! Of `pollstats`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::{COLOURS, Selection, seconds};
use crate::labels;

/// Prints how chosen stats change, line by line, as vmstat does.
///
/// A column for each field, a row for each look: what counts up is shown as its change since the
/// row before, summed over all files; gauges and texts as they are. The first row has the totals
/// since the programs' start, and says so. - stands for a field that no file has, * for texts that
/// differ.
#[derive(Debug, Parser)]
#[command(
    name = "pollstats",
    version,
    max_term_width = 100,
    infer_long_args = true,
    args_override_self = true
)]
#[command(after_help = status(), after_long_help = [EXAMPLES, &status()].concat())]
pub struct Options {
    /// Labels, separated by commas; * ? and [abc] stand for any text, any character, one of these.
    ///
    /// Of a histogram, its name shows how many values were recorded, and NAME:p99 (or any
    /// percentile: p50, p99.9), NAME:mean, NAME:min, NAME:max, NAME:sum, NAME:count, NAME:rate what
    /// was recorded since the row before. NAME:rate is also there for counters.
    #[arg(value_name = "FIELDS", value_parser = parse_fields)]
    pub fields: Fields,

    /// Before each field: its label is PREFIX and FIELD, with or without a dot between them.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    pub prefix: String,

    /// End after so many rows.
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Time between rows: 2, 0.25, 500ms, 5m.
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds::parse_interval)]
    pub delay: Duration,

    /// Only files that hold a label with this beginning, or LABEL=VALUE.
    ///
    /// With the prefix in front, or without; LABEL may also be the end of one, behind a dot
    /// (sys.pid=42). Several words may follow at once, or the option be repeated; one of them is
    /// enough unless --match says otherwise.
    #[arg(short, long)]
    pub filter: Vec<String>,

    /// How many filters a file must pass.
    #[arg(long, value_enum, default_value_t = Match::Any)]
    pub r#match: Match,

    /// Rows between two headers; 0 for one only.
    #[arg(short = 'n', long, value_name = "ROWS", default_value_t = 20)]
    pub headers: u64,

    /// How to combine gauges of several files. The default is their sum; the mean of measurements
    /// (seconds, ratio, celsius, …), and of timestamps the latest.
    #[arg(long, value_enum)]
    pub agg: Option<AggregationArg>,

    /// Changes per second.
    #[arg(long)]
    pub rate: bool,

    /// Totals instead of changes. They go on when a program ends or starts anew.
    #[arg(long, conflicts_with = "rate")]
    pub absolute: bool,

    /// A row for each of these, instead of one for all.
    #[arg(long, value_enum)]
    pub by: Option<By>,

    /// Leave out the first row, the totals.
    #[arg(short = 'y', long)]
    pub no_total: bool,

    /// Begin rows with the time of day, in UTC.
    #[arg(short, long)]
    pub time: bool,

    /// Print JSON, one object a line for each row.
    ///
    /// Keys: time (RFC 3339), seconds (length of the interval; null for the first row), total (true
    /// if the row has totals instead of changes), file, pid or thread (with --by), note (what
    /// distinguishes the process, if another one has the same pid), values (by the columns' names;
    /// numbers, texts, or null). Numbers that are not finite are the texts "NaN",
    /// "Infinity" and "-Infinity".
    #[arg(long)]
    pub json: bool,

    /// Print CSV (RFC 4180). A new header follows if a pattern in FIELDS comes to match more.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,

    /// Also write all that is seen into this file, all fields, to be shown again by --replay.
    #[arg(long, value_name = "RECORDING", value_parser = parse_recording, conflicts_with = "replay")]
    pub record: Option<PathBuf>,

    /// Show what was recorded, as fast as possible; - is the standard input.
    #[arg(long, value_name = "RECORDING", conflicts_with = "files")]
    pub replay: Option<PathBuf>,

    /// Tell of files that come and go; twice, of each look.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub selection: Selection,
}

/// What is to be shown.
#[derive(Clone, Debug)]
pub struct Fields(pub Vec<String>);

/// How many filters a file must pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Match {
    /// One is enough.
    Any,
    /// All of them.
    All,
}

/// How to combine the numbers of several files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AggregationArg {
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// That of the newest file.
    Last,
}

/// What has a row of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Each file, or region in memory.
    File,
    /// Each process.
    Pid,
    /// Each thread.
    Thread,
}

/// Splits at commas, but not those between braces: `http.requests{method="GET",code="200"}` is one
/// label.
fn parse_fields(text: &str) -> Result<Fields, String> {
    let mut fields = vec![String::new()];
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '{' => rest.find('}').map_or(1, |end| end + 1),
            _ => character.len_utf8(),
        };
        let (part, behind) = rest.split_at(length);
        match fields.last_mut() {
            Some(last) if part != "," => last.push_str(part),
            _ => fields.push(String::new()),
        }
        rest = behind;
    }
    if fields.iter().any(String::is_empty) {
        return Err("a name is empty (ok,bad would be two)".to_owned());
    }
    for field in &fields {
        labels::parse(field).map_err(|error| format!("{field}: {error}"))?;
    }
    Ok(Fields(fields))
}

fn parse_recording(text: &str) -> Result<PathBuf, String> {
    match text {
        "-" => Err("rows go to the standard output (a file's name would be accepted, and --json for programs)".to_owned()),
        path => Ok(path.into()),
    }
}

fn status() -> String {
    format!(
        "Exit status: 0, also if it was interrupted; 1 if a file could not be read, or had none of the labels; 2 for wrong usage.\n\
         {COLOURS}"
    )
}

const EXAMPLES: &str = "\
Examples:
  pollstats -p web.stats.status 2XX,3XX,4XX,5XX /tmp/mmstats-*
                                                   responses a second, of all threads together
  pollstats -t -d 5 -c 12 'web.stats.status.*'     whatever status there is, for a minute
  pollstats --rate --by pid 'jobs.done,jobs.latency:p99'
                                                   each process, and how slow its slowest jobs are
  pollstats ok,bad a.mmstats b.mmstats -f worker.name=alpha worker.name=beta
                                                   only files of these workers
  pollstats --record night.jsonl '*' > /dev/null   all there is, to be looked at tomorrow:
  pollstats --replay night.jsonl --csv ok,bad

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_separated_by_commas_outside_of_braces() {
        for (text, fields) in [
            ("ok", &["ok"][..]),
            ("2XX,3XX", &["2XX", "3XX"]),
            ("a{b=\"1\",c=\"2\"},d", &["a{b=\"1\",c=\"2\"}", "d"]),
            ("a{,b", &["a{", "b"]),
            ("größe,*", &["größe", "*"]),
        ] {
            assert_eq!(parse_fields(text).unwrap().0, fields, "{text}");
        }
    }

    #[test]
    fn what_is_no_list_of_fields_is_told_what_would_be() {
        for text in ["", ",", "a,", ",a", "a,,b"] {
            assert_eq!(
                parse_fields(text).unwrap_err(),
                "a name is empty (ok,bad would be two)",
                "{text:?}"
            );
        }
        assert!(parse_fields("a,b[").unwrap_err().starts_with("b[: "));
    }
}
