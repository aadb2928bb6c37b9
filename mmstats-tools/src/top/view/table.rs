//! The table.

use std::time::SystemTime;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::app::App;
use super::super::format::Formatter;
use super::super::list::{GroupLine, Line};
use super::super::model::{Class, Row};
use super::chart::sparkline;
use super::columns::{ColumnWidths, MARK_WIDTH};
use super::text::{fit_middle, put, put_right, width, wrap};
use super::{Palette, indented, line};
use crate::escape::{Escaped, EscapedPath};
use crate::options::top::Sort;
use crate::scraper::OwnedValue;

/// The smallest width of a trend beside percentiles.
const MIN_TREND_WIDTH: usize = 8;

/// Draws headings and lines.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, app: &mut App, palette: &Palette) {
    let columns = ColumnWidths::new(area.width, app.model.table().longest(), app.settings.is_raw);
    draw_headings(buffer, line(area, 0), app, columns, palette);
    let lines = Rect { y: area.y + 1, height: area.height - 1, ..area };
    app.hit_areas.lines = lines;
    app.hit_areas.page = lines.height;
    if app.list.lines.is_empty() {
        return draw_empty(buffer, lines, app, palette);
    }
    scroll_to_selection(app, lines.height.into());
    let formatter = Formatter::new(&app.settings, app.model.time);
    for (number, at) in (app.first..app.list.lines.len()).take(lines.height.into()).enumerate() {
        let area = line(lines, number as u16);
        match &app.list.lines[at] {
            Line::Group(group) => draw_group(buffer, area, group, palette),
            Line::Row { index, depth, skip, .. } => {
                if let Some(row) = app.model.table().get(*index) {
                    draw_row(
                        buffer,
                        area,
                        app,
                        (row, *depth, *skip),
                        (columns, formatter),
                        palette,
                    );
                }
            }
        }
        if at == app.selected {
            buffer.set_style(area, palette.selected);
        }
    }
}

fn scroll_to_selection(app: &mut App, height: usize) {
    let last = app.list.lines.len().saturating_sub(height);
    app.first =
        app.first.min(last).min(app.selected).max((app.selected + 1).saturating_sub(height));
}

fn draw_headings(
    buffer: &mut Buffer,
    area: Rect,
    app: &mut App,
    columns: ColumnWidths,
    palette: &Palette,
) {
    buffer.set_style(area, palette.head);
    let arrow = |sort| match (app.settings.sort == sort, app.settings.is_ascending()) {
        (false, _) => "",
        (true, true) => "↑",
        (true, false) => "↓",
    };
    let mut rest = indented(area, MARK_WIDTH);
    let label = split_column(&mut rest, columns.label);
    put(buffer, label, 0, &format!("NAME{}", arrow(Sort::Name)), palette.head);
    let mut headings = vec![(label, Sort::Name)];
    let value = split_column(&mut rest, columns.value);
    put_right(buffer, value, &format!("VALUE{}", arrow(Sort::Value)), palette.head);
    headings.push((value, Sort::Value));
    if columns.unit > 0 {
        put(buffer, split_column(&mut rest, columns.unit), 0, "UNIT", palette.head);
    }
    if columns.rate > 0 {
        let rate = split_column(&mut rest, columns.rate);
        put_right(buffer, rate, &format!("RATE/s{}", arrow(Sort::Rate)), palette.head);
        headings.push((rate, Sort::Rate));
    }
    put(buffer, split_column(&mut rest, columns.trend), 0, "TREND", palette.head);
    app.hit_areas.headings = headings;
}

/// Splits a column, and the space after it, off the left.
fn split_column(rest: &mut Rect, columns: u16) -> Rect {
    let column = Rect { width: columns.min(rest.width), ..*rest };
    *rest = indented(*rest, columns + 1);
    column
}

