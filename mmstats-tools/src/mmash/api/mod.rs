//! `/api/v1` and `/healthz`: JSON for programs.

pub(super) mod query;
pub(super) mod stats;

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::escape::lossless_path;
use crate::mmash::api::stats::{Query, render};
use crate::mmash::server::Call;
use crate::mmash::server::response::{HttpError, JSON, with_type};
use crate::render::json::{bytes, liveness_name};
use crate::scraper::{self, Scrape};
use mmstats_std::clock::unix_seconds;

/// Handles `/api/v1/stats`.
pub(crate) async fn stats(call: Call) -> Result<Response, HttpError> {
    let query = Query::from_parameters(&call.parameters(&["match", "by"])?)?;
    let interval = call.server.interval.as_secs_f64();
    call.respond_with_scrape(JSON, move |snapshot| render(snapshot, interval, &query)).await
}

/// Handles `/api/v1/files`.
pub(crate) async fn files(call: Call) -> Result<Response, HttpError> {
    call.parameters(&[])?;
    call.respond_with_scrape(JSON, |snapshot| list_files(&snapshot.scrape)).await
}

fn list_files(scrape: &Scrape) -> Vec<u8> {
    #[derive(Serialize)]
    struct FileList {
        time: f64,
        files: Vec<FileJson>,
        errors: Vec<ErrorJson>,
    }
    #[derive(Serialize)]
    struct FileJson {
        file: String,
        version: u8,
        pid: Option<u32>,
        liveness: &'static str,
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<u32>,
        fields: usize,
    }
    #[derive(Serialize)]
    struct ErrorJson {
        file: String,
        error: String,
    }
    let file = |sample: &scraper::WriterSample| FileJson {
        file: lossless_path(&sample.writer_id.name),
        version: sample.writer_id.version,
        pid: sample.writer_id.pid(),
        liveness: liveness_name(sample.verdict.liveness),
        reason: sample.verdict.reason.as_str(),
        owner: sample.writer_id.other_owner,
        fields: sample.fields.len(),
    };
    let error = |error: &scraper::ScrapeError| ErrorJson {
        file: lossless_path(&error.name),
        error: error.what.clone(),
    };
    bytes(&FileList {
        time: unix_seconds(scrape.time),
        files: scrape.samples.iter().map(file).collect(),
        errors: scrape.errors.iter().map(error).collect(),
    })
}

/// Handles `/healthz`: whether scrapes are on time.
pub(crate) async fn health(call: Call) -> Result<Response, HttpError> {
    call.parameters(&[])?;
    let server = &call.server;
    let latest = server.latest.snapshot.borrow().clone();
    let age = latest.as_ref().map(|latest| latest.finished.elapsed());
    // Devices and loaded machines may need a while.
    let is_late = age.is_none_or(|age| age > server.interval * 2 + Duration::from_secs(3));
    let (scrapes, bytes) = server.latest.history.size();
    let state = json!({
        "status": if is_late { "late" } else { "ok" },
        "age_seconds": age.map(|age| age.as_secs_f64()),
        "interval": server.interval.as_secs_f64(),
        "scrapes": latest.as_ref().map_or(0, |latest| latest.number),
        "duration_seconds": latest.as_ref().map(|latest| latest.duration.as_secs_f64()),
        "files": latest.as_ref().map_or(0, |latest| latest.scrape.samples.len()),
        "errors": latest.as_ref().map_or(0, |latest| latest.scrape.errors.len()),
        "history": { "scrapes": scrapes, "bytes": bytes },
    });
    let status = if is_late { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    Ok((status, with_type(JSON, state.to_string())).into_response())
}
