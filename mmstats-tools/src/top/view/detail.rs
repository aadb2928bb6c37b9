//! The details of one row.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::app::App;
use super::super::format::{Formatter, NO_VALUE};
use super::super::list::Line;
use super::super::model::{Aggregation, Class, Contribution, Recorded, Row};
use super::errors::draw_lines;
use super::text::{fit_middle, put, put_right, width, wrap};
use super::{Palette, chart, histogram, indented, line};
use crate::escape::{Escaped, EscapedPath};
use crate::render::human;
use crate::scraper::OwnedValue;
use crate::series::HistogramSnapshot;

/// The most lines of help.
const MAX_HELP_LINES: usize = 4;

/// The smallest and largest height of the chart.
const MIN_CHART_HEIGHT: u16 = 5;
const MAX_CHART_HEIGHT: u16 = 14;

/// The largest width of values in the list of writers.
const MAX_VALUE_WIDTH: usize = 32;

/// Separates two facts.
const GAP: &str = "   ";

/// The quantiles of histograms: their heading, and their fraction of the values.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// Draws the details of the selected row.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, app: &mut App, palette: &Palette) {
    let Some(row) = app.selected_row() else { return draw_group(buffer, area, app, palette) };
    let formatter = Formatter::new(&app.settings, app.model.time);
    let recorded =
        if row.class == Class::Histogram { app.model.recorded(row) } else { Recorded::default() };
    let mut rest = draw_title(buffer, area, row, palette);
    for (text, style) in
        facts(row, &recorded, formatter, usize::from(area.width).saturating_sub(2), palette)
    {
        put(buffer, line(rest, 0), 1, &text, style);
        rest = below(rest, 1);
    }
    let contributions = app.model.contributions(row);
    // Writers get up to half of the lines, the chart the rest.
    let wanted =
        u16::try_from(contributions.len() + 2).unwrap_or(u16::MAX).clamp(3, 3.max(rest.height / 2));
    let height = rest.height.saturating_sub(wanted).min(MAX_CHART_HEIGHT);
    if height > MIN_CHART_HEIGHT && !matches!(row.class, Class::Fact | Class::Text) {
        rest = below(rest, 1);
        let picture = Rect { height: height - 1, ..rest };
        draw_pictures(buffer, picture, app, row, &recorded, formatter, palette);
        rest = below(rest, height - 1);
    }
    let writers = writers(row, &contributions, formatter, area.width, palette);
    let mut scroll = app.scroll;
    if let Some((head, lines)) = writers.split_first() {
        rest = below(rest, 1);
        put(buffer, line(rest, 0), 1, &head.0, head.1);
        rest = below(rest, 1);
        draw_lines(buffer, rest, lines, &mut scroll);
    }
    app.hit_areas.page = rest.height;
    app.scroll = scroll;
}

fn draw_group(buffer: &mut Buffer, area: Rect, app: &App, palette: &Palette) {
    if let Some(Line::Group(group)) = app.selected_line() {
        put(
            buffer,
            line(area, 1),
            1,
            &format!("{}: {} rows", Escaped(&group.name), group.rows),
            palette.note,
        );
    }
}

/// Returns an area without its first lines.
fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect { y: area.y + lines, height: area.height - lines, ..area }
}

/// Draws the label, kind, unit and help. Returns the rest of the area.
fn draw_title(buffer: &mut Buffer, area: Rect, row: &Row, palette: &Palette) -> Rect {
    let mut about = vec![row.kind.name().to_owned()];
    if !row.unit.is_empty() {
        about.push(Escaped(&row.unit).to_string());
    }
    if !row.scale.is_none() {
        about.push(scale(row));
    }
    about.extend(Some(row.stated.to_owned()).filter(|stated| !stated.is_empty()));
    about.extend(row.is_kept.then(|| "kept".to_owned()));
    let about = about.join(", ");
    buffer.set_style(line(area, 0), palette.head);
    let room = usize::from(area.width).saturating_sub(width(&about) + 4);
    put(buffer, area, 1, &fit_middle(&Escaped(&row.label).to_string(), room), palette.head);
    put_right(buffer, Rect { width: area.width - 1, ..line(area, 0) }, &about, palette.head);
    let mut rest = below(area, 1);
    let mut texts: Vec<String> =
        row.group.iter().map(|group| format!("of {}", Escaped(group))).collect();
    texts.extend(row.help.lines().flat_map(|text| {
        wrap(&Escaped(text).to_string(), usize::from(area.width).saturating_sub(2))
    }));
    for text in texts.iter().take(MAX_HELP_LINES) {
        put(buffer, rest, 1, text, palette.note);
        rest = below(rest, 1);
    }
    rest
}

