//! Text in columns of a terminal, where a character may take none, one or two.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

/// What stands for what was cut away.
const CUT: &str = "…";

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text cut at its end to so many columns.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    match columns {
        0 => String::new(),
        _ => beginning(text, columns - 1) + CUT,
    }
}

/// A text cut in its middle to so many columns; more of its end is left, which is what tells labels
/// apart.
pub(crate) fn fit_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns || columns < 5 {
        return fit(text, columns);
    }
    let first = (columns - 1) / 3;
    let reversed: Vec<String> = characters(text).rev().collect();
    let mut rest = columns - 1 - first;
    let mut end: Vec<&str> = Vec::new();
    for character in &reversed {
        match rest.checked_sub(width(character)) {
            Some(left) => rest = left,
            None => break,
        }
        end.push(character);
    }
    end.reverse();
    beginning(text, first) + CUT + &end.concat()
}

/// As much of a text as so many columns hold.
fn beginning(text: &str, columns: usize) -> String {
    let mut left = columns;
    let mut beginning = String::new();
    for character in characters(text) {
        match left.checked_sub(width(&character)) {
            Some(rest) => left = rest,
            None => break,
        }
        beginning.push_str(&character);
    }
    beginning
}

/// What a reader takes for one character: with its accents, for instance.
fn characters(text: &str) -> impl DoubleEndedIterator<Item = String> {
    let all: Vec<String> = Span::raw(text)
        .styled_graphemes(Style::new())
        .map(|grapheme| grapheme.symbol.to_owned())
        .collect();
    all.into_iter()
}

/// A text in lines of at most so many columns, broken between words where that is possible.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let gap = usize::from(!line.is_empty());
        if width(&line) + gap + width(word) <= columns {
            line.push_str(if gap == 1 { " " } else { "" });
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        let mut rest = word;
        while width(rest) > columns {
            let part = beginning(rest, columns);
            if part.is_empty() {
                break;
            }
            rest = &rest[part.len()..];
            lines.push(part);
        }
        line.push_str(rest);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Writes a text in an area's first line, from this column of it on, as far as it fits, and tells
/// in which column it ends.
pub(crate) fn put(buffer: &mut Buffer, area: Rect, column: u16, text: &str, style: Style) -> u16 {
    let room = area.width.saturating_sub(column);
    if room == 0 || area.height == 0 {
        return column;
    }
    let (end, _) =
        buffer.set_stringn(area.x + column, area.y, fit(text, room.into()), room.into(), style);
    end - area.x
}

/// Writes a text so that it ends where the area does.
pub(crate) fn put_right(buffer: &mut Buffer, area: Rect, text: &str, style: Style) {
    let text = fit(text, area.width.into());
    let column = area.width - u16::try_from(width(&text)).unwrap_or(area.width).min(area.width);
    put(buffer, area, column, &text, style);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!(fit("status", 6), "status");
        assert_eq!(fit("status", 5), "stat…");
        assert_eq!(fit("status", 0), "");
        assert_eq!(fit_middle("web.stats.status.2XX", 20), "web.stats.status.2XX");
        assert_eq!(fit_middle("web.stats.status.2XX", 13), "web.…atus.2XX");
        assert_eq!(fit_middle("status", 3), "st…");
    }

    #[test]
    fn wide_characters_take_two_columns_and_accents_none() {
        assert_eq!(width("東京"), 4);
        assert_eq!(fit("東京都", 5), "東京…");
        assert_eq!(fit("東京都", 4), "東…");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert!(width(&fit_middle("東京都東京都東京都", 8)) <= 8);
    }

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(wrap("From a request to\nthe end.", 10), ["From a", "request to", "the end."]);
        assert_eq!(wrap("a longerthanaline b", 6), ["a", "longer", "thanal", "ine b"]);
        assert_eq!(wrap("", 10), [""; 0]);
        assert_eq!(wrap("東京", 1), ["東京"]);
    }
}
