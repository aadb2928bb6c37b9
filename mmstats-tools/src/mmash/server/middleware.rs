//! The checks that every request passes, and the headers that every response has.
//!
//! Another site's page can make a browser send requests to this server. It cannot read the
//! responses, as no header allows that, unless its host name is made to resolve to this server
//! after it was loaded ("DNS rebinding"). So the host of a request has to be one of this server's.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST,
    HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::mmash::server::Server;
use crate::mmash::server::connections::{AnswerBody, Answering};
use crate::mmash::server::response::{HttpError, JSON};
use crate::options::mmash::parse_host;

const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                              img-src 'self'; connect-src 'self'; form-action 'self'; \
                              base-uri 'none'; frame-ancestors 'none'";

/// The connection of a request.
#[derive(Clone)]
pub(super) struct Accepted {
    /// This server's address on it.
    pub(super) local: SocketAddr,
    pub(super) answering: Arc<Answering>,
}

/// The path of health checks, which are answered under any load.
const HEALTH: &str = "/healthz";

/// Checks a request, and completes its response: the body of an error, and common headers.
pub(super) async fn check_requests(
    State(server): State<Arc<Server>>,
    Extension(accepted): Extension<Accepted>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let is_stream = path == "/events" && request.method() == Method::GET;
    let mut response = match check(&server, &accepted, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if let Some(error) = response.extensions_mut().remove::<HttpError>() {
        set_error_body(&mut response, &error, &path);
    }
    if is_stream && response.status().is_success() {
        accepted.answering.0.end_with_client();
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if accepted.answering.0.is_spare {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| Body::new(AnswerBody { body, _answering: accepted.answering }))
}

fn check(server: &Server, accepted: &Accepted, request: &Request) -> Result<(), HttpError> {
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(String::from_utf8_lossy(host.as_bytes())),
        // No browser sends such a request, so no page can make one.
        (None, _) if request.version() == Version::HTTP_10 => None,
        _ => {
            return Err(HttpError::bad_request(
                "missing or repeated Host header (exactly one expected)",
            ));
        }
    };
    // A request target may name a host as well.
    let target = request.uri().authority().map(Authority::as_str);
    if let Some(other) = [host.as_deref(), target]
        .into_iter()
        .flatten()
        .find(|host| !is_ours(host, accepted.local, &server.hosts))
    {
        let message = not_ours(other, accepted.local);
        return Err(HttpError::new(StatusCode::MISDIRECTED_REQUEST, message));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(HttpError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method not allowed (GET or HEAD expected)",
        ));
    }
    if is_cross_site(headers, request.uri()) {
        return Err(HttpError::new(StatusCode::FORBIDDEN, "request from another site's page"));
    }
    if request.uri().path() == HEALTH {
        return Ok(());
    }
    if accepted.answering.0.is_spare {
        return Err(HttpError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many connections; try again later",
        ));
    }
    if !server.rate_limiter.try_acquire() {
        return Err(HttpError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests; see --max-requests-per-second",
        ));
    }
    Ok(())
}

/// Returns `true` if a host is this server, which accepted the connection at `local`.
fn is_ours(host: &str, local: SocketAddr, allowed: &[String]) -> bool {
    let host = host.to_ascii_lowercase();
    let (name, port) = split_port(&host);
    if allowed.iter().any(|allowed| *allowed == host || *allowed == name) {
        return true;
    }
    // Other names need DNS, and can be made to resolve to this server; addresses cannot.
    let is_number = |port: &str| port.parse().is_ok_and(|number: u16| number.to_string() == port);
    match parse_address(name) {
        // Another port of this machine may be forwarded to this server.
        Some(address) if is_canonical_loopback(address) => port.is_none_or(is_number),
        Some(address) => {
            address == local.ip().to_canonical()
                && port.is_none_or(|port| port == local.port().to_string())
        }
        None => name == "localhost" && port.is_none_or(is_number),
    }
}