/// Describes how displayed numbers are computed from stored ones.
fn scale(row: &Row) -> String {
    let power =
        if row.scale.power == 0 { String::new() } else { format!(" × 10^{}", row.scale.power) };
    let divisor =
        if row.scale.divisor > 1 { format!(" / {}", row.scale.divisor) } else { String::new() };
    format!("stored{power}{divisor}")
}

/// Returns lines about all writers together.
fn facts(
    row: &Row,
    recorded: &Recorded,
    formatter: Formatter,
    columns: usize,
    palette: &Palette,
) -> Vec<(String, Style)> {
    if row.class == Class::Histogram {
        return quantiles(row, recorded, formatter)
            .into_iter()
            .zip([palette.note, palette.plain, palette.plain])
            .collect();
    }
    let mut parts = vec![format!("value {}", formatter.value(row))];
    if let Some(exact) =
        formatter.exact(row).filter(|exact| !parts[0].ends_with(&format!(" {exact}")))
    {
        parts.push(format!("exact {exact}"));
    }
    if row.rate.is_some() {
        parts.push(format!("{} per second", formatter.rate(row, row.rate)));
    }
    if row.values() > 1 && row.is_amount() {
        for aggregation in [Aggregation::Sum, Aggregation::Mean, Aggregation::Min, Aggregation::Max]
        {
            parts.push(format!(
                "{} {}",
                aggregation.name(),
                formatter.aggregated(row, aggregation).unwrap_or_default()
            ));
        }
    }
    flow(&parts, columns).into_iter().map(|line| (line, palette.plain)).collect()
}

/// Puts texts side by side, in as many lines as they need.
fn flow(texts: &[String], columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for text in texts {
        match lines.last_mut().filter(|line| width(line) + GAP.len() + width(text) <= columns) {
            Some(line) => *line += &[GAP, text].concat(),
            None => lines.push(text.clone()),
        }
    }
    lines
}

/// Returns a heading and two lines: values since the previous scrape, and all values.
fn quantiles(row: &Row, recorded: &Recorded, formatter: Formatter) -> Vec<String> {
    let line = |what: &str, cells: [String; 7]| {
        format!("{what:10}{}", cells.map(|cell| format!("{cell:>9}")).concat())
    };
    let cells = |buckets: &HistogramSnapshot| {
        let mut cells = [const { String::new() }; 7];
        cells[0] = if formatter.is_raw {
            buckets.count().to_string()
        } else {
            human::number(buckets.count() as f64)
        };
        let mean = buckets.mean().map(|mean| {
            if formatter.is_raw {
                format!("{mean:.1}")
            } else {
                formatter.short(row.scale.approximate(mean), &row.unit)
            }
        });
        cells[1] = mean.unwrap_or_default();
        let values = QUANTILES.map(|(_, fraction)| buckets.quantile(fraction));
        for (cell, value) in cells[2..].iter_mut().zip(values.into_iter().chain([buckets.max()])) {
            *cell = value.map_or(String::new(), |value| formatter.bucket(row, value));
        }
        cells
    };
    let [p50, p90, p99, p999] = QUANTILES.map(|(name, _)| name.to_owned());
    vec![
        line("", ["count".to_owned(), "mean".to_owned(), p50, p90, p99, p999, "max".to_owned()]),
        line("latest", cells(&recorded.since_last_scrape)),
        line("all time", cells(&recorded.total)),
    ]
}

