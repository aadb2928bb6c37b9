//! Writes HTML, and encodes and decodes the parameters of a URL.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

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
    let values =
        query.split('&').filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('='));
    values
        .map(|value| percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
}

/// Encodes the value of a parameter. The result has no special characters of URLs or HTML.
pub(super) fn encode_parameter(value: &str) -> String {
    const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');
    utf8_percent_encode(value, &ENCODED).to_string()
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
