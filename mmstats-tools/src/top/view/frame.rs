//! The header and the footer of the screen.

use std::time::{Duration, UNIX_EPOCH};

use clap::ValueEnum;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::app::{App, Pane, PromptKind};
use super::super::model::Aggregation;
use super::super::settings::Visibility;
use super::text::{put, put_right, width};
use super::{Palette, line};
use crate::escape::Escaped;
use crate::options::top::Grouping;
use crate::render::date::Date;

/// Draws the number of writers, the time, and settings that differ from the defaults.
pub(super) fn draw_header(buffer: &mut Buffer, area: Rect, app: &App, palette: &Palette) {
    let first = line(area, 0);
    let counts = app.model.counts();
    let mut column = put(buffer, first, 0, "topstats", palette.title);
    let time = format!("every {}  {}", interval(app.interval), time(app));
    column = put(
        buffer,
        first,
        column,
        &format!("  {}", count(counts.alive + counts.dead + counts.unknown, "writer")),
        palette.plain,
    );
    for (number, what, style) in [
        (counts.alive, "alive", palette.plain),
        (counts.dead, "dead †", palette.plain),
        (counts.unknown, "unknown", palette.plain),
    ] {
        if number > 0 {
            let separator = if what == "alive" || column < 20 { ": " } else { ", " };
            column = put(buffer, first, column, &format!("{separator}{number} {what}"), style);
        }
    }
    column =
        put(buffer, first, column, &format!("  {}", count(counts.fields, "field")), palette.plain);
    // The time is omitted first.
    if usize::from(column) + 2 + width(&time) <= area.width.into() {
        put_right(buffer, first, &time, palette.plain);
    }
    if area.height > 1 {
        draw_settings(buffer, line(area, 1), app, palette);
    } else if app.is_paused {
        put_right(buffer, first, " PAUSED", palette.notice);
    }
}

fn draw_settings(buffer: &mut Buffer, area: Rect, app: &App, palette: &Palette) {
    let settings = &app.settings;
    let mut words: Vec<(String, Style)> = Vec::new();
    if app.is_paused {
        words.push(("PAUSED".to_owned(), palette.notice));
    }
    let errors = app.model.errors.len();
    if errors > 0 {
        words.push((format!("{} (e)", count(errors, "error")), palette.error));
    }
    if settings.grouping != Grouping::None {
        words.push((format!("by {}", name(settings.grouping)), palette.plain));
    }
    match settings.visibility {
        Visibility::All => {}
        Visibility::NotZero => words.push(("no zeros".to_owned(), palette.notice)),
        Visibility::Changing => words.push(("changing only".to_owned(), palette.notice)),
    }
    if settings.is_raw {
        words.push(("raw".to_owned(), palette.notice));
    }
    if settings.aggregation != Aggregation::Auto {
        words.push((format!("{} over writers", settings.aggregation.name()), palette.notice));
    }
    if !settings.filter_text.is_empty() && app.prompt.is_none() {
        words.push((format!("filter: {}", Escaped(&settings.filter_text)), palette.notice));
    }
    if let Some(halted) = app.model.halted {
        words.push((format!("halted for {:.1} ms", halted.as_secs_f64() * 1e3), palette.note));
    }
    let mut column = 0;
    for (word, style) in words {
        column = put(buffer, area, column, &word, style) + 2;
    }
    let (rows, all) = (app.list.rows, app.model.table().len());
    let rows =
        if rows == all { count(all, "row") } else { format!("{rows} of {}", count(all, "row")) };
    if usize::from(column) + width(&rows) <= area.width.into() {
        put_right(buffer, area, &rows, palette.note);
    }
}

/// Draws the prompt, the last input error, or the main keys.
pub(super) fn draw_footer(buffer: &mut Buffer, area: Rect, app: &App, palette: &Palette) {
    if let Some(prompt) = &app.prompt {
        let (label, hint) = match prompt.kind {
            PromptKind::Filter { .. } => ("filter: ", "  Enter keeps, Esc clears"),
            PromptKind::Interval => ("interval: ", "  0.5, 500ms or 10s"),
        };
        let column = put(buffer, area, 0, label, palette.key);
        let text = Escaped(&prompt.text).to_string();
        // Shows the end of a long text, where the user types.
        let skipped = text
            .char_indices()
            .map(|(at, _)| at)
            .find(|at| width(&text[*at..]) + 2 <= usize::from(area.width - column))
            .unwrap_or(text.len());
        let column = put(buffer, area, column, &text[skipped..], palette.plain);
        let column = put(buffer, area, column, " ", palette.selected);
        put(buffer, area, column, hint, palette.note);
        return;
    }
    if let Some(input_error) = &app.input_error {
        put(buffer, area, 0, &Escaped(input_error).to_string(), palette.error);
        return;
    }
    let keys: &[(&str, &str)] = match app.pane {
        Pane::Table => &[
            ("?", "help"),
            ("/", "filter"),
            ("s", "sort"),
            ("Tab", "group"),
            ("Enter", "details"),
            ("Space", "pause"),
            ("z", "zeros"),
            ("q", "quit"),
            ("u", "raw"),
            ("a", "aggregation"),
            ("+-", "interval"),
            ("[]", "fold"),
        ],
        Pane::Detail => &[
            ("Esc", "back"),
            ("↑↓", "other rows"),
            ("PgDn", "more writers"),
            ("Space", "pause"),
            ("u", "raw"),
            ("?", "help"),
            ("q", "quit"),
        ],
        Pane::Errors | Pane::Help => &[("Esc", "back"), ("PgDn", "more"), ("q", "quit")],
    };
    let mut column = 0;
    for (key, what) in keys {
        let gap = if column == 0 { 0 } else { 2 };
        if usize::from(column + gap) + width(key) + 1 + width(what) > usize::from(area.width) {
            break;
        }
        column = put(buffer, area, column + gap, key, palette.key);
        column = put(buffer, area, column, &format!(" {what}"), palette.note);
    }
}

fn time(app: &App) -> String {
    let now = app.model.time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let date = Date::from_unix(now.as_secs_f64()).map_or(String::new(), |date| date.to_string());
    date.get(11..).unwrap_or_default().to_owned()
}

fn interval(interval: Duration) -> String {
    crate::render::human::quantity(interval.as_secs_f64(), "seconds")
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn name(grouping: Grouping) -> String {
    grouping.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
}
