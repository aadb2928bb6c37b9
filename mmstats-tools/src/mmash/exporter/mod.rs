//! `/metrics` for Prometheus, and the same in a file.

pub(super) mod dropped_field_log;
pub(super) mod textfile;

use std::path::Path;

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, HeaderValue, VARY};
use axum::response::Response;

use crate::escape::{Escaped, lossless_path};
use crate::label_glob;
use crate::mmash::live::snapshot::Snapshot;
use crate::mmash::server::Call;
use crate::mmash::server::response::{HttpError, preferences};
use crate::options::mmash::Options;
use crate::render::metrics::{Format, Page, Settings, per_writer};

/// Returns which metrics the command line selects.
pub(crate) fn settings(options: &Options) -> Settings {
    let stem = options.textfile.as_deref().and_then(Path::file_stem);
    Settings {
        format: Format::Text,
        labels: options.labels.clone(),
        live: options.live,
        textfile: stem.map(|stem| lossless_path(Path::new(stem))),
    }
}

/// Handles `/metrics`.
pub(crate) async fn metrics(call: Call) -> Result<Response, HttpError> {
    call.parameters(&[])?;
    let settings = Settings { format: format(&call.headers), ..call.server.metrics.clone() };
    let (content_type, server) = (settings.format.content_type(), call.server.clone());
    let render = move |snapshot: &Snapshot| {
        // The patterns are those of the command line.
        label_glob::lift_limit();
        let page = page(snapshot, &settings);
        for message in server.dropped_fields.new_messages(&page.dropped) {
            eprintln!("mmash: {}", Escaped(&message));
        }
        page.text.into_bytes()
    };
    let mut response = call.respond_with_scrape(content_type, render).await?;
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
        let named = accepted.iter().filter(|preference| preference.name == name);
        let known = named.filter(|preference| preference.parameters.iter().all(is_known));
        known.map(|preference| preference.quality).fold(0.0, f32::max)
    };
    let open = quality("application/openmetrics-text", &["1.0.0", "0.0.1"]);
    let text = quality("text/plain", &[]);
    if open > 0.0 && open >= text { Format::OpenMetrics } else { Format::Text }
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
}
