//! Renders files as text.
//!
//! Without a terminal, the output is exactly that of the Python mmstats: `==> PATH`, then for each
//! field two spaces, the label padded to the longest one and the value, then an empty line. A
//! terminal also gets colours, units and dates.

use std::fmt;
use std::io;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use mmstats_core::Aggregation;
use mmstats_core::reader::{Lossy, Value, ValueError};
use mmstats_std::liveness::{Liveness, Verdict};
use mmstats_std::read::Field;

use super::date::Date;
use super::distribution::Summary;
use super::number::Scale;
use crate::escape::{Escaped, EscapedPath};
use crate::scraper::owner_note;
use crate::series::has_value;

/// The parts of the text besides labels and values.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextStyle {
    /// Colours.
    pub colour: bool,
    /// Units, dates, and whether the process has ended.
    pub annotated: bool,
    /// Help texts.
    pub help: bool,
}

/// The styles of the parts; all empty without colours.
#[derive(Clone, Copy, Default)]
struct TextStyles {
    path: Style,
    value: Style,
    note: Style,
    error: Style,
}

impl TextStyles {
    fn new(style: TextStyle) -> Self {
        if !style.colour {
            return TextStyles::default();
        }
        TextStyles {
            path: Style::new().bold(),
            value: AnsiColor::Cyan.on_default(),
            note: Style::new().dimmed(),
            error: AnsiColor::Yellow.on_default(),
        }
    }
}

/// Longer labels are not aligned with the others on a terminal, in characters.
const MAX_ALIGNED_WIDTH: usize = 60;

/// A field with its value.
pub type FieldValue<'r> = (&'r Field, Result<Value<'r>, ValueError>);

/// Writes a file's fields and values. `other_owner` is the user ID of its owner, if it is not the
/// one that the file states.
///
/// # Errors
/// Returns the errors of `to` only.
pub fn write_file(
    to: &mut impl io::Write,
    path: &Path,
    verdict: Verdict,
    other_owner: Option<u32>,
    rows: &[FieldValue<'_>],
    style: TextStyle,
) -> io::Result<()> {
    let TextStyles { path: path_style, value: value_style, note, error } = TextStyles::new(style);
    write!(to, "{path_style}==> {}{path_style:#}", EscapedPath::new(path))?;
    if style.annotated && (verdict.liveness != Liveness::Alive || verdict.writer_has_ended()) {
        let style = if verdict.liveness == Liveness::Dead { error } else { note };
        write!(to, " {style}({}){style:#}", verdict.reason)?;
    }
    if let Some(owner) = other_owner.filter(|_| style.annotated) {
        write!(to, " {error}({}){error:#}", owner_note(owner))?;
    }
    writeln!(to)?;
    let labels: Vec<String> =
        rows.iter().map(|(field, _)| Escaped(&field.label).to_string()).collect();
    let widths = labels.iter().map(|label| label.chars().count());
    // On a terminal, one long label must not push all values off the screen.
    let width =
        widths.filter(|width| !style.annotated || *width <= MAX_ALIGNED_WIDTH).max().unwrap_or(0);
    for (label, (field, value)) in labels.iter().zip(rows) {
        write!(to, "  {} ", super::pad_right(label, width))?;
        match value {
            Ok(value) if !exists(field, value) => write!(to, "{note}{NO_VALUE}{note:#}")?,
            Ok(value) => {
                write!(to, "{value_style}{}{value_style:#}", FormattedValue { field, value })?;
                // A histogram is not read as a number by scripts: it always shows its unit.
                if style.annotated || matches!(value, Value::Histogram(_)) {
                    write_unit(to, field, value, note)?;
                }
            }
            Err(value_error) => write!(to, "{error}{}{error:#}", placeholder(*value_error))?,
        }
        writeln!(to)?;
        for line in field.help.lines().filter(|_| style.help) {
            writeln!(to, "      {note}{}{note:#}", Escaped(line))?;
        }
    }
    writeln!(to)
}

/// Shown while a minimum or maximum has no value.
const NO_VALUE: &str = "-";

fn exists(field: &Field, value: &Value<'_>) -> bool {
    // Only such a field may have no value; copying all others would take time.
    field.aggregation == Aggregation::Unspecified || has_value(field, &value.into())
}

/// Returns the text shown instead of a value that cannot be read.
fn placeholder(error: ValueError) -> &'static str {
    match error {
        ValueError::Contended => "<contended>",
        ValueError::CutOff => "<cut off>",
        _ => "<unreadable>",
    }
}

/// Displays a value.
struct FormattedValue<'v> {
    field: &'v Field,
    value: &'v Value<'v>,
}

