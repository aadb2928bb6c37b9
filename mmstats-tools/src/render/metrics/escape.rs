//! Text in pages: escaped as the formats need it, and harmless to the terminal of whoever looks at
//! a page.

use crate::render::escape::{Harmless, is_harmful};

/// Adds a text with `\` and line feeds escaped, and `"` if `quotes`: in the values of labels
/// always, in help texts only in OpenMetrics.
///
/// The formats have no escapes for other control characters. They become a text that tells them,
/// `\x1b`, whose backslash is escaped like any other.
pub(super) fn push(to: &mut String, text: &str, quotes: bool) {
    let mut rest = text;
    while let Some(at) =
        rest.find(|character| matches!(character, '\\' | '"') || is_harmful(character))
    {
        to.push_str(&rest[..at]);
        let length = rest[at..].chars().next().map_or(0, char::len_utf8);
        let (special, after) = rest[at..].split_at(length);
        match special {
            "\n" => to.push_str("\\n"),
            "\\" => to.push_str("\\\\"),
            "\"" if quotes => to.push_str("\\\""),
            "\"" => to.push('"'),
            harmful => to.push_str(&format!("\\{}", Harmless(harmful))),
        }
        rest = after;
    }
    to.push_str(rest);
}

/// Adds a label: `name="value"`, behind a comma if there is one already.
pub(super) fn push_label(to: &mut String, name: &str, value: &str) {
    if !to.is_empty() {
        to.push(',');
    }
    to.push_str(name);
    to.push_str("=\"");
    push(to, value, true);
    to.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, quotes: bool) -> String {
        let mut to = String::new();
        push(&mut to, text, quotes);
        to
    }

    #[test]
    fn quotes_are_escaped_only_where_the_format_has_it_so() {
        assert_eq!(escaped(r#"a "b" \c"#, true), r#"a \"b\" \\c"#);
        assert_eq!(escaped(r#"a "b" \c"#, false), r#"a "b" \\c"#);
    }

    #[test]
    fn control_characters_are_told_and_not_written() {
        assert_eq!(escaped("a\nb\r\x1b[2J\u{202e}ü<b>", true), r"a\nb\\r\\x1b[2J\\u202eü<b>");
        assert_eq!(escaped("", true), "");
    }
}
