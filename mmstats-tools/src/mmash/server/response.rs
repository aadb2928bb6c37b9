//! Answers, and refusals.

use std::io::Write;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::mmash::server::response_budget::ResponseBudget;

/// The type of JSON.
pub(crate) const JSON: &str = "application/json";

/// Less than this is not worth compressing.
const SMALL: usize = 1024;

/// Why a request is not answered. How it is written depends on what was asked for; see
/// [`crate::mmash::server::middleware`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpError {
    pub(crate) status: StatusCode,
    /// In words; with what would be accepted.
    pub(crate) why: String,
}

impl HttpError {
    pub(crate) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        HttpError { status, why: why.into() }
    }

    /// The request is wrong.
    pub(crate) fn bad_request(why: impl Into<String>) -> Self {
        HttpError::new(StatusCode::BAD_REQUEST, why)
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Bytes of a type, which are made when they are asked for.
pub(crate) fn fresh(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = body.into().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Bytes for a client.
pub(crate) struct Packed {
    bytes: Vec<u8>,
    is_compressed: bool,
}

impl Packed {
    /// As an answer, if there is room for it until it has been read.
    pub(crate) async fn answer(
        self,
        content_type: &'static str,
        room: &ResponseBudget,
    ) -> Result<Response, HttpError> {
        Ok(encoded(fresh(content_type, room.hold(self.bytes).await?), self.is_compressed))
    }
}

/// Tells that a response may have been compressed, and whether it was.
pub(crate) fn encoded(mut response: Response, is_compressed: bool) -> Response {
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_compressed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Compresses bytes, if the client can read that. It takes a while, so this is nothing for the
/// thread that serves.
pub(crate) fn pack(bytes: Vec<u8>, compress: bool) -> Packed {
    if compress && bytes.len() >= SMALL {
        let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::fast());
        // Into memory: it cannot fail.
        if let Ok(packed) = encoder.write_all(&bytes).and_then(|()| encoder.finish()) {
            return Packed { bytes: packed, is_compressed: true };
        }
    }
    Packed { bytes, is_compressed: false }
}

/// Compresses an answer that is made piece by piece, if the client can read that.
pub(crate) struct GzipChunks(Option<GzEncoder<Vec<u8>>>);

impl GzipChunks {
    /// What one that compresses takes itself, in bytes, about.
    const BYTES: usize = 320 << 10;

    pub(crate) fn new(compress: bool) -> Self {
        GzipChunks(compress.then(|| GzEncoder::new(Vec::new(), Compression::fast())))
    }

    /// What it takes itself, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        if self.0.is_some() { Self::BYTES } else { 0 }
    }

    /// The next piece, as it is sent.
    pub(crate) fn pack(&mut self, piece: Vec<u8>, is_last: bool) -> Vec<u8> {
        let Some(encoder) = &mut self.0 else { return piece };
        // Into memory: it cannot fail.
        let _ = encoder
            .write_all(&piece)
            .and_then(|()| if is_last { encoder.try_finish() } else { encoder.flush() });
        std::mem::take(encoder.get_mut())
    }
}

/// Whether a client can read what is compressed.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let encodings = preferences(headers, &ACCEPT_ENCODING);
    let quality = |name: &str| {
        encodings
            .iter()
            .find(|preference| preference.name == name)
            .map(|preference| preference.quality)
    };
    quality("gzip").or(quality("x-gzip")).or(quality("*")).is_some_and(|quality| quality > 0.0)
}

/// One of the things that a client would take.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preference {
    /// In lower case.
    pub(crate) name: String,
    /// In lower case, with their values.
    pub(crate) parameters: Vec<(String, String)>,
    /// From 0, not at all, to 1.
    pub(crate) quality: f32,
}

/// What a client says it would take, in a header with qualities.
pub(crate) fn preferences(headers: &HeaderMap, name: &HeaderName) -> Vec<Preference> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(preference).collect()
}

fn preference(text: &str) -> Option<Preference> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let mut preference = Preference { name, parameters: Vec::new(), quality: 1.0 };
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        let (key, value) =
            (key.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_ascii_lowercase());
        if key == "q" {
            preference.quality = value
                .parse::<f32>()
                .ok()
                .filter(|quality| (0.0..=1.0).contains(quality))
                .unwrap_or(0.0);
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

    fn gzip(accepted: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, accepted.parse().unwrap());
        takes_gzip(&headers)
    }

    #[test]
    fn only_what_a_client_takes_is_sent() {
        for accepted in ["gzip", "deflate, gzip;q=1.0, *;q=0.5", "*", "GZIP", "br;q=1, *;q=0.1"] {
            assert!(gzip(accepted), "{accepted}");
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
            assert!(!gzip(accepted), "{accepted}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_is_compressed_in_pieces_is_whole() {
        let pieces = ["[1,2,3".repeat(1000), ",4".to_owned(), "]".to_owned()];
        let packed = |compress| {
            let mut packer = GzipChunks::new(compress);
            let parts = pieces
                .iter()
                .enumerate()
                .map(|(at, piece)| packer.pack(piece.clone().into_bytes(), at + 1 == pieces.len()));
            parts.collect::<Vec<_>>()
        };
        assert_eq!(packed(false).concat(), pieces.concat().into_bytes());
        let parts = packed(true);
        // Nothing waits for the next one.
        assert!(parts.iter().all(|part| !part.is_empty()));
        let mut whole = String::new();
        GzDecoder::new(&parts.concat()[..]).read_to_string(&mut whole).unwrap();
        assert_eq!(whole, pieces.concat());
    }
}
