//! The list of errors.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::app::App;
use super::text::{put, wrap};
use super::{Palette, line};
use crate::escape::{Escaped, EscapedPath};

/// Draws the list of errors.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, app: &mut App, palette: &Palette) {
    let columns = usize::from(area.width).saturating_sub(4);
    let mut lines: Vec<(String, Style)> = Vec::new();
    for error in &app.model.errors {
        let name = EscapedPath::new(&error.name).to_string();
        lines.extend(wrap(&name, columns).into_iter().map(|line| (line, palette.title)));
        lines.extend(
            wrap(&Escaped(&error.what).to_string(), columns)
                .into_iter()
                .map(|line| (format!("  {line}"), palette.plain)),
        );
    }
    if lines.is_empty() {
        lines.push(("No errors: all files could be read.".to_owned(), palette.note));
    }
    app.hit_areas.page = area.height;
    draw_lines(buffer, area, &lines, &mut app.scroll);
}

/// Draws the lines from `scroll` on, which is limited to the number of lines.
pub(super) fn draw_lines(
    buffer: &mut Buffer,
    area: Rect,
    lines: &[(String, Style)],
    scroll: &mut usize,
) {
    let height = usize::from(area.height);
    *scroll = (*scroll).min(lines.len().saturating_sub(height));
    for (number, (text, style)) in lines.iter().skip(*scroll).take(height).enumerate() {
        put(buffer, line(area, number as u16), 1, text, *style);
    }
}
