//! Labels with dimensions, `http.requests{route="/",status="200"}`.

use mmstats_core::AddError;

/// Returns a label with dimensions, whose values are escaped as FORMAT.md says.
pub(super) fn label(label: &str, dimensions: &[(&str, &str)]) -> Result<String, AddError> {
    for (i, (name, _)) in dimensions.iter().enumerate() {
        let is_first = dimensions[..i].iter().all(|(other, _)| other != name);
        if !is_valid_name(name) || !is_first {
            return Err(AddError::InvalidDimension { name: (*name).into() });
        }
    }
    Ok(label_unchecked(label, dimensions.iter().copied()))
}

/// Returns a label with dimensions whose names are valid.
pub(super) fn label_unchecked<'d>(
    label: &str,
    dimensions: impl IntoIterator<Item = (&'d str, &'d str)>,
) -> String {
    let mut text = label.to_owned();
    let mut separator = '{';
    for (name, value) in dimensions {
        text.push(separator);
        text.push_str(name);
        text.push_str("=\"");
        for character in value.chars() {
            match character {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
        text.push('"');
        separator = ',';
    }
    if separator == ',' {
        text.push('}');
    }
    text
}

/// Returns `true` if a dimension may have this name.
pub(super) const fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && !contains(name, b"{}\",=\\ \t\n\r\x0b\x0c\0")
}

/// Returns `true` if a text contains one of some ASCII characters.
pub(super) const fn contains(text: &str, characters: &[u8]) -> bool {
    let text = text.as_bytes();
    let mut i = 0;
    while i < text.len() {
        let mut j = 0;
        while j < characters.len() {
            if text[i] == characters[j] {
                return true;
            }
            j += 1;
        }
        i += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        assert_eq!(label("a", &[]).unwrap(), "a");
        assert_eq!(
            label("a.b", &[("x", "1"), ("y", "q\"\\\n,}é")]).unwrap(),
            r#"a.b{x="1",y="q\"\\\n,}é"}"#
        );
    }

    #[test]
    fn invalid_names_are_refused() {
        for name in ["", "a b", "a=", "{", "}", "\"", ",", "\\", "\0", "\n"] {
            let error = label("a", &[(name, "1")]).unwrap_err();
            assert!(matches!(error, AddError::InvalidDimension { .. }), "{name:?}");
        }
        let error = label("a", &[("x", "1"), ("y", "1"), ("x", "1")]).unwrap_err();
        assert!(error.to_string().starts_with("invalid name of a dimension: \"x\" ("), "{error}");
    }
}
