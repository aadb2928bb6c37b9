//! Draws the screen.

mod chart;
mod columns;
mod detail;
mod errors;
mod frame;
mod help;
mod histogram;
mod palette;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::{App, HitAreas, Pane};
pub(crate) use palette::Palette;

/// The smallest screen: columns and lines.
const MIN_SIZE: (u16, u16) = (20, 5);

/// With this many lines, the details of a row are below the table instead of replacing it.
const SPLIT_HEIGHT: u16 = 40;

/// Draws a frame.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &mut App, palette: &Palette) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    app.hit_areas = HitAreas::default();
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        let (columns, lines) = MIN_SIZE;
        text::put(buffer, area, 0, &format!("at least {columns}×{lines} needed"), palette.plain);
        return;
    }
    // Small screens have no second header line.
    let header = if area.height < 10 { 1 } else { 2 };
    frame::draw_header(buffer, Rect { height: header, ..area }, app, palette);
    frame::draw_footer(buffer, line(area, area.height - 1), app, palette);
    let body = Rect { y: area.y + header, height: area.height - header - 1, ..area };
    draw_body(buffer, body, app, palette);
}

fn draw_body(buffer: &mut Buffer, body: Rect, app: &mut App, palette: &Palette) {
    // The row may have been removed while its details are shown.
    if app.pane == Pane::Detail && app.selected_row().is_none() && body.height < SPLIT_HEIGHT {
        app.pane = Pane::Table;
    }
    match app.pane {
        Pane::Table => table::draw(buffer, body, app, palette),
        Pane::Help => help::draw(buffer, body, app, palette),
        Pane::Errors => errors::draw(buffer, body, app, palette),
        Pane::Detail if body.height < SPLIT_HEIGHT => detail::draw(buffer, body, app, palette),
        Pane::Detail => {
            let upper = Rect { height: body.height / 2, ..body };
            table::draw(buffer, upper, app, palette);
            detail::draw(
                buffer,
                Rect { y: upper.bottom(), height: body.height - upper.height, ..body },
                app,
                palette,
            );
        }
    }
}

/// Returns one line of an area, which is empty if the area has fewer lines.
fn line(area: Rect, number: u16) -> Rect {
    Rect {
        y: area.y.saturating_add(number),
        height: area.height.saturating_sub(number).min(1),
        ..area
    }
}

/// Returns an area without its first columns.
fn indented(area: Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    Rect { x: area.x + columns, width: area.width - columns, ..area }
}
