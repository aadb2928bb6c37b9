//! What is asked for, out of a URL's query; and how it is written there.

use std::fmt::Write;

/// The value of `q`; empty without one.
pub(super) fn search(query: &str) -> String {
    values(query, "q").next_back().unwrap_or_default()
}

/// All values of a parameter as a browser sends them. What is not UTF-8 in them is replaced.
pub(super) fn values<'q>(
    query: &'q str,
    name: &'q str,
) -> impl DoubleEndedIterator<Item = String> + 'q {
    query.split('&').filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('=')).map(decoded)
}

fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|digits| Some(16 * hex_digit(digits[0])? + hex_digit(digits[1])?));
        match (byte, hex) {
            (b'%', Some(decoded_byte)) => {
                decoded.push(decoded_byte);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A text as the value of a parameter: nothing in it acts, in a URL or in HTML.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte))
            }
            _ => {
                // A text that is written to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Whether a label has all words of a search, in capital or small letters. The script, which has
/// rows of each file, too, searches their files and processes besides, and labels as they are
/// shown.
pub(super) struct Words(Vec<String>);

impl Words {
    pub(super) fn new(search: &str) -> Self {
        Words(search.to_lowercase().split_whitespace().map(str::to_owned).collect())
    }

    pub(super) fn are_in(&self, label: &str) -> bool {
        self.0.is_empty() || {
            let label = label.to_lowercase();
            self.0.iter().all(|word| label.contains(word))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_decoded() {
        for (query, found) in [
            ("", ""),
            ("group=none", ""),
            ("a=1&q=web+status%2E2xx", "web status.2xx"),
            ("q=gr%C3%BC%c3%9fe", "grüße"),
            ("q=%ff%", "\u{fffd}%"),
            ("q=100%2", "100%2"),
            ("q=%+1", "% 1"),
            ("q=é%é1", "é%é1"),
            ("q=a&q=b", "b"),
            ("q=%3Cb%3E%22", "<b>\""),
        ] {
            assert_eq!(search(query), found, "{query}");
        }
    }

    #[test]
    fn all_values_are_found() {
        assert_eq!(
            values("plot=a.b&q=plot&plots=c&plot=%7B%22%7D&plot=&plot", "plot").collect::<Vec<_>>(),
            ["a.b", "{\"}", ""]
        );
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let text: String =
            (0..0x3000).chain(0x1_f000..0x1_f100).filter_map(char::from_u32).collect();
        let query = format!("plot={}", encoded(&text));
        assert!(
            query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._%=".contains(&byte)),
            "{query}"
        );
        assert!(values(&query, "plot").eq([text]));
        assert_eq!(encoded("a.b-c_d{x=\"1\"} +é"), "a.b-c_d%7Bx%3D%221%22%7D%20%2B%C3%A9");
    }

    #[test]
    fn all_words_have_to_be_there() {
        let words = Words::new(" STATUS  2x");
        assert!(words.are_in("web.Status.2XX"));
        assert!(!words.are_in("web.status.4XX"));
        assert!(Words::new("").are_in("anything"));
    }
}
