//! Details of single labels without JavaScript; the links in the table lead to them.

use super::encoding::{Html, encode_parameter, parameter_values};
use super::rows::{LabelRow, writer_rows};
use crate::escape::lossless_path;
use crate::render::json::liveness_name;
use crate::scraper::{Scrape, WriterSample};

/// The largest number of labels with details.
const MAX_LABELS: usize = 24;

/// The largest number of writers of one label.
const MAX_WRITERS: usize = 500;

/// Returns the labels in a query's `plot` parameters, each once. The scripts plot them instead.
pub(super) fn plotted_labels(query: &str) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for label in parameter_values(query, "plot") {
        if labels.len() < MAX_LABELS && !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

/// Returns the link to the details of a label, which keeps the search.
pub(super) fn details_link(search: &str, label: &str) -> String {
    let search = if search.is_empty() {
        String::new()
    } else {
        format!("q={}&amp;", encode_parameter(search))
    };
    format!("?{search}plot={}", encode_parameter(label))
}

/// Writes the values of each writer of these labels, for browsers without JavaScript.
pub(super) fn write_details<'h>(
    html: &'h mut Html,
    scrape: &Scrape,
    labels: &[String],
    search: &str,
) -> &'h mut Html {
    if labels.is_empty() {
        return html;
    }
    html.raw("<noscript>\n<section class=\"details\" aria-labelledby=\"details-title\">\n")
        .raw("<header class=\"bar\"><h2 id=\"details-title\">Each writer</h2>")
        .raw("<a href=\"?q=")
        .raw(&encode_parameter(search))
        .raw("\">Close</a></header>\n");
    for label in labels {
        write_label(html, scrape, label);
    }
    html.raw("</section>\n</noscript>")
}

fn write_label(html: &mut Html, scrape: &Scrape, label: &str) {
    let mut found = writer_rows(scrape, label).peekable();
    html.raw("<h3>").text(label).raw("</h3>\n");
    let Some((_, first)) = found.peek() else {
        html.raw("<p class=\"note\">not published</p>\n");
        return;
    };
    html.raw("<p class=\"note\">").raw(first.kind.name());
    for text in [first.unit, first.help].into_iter().filter(|text| !text.is_empty()) {
        html.raw(" · ").text(text);
    }
    html.raw("</p>\n<table class=\"numbers\"><caption class=\"visually-hidden\">Writers of ")
        .text(label)
        .raw("</caption><thead><tr><th scope=\"col\">Writer</th><th scope=\"col\">Value</th>")
        .raw("<th scope=\"col\">Process</th></tr></thead><tbody>\n");
    for (sample, row) in found.by_ref().take(MAX_WRITERS) {
        write_writer(html, sample, &row);
    }
    html.raw("</tbody></table>\n");
    let others = found.count();
    if others > 0 {
        html.raw("<p class=\"note\">").text(&format!("and {others} more")).raw("</p>\n");
    }
}

fn write_writer(html: &mut Html, sample: &WriterSample, row: &LabelRow<'_>) {
    let (path, value) = (lossless_path(&sample.writer_id.name), row.value());
    let name = path.rsplit('/').next().unwrap_or_default();
    let has_ended = sample.verdict.writer_has_ended();
    let process =
        sample.writer_id.pid().map_or_else(|| "no process".to_owned(), |pid| pid.to_string());
    html.raw(if has_ended { "<tr class=\"dead\">" } else { "<tr>" })
        .raw("<th scope=\"row\" title=\"")
        .text(&path)
        .raw("\">")
        .text(&process)
        .raw(" · ")
        .text(name)
        .raw("</th><td title=\"")
        .text(&value.exact)
        .raw("\">")
        .text(&value.short)
        .raw("</td><td title=\"")
        .text(sample.verdict.reason.as_str())
        .raw("\">")
        .raw(if has_ended { "ended" } else { liveness_name(sample.verdict.liveness) });
    if let Some(note) = sample.writer_id.owner_note() {
        html.raw("; ").text(&note);
    }
    html.raw("</td></tr>\n");
}
