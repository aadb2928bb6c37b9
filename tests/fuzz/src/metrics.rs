//! A strict parser of Prometheus' text format and of OpenMetrics, as far as mmstats writes them.

use std::collections::HashSet;

/// Checks a page.
///
/// # Panics
/// If a line is not valid, a family or a series occurs twice, or OpenMetrics lacks its end.
pub fn check_page(page: &str, is_open_metrics: bool) {
    let (mut families, mut series) = (HashSet::new(), HashSet::new());
    let body = match page.strip_suffix("# EOF\n") {
        Some(body) if is_open_metrics => body,
        _ => {
            assert!(!is_open_metrics, "no end: {page:?}");
            page
        }
    };
    assert!(body.is_empty() || body.ends_with('\n'), "the last line is cut off: {page:?}");
    for line in body.lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
        if let Some(comment) = line.strip_prefix("# ") {
            let (keyword, rest) = comment.split_once(' ').expect("a keyword");
            let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
            assert!(matches!(keyword, "HELP" | "TYPE" | "UNIT"), "{line:?}");
            assert!(is_name(name, ":_"), "{line:?}");
            if keyword == "TYPE" {
                assert!(families.insert(name), "twice: {line:?}");
                let types = ["counter", "gauge", "histogram", "info", "unknown", "untyped"];
                assert!(types.contains(&text) || text == "stateset", "{line:?}");
            }
            continue;
        }
        let (name, value) = parse_series(line);
        assert!(series.insert(name), "twice: {line:?}");
        let value = value.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line:?}"));
        let is_number =
            matches!(value, "NaN" | "+Inf" | "-Inf") || value.parse().is_ok_and(f64::is_finite);
        assert!(is_number, "{line:?}");
    }
}

/// Splits a line after the name and labels of its series, which must be valid.
fn parse_series(line: &str) -> (&str, &str) {
    let end = line.find(['{', ' ']).unwrap_or(line.len());
    assert!(is_name(&line[..end], ":_"), "{line:?}");
    let Some(mut rest) = line[end..].strip_prefix('{') else { return line.split_at(end) };
    let mut names = HashSet::new();
    while !rest.starts_with('}') {
        let (name, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line:?}"));
        assert!(is_name(name, "_") && names.insert(name), "{line:?}");
        let mut characters = value.char_indices();
        let end = loop {
            match characters.next() {
                Some((_, '\\')) => {
                    let escaped = characters.next();
                    assert!(matches!(escaped, Some((_, 'n' | '\\' | '"'))), "{line:?}");
                }
                Some((end, '"')) => break end,
                Some(_) => {}
                None => panic!("an open label: {line:?}"),
            }
        };
        rest = &value[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    line.split_at(line.len() - rest.len() + 1)
}

/// Returns `true` if this is a name of letters, digits (not the first) and `others`.
fn is_name(text: &str, others: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || others.contains(character))
}
