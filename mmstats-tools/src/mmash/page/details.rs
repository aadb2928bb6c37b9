//! What there is to say of single labels without JavaScript: where a link in the table leads.

use mmstats_std::liveness::Liveness;

use super::html::Html;
use super::query::{encoded, values};
use super::rows::{Row, writers};
use crate::render::escape::lossless_path;
use crate::render::json::liveness_name;
use crate::scraper::{Scrape, WriterSample};

/// Labels with details at most.
const MOST_LABELS: usize = 24;

/// Writers of one label at most.
const MOST_WRITERS: usize = 500;

/// The labels that a query asks for; the script calls it plotting them.
pub(super) fn labels(query: &str) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for label in values(query, "plot") {
        if labels.len() < MOST_LABELS && !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

/// A query that asks for a label, and for what is searched for.
pub(super) fn link(search: &str, label: &str) -> String {
    let search =
        if search.is_empty() { String::new() } else { format!("q={}&amp;", encoded(search)) };
    format!("?{search}plot={}", encoded(label))
}

/// What each writer of these labels says, for browsers that run no scripts: others have plots.
pub(super) fn write_details<'h>(
    html: &'h mut Html,
    scrape: &Scrape,
    labels: &[String],
    search: &str,
) -> &'h mut Html {
    if labels.is_empty() {
        return html;
    }
    html.raw(
        "<noscript>\n<section class=\"details\" aria-labelledby=\"details-title\">\n<header class=\"bar\"><h2 id=\"details-title\">Each writer</h2>",
    );
    html.raw("<a href=\"?q=").raw(&encoded(search)).raw("\">Close</a></header>\n");
    for label in labels {
        write_label(html, scrape, label);
    }
    html.raw("</section>\n</noscript>")
}

fn write_label(html: &mut Html, scrape: &Scrape, label: &str) {
    let mut found = writers(scrape, label).peekable();
    html.raw("<h3>").text(label).raw("</h3>\n");
    let Some((_, first)) = found.peek() else {
        html.raw("<p class=\"note\">not published now</p>\n");
        return;
    };
    html.raw("<p class=\"note\">").raw(first.kind.name());
    for text in [first.unit, first.help].into_iter().filter(|text| !text.is_empty()) {
        html.raw(" · ").text(text);
    }
    html.raw("</p>\n<table class=\"numbers\"><caption class=\"hidden\">Writers of ").text(label);
    html.raw("</caption><thead><tr><th scope=\"col\">Writer</th><th scope=\"col\">Value</th><th scope=\"col\">Process</th></tr></thead><tbody>\n");
    for (sample, row) in found.by_ref().take(MOST_WRITERS) {
        write_writer(html, sample, &row);
    }
    html.raw("</tbody></table>\n");
    let others = found.count();
    if others > 0 {
        html.raw("<p class=\"note\">").text(&format!("and {others} more")).raw("</p>\n");
    }
}

fn write_writer(html: &mut Html, sample: &WriterSample, row: &Row<'_>) {
    let (path, value) = (lossless_path(&sample.writer_id.name), row.value());
    let (name, dead) =
        (path.rsplit('/').next().unwrap_or_default(), sample.verdict.liveness == Liveness::Dead);
    let process =
        sample.writer_id.pid.map_or_else(|| "no process".to_owned(), |pid| pid.to_string());
    html.raw(if dead { "<tr class=\"dead\">" } else { "<tr>" })
        .raw("<th scope=\"row\" title=\"")
        .text(&path)
        .raw("\">");
    html.text(&process)
        .raw(" · ")
        .text(name)
        .raw("</th><td title=\"")
        .text(&value.exact)
        .raw("\">")
        .text(&value.short);
    html.raw("</td><td title=\"").text(sample.verdict.reason.as_str()).raw("\">");
    html.raw(if dead { "ended" } else { liveness_name(sample.verdict.liveness) })
        .raw("</td></tr>\n");
}
