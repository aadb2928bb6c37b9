//! Converts labels, which can hold any text, to metric names and labels.

use super::escape::push_label;
use super::family::Type;
use crate::dimensions::{Dimension, SplitLabel};

/// A label, split into base and dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name<'l> {
    /// The part before the dimensions.
    pub(super) base: &'l str,
    /// The dimensions as labels, sorted by name: `code="200",method="GET"`. Dimensions with an
    /// empty value are omitted, as Prometheus treats them as absent.
    pub(super) dimensions: String,
}

impl<'l> Name<'l> {
    /// Splits the label of a field of this type. Braces that hold no valid dimensions, or two with
    /// the same name, belong to the base.
    pub(super) fn new(label: &'l str, ty: Type) -> Self {
        let SplitLabel { base, dimensions } = SplitLabel::new(label);
        match labels(dimensions, ty) {
            Some(dimensions) => Name { base, dimensions },
            None => Name { base: label, dimensions: String::new() },
        }
    }
}

fn labels(dimensions: Vec<Dimension<'_>>, ty: Type) -> Option<String> {
    let mut named: Vec<_> = dimensions
        .into_iter()
        .map(|dimension| (label_name(dimension.name, ty), dimension.value))
        .collect();
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

/// Replaces everything except ASCII letters, digits and underscores by underscores. (Colons are
/// reserved for recording rules.)
fn sanitize(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
        .collect()
}

/// Returns the label name of a dimension. Names with a special meaning get the prefix `exported_`,
/// as Prometheus does.
fn label_name(name: &str, ty: Type) -> String {
    let mut name = sanitize(name);
    if name.starts_with("__") {
        // Names that start with `__` are reserved by Prometheus.
        name = format!("_{}", name.trim_start_matches('_'));
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    let is_reserved = matches!(&name[..], "file" | "textfile" | "le" | "quantile")
        || ty == Type::Info && matches!(&name[..], "value" | "unit");
    if is_reserved { format!("exported_{name}") } else { name }
}

/// Returns the unit as a name suffix; `None` if it is empty.
pub(super) fn unit(unit: &str) -> Option<String> {
    let unit = if unit == "unixtime" { "timestamp_seconds" } else { unit };
    let unit = sanitize(unit).trim_matches('_').to_owned();
    (!unit.is_empty()).then_some(unit)
}

/// Returns the name of a family: without the suffix of its type, with the suffix of its unit.
pub(super) fn family(base: &str, ty: Type, unit: Option<&str>) -> String {
    let mut name = sanitize(base);
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    let (suffix, replacement) = match ty {
        Type::Counter => ("_total", ""),
        Type::Info => ("_info", ""),
        // A timer's histogram; its mean has the label without the suffix.
        Type::Histogram => ("_histogram", "_distribution"),
        Type::Gauge | Type::Unknown => ("", ""),
    };
    if let Some(rest) =
        name.strip_suffix(suffix).filter(|rest| !suffix.is_empty() && !rest.is_empty())
    {
        name = format!("{rest}{replacement}");
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

    fn split(label: &str) -> (&str, String) {
        let name = Name::new(label, Type::Counter);
        (name.base, name.dimensions)
    }

    #[test]
    fn dimensions_become_labels() {
        assert_eq!(
            split(r#"http{method="GET",code="200"}"#),
            ("http", r#"code="200",method="GET""#.to_owned())
        );
        assert_eq!(split(r#"a.b{ x = "1" , }"#), ("a.b", r#"x="1""#.to_owned()));
        assert_eq!(
            split(r#"a{x="say \"hi\"\\\n\t}",y=","}"#),
            ("a", r#"x="say \"hi\"\\\n\\t}",y=",""#.to_owned())
        );
        assert_eq!(split("a{}"), ("a", String::new()));
        assert_eq!(split(r#"a{x="",y="1"}"#), ("a", r#"y="1""#.to_owned()));
    }

    #[test]
    fn invalid_dimensions_belong_to_the_name() {
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
            assert_eq!(split(label), (label, String::new()));
        }
    }

    #[test]
    fn reserved_label_names_are_prefixed() {
        assert_eq!(
            split(r#"a{le="1",file="f",textfile="t",__name__="n",1st="x",grün="y"}"#).1,
            r#"_1st="x",_name__="n",exported_file="f",exported_le="1",exported_textfile="t",gr_n="y""#
        );
        assert_eq!(Name::new(r#"a{value="1"}"#, Type::Info).dimensions, r#"exported_value="1""#);
        assert_eq!(Name::new(r#"a{value="1"}"#, Type::Gauge).dimensions, r#"value="1""#);
    }

    #[test]
    fn names_have_their_unit_once_and_no_type_suffix() {
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
