//! Writes HTML, and encodes and decodes the parameters of a URL.

use std::fmt::Write;

use crate::escape::Escaped;

/// A writer of HTML.
pub(super) struct Html(String);

impl Html {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Html(String::with_capacity(bytes))
    }

    /// Appends HTML as it is.
    pub(super) fn raw(&mut self, html: &str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    /// Appends text, for use between tags or in quotes of either kind. Control characters are
    /// escaped too.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        // Writing to a string never fails.
        let _ = write!(HtmlEscaper(&mut self.0), "{}", Escaped(text));
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

struct HtmlEscaper<'s>(&'s mut String);

impl Write for HtmlEscaper<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            self.0.push_str(&rest[..at]);
            self.0.push_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            });
            rest = &rest[at + 1..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}

/// Returns the decoded values of a query's parameter. Invalid UTF-8 is replaced.
pub(super) fn parameter_values<'q>(
    query: &'q str,
    name: &'q str,
) -> impl DoubleEndedIterator<Item = String> + 'q {
    query.split('&').filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('=')).map(decode)
}

fn decode(value: &str) -> String {
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

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Encodes the value of a parameter. The result has no special characters of URLs or HTML.
pub(super) fn encode_parameter(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte));
            }
            _ => {
                // Writing to a string never fails.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_escapes_markup_and_control_characters() {
        for (text, shown) in [
            ("plain, grüße, 東京 👍", "plain, grüße, 東京 👍"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onclick='x' &amp;", "&quot; onclick=&#39;x&#39; &amp;amp;"),
            ("a\n\u{1b}[2J\u{202e}b\0", "a\\n\\x1b[2J\\u202eb\\x00"),
            ("", ""),
        ] {
            let mut html = Html::with_capacity(0);
            html.text(text);
            assert_eq!(html.finish(), shown);
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let last = |query| parameter_values(query, "q").next_back().unwrap_or_default();
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
            assert_eq!(last(query), found, "{query}");
        }
    }

    #[test]
    fn all_values_of_a_parameter_are_found() {
        let query = "plot=a.b&q=plot&plots=c&plot=%7B%22%7D&plot=&plot";
        assert_eq!(parameter_values(query, "plot").collect::<Vec<_>>(), ["a.b", "{\"}", ""]);
    }

    #[test]
    fn encoded_values_are_plain_and_decode_to_the_same() {
        let text: String =
            (0..0x3000).chain(0x1_f000..0x1_f100).filter_map(char::from_u32).collect();
        let query = format!("plot={}", encode_parameter(&text));
        assert!(
            query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._%=".contains(&byte)),
            "{query}"
        );
        assert!(parameter_values(&query, "plot").eq([text]));
        assert_eq!(encode_parameter("a.b-c_d{x=\"1\"} +é"), "a.b-c_d%7Bx%3D%221%22%7D%20%2B%C3%A9");
    }
}
