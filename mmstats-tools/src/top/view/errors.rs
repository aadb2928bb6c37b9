//! What could not be read.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::app::App;
use super::text::{put, wrap};
use super::{Palette, line};
use crate::render::escape::{Escaped, EscapedPath};

/// Draws the list of problems.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, app: &mut App, palette: &Palette) {
    let columns = usize::from(area.width).saturating_sub(4);
    let mut lines: Vec<(String, Style)> = Vec::new();
    for problem in &app.model.errors {
        let name = EscapedPath::new(&problem.name).to_string();
        lines.extend(wrap(&name, columns).into_iter().map(|line| (line, palette.title)));
        lines.extend(
            wrap(&Escaped(&problem.what).to_string(), columns)
                .into_iter()
                .map(|line| (format!("  {line}"), palette.plain)),
        );
    }
    if lines.is_empty() {
        lines.push(("Everything could be read.".to_owned(), palette.note));
    }
    app.hit_areas.page = area.height;
    draw_lines(buffer, area, &lines, &mut app.scroll);
}

/// Draws as many lines as there is room for, from `scroll` on; that is kept within what there is.
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
