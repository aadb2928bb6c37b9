//! Responses: errors, content types, compression, and what clients accept.

use std::io::Write;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

/// The content type of JSON.
pub(crate) const JSON: &str = "application/json";

/// Smaller bodies are not compressed.
const MIN_COMPRESSED_BYTES: usize = 1024;

/// A request that fails. [`super::middleware`] writes the body: as JSON or as text, depending on
/// the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpError {
    pub(crate) status: StatusCode,
    /// The fault, then what is accepted.
    pub(crate) message: String,
}

impl HttpError {
    /// Creates an error.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        HttpError { status, message: message.into() }
    }

    /// Creates an error for an invalid request.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        HttpError::new(StatusCode::BAD_REQUEST, message)
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Returns a response of a content type.
pub(crate) fn with_type(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = body.into().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Sets the headers of a response that is compressed if the client accepts that.
pub(crate) fn set_encoding(mut response: Response, is_compressed: bool) -> Response {
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_compressed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Compresses a body if `compress` is set and it is worth it. Returns whether it did.
///
/// This takes too long for the thread that serves, and the response budget counts what it returns;
/// so it is not left to a middleware.
pub(crate) fn gzip(body: Vec<u8>, compress: bool) -> (Vec<u8>, bool) {
    let is_worth_it = compress && body.len() >= MIN_COMPRESSED_BYTES;
    (GzipChunks::new(is_worth_it).encode(body, true), is_worth_it)
}

/// The chunks of a response that is made piece by piece, compressed if the client accepts that.
pub(crate) struct GzipChunks(Option<GzEncoder<Vec<u8>>>);

impl GzipChunks {
    /// The approximate size of an encoder's own buffers.
    const ENCODER_BYTES: usize = 320 << 10;

    /// Creates an encoder; without `compress`, chunks are passed on as they are.
    pub(crate) fn new(compress: bool) -> Self {
        GzipChunks(compress.then(|| GzEncoder::new(Vec::new(), Compression::fast())))
    }

    /// Returns the memory that the encoder needs, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        if self.0.is_some() { Self::ENCODER_BYTES } else { 0 }
    }

    /// Encodes the next chunk, all of which can be decoded at once.
    pub(crate) fn encode(&mut self, chunk: Vec<u8>, is_last: bool) -> Vec<u8> {
        let Some(encoder) = &mut self.0 else { return chunk };
        // Writing to memory cannot fail.
        let _ = encoder
            .write_all(&chunk)
            .and_then(|()| if is_last { encoder.try_finish() } else { encoder.flush() });
        std::mem::take(encoder.get_mut())
    }
}

/// Returns `true` if the client accepts gzip.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let encodings = preferences(headers, &ACCEPT_ENCODING);
    let quality =
        |name: &str| encodings.iter().find(|accepted| accepted.name == name).map(|it| it.quality);
    quality("gzip").or(quality("x-gzip")).or(quality("*")).is_some_and(|quality| quality > 0.0)
}

/// An element of an `Accept` or `Accept-Encoding` header.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preference {
    /// The name, in lower case.
    pub(crate) name: String,
    /// The parameters and their values, in lower case.
    pub(crate) parameters: Vec<(String, String)>,
    /// The quality value, from 0 (not acceptable) to 1.
    pub(crate) quality: f32,
}

/// Returns the elements of a header with quality values.
pub(crate) fn preferences(headers: &HeaderMap, name: &HeaderName) -> Vec<Preference> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(parse_preference).collect()
}

fn parse_preference(text: &str) -> Option<Preference> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let mut preference = Preference { name, parameters: Vec::new(), quality: 1.0 };
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        let (key, value) =
            (key.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_ascii_lowercase());
        if key == "q" {
            let quality = value.parse().ok().filter(|quality| (0.0..=1.0).contains(quality));
            preference.quality = quality.unwrap_or(0.0);
        } else {
            preference.parameters.push((key, value));
        }
    }
    Some(preference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    fn accepts(accepted: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, accepted.parse().unwrap());
        accepts_gzip(&headers)
    }

    #[test]
    fn only_what_a_client_accepts_is_sent() {
        for accepted in ["gzip", "deflate, gzip;q=1.0, *;q=0.5", "*", "GZIP", "br;q=1, *;q=0.1"] {
            assert!(accepts(accepted), "{accepted}");
        }
        for accepted in [
            "",
            "identity",
            "gzip;q=0",
            "gzip;q=0.000, *",
            "br",
            "*;q=0",
            "gzip;q=nonsense",
            "gzipped",
        ] {
            assert!(!accepts(accepted), "{accepted}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn chunks_can_be_decoded_one_by_one() {
        let pieces = ["[1,2,3".repeat(1000), ",4".to_owned(), "]".to_owned()];
        let encode = |compress| {
            let mut chunks = GzipChunks::new(compress);
            let parts = pieces.iter().enumerate().map(|(at, piece)| {
                chunks.encode(piece.clone().into_bytes(), at + 1 == pieces.len())
            });
            parts.collect::<Vec<_>>()
        };
        assert_eq!(encode(false).concat(), pieces.concat().into_bytes());
        let parts = encode(true);
        // No chunk waits for the next one.
        assert!(parts.iter().all(|part| !part.is_empty()));
        let mut whole = String::new();
        GzDecoder::new(&parts.concat()[..]).read_to_string(&mut whole).unwrap();
        assert_eq!(whole, pieces.concat());
    }
}
