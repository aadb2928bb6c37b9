//! HTML that is written piece by piece.

use std::fmt::Write;

use crate::render::escape::Escaped;

/// A document while it is written.
pub(super) struct Html(String);

impl Html {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Html(String::with_capacity(bytes))
    }

    /// Adds what is HTML.
    pub(super) fn raw(&mut self, html: &str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    /// Adds text, for between tags or within quotes of either kind. Characters that act are shown
    /// as their escapes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        // A text that is written to a string cannot fail.
        let _ = write!(Escaping(&mut self.0), "{}", Escaped(text));
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

struct Escaping<'s>(&'s mut String);

impl Write for Escaping<'_> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
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
}
