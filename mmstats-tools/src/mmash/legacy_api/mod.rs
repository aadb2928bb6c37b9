//! `/stats/` and `/files/`: the API of the Python mmash.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axum::http::Uri;
use axum::response::Response;
use mmstats_std::read::Field;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::escape::lossless_path;
use crate::label_glob::Glob;
use crate::mmash::live::snapshot::Snapshot;
use crate::mmash::server::Call;
use crate::mmash::server::parameters::{self, Parameters, decode};
use crate::mmash::server::response::{HttpError, JSON};
use crate::render::json::{self, Float, JsonValue};
use crate::render::number::Scale;
use crate::scraper::{OwnedValue, WriterSample};
use crate::series::{Aggregate, Aggregation, Class, Contributor, Number, Scaled, has_value};

/// Handles `/stats/`: all labels.
pub(crate) async fn labels(call: Call) -> Result<Response, HttpError> {
    let parameters = call.parameters(&["exact", "glob", "aggr"])?;
    if let Some(name) = parameters.one("aggr")? {
        aggregator(name)?;
    }
    if ["exact", "aggr"].iter().any(|key| parameters.all(key).next().is_some()) {
        return Err(HttpError::bad_request("exact and aggr need /stats/PREFIX (glob expected)"));
    }
    let glob = glob(&parameters)?;
    let list = move |snapshot: &Snapshot| {
        let labels: BTreeSet<&str> = chosen(snapshot, glob.as_ref())
            .flat_map(|sample| sample.fields.iter().map(|field| field.label.as_str()))
            .collect();
        json::bytes(&json!({ "stats": labels }))
    };
    call.respond_with_scrape(JSON, list).await
}

/// Handles `/stats/PREFIX`: the values of all labels with this prefix, one for each file or
/// combined by an aggregator.
pub(crate) async fn values(call: Call) -> Result<Response, HttpError> {
    let prefix = path_after(&call.uri, "/stats/")?;
    let parameters = call.parameters(&["exact", "glob", "aggr"])?;
    let is_exact = match parameters.one("exact")? {
        None | Some("0" | "false") => false,
        Some("" | "1" | "true") => true,
        Some(other) => {
            return Err(HttpError::bad_request(format!(
                "exact={other:?}: unknown (no value, 1, true, 0 or false expected)"
            )));
        }
    };
    let glob = glob(&parameters)?;
    let aggregator = parameters.one("aggr")?.map(aggregator).transpose()?;
    let collect = move |snapshot: &Snapshot| {
        let mut values: BTreeMap<&str, Vec<Reading<'_>>> = BTreeMap::new();
        for sample in chosen(snapshot, glob.as_ref()) {
            for (field, value) in sample.fields.iter().zip(&sample.values) {
                let is_wanted =
                    if is_exact { field.label == prefix } else { field.label.starts_with(&prefix) };
                if let Some(value) = value.as_ref().ok().filter(|_| is_wanted) {
                    values.entry(&field.label).or_default().push((field, value));
                }
            }
        }
        let show_all = |values: &[Reading<'_>]| {
            to_raw_value(&values.iter().copied().map(show).collect::<Vec<_>>()).ok()
        };
        let shown: BTreeMap<&str, _> = values
            .iter()
            .map(|(label, values)| match aggregator {
                None => (*label, show_all(values)),
                Some(aggregator) => (*label, combine(aggregator, values)),
            })
            .collect();
        json::bytes(&shown)
    };
    call.respond_with_scrape(JSON, collect).await
}

/// Handles `/files/` and `/files/GLOB`: the paths of files.
pub(crate) async fn files(call: Call) -> Result<Response, HttpError> {
    call.parameters(&[])?;
    let glob = Some(path_after(&call.uri, "/files/")?).filter(|glob| !glob.is_empty());
    let glob = glob.as_deref().map(parameters::parse_file_pattern).transpose()?;
    let list = move |snapshot: &Snapshot| {
        let files: Vec<String> = chosen(snapshot, glob.as_ref())
            .map(|sample| lossless_path(&sample.writer_id.name))
            .collect();
        json::bytes(&json!({ "files": files }))
    };
    call.respond_with_scrape(JSON, list).await
}

