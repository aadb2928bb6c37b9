//! `/metrics` for Prometheus, and the same in a file.

pub(super) mod textfile;

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, HeaderValue, VARY};
use axum::response::Response;

use crate::escape::Escaped;
use crate::mmash::live::scrape_loop::Snapshot;
use crate::mmash::server::Call;
use crate::mmash::server::response::{HttpError, preferences};
use crate::options::mmash::Options;
use crate::render::metrics::{DroppedField, Format, Page, Settings, per_writer};

/// Returns which metrics the command line selects.
pub(crate) fn settings(options: &Options) -> Settings {
    Settings { format: Format::Text, labels: options.labels.clone(), live: options.live }
}

/// Handles `/metrics`.
pub(crate) async fn metrics(call: Call) -> Result<Response, HttpError> {
    call.parameters(&[])?;
    let settings = Settings { format: format(&call.headers), ..call.server.metrics.clone() };
    let (content_type, shared) = (settings.format.content_type(), call.server.clone());
    let make = move |snapshot: &Snapshot| {
        let page = page(snapshot, &settings);
        for message in shared.dropped_fields.new_messages(&page.dropped) {
            eprintln!("mmash: {}", Escaped(&message));
        }
        page.text.into_bytes()
    };
    let mut response = call.respond_with_scrape(content_type, make).await?;
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    Ok(response)
}

/// Returns the metrics of a scrape.
pub(crate) fn page(snapshot: &Snapshot, settings: &Settings) -> Page {
    match &snapshot.sums {
        Some(sums) => sums.page(&snapshot.scrape, snapshot.duration, settings),
        None => per_writer(&snapshot.scrape, snapshot.duration, settings),
    }
}

/// Returns the format that a client prefers; text, unless it names `OpenMetrics`.
fn format(headers: &HeaderMap) -> Format {
    let accepted = preferences(headers, &ACCEPT);
    let quality = |name: &str, versions: &[&str]| {
        let is_known = |(key, value): &(String, String)| {
            key != "version" || versions.is_empty() || versions.contains(&&value[..])
        };
        let of_name = accepted.iter().filter(|preference| preference.name == name);
        let known = of_name.filter(|preference| preference.parameters.iter().all(is_known));
        known.map(|preference| preference.quality).fold(0.0, f32::max)
    };
    let open = quality("application/openmetrics-text", &["1.0.0", "0.0.1"]);
    let text = quality("text/plain", &[]);
    if open > 0.0 && open >= text { Format::OpenMetrics } else { Format::Text }
}

/// The number of labels without a metric that are logged.
const MAX_LABELS: usize = 100;

/// The labels that have been logged because they are missing from the metrics.
#[derive(Default)]
pub(crate) struct DroppedFieldLog(Mutex<HashSet<String>>);

impl DroppedFieldLog {
    /// Returns messages about fields that have not been logged yet.
    pub(crate) fn new_messages(&self, dropped: &[DroppedField]) -> Vec<String> {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut messages = Vec::new();
        for field in dropped {
            if logged.len() < MAX_LABELS && logged.insert(field.label.clone()) {
                messages.push(format!("not in the metrics: {field}"));
                if logged.len() == MAX_LABELS {
                    messages.push(format!(
                        "not in the metrics: more than {MAX_LABELS} labels; \
                         mmstats_dropped_fields counts them"
                    ));
                }
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_the_format_it_prefers() {
        let chosen = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            format(&headers)
        };
        for accept in [
            "application/openmetrics-text",
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "text/plain;q=0.5, APPLICATION/OpenMetrics-Text;q=0.5",
        ] {
            assert_eq!(chosen(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=2.0.0",
            "text/plain, application/openmetrics-text;q=0.9",
            "text/html,*/*;q=0.8",
            "application/json",
        ] {
            assert_eq!(chosen(accept), Format::Text, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn each_label_is_logged_once_and_not_too_many() {
        let dropped = |label: usize| DroppedField {
            file: None,
            label: format!("x{label}"),
            reason: "dropped".to_owned(),
        };
        let log = DroppedFieldLog::default();
        assert_eq!(
            log.new_messages(&[dropped(1), dropped(1), dropped(2)]),
            ["not in the metrics: x1: dropped", "not in the metrics: x2: dropped"]
        );
        assert_eq!(
            log.new_messages(&[dropped(2), dropped(3)]),
            ["not in the metrics: x3: dropped"]
        );
        let rest: usize = (0..3)
            .map(|_| log.new_messages(&(0..1000).map(dropped).collect::<Vec<_>>()).len())
            .sum();
        assert_eq!(rest, MAX_LABELS - 3 + 1);
    }
}
