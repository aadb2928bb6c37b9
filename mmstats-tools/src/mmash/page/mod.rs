//! The page of `mmash`: what the server renders, and the files that it needs.
//!
//! The document has a table of all stats in it, so that the page says something without JavaScript
//! too: one row for each label, summed over its writers, and a search that the server does, and
//! links to what each writer of a label says. Scripts take that table over and keep it up to date.

mod details;
mod files;
mod html;
mod query;
mod rows;

use mmstats_std::liveness::Liveness;

use crate::render::date::Date;
use crate::render::escape::lossless_path;
use crate::scraper::Scrape;
use details::{labels, link, write_details};
pub use files::FILES;
use html::Html;
use mmstats_std::clock::unix_seconds;
use query::search;
use rows::{Row, rows};

/// What is around the table; `{{name}}` stands for what is different each time.
const TEMPLATE: &str = include_str!("../static/page.html");

/// Rows in the document at most.
const MOST_ROWS: usize = 2000;

/// Problems in the document at most.
const MOST_PROBLEMS: usize = 100;

/// What is asked of the page.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageRequest<'r> {
    /// The query as it was sent, still encoded; `q` in it is what labels are searched for, each
    /// `plot` a label to tell more of.
    pub query: &'r str,
    /// Whether it is `/graph/`, which shows large graphs in the table.
    pub graph: bool,
}

/// The page for `/` and `/graph/`, with a table that works without JavaScript.
///
/// All text in it that comes from elsewhere is escaped: for HTML, and what acts instead of being
/// seen, as the other tools do.
#[must_use]
pub fn render(scrape: &Scrape, request: &PageRequest<'_>) -> String {
    let search = search(request.query);
    let plotted = labels(request.query);
    let rows = rows(scrape, &search);
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    let mut html = Html::with_capacity(TEMPLATE.len() + rows.len().min(MOST_ROWS) * 200);
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
            "time" => html.text(&time(scrape)),
            "q" => html.text(&search),
            "count" if left_out > 0 => html.text(&format!(
                "{} of {} stats; search for a part of the others' labels to see them",
                MOST_ROWS,
                rows.len()
            )),
            "count" => html.text(&counted(rows.len(), "stat", "stats")),
            "details" => write_details(&mut html, scrape, &plotted, &search),
            "rows" => write_rows(&mut html, &rows[..rows.len() - left_out], &plotted, &search),
            "nothing-hidden" => html.raw(if rows.is_empty() { "" } else { " hidden" }),
            "nothing" => html.raw(if scrape.samples.is_empty() {
                "No process publishes anything here yet."
            } else {
                "No stat has all these words."
            }),
            "writers" => html.text(&writers(scrape)),
            "problems-hidden" => html.raw(if scrape.errors.is_empty() { " hidden" } else { "" }),
            "problems-count" => {
                html.text(&format!("{} could not be read, or not wholly", scrape.errors.len()))
            }
            "problems" => write_problems(&mut html, scrape),
            // The template is our own, and a test sees that all names in it are known.
            _ => html.raw("{{"),
        };
        html.raw(rest);
    }
    html.finish()
}

fn write_rows<'h>(
    html: &'h mut Html,
    rows: &[Row<'_>],
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
                    .raw("</th>");
                // The last two columns are not there in narrow windows, and no cell is to make
                // them.
                html.raw("<td class=\"kind\"></td><td class=\"writers\"></td></tr>\n");
            }
            group = Some(row.prefix());
        }
        let is_plotted = plotted.iter().any(|label| label == row.label);
        html.raw(match (row.is_dead(), is_plotted) {
            (false, false) => "<tr>",
            (true, false) => "<tr class=\"dead\">",
            (false, true) => "<tr class=\"plotted\">",
            (true, true) => "<tr class=\"dead plotted\">",
        });
        html.raw("<th scope=\"row\"><a href=\"").raw(&link(search, row.label)).raw(if is_plotted {
            "\" aria-current=\"true\">"
        } else {
            "\">"
        });
        html.text(row.label).raw("</a>");
        if row.is_dead() {
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
            .text(&value.short);
        html.raw("</td><td class=\"kind\">")
            .raw(row.kind.name())
            .raw("</td><td class=\"writers\">")
            .text(&row.writers())
            .raw("</td></tr>\n");
    }
    html.raw(if group.is_some() { "</tbody>" } else { "<tbody></tbody>" })
}

fn write_problems<'h>(html: &'h mut Html, scrape: &Scrape) -> &'h mut Html {
    for problem in scrape.errors.iter().take(MOST_PROBLEMS) {
        html.raw("<li>")
            .text(&lossless_path(&problem.name))
            .raw(": ")
            .text(&problem.what)
            .raw("</li>");
    }
    html.raw(if scrape.errors.len() > MOST_PROBLEMS { "<li>…</li>" } else { "" })
}

fn time(scrape: &Scrape) -> String {
    Date::from_unix(unix_seconds(scrape.time))
        .map_or_else(|| "now".to_owned(), |date| date.to_string())
}

fn writers(scrape: &Scrape) -> String {
    let ended =
        scrape.samples.iter().filter(|sample| sample.verdict.liveness == Liveness::Dead).count();
    let all = counted(scrape.samples.len(), "writer", "writers");
    if ended == 0 { all } else { format!("{all}, {ended} ended") }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