/// Returns the pattern of files; an empty one is ignored.
fn glob(parameters: &Parameters) -> Result<Option<Glob>, HttpError> {
    parameters
        .one("glob")?
        .filter(|glob| !glob.is_empty())
        .map(parameters::parse_file_pattern)
        .transpose()
}

/// Returns the decoded path after a prefix.
fn path_after(uri: &Uri, prefix: &str) -> Result<String, HttpError> {
    let encoded = uri.path().strip_prefix(prefix).unwrap_or("");
    decode(encoded).map_err(|why| HttpError::bad_request(format!("{encoded:?}: {why}")))
}

/// Returns the writers whose file matches. The pattern only filters files that are scraped anyway,
/// so it cannot lead to others. It matches file names or, if it has directories, paths relative to
/// the searched directories.
fn chosen<'s>(
    snapshot: &'s Snapshot,
    glob: Option<&'s Glob>,
) -> impl Iterator<Item = &'s WriterSample> {
    let directories: Vec<&Path> =
        snapshot.searched.iter().filter_map(|pattern| pattern.parent()).collect();
    let is_chosen = move |path: &Path, glob: &Glob| {
        let matches = |part: &Path| glob.matches_path(&lossless_path(part));
        match glob.as_str().contains('/') {
            false => path.file_name().is_some_and(|name| matches(Path::new(name))),
            true => directories
                .iter()
                .filter_map(|directory| path.strip_prefix(directory).ok())
                .any(matches),
        }
    };
    snapshot
        .scrape
        .samples
        .iter()
        .filter(move |sample| glob.is_none_or(|glob| is_chosen(&sample.writer_id.name, glob)))
}

/// A value and its field.
type Reading<'v> = (&'v Field, &'v OwnedValue);

const AGGREGATORS: [&str; 7] = ["avg", "one", "max", "min", "sum", "nonzero-min", "nonzero-avg"];

fn aggregator(name: &str) -> Result<&'static str, HttpError> {
    AGGREGATORS.into_iter().find(|known| *known == name).ok_or_else(|| {
        let known = AGGREGATORS.join(", ");
        HttpError::bad_request(format!("aggr={name:?}: unknown ({known} expected)"))
    })
}

