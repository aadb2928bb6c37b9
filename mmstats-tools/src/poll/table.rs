//! Rows as text: to the letter the original's where nobody looks, fitted to its width on a
//! terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::cell::{Cell, Row, Value, time_of_day};
use super::group::Group;
use super::width::{Widths, elided, length};
use crate::options::poll::{By, Options};
use crate::render::date::Date;
use crate::render::escape::Escaped;
use crate::render::human;
use crate::render::{pad_left, spaces};

/// The original's columns.
const WIDTH: usize = 20;

/// Behind a row of totals.
const NOTE: &str = "(total since start)";
/// The same where there is less room.
const SHORT_NOTE: &str = "(total)";

/// Rows below headers.
pub(super) struct Table {
    by: Option<By>,
    with_time: bool,
    /// Rows between headers; 0 for one header only.
    headers: u64,
    /// Whether a person looks at it.
    is_terminal: bool,
    colour: bool,
    /// Rows since the last header; `None` before the first one.
    rows: Option<u64>,
    widths: Widths,
}

/// What stands in a row, before it is fitted.
struct Text {
    text: String,
    /// Can be cut.
    is_text: bool,
    is_stand_in: bool,
}

impl Table {
    pub(super) fn new(options: &Options, is_terminal: bool, colour: bool) -> Table {
        let (by, with_time, headers) = (options.by, options.time, options.headers);
        Table { by, with_time, headers, is_terminal, colour, rows: None, widths: Widths::default() }
    }

    /// There are other columns now.
    pub(super) fn change(&mut self) {
        self.rows = None;
        self.widths = Widths::default();
    }

    /// A row's text, behind a header if it is time for one. `screen` tells the terminal's width.
    pub(super) fn row(
        &mut self,
        row: &Row,
        names: &[String],
        screen: impl FnOnce() -> usize,
    ) -> String {
        let texts = self.texts(row);
        let is_due = self.rows.is_none_or(|rows| self.headers > 0 && rows >= self.headers);
        let mut output = String::new();
        if is_due || self.is_terminal && !self.widths.have_room(&lengths(&texts)) {
            let names = self.names(names);
            if self.is_terminal {
                let reserved = if row.is_total { SHORT_NOTE.len() + 2 } else { 0 };
                let needed: Vec<(usize, usize)> = texts
                    .iter()
                    .map(|text| (length(&text.text), if text.is_text { 8 } else { 0 }))
                    .collect();
                self.widths.fit(&names, &needed, screen().saturating_sub(reserved));
            } else {
                self.widths.set(
                    names
                        .iter()
                        .zip(&texts)
                        .map(|(name, text)| WIDTH.max(length(name)).max(length(&text.text) + 1)),
                );
            }
            self.header(&names, &mut output);
            self.rows = Some(0);
        }
        if self.is_terminal {
            self.for_people(row, &texts, &mut output);
        } else {
            self.original(row, &texts, &mut output);
        }
        self.rows = self.rows.map(|rows| rows + 1);
        output
    }

    fn names(&self, columns: &[String]) -> Vec<String> {
        let time =
            self.with_time.then(|| if self.is_terminal { "UTC" } else { "time (UTC)" }.to_owned());
        let group = self.by.map(|by| Group::title(by).to_owned());
        time.into_iter()
            .chain(group)
            .chain(columns.iter().map(|name| Escaped(name).to_string()))
            .collect()
    }

    fn texts(&self, row: &Row) -> Vec<Text> {
        let plain = |text: String| Text {
            text: Escaped(&text).to_string(),
            is_text: false,
            is_stand_in: false,
        };
        let time = self.with_time.then(|| plain(time_of_day(row.time)));
        let group = self.by.map(|_| {
            plain(if self.is_terminal { row.short_group_text() } else { row.group_text() })
        });
        let cells = row.cells.iter().map(|cell| Text {
            is_text: matches!(cell.value, Value::Text(_)),
            is_stand_in: matches!(cell.value, Value::Missing | Value::Mixed),
            ..plain(if self.is_terminal { human(cell) } else { cell.plain() })
        });
        time.into_iter().chain(group).chain(cells).collect()
    }

    fn header(&self, names: &[String], output: &mut String) {
        let bold = if self.colour { Style::new().bold() } else { Style::new() };
        let line = if self.is_terminal {
            let mut names: Vec<String> = names
                .iter()
                .zip(self.widths.all())
                .map(|(name, width)| pad_left(&elided(name, *width), *width))
                .collect();
            names.extend(self.widths.left_out());
            names.join("  ")
        } else {
            let names =
                names.iter().zip(self.widths.all()).map(|(name, width)| centred(name, *width));
            names.collect::<Vec<_>>().join("|")
        };
        // A `String` takes everything.
        let _ = writeln!(output, "{bold}{line}{bold:#}");
    }

    fn original(&self, row: &Row, texts: &[Text], output: &mut String) {
        let cells = texts
            .iter()
            .zip(self.widths.all())
            .map(|(text, width)| pad_left(&text.text, width - 1) + " ");
        output.push_str(&cells.collect::<Vec<_>>().join("|"));
        if row.is_total {
            output.push_str(NOTE);
        }
        output.push('\n');
    }

    fn for_people(&self, row: &Row, texts: &[Text], output: &mut String) {
        let leading = texts.len() - row.cells.len();
        for (at, (text, width)) in texts.iter().zip(self.widths.all()).enumerate() {
            let style = match text {
                _ if !self.colour => Style::new(),
                _ if at < leading || text.is_stand_in => Style::new().dimmed(),
                _ => AnsiColor::Cyan.on_default(),
            };
            let shown = elided(&text.text, *width);
            output.push_str(if at > 0 { "  " } else { "" });
            output.push_str(&spaces(width.saturating_sub(length(&shown))));
            let _ = write!(output, "{style}{shown}{style:#}");
        }
        if row.is_total {
            let dimmed = if self.colour { Style::new().dimmed() } else { Style::new() };
            let note =
                if self.widths.spare() > NOTE.len() - SHORT_NOTE.len() { NOTE } else { SHORT_NOTE };
            let _ = write!(output, "  {dimmed}{note}{dimmed:#}");
        }
        output.push('\n');
    }
}

fn lengths(texts: &[Text]) -> Vec<usize> {
    texts.iter().map(|text| if text.is_text { 0 } else { length(&text.text) }).collect()
}

/// As Python's `str.center` has it.
fn centred(name: &str, width: usize) -> String {
    let margin = width.saturating_sub(length(name));
    let left = margin / 2 + (margin & width & 1);
    spaces(left) + name + &spaces(margin - left)
}

/// In few characters.
fn human(cell: &Cell) -> String {
    match cell.approximate() {
        None => cell.plain(),
        Some(value) => match cell.unit.strip_suffix("/s") {
            Some(unit) => human::quantity(value, unit) + "/s",
            None if cell.unit == "unixtime" => Date::from_unix(value).map_or_else(
                || cell.plain(),
                |date| date.to_string().trim_end_matches(" UTC").to_owned(),
            ),
            None => human::quantity(value, &cell.unit),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_centred_as_python_does() {
        for (name, width, centred_name) in [
            ("ab", 6, "  ab  "),
            ("abc", 6, " abc  "),
            ("ab", 5, "  ab "),
            ("abcdef", 4, "abcdef"),
            ("", 3, "   "),
        ] {
            assert_eq!(centred(name, width), centred_name);
        }
    }
}