fn draw_group(buffer: &mut Buffer, area: Rect, group: &GroupLine, palette: &Palette) {
    let style = if group.is_dead { palette.group.patch(palette.note) } else { palette.group };
    put(buffer, area, 0, if group.is_dead { "†" } else { "" }, style);
    let area = indented(area, MARK_WIDTH + indentation(group.depth));
    let sign = if group.is_folded { "▸" } else { "▾" };
    let rows = format!("  {} row{}", group.rows, if group.rows == 1 { "" } else { "s" });
    let room = usize::from(area.width).saturating_sub(2 + width(&rows));
    let column = put(
        buffer,
        area,
        0,
        &format!("{sign} {}", fit_middle(&Escaped(&group.name).to_string(), room)),
        style,
    );
    put(buffer, area, column, &rows, palette.note);
}

fn indentation(depth: usize) -> u16 {
    u16::try_from(depth * 2).unwrap_or(u16::MAX)
}

fn draw_row(
    buffer: &mut Buffer,
    area: Rect,
    app: &App,
    (row, depth, skip): (&Row, usize, usize),
    (columns, formatter): (ColumnWidths, Formatter),
    palette: &Palette,
) {
    let is_dead = row.is_dead();
    let style = |alive: Style| if is_dead { palette.note } else { alive };
    put(buffer, area, 0, if is_dead { "†" } else { "" }, style(palette.plain));
    let mut rest = indented(area, MARK_WIDTH);
    let label = indented(split_column(&mut rest, columns.label), indentation(depth));
    let text = Escaped(row.label.get(skip..).unwrap_or_default()).to_string();
    put(buffer, label, 0, &fit_middle(&text, label.width.into()), style(palette.plain));
    let value = formatter.value(row);
    if width(&value) > columns.value.into() && matches!(row.fact(), Some(OwnedValue::Text(_))) {
        // Texts have no rate and no trend, so they may use these columns.
        put(buffer, rest, 0, &value, style(palette.plain));
        return;
    }
    put_right(buffer, split_column(&mut rest, columns.value), &value, style(palette.plain));
    if columns.unit > 0 {
        put(
            buffer,
            split_column(&mut rest, columns.unit),
            0,
            &Escaped(&row.unit).to_string(),
            palette.note,
        );
    }
    if columns.rate > 0 {
        let is_idle = row.rate == Some(0.0);
        put_right(
            buffer,
            split_column(&mut rest, columns.rate),
            &formatter.rate(row, row.rate),
            style(if is_idle { palette.note } else { palette.rate }),
        );
    }
    if columns.trend > 0 {
        draw_trend(buffer, split_column(&mut rest, columns.trend), app, row, formatter, palette);
    }
}

fn draw_trend(
    buffer: &mut Buffer,
    area: Rect,
    app: &App,
    row: &Row,
    formatter: Formatter,
    palette: &Palette,
) {
    let mut area = area;
    if row.class == Class::Histogram {
        let text = formatter.percentiles(row, &app.model.recorded(row));
        let column = put(
            buffer,
            area,
            0,
            &text,
            if text.starts_with('(') { palette.note } else { palette.plain },
        );
        area = indented(area, if column > 0 { column + 1 } else { 0 });
        if usize::from(area.width) < MIN_TREND_WIDTH {
            return;
        }
    }
    let values: Vec<f32> = row.history.last(area.width.into()).collect();
    put_right(buffer, area, &sparkline(&values, row.class.is_cumulative()), palette.trend);
}

fn draw_empty(buffer: &mut Buffer, area: Rect, app: &App, palette: &Palette) {
    let text = if app.model.time == SystemTime::UNIX_EPOCH {
        "Reading…".to_owned()
    } else if app.model.table().rows().next().is_some() {
        "No row matches: change the filter (/) or show hidden rows (z).".to_owned()
    } else if !app.model.errors.is_empty() {
        "No file could be read: see the errors (e).".to_owned()
    } else {
        let searched: Vec<_> =
            app.searched.iter().map(|path| EscapedPath::new(path).to_string()).collect();
        format!("No stats found yet: searched {}", searched.join(", "))
    };
    for (number, text) in wrap(&text, usize::from(area.width).saturating_sub(4)).iter().enumerate()
    {
        put(buffer, line(area, 1 + number as u16), 2, text, palette.note);
    }
}
