//! The table as plain text.

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
use crate::render::date::Date;
use crate::render::escape::{Escaped, EscapedPath};
use crate::scraper::Scraper;

/// Labels longer than this are cut.
const WIDEST: usize = 60;

/// Prints so many tables, one after each interval.
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
        for problem in &app.model.errors {
            has_failed = true;
            if problem.is_new {
                console.report_path(&problem.name, &problem.what);
            }
        }
        // The first look only tells what was there before.
        if number > 0 {
            let separator = if number > 1 { "\n" } else { "" };
            end = print(&format!("{separator}{}", table(&app)), console);
        }
        if end.is_err() {
            break;
        }
    }
    if app.model.table().rows().next().is_none() && !has_failed {
        let places: Vec<_> =
            scraper.searched().iter().map(|place| EscapedPath::new(place).to_string()).collect();
        console.report(format_args!("no stats found: looked for {}", places.join(", ")));
    }
    if has_failed { ExitCode::FAILURE } else { status(&end) }
}

fn print(text: &str, console: &mut Console<'_>) -> Result<(), Stop> {
    let written = console.out.write_all(text.as_bytes()).and_then(|()| console.out.flush());
    finish(written, console)
}

fn table(app: &App) -> String {
    let mut text = String::new();
    let (census, formatter) = (app.model.counts(), Formatter::new(&app.settings, app.model.time));
    let now = app.model.time.duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let date = Date::from_unix(now.as_secs_f64()).map_or(String::new(), |date| date.to_string());
    let writers = census.alive + census.dead + census.unknown;
    // A `String` takes everything.
    let _ = writeln!(
        text,
        "topstats {date}, {writers} writers: {} alive, {} dead, {} unknown, {} fields",
        census.alive, census.dead, census.unknown, census.fields
    );
    let _ = writeln!(text, "{:<WIDEST$} {:>20} {:>12}  UNIT", "  LABEL", "VALUE", "RATE/s");
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
            Line::Row { place, depth, skip, .. } => {
                let Some(row) = app.model.table().get(*place) else { continue };
                let mark = if row.is_dead() { "† " } else { "  " };
                let label = format!(
                    "{:indent$}{mark}{}",
                    "",
                    Escaped(row.label.get(*skip..).unwrap_or_default()),
                    indent = depth * 2
                );
                let label = fit_middle(&label, WIDEST);
                let label = format!(
                    "{label}{:padding$}",
                    "",
                    padding = WIDEST.saturating_sub(width(&label))
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
