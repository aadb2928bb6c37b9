//! Maps paths to handlers, and serves the page and its files.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use crate::mmash::api::query;
use crate::mmash::live::events;
use crate::mmash::live::snapshot::Snapshot;
use crate::mmash::page::{self, PageRequest};
use crate::mmash::server::middleware::check_requests;
use crate::mmash::server::response::{HttpError, set_encoding};
use crate::mmash::server::{Call, Server};
use crate::mmash::{api, exporter, legacy_api};

/// Returns the handlers of all paths.
pub(super) fn router(server: &Arc<Server>) -> Router {
    Router::new()
        .route("/", get(render_page))
        .route("/graph/", get(render_page))
        .route("/static/{*path}", get(serve_file))
        .route("/api/v1/stats", get(api::stats))
        .route("/api/v1/files", get(api::files))
        .route("/api/v1/query", get(query::query))
        .route("/events", get(events::events))
        .route("/healthz", get(api::health))
        .route("/metrics", get(exporter::metrics))
        .route("/stats/", get(legacy_api::labels))
        .route("/stats/{*prefix}", get(legacy_api::values))
        .route("/files/", get(legacy_api::files))
        .route("/files/{*glob}", get(legacy_api::files))
        .route("/graph", get(redirect_to_slash))
        .route("/stats", get(redirect_to_slash))
        .route("/files", get(redirect_to_slash))
        .fallback(|| async {
            HttpError::new(StatusCode::NOT_FOUND, "no such address (see mmash --help)")
        })
        .with_state(server.clone())
        .layer(from_fn_with_state(server.clone(), check_requests))
}

/// Redirects to the same path with a slash. The location is relative, as a proxy may serve this
/// below another path.
async fn redirect_to_slash(uri: Uri) -> Redirect {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let name = uri.path().rsplit('/').next().unwrap_or("");
    Redirect::permanent(&format!("{name}/{query}"))
}

async fn render_page(call: Call) -> Result<Response, HttpError> {
    let uri = call.uri.clone();
    let render = move |snapshot: &Snapshot| {
        let (query, graph) = (uri.query().unwrap_or(""), uri.path() == "/graph/");
        page::render(&snapshot.scrape, &PageRequest { query, graph }).into_bytes()
    };
    call.respond_with_scrape("text/html; charset=utf-8", render).await
}

/// Serves a file of the page. Files change only with this program, so browsers revalidate them.
async fn serve_file(call: Call) -> Result<Response, HttpError> {
    let path = call.uri.path().strip_prefix("/static/").unwrap_or("");
    let found = page::ASSETS.iter().find(|(name, ..)| *name == path);
    let Some((_, content_type, bytes)) = found else {
        return Err(HttpError::new(StatusCode::NOT_FOUND, "no such file"));
    };
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let mut response = if is_known(&tag, &call.headers) {
        set_encoding(StatusCode::NOT_MODIFIED.into_response(), false)
    } else {
        call.respond(content_type, || bytes.to_vec()).await?
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Weak, as it is the same for compressed and uncompressed responses.
    response.headers_mut().insert(
        ETAG,
        HeaderValue::from_str(&format!("W/{tag}")).unwrap_or(HeaderValue::from_static("\"\"")),
    );
    Ok(response)
}

/// Returns `true` if the client has the file with this tag.
fn is_known(tag: &str, headers: &HeaderMap) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|known| known.to_str().ok());
    known
        .flat_map(|known| known.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
