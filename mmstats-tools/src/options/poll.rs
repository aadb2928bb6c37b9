//! Options of `pollstats`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use super::{COLOURS, Selection, duration};
use crate::label_glob;
use crate::series::Aggregation;

/// Prints how selected stats change, line by line, as vmstat does.
///
/// A column per field, a row per interval: counters and histograms show their change since the
/// previous row, summed over all files; gauges and texts their value. The first row shows totals
/// since the programs started, and says so. - is a field that no file has, or
/// a minimum or maximum without a value yet; * are texts that differ.
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
    /// Labels, separated by commas; * ? [abc] match any text, any character, one of these.
    ///
    /// A histogram's name shows how many values were recorded since the previous row; NAME:p99 (or
    /// any percentile: p50, p99.9), NAME:mean, NAME:min, NAME:max, NAME:sum, NAME:count and
    /// NAME:rate describe these values. NAME:rate also works for counters.
    #[arg(value_name = "FIELDS", value_parser = parse_fields)]
    pub fields: FieldNames,

    /// Prefix of all FIELDS, with or without a dot between.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    pub prefix: String,

    /// Number of intervals to print [default: no limit].
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Time between two rows: 2, 0.25, 500ms, 5m.
    // `--delay` is the original's name.
    #[arg(
        short = 'd',
        long,
        alias = "delay",
        value_name = "TIME",
        default_value = "1",
        value_parser = duration::parse_interval
    )]
    pub interval: Duration,

    /// Only files with a label starting with this, or with LABEL=VALUE.
    ///
    /// The prefix may be left out; LABEL may be the end of a label, after a dot (sys.pid=42). Can
    /// be repeated; a file must match one of them, or see --match.
    // The original's names are `-f` and `--filter`, which select labels in the other tools.
    #[arg(long = "where", short_alias = 'f', alias = "filter", value_name = "LABEL[=VALUE]")]
    pub filter: Vec<String>,

    /// How many --where conditions a file must match.
    #[arg(long, value_enum, default_value_t = Match::Any)]
    pub r#match: Match,

    /// Rows between two headers; 0 prints one header only.
    // `-n` is the original's, and means another thing in the other tools.
    #[arg(short_alias = 'n', long, value_name = "ROWS", default_value_t = 20)]
    pub headers: u64,

    /// How to combine gauges of several files [default: as they state].
    ///
    /// A field that states nothing is added; measurements (seconds, ratio, celsius and the like)
    /// are averaged, and of timestamps the latest counts.
    #[arg(long, value_enum)]
    pub agg: Option<Aggregation>,

    /// Changes per second.
    #[arg(long)]
    pub rate: bool,

    /// Totals instead of changes; they continue when a program exits or restarts.
    #[arg(long, conflicts_with = "rate")]
    pub totals: bool,

    /// One row per process, thread or file instead of one for all.
    #[arg(short, long, value_enum)]
    pub group_by: Option<GroupBy>,

    /// One column for each value of these dimensions, summed over all others.
    ///
    /// Without this, http.requests is the sum of all http.requests{...}, unless a file has a field
    /// with exactly that label; http.requests{status="500"} is the sum of those with this status.
    #[arg(long, value_name = "DIMENSION", value_delimiter = ',')]
    pub by: Vec<String>,

    /// Omit the first row, which shows totals.
    #[arg(short = 'y', long)]
    pub omit_first: bool,

    /// Begin each row with the time of day in UTC.
    #[arg(short, long)]
    pub time: bool,

    /// Print JSON, one object per line for each row.
    ///
    /// Keys: time (RFC 3339), seconds (length of the interval; null in the first row), total (true
    /// if the row shows totals), pid, thread or file (with --group-by), note (distinguishes the
    /// process if another one has the same pid), values (by column name; numbers, texts, or null).
    /// Numbers that are not finite are the texts "NaN", "Infinity" and "-Infinity".
    #[arg(long)]
    pub json: bool,

    /// Print CSV (RFC 4180); a pattern in FIELDS that matches more labels starts a new header.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,

    /// Also record all fields of these files for --replay.
    #[arg(long, value_name = "RECORDING", value_parser = parse_recording)]
    #[arg(conflicts_with = "replay")]
    pub record: Option<PathBuf>,

    /// Show a recording, as fast as possible; - is the standard input.
    #[arg(long, value_name = "RECORDING", conflicts_with = "files")]
    pub replay: Option<PathBuf>,

    /// Log files that appear or vanish; -vv logs every scrape.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub selection: Selection,
}

