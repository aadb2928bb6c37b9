//! The query and path of a request, decoded strictly. Unknown parameters are refused, as they are
//! most likely typing mistakes.
//!
//! Invalid escapes and bytes that are not UTF-8 are errors that name the parameter; most decoders
//! pass them on or replace them.

use percent_encoding::percent_decode_str;

use crate::label_glob::{self, Glob};
use crate::mmash::server::response::HttpError;

/// How often a pattern can be repeated.
const MAX_PATTERNS: usize = 64;

/// The parameters of a query, in their order.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Decodes a query.
    ///
    /// # Errors
    /// If it is not encoded properly, or has parameters that are not `known`.
    pub(crate) fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, HttpError> {
        let mut all = Vec::new();
        for part in query.unwrap_or("").split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let decoded = decode(&key.replace('+', " "))
                .and_then(|key| Ok((key, decode(&value.replace('+', " "))?)));
            let (key, value) =
                decoded.map_err(|why| HttpError::bad_request(format!("{part:?}: {why}")))?;
            if !known.contains(&key.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(HttpError::bad_request(format!(
                    "unknown parameter {key:?} ({known} expected)"
                )));
            }
            all.push((key, value));
        }
        Ok(Parameters(all))
    }

    /// Returns the values of a parameter that can be repeated.
    pub(crate) fn all<'p>(&'p self, key: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Returns the value of a parameter.
    ///
    /// # Errors
    /// If it is repeated.
    pub(crate) fn one<'p>(&'p self, key: &'p str) -> Result<Option<&'p str>, HttpError> {
        match self.all(key).count() {
            0 | 1 => Ok(self.all(key).next()),
            times => {
                Err(HttpError::bad_request(format!("{key} is given {times} times (once expected)")))
            }
        }
    }

    /// Returns patterns of labels.
    ///
    /// # Errors
    /// If there are too many, or one is invalid.
    pub(crate) fn patterns(&self, key: &str) -> Result<Vec<Glob>, HttpError> {
        let count = self.all(key).count();
        if count > MAX_PATTERNS {
            return Err(HttpError::bad_request(format!(
                "{key} is given {count} times (at most {MAX_PATTERNS} expected)"
            )));
        }
        let parse = |text| {
            label_glob::parse(text)
                .map_err(|why| HttpError::bad_request(format!("{key}={text:?}: {why}")))
        };
        self.all(key).map(parse).collect()
    }

    /// Returns a finite number of seconds.
    ///
    /// # Errors
    /// If it is not one, or is repeated.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, HttpError> {
        let Some(text) = self.one(key)? else { return Ok(None) };
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.map(Some).ok_or_else(|| {
            HttpError::bad_request(format!(
                "{key}={text:?}: not a number of seconds (2, 0.5 or 1795347122.5 expected)"
            ))
        })
    }
}

/// Decodes percent-encoded text, once.
///
/// # Errors
/// If an escape is invalid, or the result is not UTF-8.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    // The crate would pass on invalid escapes.
    let is_escape = |after: &[u8]| {
        after.get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.as_bytes().split(|byte| *byte == b'%').skip(1).all(is_escape) {
        return Err("% without two hexadecimal digits".to_owned());
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "not UTF-8")?;
    Ok(decoded.into_owned())
}

/// Parses a pattern of files, which is relative to the searched directories and stays in them.
///
/// # Errors
/// If it could lead elsewhere, or is invalid.
pub(crate) fn parse_file_pattern(text: &str) -> Result<Glob, HttpError> {
    let refuse = |why: &str| {
        Err(HttpError::bad_request(format!(
            "glob {text:?}: {why} (the name of a stats file expected, with * ? [abc] [!abc])"
        )))
    };
    if text.starts_with('/') {
        return refuse("an absolute path");
    }
    if text.split('/').any(|part| part == "..") {
        return refuse("a path that leads out of the directory");
    }
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return refuse("a control character or backslash");
    }
    if decode(text).is_ok_and(|again| again != text) {
        return refuse("encoded twice");
    }
    label_glob::parse(text).or_else(|why| refuse(&why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_strictly() {
        let parameters =
            Parameters::parse(Some("match=a%2Ab&match=c+d&&by=file"), &["match", "by"]).unwrap();
        assert_eq!(parameters.all("match").collect::<Vec<_>>(), ["a*b", "c d"]);
        assert_eq!(parameters.one("by"), Ok(Some("file")));
        for query in [
            "match=%",
            "match=%2",
            "match=%zz",
            "match=%+1",
            "match=%ff",
            "match=%c0%ae",
            "other=1",
            "%6datch=%",
        ] {
            assert!(Parameters::parse(Some(query), &["match"]).is_err(), "{query}");
        }
        assert!(Parameters::parse(Some("by=a&by=b"), &["by"]).unwrap().one("by").is_err());
    }

    #[test]
    fn numbers_are_finite() {
        for (text, number) in [
            ("-30", Some(-30.0)),
            ("1.5", Some(1.5)),
            ("nan", None),
            ("inf", None),
            ("1e999", None),
            ("", None),
            ("1s", None),
        ] {
            let parameters = Parameters::parse(Some(&format!("since={text}")), &["since"]).unwrap();
            assert_eq!(parameters.number("since").ok().flatten(), number, "{text}");
        }
    }

    #[test]
    fn file_patterns_stay_in_the_searched_directories() {
        for text in ["*", "web-*.mmstats", "a/b", "..a", "a..b", "...", "[ab]*", "100%.mmstats"] {
            assert!(parse_file_pattern(text).is_ok(), "{text}");
        }
        for text in [
            "..", "../x", "a/../x", "a/..", "/etc/*", "//x", "a\0", "a\\..\\b", "%2e%2e/x", "a\nb",
            "[",
        ] {
            assert!(parse_file_pattern(text).is_err(), "{text}");
        }
    }
}
