//! Names in pages, made of labels that can hold anything.

use super::escape::push_label;
use super::family::Type;

/// A label, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name<'l> {
    /// What stands before the dimensions.
    pub(super) base: &'l str,
    /// The dimensions as labels, in the order of their names: `code="200",method="GET"`. Those
    /// without a value are as if they were not there.
    pub(super) dimensions: String,
}

impl<'l> Name<'l> {
    /// What a label of a field of this type says. Braces that hold no dimensions, or two of one
    /// name, belong to the base.
    pub(super) fn new(label: &'l str, ty: Type) -> Self {
        let apart = label.strip_suffix('}').and_then(|label| label.split_once('{'));
        match apart.and_then(|(base, inside)| Some((base, parse(inside)?))) {
            Some((base, parsed)) => match labels(parsed, ty) {
                Some(dimensions) => Name { base, dimensions },
                None => Name { base: label, dimensions: String::new() },
            },
            None => Name { base: label, dimensions: String::new() },
        }
    }
}

fn labels(parsed: Vec<(&str, String)>, ty: Type) -> Option<String> {
    let mut named: Vec<_> =
        parsed.into_iter().map(|(name, value)| (label_name(name, ty), value)).collect();
    named.sort();
    if named.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let mut text = String::new();
    for (name, value) in named.iter().filter(|(_, value)| !value.is_empty()) {
        push_label(&mut text, name, value);
    }
    Some(text)
}

/// Parses `method="GET",code="200"`, with `\"`, `\\` and `\n` in values.
fn parse(inside: &str) -> Option<Vec<(&str, String)>> {
    let mut dimensions = Vec::new();
    let mut rest = inside.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        if name.is_empty() || name.contains(['{', '}', '"', ',']) {
            return None;
        }
        let (value, after) = quoted(after.trim_start())?;
        dimensions.push((name, value));
        rest = after.trim_start();
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start();
        }
    }
    Some(dimensions)
}

/// A text in quotes, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.strip_prefix('"')?.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                escaped @ ('"' | '\\') => value.push(escaped),
                // No escape at all.
                other => value.extend(['\\', other]),
            },
            character => value.push(character),
        }
    }
}

/// Letters, digits and underscores. All else becomes an underscore, the colon too, which is for
/// rules that users make.
fn sanitized(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
        .collect()
}

/// The name of a dimension. What a page gives a meaning of its own gets `exported_` before it, as
/// Prometheus does it.
fn label_name(name: &str, ty: Type) -> String {
    let mut name = sanitized(name);
    if name.starts_with("__") {
        // These are Prometheus' own.
        name = format!("_{}", name.trim_start_matches('_'));
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    let is_taken = matches!(&name[..], "file" | "le" | "quantile")
        || ty == Type::Info && matches!(&name[..], "value" | "unit");
    if is_taken { format!("exported_{name}") } else { name }
}

/// The unit as part of a name; `None` if there is nothing to say.
pub(super) fn unit(unit: &str) -> Option<String> {
    let unit = if unit == "unixtime" { "timestamp_seconds" } else { unit };
    let unit = sanitized(unit).trim_matches('_').to_owned();
    (!unit.is_empty()).then_some(unit)
}

/// The name of a family: without the suffixes that its type has, with that of its unit.
pub(super) fn family(base: &str, ty: Type, unit: Option<&str>) -> String {
    let mut name = sanitized(base);
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    let (own, instead) = match ty {
        Type::Counter => ("_total", ""),
        Type::Info => ("_info", ""),
        // A timer's, whose label has it because the mean has the one without.
        Type::Histogram => ("_histogram", "_distribution"),
        Type::Gauge | Type::Unknown => ("", ""),
    };
    if let Some(rest) = name.strip_suffix(own).filter(|rest| !own.is_empty() && !rest.is_empty()) {
        name = format!("{rest}{instead}");
    }
    if let Some(unit) = unit {
        let has_unit = name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'));
        if !has_unit {
            name = format!("{name}_{unit}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(label: &str) -> (&str, String) {
        let name = Name::new(label, Type::Counter);
        (name.base, name.dimensions)
    }

    #[test]
    fn dimensions_become_labels() {
        assert_eq!(
            taken(r#"http{method="GET",code="200"}"#),
            ("http", r#"code="200",method="GET""#.to_owned())
        );
        assert_eq!(taken(r#"a.b{ x = "1" , }"#), ("a.b", r#"x="1""#.to_owned()));
        assert_eq!(
            taken(r#"a{x="say \"hi\"\\\n\t}",y=","}"#),
            ("a", r#"x="say \"hi\"\\\n\\t}",y=",""#.to_owned())
        );
        assert_eq!(taken("a{}"), ("a", String::new()));
        assert_eq!(taken(r#"a{x="",y="1"}"#), ("a", r#"y="1""#.to_owned()));
    }

    #[test]
    fn what_is_no_dimensions_belongs_to_the_name() {
        for label in [
            r#"a{x="1""#,
            r#"a{x=1}"#,
            r#"a{x="1"y="2"}"#,
            r#"a{="1"}"#,
            "a}",
            r#"a{x="1",x="2"}"#,
            r#"a{x-y="1",x.y="2"}"#,
            r#"a{b}{c="1"}"#,
        ] {
            assert_eq!(taken(label), (label, String::new()));
        }
    }

    #[test]
    fn names_that_have_a_meaning_are_left_to_it() {
        assert_eq!(
            taken(r#"a{le="1",file="f",__name__="n",1st="x",grün="y"}"#).1,
            r#"_1st="x",_name__="n",exported_file="f",exported_le="1",gr_n="y""#
        );
        assert_eq!(Name::new(r#"a{value="1"}"#, Type::Info).dimensions, r#"exported_value="1""#);
        assert_eq!(Name::new(r#"a{value="1"}"#, Type::Gauge).dimensions, r#"value="1""#);
    }

    #[test]
    fn names_have_their_unit_once_and_their_types_suffix_not_at_all() {
        for (base, ty, of, name) in [
            ("web.stats.status.2XX", Type::Counter, "", "web_stats_status_2XX"),
            ("2XX", Type::Counter, "", "_2XX"),
            ("requests.total", Type::Counter, "", "requests"),
            ("requests.total", Type::Gauge, "", "requests_total"),
            ("sent.bytes.total", Type::Counter, "bytes", "sent_bytes"),
            ("uptime", Type::Gauge, "seconds", "uptime_seconds"),
            ("uptime_seconds", Type::Gauge, "seconds", "uptime_seconds"),
            ("seconds", Type::Gauge, "seconds", "seconds_seconds"),
            ("last.hit", Type::Gauge, "unixtime", "last_hit_timestamp_seconds"),
            ("load", Type::Unknown, "größen/s", "load_gr__en_s"),
            ("load", Type::Unknown, "%", "load"),
            ("build.info", Type::Info, "", "build"),
            ("latency.histogram", Type::Histogram, "seconds", "latency_distribution_seconds"),
            ("a:b c", Type::Gauge, "", "a_b_c"),
            ("", Type::Gauge, "", "_"),
            ("_total", Type::Counter, "", "_total"),
        ] {
            assert_eq!(family(base, ty, unit(of).as_deref()), name);
        }
    }
}