impl Options {
    /// Parses arguments as the original did: all words after `-f`, up to the next option, are
    /// filters (`pollstats FIELDS FILE -f a b`).
    ///
    /// Returns `None` if that leaves no FIELDS, or no files. Each `-f` takes one word then, as in
    /// `pollstats -f a FIELDS FILE`, which the original refused.
    pub fn parse_like_original(args: &[OsString]) -> Option<Options> {
        let command = Options::command().mut_arg("filter", |filter| filter.num_args(0..));
        let matches = command.try_get_matches_from(args).ok()?;
        let options = Options::from_arg_matches(&matches).ok()?;
        let has_input = !options.selection.files.is_empty() || options.replay.is_some();
        has_input.then_some(options)
    }
}

/// The labels of the columns.
#[derive(Clone, Debug)]
pub struct FieldNames(pub Vec<String>);

/// How many conditions a file must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Match {
    /// One is enough.
    Any,
    /// All of them.
    All,
}

/// The groups that have a row each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    /// Each process.
    Process,
    /// Each thread.
    Thread,
    /// Each file, or region in memory.
    File,
}

/// Splits at commas, but not within braces: `http.requests{method="GET",code="200"}` is one label.
fn parse_fields(text: &str) -> Result<FieldNames, String> {
    let mut fields = vec![String::new()];
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '{' => dimensions_length(rest).unwrap_or(1),
            _ => character.len_utf8(),
        };
        let (part, remaining) = rest.split_at(length);
        match fields.last_mut() {
            Some(last) if part != "," => last.push_str(part),
            _ => fields.push(String::new()),
        }
        rest = remaining;
    }
    if fields.iter().any(String::is_empty) {
        return Err("empty label (ok or ok,bad expected)".to_owned());
    }
    for field in &fields {
        label_glob::parse(field).map_err(|error| format!("{field}: {error}"))?;
    }
    Ok(FieldNames(fields))
}

/// Returns the length of the braces at the start of a text. Braces in quoted values do not end
/// them.
fn dimensions_length(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_end = |(_, character): &(usize, char)| {
        let is_end = *character == '}' && !is_quoted;
        is_quoted ^= *character == '"' && !is_escaped;
        is_escaped = *character == '\\' && is_quoted && !is_escaped;
        is_end
    };
    text.char_indices().find(is_end).map(|(at, _)| at + 1)
}

fn parse_recording(text: &str) -> Result<PathBuf, String> {
    match text {
        "-" => Err("the standard output has the rows (a file name expected)".to_owned()),
        path => Ok(path.into()),
    }
}

fn status() -> String {
    format!(
        "Exit status: 0, also if interrupted; 1 if a file could not be read, or if a label was not found; 2 for wrong usage.\n\
         {COLOURS}"
    )
}

