//! Labels with dimensions: `http.requests{route="/",status="200"}`.

use std::cmp::Ordering;

/// A label, split into its base name and its dimensions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SplitLabel<'l> {
    pub(crate) base: &'l str,
    pub(crate) dimensions: Vec<Dimension<'l>>,
}

/// A dimension of a label.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dimension<'l> {
    pub(crate) name: &'l str,
    /// Without the escapes.
    pub(crate) value: String,
    /// As in the label: `route="/"`.
    pub(crate) text: &'l str,
}

impl<'l> SplitLabel<'l> {
    /// Splits a label. Braces that hold no valid dimensions belong to the base name.
    pub(crate) fn new(label: &'l str) -> SplitLabel<'l> {
        let apart = label.strip_suffix('}').and_then(|label| label.split_once('{'));
        match apart.and_then(|(base, inside)| Some((base, parse(inside)?))) {
            Some((base, dimensions)) => SplitLabel { base, dimensions },
            None => SplitLabel { base: label, dimensions: Vec::new() },
        }
    }

    /// Returns the value of a dimension; empty if there is none, as Prometheus takes an empty one
    /// for missing.
    pub(crate) fn value(&self, name: &str) -> &str {
        let dimension = self.dimensions.iter().find(|dimension| dimension.name == name);
        dimension.map_or("", |dimension| &dimension.value)
    }
}

/// Returns a label up to its first brace.
#[cfg(any(feature = "tui", feature = "web"))]
pub(crate) fn base_name(label: &str) -> &str {
    label.find('{').map_or(label, |brace| &label[..brace])
}

/// Parses `method="GET",code="200"`, with `\"`, `\\` and `\n` in values.
fn parse(inside: &str) -> Option<Vec<Dimension<'_>>> {
    let mut dimensions = Vec::new();
    let mut rest = inside.trim();
    while !rest.is_empty() {
        let start = rest;
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        if name.is_empty() || name.contains(['{', '}', '"', ',']) {
            return None;
        }
        let (value, after) = parse_quoted(after.trim_start())?;
        dimensions.push(Dimension { name, value, text: &start[..start.len() - after.len()] });
        rest = after.trim_start();
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start();
        }
    }
    Some(dimensions)
}

/// Parses a quoted text; returns it and the rest.
fn parse_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.strip_prefix('"')?.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                escaped @ ('"' | '\\') => value.push(escaped),
                // Not an escape sequence.
                other => value.extend(['\\', other]),
            },
            character => value.push(character),
        }
    }
}

/// Compares names, numbers in them by their value: `slot{index="2"}` comes before
/// `slot{index="10"}`.
pub(crate) fn compare_names(one: &str, other: &str) -> Ordering {
    let (mut rest, mut others) = (one, other);
    while let (Some(first), Some(second)) = (rest.chars().next(), others.chars().next()) {
        let (number, after) = split_number(rest);
        let (other_number, other_after) = split_number(others);
        let order = if number.is_empty() || other_number.is_empty() {
            (rest, others) = (&rest[first.len_utf8()..], &others[second.len_utf8()..]);
            first.cmp(&second)
        } else {
            (rest, others) = (after, other_after);
            let (number, other_number) =
                (number.trim_start_matches('0'), other_number.trim_start_matches('0'));
            number.len().cmp(&other_number.len()).then(number.cmp(other_number))
        };
        if order.is_ne() {
            return order;
        }
    }
    // Numbers may have leading zeros.
    rest.len().cmp(&others.len()).then(one.cmp(other))
}

/// Splits the digits off that a text begins with.
fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(label: &str) -> (&str, Vec<(&str, String, &str)>) {
        let split = SplitLabel::new(label);
        let dimensions = split.dimensions.into_iter();
        (split.base, dimensions.map(|found| (found.name, found.value, found.text)).collect())
    }

    #[test]
    fn dimensions_have_values_without_escapes() {
        assert_eq!(
            split(r#"http{method="GET",code="200"}"#),
            (
                "http",
                vec![
                    ("method", "GET".to_owned(), r#"method="GET""#),
                    ("code", "200".to_owned(), r#"code="200""#)
                ]
            )
        );
        assert_eq!(
            split(r#"a.b{ x = "say \"hi\"\\\n\t}" , }"#),
            ("a.b", vec![("x", "say \"hi\"\\\n\\t}".to_owned(), r#"x = "say \"hi\"\\\n\t}""#)])
        );
        assert_eq!(split("a{}"), ("a", Vec::new()));
    }

    #[test]
    fn braces_without_dimensions_belong_to_the_name() {
        for label in
            [r#"a{x="1""#, r#"a{x=1}"#, r#"a{x="1"y="2"}"#, r#"a{="1"}"#, "a}", r#"a{b}{c="1"}"#]
        {
            assert_eq!(split(label), (label, Vec::new()));
        }
    }
}
