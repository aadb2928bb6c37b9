//! Labels of fields from the keys of metrics, whatever texts these contain.

use crate::dimensions::{contains, is_valid_name, label_unchecked};
use crate::registry::family::OTHER;
use metrics::Key;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The longest label, in bytes, so that it has room for a prefix and a suffix.
const MAX_BYTES: usize = 60_000;
/// The longest name of a metric, in bytes.
const MAX_NAME_BYTES: usize = 4096;
/// The longest texts and the most dimensions of a label that is cut. Escapes double a value.
const MAX_CUT_TEXT_BYTES: usize = 512;
const MAX_CUT_DIMENSIONS: usize = 32;
/// The longest help, in bytes.
const MAX_HELP_BYTES: usize = 4096;

/// The label of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) text: String,
    /// Whether its dimensions are not exactly those of the key.
    pub(super) is_changed: bool,
}

/// Returns the name of a metric as a field can have it.
pub(super) fn valid_name(name: &str) -> Cow<'_, str> {
    let valid = replace(name, "{}\0", "_");
    if valid.len() > MAX_NAME_BYTES {
        cut(&valid, MAX_CUT_TEXT_BYTES).to_owned().into()
    } else {
        valid
    }
}

/// Returns the label of a key that is published under a `name`, which is valid. If the metric
/// `is_full`, all values are the one that stands for others.
pub(super) fn label(key: &Key, name: &str, is_full: bool) -> Label {
    let labels = key.labels().map(|label| (label.key(), label.value()));
    let mut dimensions: BTreeMap<Cow<'_, str>, Cow<'_, str>> = labels
        .map(|(name, value)| {
            let value = if is_full { OTHER } else { value };
            (dimension_name(name), replace(value, "\0", "\u{fffd}"))
        })
        .collect();
    let length = |dimensions: &BTreeMap<Cow<'_, str>, Cow<'_, str>>| -> usize {
        dimensions.iter().map(|(name, value)| name.len() + 2 * value.len() + 4).sum()
    };
    let is_cut = name.len() + length(&dimensions) > MAX_BYTES
        && name.len() + label_unchecked("", pairs(&dimensions)).len() > MAX_BYTES;
    if is_cut {
        let short = |text: Cow<'_, str>| cut(&text, MAX_CUT_TEXT_BYTES).to_owned().into();
        dimensions = dimensions
            .into_iter()
            .take(MAX_CUT_DIMENSIONS)
            .map(|(name, value)| (short(name), short(value)))
            .collect();
    }
    let is_same = |(name, value): (&str, &str)| {
        dimensions.get(name).is_some_and(|own| is_full || **own == *value)
    };
    let is_changed = dimensions.len() != key.labels().len()
        || !key.labels().all(|label| is_same((label.key(), label.value())));
    Label { text: label_unchecked(name, pairs(&dimensions)), is_changed }
}

fn pairs<'d>(
    dimensions: &'d BTreeMap<Cow<'_, str>, Cow<'_, str>>,
) -> impl Iterator<Item = (&'d str, &'d str)> {
    dimensions.iter().map(|(name, value)| (&**name, &**value))
}

/// Returns a valid name of a dimension.
fn dimension_name(name: &str) -> Cow<'_, str> {
    if is_valid_name(name) {
        return name.into();
    }
    replace(name, "{}\",=\\ \t\n\r\x0b\x0c\0", "_")
}

/// Returns a text that can be the help of a field.
pub(super) fn help(text: &str) -> String {
    let end = text.trim_end();
    cut(&end.replace('\0', "\u{fffd}"), MAX_HELP_BYTES).to_owned()
}

/// Replaces some ASCII characters. An empty text, which no name can be, stays for a value.
fn replace<'t>(text: &'t str, characters: &str, by: &str) -> Cow<'t, str> {
    match text {
        "" if by == "_" => by.to_owned().into(),
        _ if contains(text, characters.as_bytes()) => {
            text.replace(|character| characters.contains(character), by).into()
        }
        _ => text.into(),
    }
}

/// Returns the beginning of a name, for a message.
pub(super) fn short(name: &str) -> &str {
    cut(name, 100)
}

/// Returns the beginning of a text, at most that many bytes.
fn cut(text: &str, max_bytes: usize) -> &str {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Label as Pair;

    fn of(name: &str, pairs: &[(&str, &str)]) -> Label {
        let pairs: Vec<_> =
            pairs.iter().map(|(k, v)| Pair::new((*k).to_owned(), (*v).to_owned())).collect();
        let valid = valid_name(name);
        let label = label(&Key::from_parts(name.to_owned(), pairs), &valid, false);
        Label { is_changed: label.is_changed || *valid != *name, ..label }
    }

    fn assert_label(name: &str, pairs: &[(&str, &str)], text: &str, is_changed: bool) {
        assert_eq!(of(name, pairs), Label { text: text.to_owned(), is_changed });
    }

    #[test]
    fn valid_keys_are_escaped_and_sorted() {
        assert_label("a.b", &[], "a.b", false);
        assert_label("a", &[("y", ""), ("x", "q\"\\\n,}é")], r#"a{x="q\"\\\n,}é",y=""}"#, false);
    }

    #[test]
    fn invalid_keys_are_changed() {
        assert_label("", &[], "_", true);
        assert_label("a{b}\0", &[], "a_b__", true);
        assert_label("a", &[("", "1")], r#"a{_="1"}"#, true);
        assert_label("a", &[("x y=", "\0")], "a{x_y_=\"\u{fffd}\"}", true);
        assert_label("a", &[("x", "1"), ("x", "2")], r#"a{x="2"}"#, true);
    }

    #[test]
    fn long_keys_are_cut_to_labels_that_a_field_can_have() {
        let long = "\"é".repeat(25_000);
        let many: Vec<_> = (0..50).map(|i| format!("{i}{}", &long[..3000])).collect();
        let pairs: Vec<_> = many.iter().map(|text| (&**text, &**text)).collect();
        for label in [of(&long, &[]), of("a", &[("x", &long)]), of(&long, &pairs)] {
            assert!(label.is_changed);
            assert!(label.text.len() < 61_000, "{}", label.text.len());
        }
        let fits = "x".repeat(59_000);
        assert_label("a", &[("x", &fits)], &format!("a{{x=\"{fits}\"}}"), false);
    }

    #[test]
    fn a_series_of_a_full_metric_stands_for_others() {
        let key = Key::from_parts("a", vec![Pair::new("x", "1"), Pair::new("y", "2")]);
        let text = r#"a.gauge{x="_other",y="_other"}"#.to_owned();
        assert_eq!(label(&key, "a.gauge", true), Label { text, is_changed: false });
    }
}