impl fmt::Display for FormattedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = Scale::from_field(self.field);
        match self.value {
            Value::Bool(value) => f.write_str(if *value { "True" } else { "False" }),
            Value::Text(text) => Escaped(&Lossy(text).to_string()).fmt(f),
            Value::Histogram(distribution) => Summary::new(distribution, scale).fmt(f),
            number => scale.number(&number.into()).map_or(Ok(()), |number| number.fmt(f)),
        }
    }
}

fn write_unit(
    to: &mut impl io::Write,
    field: &Field,
    value: &Value<'_>,
    note: Style,
) -> io::Result<()> {
    if field.unit.is_empty() {
        return Ok(());
    }
    if let Some(date) = value
        .as_f64()
        .filter(|_| field.unit == "unixtime")
        .and_then(|stored| Date::from_unix(Scale::from_field(field).approximate(stored)))
    {
        return write!(to, " {note}({date}){note:#}");
    }
    write!(to, " {note}{}{note:#}", Escaped(&field.unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    use mmstats_core::{Kind, Type};
    use mmstats_std::liveness::Reason;

    fn field(label: &str, unit: &str, help: &str) -> Field {
        let (unit, help) = (unit.to_owned(), help.to_owned());
        Field { unit, help, ..Field::new(label, Kind::Gauge, Type::U64) }
    }

    fn text(rows: &[FieldValue<'_>], style: TextStyle) -> String {
        let verdict = Verdict::from(Reason::Ended);
        let mut text = Vec::new();
        write_file(&mut text, Path::new("f"), verdict, None, rows, style).unwrap();
        String::from_utf8(text).unwrap()
    }

    const ANNOTATED: TextStyle = TextStyle { colour: false, annotated: true, help: false };

    #[test]
    fn an_unreadable_value_has_a_placeholder() {
        let [a, b, c] = ["a", "bb", "c"].map(|label| field(label, "seconds", ""));
        let rows = [
            (&a, Err(ValueError::Contended)),
            (&b, Err(ValueError::CutOff)),
            (&c, Ok(Value::Unsigned(1))),
        ];
        assert_eq!(
            text(&rows, TextStyle::default()),
            "==> f\n  a  <contended>\n  bb <cut off>\n  c  1\n\n"
        );
        assert_eq!(
            text(&rows, ANNOTATED),
            "==> f (its process has ended)\n  a  <contended>\n  bb <cut off>\n  c  1 seconds\n\n"
        );
    }

    #[test]
    fn a_maximum_without_a_value_is_a_dash() {
        let plain = Field::new("plain", Kind::Gauge, Type::I64);
        let peak =
            Field { aggregation: Aggregation::Max, unit: "bytes".to_owned(), ..plain.clone() };
        let least = Value::Signed(i64::MIN);
        let rows = [(&plain, Ok(least)), (&peak, Ok(least)), (&peak, Ok(Value::Signed(-7)))];
        let expected = "  plain -9223372036854775808\n  plain -\n  plain -7 bytes\n\n";
        assert!(text(&rows, ANNOTATED).ends_with(expected), "{}", text(&rows, ANNOTATED));
    }

    #[test]
    fn a_timestamp_that_was_set_is_shown_as_a_date() {
        let [set, unset] = ["set", "unset"].map(|label| field(label, "unixtime", ""));
        let rows = [(&set, Ok(Value::Float(1_353_442_620.125))), (&unset, Ok(Value::Float(0.0)))];
        assert_eq!(
            text(&rows, TextStyle::default()),
            "==> f\n  set   1353442620.125\n  unset 0.0\n\n"
        );
        assert!(text(&rows, ANNOTATED).ends_with(
            "  set   1353442620.125 (2012-11-20 20:17:00 UTC)\n  unset 0.0 unixtime\n\n"
        ));
    }

    #[test]
    fn help_follows_its_field() {
        let field = field("a", "", "First line.\nSecond\x1b line.");
        let text = text(
            &[(&field, Ok(Value::Bool(true)))],
            TextStyle { help: true, ..TextStyle::default() },
        );
        assert_eq!(text, "==> f\n  a True\n      First line.\n      Second\\x1b line.\n\n");
    }

    #[test]
    fn a_long_label_widens_the_column_only_without_a_terminal() {
        let [long, short] = ["x".repeat(61), "a".to_owned()].map(|label| field(&label, "", ""));
        let rows = [(&long, Ok(Value::Unsigned(1))), (&short, Ok(Value::Unsigned(2)))];
        assert!(text(&rows, ANNOTATED).ends_with("\n  a 2\n\n"));
        assert!(
            text(&rows, TextStyle::default()).ends_with(&format!("\n  a{} 2\n\n", " ".repeat(60)))
        );
    }
}
