//! The dimensions at the end of a label, `http{method="GET",code="200"}`. Bytes, as the code that
//! splits texts is large on a device.

/// Splits a label from its dimensions: `http` and `{method="GET"}`.
pub(super) const fn split(label: &[u8]) -> (&[u8], &[u8]) {
    let mut end = label.len();
    if let [.., b'}'] = label {
        let mut i = 0;
        while i < label.len() {
            if label[i] == b'{' {
                end = i;
                break;
            }
            i += 1;
        }
    }
    label.split_at(end)
}

/// Returns `true` if a label has no braces, or ends in dimensions whose names differ.
pub(super) const fn are_valid(label: &[u8]) -> bool {
    let mut at = 0;
    while at < label.len() && !matches!(label[at], b'{' | b'}') {
        at += 1;
    }
    if at == label.len() {
        return true;
    }
    if label[at] == b'}' {
        return false;
    }
    let first = at + 1;
    at = first;
    loop {
        let Some((name_end, end)) = parse_one(label, at) else { return false };
        let mut other = first;
        while other < at {
            let Some((other_name_end, other_end)) = parse_one(label, other) else { return false };
            if are_equal(label, (other, other_name_end), (at, name_end)) {
                return false;
            }
            other = other_end + 1;
        }
        if end == label.len() {
            return false;
        }
        match label[end] {
            b',' => at = end + 1,
            b'}' => return end + 1 == label.len(),
            _ => return false,
        }
    }
}

/// Parses the dimension `name="value"` at this offset; returns the ends of its name and of itself.
const fn parse_one(label: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut at = start;
    while at < label.len() && is_in_name(label[at]) {
        at += 1;
    }
    let name_end = at;
    if name_end == start || at + 1 >= label.len() || label[at] != b'=' || label[at + 1] != b'"' {
        return None;
    }
    at += 2;
    while at < label.len() && label[at] != b'"' {
        at += if label[at] == b'\\' { 2 } else { 1 };
    }
    if at < label.len() { Some((name_end, at + 1)) } else { None }
}

const fn is_in_name(byte: u8) -> bool {
    !matches!(byte, b'{' | b'}' | b'"' | b',' | b'=' | b'\\') && !byte.is_ascii_whitespace()
}

/// Returns `true` if two ranges of a text are equal.
const fn are_equal(text: &[u8], one: (usize, usize), other: (usize, usize)) -> bool {
    let mut i = 0;
    while one.0 + i < one.1 && other.0 + i < other.1 && text[one.0 + i] == text[other.0 + i] {
        i += 1;
    }
    one.0 + i == one.1 && other.0 + i == other.1
}

#[cfg(test)]
mod tests {
    use super::are_valid;

    #[test]
    fn dimensions_have_different_names_and_quoted_values() {
        for label in [
            "a",
            r#"a{x="1"}"#,
            r#"a{x="",y="{,}= \"\\"}"#,
            r#"a{x="x=",xx="1",y="x"}"#,
            r#"{x="1"}"#,
        ] {
            assert!(are_valid(label.as_bytes()), "{label}");
        }
        for label in [
            "a{",
            "a}",
            "a{}",
            "a{x}",
            "a{x=1}",
            r#"a{x="1"#,
            r#"a{x="1""#,
            r#"a{x="1\"}"#,
            r#"a{x="1"}b"#,
            r#"a{x="1",}"#,
            r#"a{x="1"y="2"}"#,
            r#"a{="1"}"#,
            r#"a{x y="1"}"#,
            r#"a{x="1",y="2",x="1"}"#,
            r#"a{b}{c="1"}"#,
        ] {
            assert!(!are_valid(label.as_bytes()), "{label}");
        }
    }
}
