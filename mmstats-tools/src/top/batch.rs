//! Tables as plain text.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use super::app::App;
use super::format::{Formatter, has_symbol};
use super::list::Line;
use super::model::Class;
use super::view::text::{fit_middle, width};
use crate::command::{Stop, finish, status};
use crate::console::Console;
use crate::escape::{Escaped, EscapedPath};
use crate::render::date::Date;
use crate::scraper::Scraper;

/// Longer labels are shortened.
const LABEL_WIDTH: usize = 60;

/// Prints `count` tables, one after each interval.
pub(super) fn run(
    mut app: App,
    mut scraper: Scraper,
    count: u64,
    console: &mut Console<'_>,
) -> ExitCode {
    let mut has_failed = false;
    let mut next = Instant::now();
    let mut end = Ok(());
    for number in 0..=count {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next += app.interval;
        app.apply(scraper.scrape());
        for error in &app.model.errors {
            has_failed = true;
            if error.is_new {
                console.report_path(&error.name, &error.what);
            }
        }
        // The first scrape is only the base of rates.
        if number > 0 {
            let separator = if number > 1 { "\n" } else { "" };
            end = print(&format!("{separator}{}", format_table(&app)), console);
        }
        if end.is_err() {
            break;
        }
    }
    if app.model.table().rows().next().is_none() && !has_failed {
        let searched: Vec<_> =
            scraper.searched().iter().map(|path| EscapedPath::new(path).to_string()).collect();
        console.report(format_args!("no stats found: searched {}", searched.join(", ")));
    }
    if has_failed { ExitCode::FAILURE } else { status(&end) }
}

fn print(text: &str, console: &mut Console<'_>) -> Result<(), Stop> {
    let written = console.out.write_all(text.as_bytes()).and_then(|()| console.out.flush());
    finish(written, console)
}

fn format_table(app: &App) -> String {
    let mut text = String::new();
    let (counts, formatter) = (app.model.counts(), Formatter::new(&app.settings, app.model.time));
    let now = app.model.time.duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let date = Date::from_unix(now.as_secs_f64()).map_or(String::new(), |date| date.to_string());
    let writers = counts.alive + counts.dead + counts.unknown;
    // Writing to a `String` cannot fail.
    let _ = writeln!(
        text,
        "topstats {date}, {writers} writers: {} alive, {} dead, {} unknown, {} fields",
        counts.alive, counts.dead, counts.unknown, counts.fields
    );
    let _ = writeln!(text, "{:<LABEL_WIDTH$} {:>20} {:>12}  UNIT", "  LABEL", "VALUE", "RATE/s");
    for line in &app.list.lines {
        let line = match line {
            Line::Group(group) => {
                let dead = if group.is_dead { "† " } else { "" };
                format!(
                    "{:indent$}{dead}{} ({})",
                    "",
                    Escaped(&group.name),
                    group.rows,
                    indent = group.depth * 2
                )
            }
            Line::Row { index, depth, skip, .. } => {
                let Some(row) = app.model.table().get(*index) else { continue };
                let mark = if row.is_dead() { "† " } else { "  " };
                let label = format!(
                    "{:indent$}{mark}{}",
                    "",
                    Escaped(row.label.get(*skip..).unwrap_or_default()),
                    indent = depth * 2
                );
                let label = fit_middle(&label, LABEL_WIDTH);
                let label = format!(
                    "{label}{:padding$}",
                    "",
                    padding = LABEL_WIDTH.saturating_sub(width(&label))
                );
                let value = formatter.value(row);
                let note = match row.class {
                    Class::Histogram => formatter.percentiles(row, &app.model.recorded(row)),
                    _ if formatter.is_raw || !has_symbol(&row.unit) => {
                        Escaped(&row.unit).to_string()
                    }
                    _ => String::new(),
                };
                format!("{label} {value:>20} {:>12}  {note}", formatter.rate(row, row.rate))
            }
        };
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