/// Returns the error message for a host that is not this server.
fn not_ours(host: &str, local: SocketAddr) -> String {
    let own = SocketAddr::new(local.ip().to_canonical(), local.port());
    // A host that the option would not accept is not repeated as its value.
    let option = parse_host(host).unwrap_or_else(|_| "NAME".to_owned());
    format!(
        "host {host:?} is not this server (localhost, 127.0.0.1, [::1] or {own} expected); to \
         accept it, start mmash with --allow-host {option}"
    )
}

/// Returns `true` for 127.0.0.1 and ::1.
fn is_canonical_loopback(address: IpAddr) -> bool {
    matches!(address.to_string().as_str(), "127.0.0.1" | "::1")
}

/// Parses an address as written in URLs.
fn parse_address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => name.parse().ok().map(IpAddr::V4),
    }
}

/// Splits a host into name and port.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// Returns `true` if a browser says that another site's page made the request, unless it follows a
/// link to a page. Other programs do not send these headers.
fn is_cross_site(headers: &HeaderMap, uri: &Uri) -> bool {
    let value_of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let follows_link = value_of("sec-fetch-mode") == Some("navigate")
        && value_of("sec-fetch-dest") == Some("document")
        && uri.path() != "/events";
    matches!(value_of("sec-fetch-site"), Some("cross-site" | "same-site")) && !follows_link
}

/// Sets the body of an error: JSON for API paths, else text.
fn set_error_body(response: &mut Response, error: &HttpError, path: &str) {
    let is_api = ["/api", "/stats", "/files", "/events"].iter().any(|data| path.starts_with(data));
    let (content_type, body) = match is_api {
        true => (JSON, json!({ "error": error.message }).to_string() + "\n"),
        false => {
            ("text/plain; charset=utf-8", format!("{}\n", crate::escape::Escaped(&error.message)))
        }
    };
    *response.body_mut() = Body::from(body);
    // The length of the empty body.
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    match error.status {
        StatusCode::METHOD_NOT_ALLOWED => {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"))
        }
        _ => None,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(host: &str, local: &str, allowed: &[&str]) -> bool {
        let allowed: Vec<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        is_ours(host, local.parse().unwrap(), &allowed)
    }

    #[test]
    fn only_own_host_names_are_accepted() {
        for host in [
            "localhost",
            "LOCALHOST:5002",
            "localhost:80",
            "127.0.0.1",
            "127.0.0.1:9000",
            "[::1]:1",
        ] {
            assert!(ours(host, "127.0.0.1:5002", &[]), "{host}");
        }
        for host in [
            "",
            ":",
            ":5002",
            "localhost:",
            "localhost:05002",
            "localhost:65536",
            "localhost:+5002",
            "localhost.",
            "localhost.evil.org",
            "evil.org",
            "127.0.0.1.evil.org",
            "evil.org:5002",
            "user@localhost",
            "127.1",
            "127.0.0.2",
            "127.0.0.01",
            "0x7f000001",
            "2130706433",
            "0.0.0.0",
            "[::]",
            "[::1",
            "::1",
            "[::ffff:127.0.0.1]",
            "[0:0:0:0:0:0:0:1%25lo]",
            "localhost,evil.org",
            "localhost evil",
            "192.0.2.1",
        ] {
            assert!(!ours(host, "127.0.0.1:5002", &[]), "{host}");
        }
    }

    #[test]
    fn other_host_names_can_be_allowed() {
        assert!(ours("192.0.2.1:5002", "192.0.2.1:5002", &[]));
        assert!(!ours("192.0.2.2:5002", "192.0.2.1:5002", &[]));
        assert!(ours("Stats.example.org", "192.0.2.1:5002", &["stats.example.org"]));
        assert!(ours("stats.example.org:443", "192.0.2.1:5002", &["stats.example.org"]));
        assert!(!ours("192.0.2.1:5003", "192.0.2.1:5002", &[]));
        assert!(ours("tunnel:8080", "127.0.0.1:5002", &["tunnel:8080"]));
        assert!(!ours("tunnel:8081", "127.0.0.1:5002", &["tunnel:8080"]));
        assert!(!ours("example.org", "192.0.2.1:5002", &["stats.example.org"]));
    }
}
