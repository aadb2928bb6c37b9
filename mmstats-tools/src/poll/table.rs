//! Rows as text: exactly the original's format for pipes and files, fitted to the width of a
//! terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::cell::{Cell, GroupRow, Value, time_of_day};
use super::group::Group;
use super::width::{Widths, elided, length};
use crate::escape::Escaped;
use crate::options::poll::{GroupBy, Options};
use crate::render::date::Date;
use crate::render::human;
use crate::render::{pad_left, spaces};

/// The width of the original's columns.
const COLUMN_WIDTH: usize = 20;

/// Follows a row of totals.
const NOTE: &str = "(total since start)";
/// The same for narrow terminals.
const SHORT_NOTE: &str = "(total)";

/// Prints rows, and headers between them.
pub(super) struct TablePrinter {
    by: Option<GroupBy>,
    with_time: bool,
    /// Rows between two headers; 0 for a single header.
    headers: u64,
    /// Whether the output is a terminal.
    is_terminal: bool,
    colour: bool,
    /// Rows since the last header; `None` before the first one.
    rows: Option<u64>,
    widths: Widths,
}

/// The text of a cell.
struct Text {
    text: String,
    /// Texts may be shortened, numbers may not.
    is_text: bool,
    is_placeholder: bool,
}

impl TablePrinter {
    pub(super) fn new(options: &Options, is_terminal: bool, colour: bool) -> TablePrinter {
        let (by, with_time, headers) = (options.group_by, options.time, options.headers);
        TablePrinter {
            by,
            with_time,
            headers,
            is_terminal,
            colour,
            rows: None,
            widths: Widths::default(),
        }
    }

    /// Starts a new header, as the columns have changed.
    pub(super) fn reset(&mut self) {
        self.rows = None;
        self.widths = Widths::default();
    }

    /// Formats a row, and a header before it if one is due. `screen` returns the terminal's width.
    pub(super) fn format_row(
        &mut self,
        row: &GroupRow,
        names: &[String],
        screen: impl FnOnce() -> usize,
    ) -> String {
        let texts = self.texts(row);
        let is_due = self.rows.is_none_or(|rows| self.headers > 0 && rows >= self.headers);
        let mut output = String::new();
        if is_due || self.is_terminal && !self.widths.fit_all(&lengths(&texts)) {
            let names = self.header_names(names);
            if self.is_terminal {
                let reserved = if row.is_total { SHORT_NOTE.len() + 2 } else { 0 };
                let needed: Vec<(usize, usize)> = texts
                    .iter()
                    .map(|text| (length(&text.text), if text.is_text { 8 } else { 0 }))
                    .collect();
                self.widths.fit(&names, &needed, screen().saturating_sub(reserved));
            } else {
                self.widths.set(names.iter().zip(&texts).map(|(name, text)| {
                    COLUMN_WIDTH.max(length(name)).max(length(&text.text) + 1)
                }));
            }
            self.push_header(&names, &mut output);
            self.rows = Some(0);
        }
        if self.is_terminal {
            self.push_fitted(row, &texts, &mut output);
        } else {
            self.push_original(row, &texts, &mut output);
        }
        self.rows = self.rows.map(|rows| rows + 1);
        output
    }

    fn header_names(&self, columns: &[String]) -> Vec<String> {
        let time =
            self.with_time.then(|| if self.is_terminal { "UTC" } else { "time (UTC)" }.to_owned());
        let group = self.by.map(|by| Group::title(by).to_owned());
        time.into_iter()
            .chain(group)
            .chain(columns.iter().map(|name| Escaped(name).to_string()))
            .collect()
    }

    fn texts(&self, row: &GroupRow) -> Vec<Text> {
        let plain = |text: String| Text {
            text: Escaped(&text).to_string(),
            is_text: false,
            is_placeholder: false,
        };
        let time = self.with_time.then(|| plain(time_of_day(row.time)));
        let group = self.by.map(|_| {
            plain(if self.is_terminal { row.short_group_text() } else { row.group_text() })
        });
        let cells = row.cells.iter().map(|cell| Text {
            is_text: matches!(cell.value, Value::Text(_)),
            is_placeholder: matches!(cell.value, Value::Missing | Value::Mixed),
            ..plain(if self.is_terminal { short(cell) } else { cell.plain() })
        });
        time.into_iter().chain(group).chain(cells).collect()
    }

    fn push_header(&self, names: &[String], output: &mut String) {
        let bold = if self.colour { Style::new().bold() } else { Style::new() };
        let line = if self.is_terminal {
            let mut names: Vec<String> = names
                .iter()
                .zip(self.widths.all())
                .map(|(name, width)| pad_left(&elided(name, *width), *width))
                .collect();
            names.extend(self.widths.omitted_note());
            names.join("  ")
        } else {
            let names =
                names.iter().zip(self.widths.all()).map(|(name, width)| centred(name, *width));
            names.collect::<Vec<_>>().join("|")
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(output, "{bold}{line}{bold:#}");
    }

    fn push_original(&self, row: &GroupRow, texts: &[Text], output: &mut String) {
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

    fn push_fitted(&self, row: &GroupRow, texts: &[Text], output: &mut String) {
        let leading = texts.len() - row.cells.len();
        for (at, (text, width)) in texts.iter().zip(self.widths.all()).enumerate() {
            let style = match text {
                _ if !self.colour => Style::new(),
                _ if at < leading || text.is_placeholder => Style::new().dimmed(),
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

/// Centres a name as Python's `str.center` does.
fn centred(name: &str, width: usize) -> String {
    let margin = width.saturating_sub(length(name));
    let left = margin / 2 + (margin & width & 1);
    spaces(left) + name + &spaces(margin - left)
}

/// Formats a value in few characters.
fn short(cell: &Cell) -> String {
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
