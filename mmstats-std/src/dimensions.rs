//! Labels with dimensions, `http.requests{route="/",status="200"}`, which are escaped as FORMAT.md
//! says.

use mmstats_core::AddError;

/// Returns a label with dimensions, whose values may be any text: for a field that is added to a
/// [`Writer`](mmstats_core::Writer). A [`Registry`](crate::Registry) and a
/// [`Family`](crate::Family) do that by themselves.
///
/// ```
/// use mmstats_std::{Counter, Options, V2, create_writer, label_with_dimensions};
///
/// let (mut writer, _) = create_writer::<V2>("plugins", 4096, &Options::new())?;
/// let label = label_with_dimensions("plugin.calls", &[("name", "gzip \"fast\"")])?;
/// assert_eq!(label, r#"plugin.calls{name="gzip \"fast\""}"#);
/// let calls: Counter = writer.add(Counter::builder(&label))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`AddError::InvalidDimension`] if a name is empty, occurs twice, or contains white space or one
/// of `{}",=\`.
pub fn label_with_dimensions(label: &str, dimensions: &[(&str, &str)]) -> Result<String, AddError> {
    for (i, (name, _)) in dimensions.iter().enumerate() {
        let is_first = dimensions[..i].iter().all(|(other, _)| other != name);
        if !is_valid_name(name) || !is_first {
            return Err(AddError::InvalidDimension { name: (*name).into() });
        }
    }
    Ok(label_unchecked(label, dimensions.iter().copied()))
}

/// Returns a label with dimensions whose names are valid.
pub(crate) fn label_unchecked<'d>(
    label: &str,
    dimensions: impl IntoIterator<Item = (&'d str, &'d str)>,
) -> String {
    let pairs = pairs(dimensions);
    if pairs.is_empty() { label.to_owned() } else { format!("{label}{{{pairs}}}") }
}

/// Returns dimensions as they are between the braces of a label.
pub(crate) fn pairs<'d>(dimensions: impl IntoIterator<Item = (&'d str, &'d str)>) -> String {
    let mut text = String::new();
    for (name, value) in dimensions {
        if !text.is_empty() {
            text.push(',');
        }
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
    }
    text
}

/// Returns `true` if a dimension may have this name.
pub(crate) const fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && !contains(name, b"{}\",=\\ \t\n\r\x0b\x0c\0")
}

/// Returns `true` if a text contains one of some ASCII characters.
pub(crate) const fn contains(text: &str, characters: &[u8]) -> bool {
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

/// Returns `true` if two texts are equal.
pub(crate) const fn are_equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

#[cfg(test)]
mod tests {
    use super::label_with_dimensions as label;
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
