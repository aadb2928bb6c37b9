//! Text in columns of a terminal; characters may be zero, one or two columns wide.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

/// Replaces removed text.
const ELLIPSIS: &str = "…";

/// Returns the width of a text in columns.
pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// Shortens a text at its end to a number of columns.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    match columns {
        0 => String::new(),
        _ => prefix(text, columns - 1) + ELLIPSIS,
    }
}

/// Shortens a text in its middle to a number of columns. Keeps more of the end, where labels
/// differ.
pub(crate) fn fit_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns || columns < 5 {
        return fit(text, columns);
    }
    let first = (columns - 1) / 3;
    let reversed: Vec<String> = graphemes(text).rev().collect();
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
    prefix(text, first) + ELLIPSIS + &end.concat()
}

/// Returns the start of a text that fits into a number of columns.
fn prefix(text: &str, columns: usize) -> String {
    let mut left = columns;
    let mut prefix = String::new();
    for character in graphemes(text) {
        match left.checked_sub(width(&character)) {
            Some(rest) => left = rest,
            None => break,
        }
        prefix.push_str(&character);
    }
    prefix
}

/// Returns the grapheme clusters of a text: characters with their accents.
fn graphemes(text: &str) -> impl DoubleEndedIterator<Item = String> {
    let all: Vec<String> = Span::raw(text)
        .styled_graphemes(Style::new())
        .map(|grapheme| grapheme.symbol.to_owned())
        .collect();
    all.into_iter()
}

/// Wraps a text into lines of at most `columns`, between words if possible.
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
            let part = prefix(rest, columns);
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

/// Writes a text in the first line of an area, starting at a column, as far as it fits. Returns the
/// column after it.
pub(crate) fn put(buffer: &mut Buffer, area: Rect, column: u16, text: &str, style: Style) -> u16 {
    let room = area.width.saturating_sub(column);
    if room == 0 || area.height == 0 {
        return column;
    }
    let (end, _) =
        buffer.set_stringn(area.x + column, area.y, fit(text, room.into()), room.into(), style);
    end - area.x
}

/// Writes a text at the right end of the first line of an area.
pub(crate) fn put_right(buffer: &mut Buffer, area: Rect, text: &str, style: Style) {
    let text = fit(text, area.width.into());
    let column = area.width - u16::try_from(width(&text)).unwrap_or(area.width).min(area.width);
    put(buffer, area, column, &text, style);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_shortened() {
        assert_eq!(fit("status", 6), "status");
        assert_eq!(fit("status", 5), "stat…");
        assert_eq!(fit("status", 0), "");
        assert_eq!(fit_middle("web.stats.status.2XX", 20), "web.stats.status.2XX");
        assert_eq!(fit_middle("web.stats.status.2XX", 13), "web.…atus.2XX");
        assert_eq!(fit_middle("status", 3), "st…");
    }

    #[test]
    fn wide_characters_have_two_columns_and_accents_none() {
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