const EXAMPLES: &str = "\
Examples:
  pollstats -p web.stats.status 2XX,3XX,4XX,5XX /tmp/mmstats-*
                                                   responses per second, of all threads together
  pollstats -t -d 5 -c 12 'web.stats.status.*'     every status, for a minute
  pollstats --rate -g process 'jobs.done,jobs.latency:p99'
                                                   each process, and its 99th percentile
  pollstats --by route http.requests               each route, summed over methods and so on
  pollstats --where worker.name=alpha --where worker.name=beta ok,bad a.mmstats b.mmstats
                                                   only files of these workers
  pollstats --record night.jsonl '*' > /dev/null   record everything, then show some of it:
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
            (r#"a{r="/{id}",s="\"},"},b"#, &[r#"a{r="/{id}",s="\"},"}"#, "b"]),
            ("größe,*", &["größe", "*"]),
        ] {
            assert_eq!(parse_fields(text).unwrap().0, fields, "{text}");
        }
    }

    #[test]
    fn empty_labels_are_refused() {
        for text in ["", ",", "a,", ",a", "a,,b"] {
            assert_eq!(
                parse_fields(text).unwrap_err(),
                "empty label (ok or ok,bad expected)",
                "{text:?}"
            );
        }
        assert!(parse_fields("a,b[").unwrap_err().starts_with("b[: "));
    }

    /// The filters, the fields, and the files.
    fn understood(line: &str) -> (String, String, String) {
        let args: Vec<OsString> =
            ["pollstats"].into_iter().chain(line.split_whitespace()).map(OsString::from).collect();
        let options = Options::parse_like_original(&args)
            .or_else(|| Options::try_parse_from(&args).ok())
            .unwrap_or_else(|| panic!("{line} is refused"));
        let files: Vec<_> =
            options.selection.files.iter().map(|file| file.to_str().unwrap()).collect();
        (options.filter.join(" "), options.fields.0.join(","), files.join(" "))
    }

    #[test]
    fn lines_that_the_original_took_mean_the_same() {
        for line in [
            "FIELDS FILE -f a b",
            "FIELDS FILE --filter a b",
            "FIELDS FILE --filt a b",
            "-f a b -p x. FIELDS FILE",
            "-f a b -v FIELDS FILE",
            "-vf a b -c1 FIELDS FILE",
            "-p x. -f a b -- FIELDS FILE",
            "-c 1 -d 2 -n 3 FIELDS FILE -p x -f a b -v",
            "--pre x --cou 1 FIELDS FILE -f a b",
        ] {
            assert_eq!(understood(line), ("a b".into(), "FIELDS".into(), "FILE".into()), "{line}");
        }
        assert_eq!(understood("F 1 -f a b 2"), ("a b 2".into(), "F".into(), "1".into()));
        for line in [
            "FIELDS FILE -f a",
            "FIELDS FILE -fa",
            "FIELDS FILE -f=a",
            "-f=a FIELDS FILE",
            "--filter=a FIELDS FILE",
            "-f a -c 1 FIELDS FILE",
        ] {
            assert_eq!(understood(line), ("a".into(), "FIELDS".into(), "FILE".into()), "{line}");
        }
        for line in ["FIELDS FILE -f", "FIELDS FILE -f -v", "-f -- FIELDS FILE", "FIELDS FILE -vf"]
        {
            assert_eq!(understood(line), (String::new(), "FIELDS".into(), "FILE".into()), "{line}");
        }
    }

    #[test]
    fn one_word_after_f_is_a_filter_where_the_original_refused_the_line() {
        for line in [
            "-f a FIELDS FILE",
            "FIELDS -f a FILE",
            "-p x -f a FIELDS FILE",
            "-f a -- FIELDS FILE",
            "-vf a FIELDS FILE",
            "-f a FIELDS -c 1 FILE",
        ] {
            assert_eq!(understood(line), ("a".into(), "FIELDS".into(), "FILE".into()), "{line}");
        }
        assert_eq!(understood("-f a FIELDS"), ("a".into(), "FIELDS".into(), String::new()));
        assert_eq!(
            understood("-f a -f b FIELDS 1 2"),
            ("a b".into(), "FIELDS".into(), "1 2".into())
        );
        assert_eq!(understood("FIELDS -f a 1 2"), ("a".into(), "FIELDS".into(), "1 2".into()));
    }

    #[test]
    fn values_of_other_options_are_not_taken_for_arguments() {
        assert_eq!(
            understood("-g process --agg max -f a FIELDS 1"),
            ("a".into(), "FIELDS".into(), "1".into())
        );
        assert_eq!(
            understood("--region-address 64 -yf a FIELDS 1"),
            ("a".into(), "FIELDS".into(), "1".into())
        );
    }
}
