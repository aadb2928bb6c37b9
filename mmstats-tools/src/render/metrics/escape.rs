//! Escapes text for the exposition formats, and for terminals that a page is printed on.

use crate::escape::{Escaped, needs_escape};

/// Appends a text with `\` and line feeds escaped, and `"` if `quotes`: label values always escape
/// quotes, help texts only in OpenMetrics.
///
/// The formats have no escapes for other control characters. These are written as text, `\x1b`,
/// whose backslash is escaped in turn.
pub(super) fn push_escaped(to: &mut String, text: &str, quotes: bool) {
    let mut rest = text;
    while let Some(at) =
        rest.find(|character| matches!(character, '\\' | '"') || needs_escape(character))
    {
        to.push_str(&rest[..at]);
        let length = rest[at..].chars().next().map_or(0, char::len_utf8);
        let (special, after) = rest[at..].split_at(length);
        match special {
            "\n" => to.push_str("\\n"),
            "\\" => to.push_str("\\\\"),
            "\"" if quotes => to.push_str("\\\""),
            "\"" => to.push('"'),
            other => to.push_str(&format!("\\{}", Escaped(other))),
        }
        rest = after;
    }
    to.push_str(rest);
}

/// Appends a label, `name="value"`, after a comma if there are labels already.
pub(super) fn push_label(to: &mut String, name: &str, value: &str) {
    if !to.is_empty() {
        to.push(',');
    }
    to.push_str(name);
    to.push_str("=\"");
    push_escaped(to, value, true);
    to.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, quotes: bool) -> String {
        let mut to = String::new();
        push_escaped(&mut to, text, quotes);
        to
    }

    #[test]
    fn quotes_are_escaped_only_where_the_format_says_so() {
        assert_eq!(escaped(r#"a "b" \c"#, true), r#"a \"b\" \\c"#);
        assert_eq!(escaped(r#"a "b" \c"#, false), r#"a "b" \\c"#);
    }

    #[test]
    fn control_characters_are_written_as_text() {
        assert_eq!(escaped("a\nb\r\x1b[2J\u{202e}ü<b>", true), r"a\nb\\r\\x1b[2J\\u202eü<b>");
        assert_eq!(escaped("", true), "");
    }
}
