//! Files as text.
//!
//! Where nobody looks, it is to the letter what the original printed: `==> PATH`, two spaces, the label padded to the longest, the value, an empty line.
//! A terminal also gets colours, units and dates.

use std::fmt::{self, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use mmstats_core::reader::{Lossy, Value, ValueProblem};
use mmstats_std::liveness::{Liveness, Verdict};
use mmstats_std::read::Field;

use super::date::Date;
use super::distribution::Summary;
use super::escape::{Harmless, HarmlessPath};
use super::number::Scale;

/// What the text is to have besides labels and values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Colours.
    pub colour: bool,
    /// Units, dates, and whether a file's process has ended.
    pub annotated: bool,
    /// Help texts.
    pub help: bool,
}

/// The styles of the parts, which are none without colours.
#[derive(Clone, Copy, Default)]
struct Palette {
    path: Style,
    value: Style,
    note: Style,
    problem: Style,
}

impl Palette {
    fn of(look: Look) -> Self {
        if !look.colour {
            return Palette::default();
        }
        Palette {
            path: Style::new().bold(),
            value: AnsiColor::Cyan.on_default(),
            note: Style::new().dimmed(),
            problem: AnsiColor::Yellow.on_default(),
        }
    }
}

/// A field with its value.
pub type Row<'r> = (&'r Field, Result<Value<'r>, ValueProblem>);

/// Writes the text of a file.
///
/// # Errors
/// None but those of `to`.
pub fn write_file(to: &mut impl Write, path: &Path, verdict: Verdict, rows: &[Row<'_>], look: Look) -> fmt::Result {
    let Palette { path: path_style, value: value_style, note, problem } = Palette::of(look);
    write!(to, "{path_style}==> {}{path_style:#}", HarmlessPath::new(path))?;
    if look.annotated && verdict.liveness != Liveness::Alive {
        write!(to, " {problem}({}){problem:#}", verdict.reason)?;
    }
    writeln!(to)?;
    let labels: Vec<String> = rows.iter().map(|(field, _)| Harmless(&field.label).to_string()).collect();
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    for (label, (field, value)) in labels.iter().zip(rows) {
        write!(to, "  {label:width$} ")?;
        match value {
            Ok(value) => write!(to, "{value_style}{}{value_style:#}", Shown { field, value })?,
            Err(fault) => write!(to, "{problem}{}{problem:#}", stand_in(*fault))?,
        }
        if let (true, Ok(value)) = (look.annotated, value) {
            write_unit(to, field, value, note)?;
        }
        writeln!(to)?;
        for line in field.help.lines().filter(|_| look.help) {
            writeln!(to, "      {note}{}{note:#}", Harmless(line))?;
        }
    }
    writeln!(to)
}

/// What stands where a value should be.
fn stand_in(fault: ValueProblem) -> &'static str {
    match fault {
        ValueProblem::Contended => "<contended>",
        ValueProblem::CutOff => "<cut off>",
    }
}

/// The scale of a field's numbers.
#[must_use]
pub fn scale(field: &Field) -> Scale {
    Scale { power: field.scale, divisor: field.divisor }
}

/// A value as it is displayed.
struct Shown<'v> {
    field: &'v Field,
    value: &'v Value<'v>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = scale(self.field);
        match self.value {
            Value::Bool(value) => f.write_str(if *value { "True" } else { "False" }),
            Value::Text(text) => Harmless(&Lossy(text).to_string()).fmt(f),
            Value::Histogram(distribution) => Summary::new(distribution, scale).fmt(f),
            number => scale.number(number).map_or(Ok(()), |number| number.fmt(f)),
        }
    }
}

fn write_unit(to: &mut impl Write, field: &Field, value: &Value<'_>, note: Style) -> fmt::Result {
    if field.unit.is_empty() {
        return Ok(());
    }
    if let Some(date) = value.as_f64().filter(|_| field.unit == "unixtime").and_then(|stored| Date::from_unix(scale(field).approximate(stored))) {
        return write!(to, " {note}({date}){note:#}");
    }
    write!(to, " {note}{}{note:#}", Harmless(&field.unit))
}
