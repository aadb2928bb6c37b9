//! The page of `mmash`: the document that the server renders, and the files that it loads.
//!
//! The document contains a table of all stats, so that it works without JavaScript too: one row for
//! each label, aggregated over its writers, a search on the server, and links to the values of each
//! writer. The scripts replace that table and update it live.

mod assets;
mod details;
mod encoding;
mod rows;

use mmstats_std::clock::unix_seconds;
use mmstats_std::liveness::Liveness;

use crate::escape::lossless_path;
use crate::render::date::Date;
use crate::scraper::Scrape;
pub use assets::ASSETS;
use details::{details_link, plotted_labels, write_details};
use encoding::{Html, parameter_values};
use rows::{LabelRow, build_rows};

/// The document; `{{name}}` marks a part that is filled in.
const TEMPLATE: &str = include_str!("../static/page.html");

/// The largest number of rows in the document.
const MAX_ROWS: usize = 2000;

/// The largest number of read errors in the document.
const MAX_ERRORS: usize = 100;

/// A request for the page.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageRequest<'r> {
    /// The query of the URL, still encoded. `q` is the search; each `plot` is a label whose details
    /// are shown.
    pub query: &'r str,
    /// `true` for `/graph/`, whose table has large graphs.
    pub graph: bool,
}

/// Renders the page for `/` and `/graph/`, with a table that works without JavaScript.
///
/// All text from outside is escaped: for HTML, and control characters as in the other tools.
#[must_use]
pub fn render(scrape: &Scrape, request: &PageRequest<'_>) -> String {
    let search = parameter_values(request.query, "q").next_back().unwrap_or_default();
    let plotted = plotted_labels(request.query);
    let rows = build_rows(scrape, &search);
    let shown = &rows[..rows.len().min(MAX_ROWS)];
    let mut html = Html::with_capacity(TEMPLATE.len() + shown.len() * 200);
    for (index, part) in TEMPLATE.split("{{").enumerate() {
        let Some((name, rest)) = part.split_once("}}").filter(|_| index > 0) else {
            html.raw(part);
            continue;
        };
        match name {
            "root" => html.raw(if request.graph { "../" } else { "./" }),
            "class" => html.raw(if request.graph { "graph" } else { "" }),
            "table-current" => html.raw(if request.graph { "" } else { " aria-current=\"page\"" }),
            "graph-current" => html.raw(if request.graph { " aria-current=\"page\"" } else { "" }),
            "view" if request.query.is_empty() => html.raw(""),
            "view" => html.raw("?").text(request.query),
            "time" => html.text(&format_time(scrape)),
            "q" => html.text(&search),
            "count" if shown.len() < rows.len() => {
                html.text(&format!("{} of {} stats; search to see others", shown.len(), rows.len()))
            }
            "count" => html.text(&count(rows.len(), "stat")),
            "details" => write_details(&mut html, scrape, &plotted, &search),
            "rows" => write_rows(&mut html, shown, &plotted, &search),
            "empty-hidden" => html.raw(if rows.is_empty() { "" } else { " hidden" }),
            "empty" => html.raw(if scrape.samples.is_empty() {
                "No stats are published yet"
            } else {
                "No match; a word with * must match the whole label"
            }),
            "writers" => html.text(&count_writers(scrape)),
            "errors-hidden" => html.raw(if scrape.errors.is_empty() { " hidden" } else { "" }),
            "errors-count" => html.text(&count(scrape.errors.len(), "read error")),
            "errors" => write_errors(&mut html, scrape),
            // A test checks that the template has no other names.
            _ => html.raw("{{"),
        };
        html.raw(rest);
    }
    html.finish()
}

fn write_rows<'h>(
    html: &'h mut Html,
    rows: &[LabelRow<'_>],
    plotted: &[String],
    search: &str,
) -> &'h mut Html {
    let mut group = None;
    for row in rows {
        if group != Some(row.prefix()) {
            if group.is_some() {
                html.raw("</tbody>\n");
            }
            html.raw("<tbody>\n");
            if !row.prefix().is_empty() {
                html.raw("<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"2\">")
                    .text(row.prefix())
                    .raw("</th>")
                    // Narrow windows hide the last two columns; a wider span would bring them back.
                    .raw("<td class=\"kind\"></td><td class=\"writers\"></td></tr>\n");
            }
            group = Some(row.prefix());
        }
        write_row(html, row, plotted.iter().any(|label| label == row.label), search);
    }
    html.raw(if group.is_some() { "</tbody>" } else { "<tbody></tbody>" })
}

fn write_row(html: &mut Html, row: &LabelRow<'_>, is_plotted: bool, search: &str) {
    html.raw(match (row.has_ended(), is_plotted) {
        (false, false) => "<tr>",
        (true, false) => "<tr class=\"dead\">",
        (false, true) => "<tr class=\"plotted\">",
        (true, true) => "<tr class=\"dead plotted\">",
    })
    .raw("<th scope=\"row\"><a href=\"")
    .raw(&details_link(search, row.label))
    .raw(if is_plotted { "\" aria-current=\"true\">" } else { "\">" })
    .text(row.label)
    .raw("</a>");
    if row.has_ended() {
        html.raw(" <em class=\"ended\">(ended)</em>");
    }
    if !row.help.is_empty() {
        html.raw("<span class=\"help\">").text(row.help).raw("</span>");
    }
    let value = row.value();
    html.raw("</th><td class=\"")
        .raw(if row.is_mean() { "value mean" } else { "value" })
        .raw("\" title=\"")
        .text(&value.exact)
        .raw("\">")
        .text(&value.short)
        .raw("</td><td class=\"kind\">")
        .raw(row.kind.name())
        .raw("</td><td class=\"writers\">")
        .text(&row.count_writers())
        .raw("</td></tr>\n");
}

fn write_errors<'h>(html: &'h mut Html, scrape: &Scrape) -> &'h mut Html {
    for error in scrape.errors.iter().take(MAX_ERRORS) {
        html.raw("<li>").text(&lossless_path(&error.name)).raw(": ").text(&error.what).raw("</li>");
    }
    html.raw(if scrape.errors.len() > MAX_ERRORS { "<li>…</li>" } else { "" })
}

fn format_time(scrape: &Scrape) -> String {
    Date::from_unix(unix_seconds(scrape.time))
        .map_or_else(|| "now".to_owned(), |date| date.to_string())
}

fn count_writers(scrape: &Scrape) -> String {
    let ended =
        scrape.samples.iter().filter(|sample| sample.verdict.liveness == Liveness::Dead).count();
    let all = count(scrape.samples.len(), "writer");
    if ended == 0 { all } else { format!("{all}, {ended} ended") }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