/// Combines the values of a label; `None` if they cannot be combined, or none exists yet.
fn combine(aggregator: &str, values: &[Reading<'_>]) -> Option<Box<RawValue>> {
    let exists = |(field, value): &Reading<'_>| has_value(field, value);
    let existing: Vec<_> = values.iter().filter(|value| exists(value)).copied().collect();
    combine_existing(aggregator, &existing)
}

fn combine_existing(aggregator: &str, values: &[Reading<'_>]) -> Option<Box<RawValue>> {
    if let Some(aggregator) = aggregator.strip_prefix("nonzero-") {
        let is_zero = |(_, value): &Reading<'_>| {
            Number::from_value(value).is_some_and(|number| number.as_f64() == 0.0)
        };
        let nonzero: Vec<_> = values.iter().filter(|value| !is_zero(value)).copied().collect();
        let zero = || to_raw_value(&0).ok();
        return if nonzero.is_empty() { zero() } else { combine_existing(aggregator, &nonzero) };
    }
    let mut all = values.iter().copied();
    let chosen = match aggregator {
        "avg" => return mean(values),
        "sum" => return sum(values),
        "max" => all.reduce(|one, other| if is_less(one, other) { other } else { one }),
        "min" => all.reduce(|one, other| if is_less(other, one) { other } else { one }),
        _ => all.next(),
    };
    chosen.and_then(show)
}

fn show((field, stored): Reading<'_>) -> Option<Box<RawValue>> {
    let value = JsonValue::new(stored, Scale::from_field(field));
    to_raw_value(&Some(value).filter(|_| has_value(field, stored))).ok()
}

/// Adds all values: those of dead writers too, and whatever the kind of the field.
fn add(values: &[Reading<'_>], aggregation: Aggregation) -> Aggregate {
    let mut aggregate = Aggregate::with_rule(Class::Gauge, aggregation);
    for (field, value) in values {
        aggregate.add(field, Ok(value), Contributor::default());
    }
    aggregate
}

fn mean(values: &[Reading<'_>]) -> Option<Box<RawValue>> {
    let mean = add(values, Aggregation::Mean);
    let number = mean.combine(Aggregation::Auto)?.as_f64();
    // Numbers and other values have no mean.
    mean.into_value().ok().and_then(|_| to_raw_value(&Float(number)).ok())
}

fn sum(values: &[Reading<'_>]) -> Option<Box<RawValue>> {
    let sum = add(values, Aggregation::Sum);
    let (first, _) = values.first()?;
    let scale = sum.sum().map_or(Scale::from_field(first), |sum| sum.scale);
    let has_one_scale = values.iter().all(|(field, _)| Scale::from_field(field) == scale);
    match sum.into_value().ok()? {
        OwnedValue::Text(_) => None,
        OwnedValue::Histogram(_) if !has_one_scale => None,
        value => to_raw_value(&JsonValue::new(&value, scale)).ok(),
    }
}

/// Compares numbers by their value, texts by the alphabet; others are not less than anything.
fn is_less(one: Reading<'_>, other: Reading<'_>) -> bool {
    if let (OwnedValue::Text(one), OwnedValue::Text(other)) = (one.1, other.1) {
        return one < other;
    }
    let scaled = |(field, value): Reading<'_>| Scaled::from_value(value, Scale::from_field(field));
    scaled(one).zip(scaled(other)).is_some_and(|(one, other)| one.is_less(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    use mmstats_core::{Kind, Type};

    fn aggregate(name: &str, values: &[OwnedValue]) -> String {
        let field = Field::new("", Kind::Untyped, Type::U64);
        let values: Vec<_> = values.iter().map(|value| (&field, value)).collect();
        combine(aggregator(name).unwrap(), &values)
            .map_or("none".to_owned(), |value| value.get().to_owned())
    }

    #[test]
    fn aggregators_do_what_their_names_say() {
        let numbers = [3, 0, 9, 0].map(OwnedValue::Unsigned);
        for (name, result) in [
            ("avg", "3.0"),
            ("one", "3"),
            ("max", "9"),
            ("min", "0"),
            ("sum", "12"),
            ("nonzero-min", "3"),
            ("nonzero-avg", "6.0"),
        ] {
            assert_eq!(aggregate(name, &numbers), result, "{name}");
        }
        let zeros = [0, 0].map(OwnedValue::Unsigned);
        assert_eq!(
            (aggregate("nonzero-min", &zeros), aggregate("nonzero-avg", &zeros)),
            ("0".to_owned(), "0".to_owned())
        );
        let large = [u64::MAX, 1].map(OwnedValue::Unsigned);
        assert_eq!(
            (aggregate("max", &large), aggregate("sum", &large[..1])),
            (u64::MAX.to_string(), u64::MAX.to_string())
        );
        assert!(aggregator("median").unwrap_err().message.contains("nonzero-avg"));
    }

    #[test]
    fn texts_have_no_sum() {
        let texts = ["b", "a"].map(|text| OwnedValue::Text(text.into()));
        for (name, result) in [
            ("avg", "none"),
            ("sum", "none"),
            ("nonzero-avg", "none"),
            ("max", "\"b\""),
            ("min", "\"a\""),
            ("one", "\"b\""),
        ] {
            assert_eq!(aggregate(name, &texts), result, "{name}");
        }
        assert_eq!(aggregate("sum", &[OwnedValue::Bool(true), OwnedValue::Bool(true)]), "2");
    }
}
