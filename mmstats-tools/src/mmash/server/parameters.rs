//! What was asked: a request's query and path, decoded strictly. What is not known is refused, for
//! it would be a slip that nobody notices.

use glob::Pattern;

use crate::labels;
use crate::mmash::server::response::HttpError;

/// More patterns than this nobody needs.
const MOST: usize = 64;

/// The parameters of a query, in the order they came.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Decodes a query, which has to have no others than these.
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
                    "unknown parameter {key:?}; accepted here: {known}"
                )));
            }
            all.push((key, value));
        }
        Ok(Parameters(all))
    }

    /// The values of a parameter that can be repeated.
    pub(crate) fn all<'p>(&'p self, key: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The value of one that cannot.
    pub(crate) fn one(&self, key: &str) -> Result<Option<&str>, HttpError> {
        let values: Vec<&str> = self
            .0
            .iter()
            .filter(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
            .collect();
        match values[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(HttpError::bad_request(format!(
                "{key} is given {} times; accepted: once",
                values.len()
            ))),
        }
    }

    /// Patterns of labels.
    pub(crate) fn patterns(&self, key: &str) -> Result<Vec<Pattern>, HttpError> {
        let count = self.all(key).count();
        if count > MOST {
            return Err(HttpError::bad_request(format!(
                "{key} is given {count} times; accepted: up to {MOST} times"
            )));
        }
        let parse = |text| {
            labels::parse(text)
                .map_err(|why| HttpError::bad_request(format!("{key}={text:?}: {why}")))
        };
        self.all(key).map(parse).collect()
    }

    /// A number that is finite.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, HttpError> {
        let Some(text) = self.one(key)? else { return Ok(None) };
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.map(Some).ok_or_else(|| {
            HttpError::bad_request(format!(
                "{key}={text:?}: not a number of seconds (2, 0.5, 1795347122.5 would be)"
            ))
        })
    }
}

/// Decodes what is escaped with percent signs, once.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = rest
            .get(..2)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.ok_or("a % without two hexadecimal digits")?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}

/// Parses a pattern of files that is relative to where the stats are, and cannot lead out of there.
pub(crate) fn files(text: &str) -> Result<Pattern, HttpError> {
    let refuse = |why: &str| {
        Err(HttpError::bad_request(format!(
            "glob {text:?}: {why}; accepted: the name of a file of stats, with * ? [abc] [!abc]"
        )))
    };
    if text.starts_with('/') {
        return refuse("it is absolute");
    }
    if text.split('/').any(|part| part == "..") {
        return refuse("it leads out of the directory");
    }
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return refuse("a control character or a backslash is in it");
    }
    if decode(text).is_ok_and(|again| again != text) {
        return refuse("it is encoded twice");
    }
    labels::parse(text).or_else(|why| refuse(&why))
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
    fn patterns_of_files_stay_where_the_stats_are() {
        for text in ["*", "web-*.mmstats", "a/b", "..a", "a..b", "...", "[ab]*", "100%.mmstats"] {
            assert!(files(text).is_ok(), "{text}");
        }
        for text in [
            "..", "../x", "a/../x", "a/..", "/etc/*", "//x", "a\0", "a\\..\\b", "%2e%2e/x", "a\nb",
            "[",
        ] {
            assert!(files(text).is_err(), "{text}");
        }
    }
}