fn draw_pictures(
    buffer: &mut Buffer,
    area: Rect,
    app: &App,
    row: &Row,
    recorded: &Recorded,
    formatter: Formatter,
    palette: &Palette,
) {
    let mut area = area;
    if row.class == Class::Histogram {
        let half = Rect { width: area.width / 2 - 1, ..area };
        let (what, buckets) = if recorded.since_last_scrape.filled.is_empty() {
            ("all time", &recorded.total)
        } else {
            ("latest", &recorded.since_last_scrape)
        };
        put(buffer, half, 1, &format!("values, {what}"), palette.note);
        histogram::draw(
            buffer,
            below(half, 1),
            buckets,
            |value| formatter.bucket(row, value),
            palette,
        );
        area = indented(area, half.width + 1);
    }
    let is_rate = row.class.is_cumulative();
    let what = match (is_rate, row.values() > 1) {
        (true, _) => "per second".to_owned(),
        (false, true) => row.resolve(Aggregation::Auto).name().to_owned(),
        (false, false) => "value".to_owned(),
    };
    put(buffer, area, 1, &what, palette.note);
    let times = app.model.times.iter();
    let skipped = times.len().saturating_sub(row.history.len());
    let latest = app.model.times.iter().next_back().unwrap_or(0.0);
    let points: Vec<(f64, f64)> = times
        .skip(skipped)
        .map(|time| time - latest)
        .zip(row.history.iter().map(f64::from))
        .collect();
    let text = |value: f64| match (row.class, is_rate) {
        (Class::Histogram, _) => human::number(value),
        (_, true) => formatter.rate(row, Some(value / row.scale.approximate(1.0))),
        (_, false) => formatter.short(value, &row.unit),
    };
    // Rates are in stored units, so they are scaled here.
    let factor =
        if is_rate && row.class != Class::Histogram { row.scale.approximate(1.0) } else { 1.0 };
    let points: Vec<(f64, f64)> =
        points.into_iter().map(|(time, value)| (time, value * factor)).collect();
    chart::draw(buffer, below(area, 1), &points, is_rate, text, palette);
}

/// Returns a heading, and a line for each writer.
fn writers(
    row: &Row,
    contributions: &[Contribution<'_>],
    formatter: Formatter,
    columns: u16,
    palette: &Palette,
) -> Vec<(String, Style)> {
    let value = |contribution: &Contribution<'_>| match contribution.value {
        Some(OwnedValue::Text(text)) => Escaped(text).to_string(),
        Some(stored) => formatter.stored(row, stored),
        None => NO_VALUE.to_owned(),
    };
    let values: Vec<String> = contributions.iter().map(value).collect();
    let widest =
        values.iter().map(|value| width(value)).max().unwrap_or(0).clamp(11, MAX_VALUE_WIDTH);
    let pad = |text: &str| {
        format!(
            "{:padding$}{}",
            "",
            fit_middle(text, widest),
            padding = widest.saturating_sub(width(text))
        )
    };
    let rate_head =
        if row.class.is_cumulative() { format!("{:>9} ", "RATE/s") } else { String::new() };
    let mut lines =
        vec![(format!("  {} {rate_head}{:>8} FILE", pad("VALUE"), "PID"), palette.head)];
    for (contribution, value) in contributions.iter().zip(&values) {
        let writer = contribution.writer;
        let rate = if row.class.is_cumulative() {
            format!("{:>9} ", formatter.rate(row, contribution.rate))
        } else {
            String::new()
        };
        let pid = writer.writer_id.pid().map_or(NO_VALUE.to_owned(), |pid| pid.to_string());
        let mark = if writer.has_ended() { '†' } else { ' ' };
        let begin = format!("{mark} {} {rate}{pid:>8} ", pad(value));
        let mut reason = if writer.has_ended() {
            format!(" ({})", writer.verdict.reason)
        } else {
            String::new()
        };
        if let Some(note) = writer.writer_id.owner_note() {
            reason.push_str(&format!(" ({note})"));
        }
        let room = usize::from(columns).saturating_sub(width(&begin) + width(&reason) + 1);
        let path = fit_middle(&EscapedPath::new(&writer.writer_id.name).to_string(), room.max(8));
        lines.push((
            format!("{begin}{path}{reason}"),
            if writer.has_ended() { palette.note } else { palette.plain },
        ));
    }
    lines
}
