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

/// Below this nothing can be shown.
const LEAST: (u16, u16) = (20, 5);

/// From so many lines on, the details of a row stand below the table.
const HIGH: u16 = 40;

/// Draws all of it.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &mut App, palette: &Palette) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    app.hit_areas = HitAreas::default();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let (columns, lines) = LEAST;
        text::put(buffer, area, 0, &format!("at least {columns}×{lines}, please"), palette.plain);
        return;
    }
    // The second line of the header is left out where there is hardly room for the table.
    let head = if area.height < 10 { 1 } else { 2 };
    frame::draw_head(buffer, Rect { height: head, ..area }, app, palette);
    frame::draw_foot(buffer, line(area, area.height - 1), app, palette);
    let body = Rect { y: area.y + head, height: area.height - head - 1, ..area };
    draw_body(buffer, body, app, palette);
}

fn draw_body(buffer: &mut Buffer, body: Rect, app: &mut App, palette: &Palette) {
    // A row may have gone while its details were looked at.
    if app.pane == Pane::Detail && app.selected_row().is_none() && body.height < HIGH {
        app.pane = Pane::Table;
    }
    match app.pane {
        Pane::Table => table::draw(buffer, body, app, palette),
        Pane::Help => help::draw(buffer, body, app, palette),
        Pane::Errors => errors::draw(buffer, body, app, palette),
        Pane::Detail if body.height < HIGH => detail::draw(buffer, body, app, palette),
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

/// One line of an area; none if it is not so high.
fn line(area: Rect, number: u16) -> Rect {
    Rect {
        y: area.y.saturating_add(number),
        height: area.height.saturating_sub(number).min(1),
        ..area
    }
}

/// An area without its first columns.
fn indented(area: Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    Rect { x: area.x + columns, width: area.width - columns, ..area }
}
