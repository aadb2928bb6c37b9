//! Current values: of each writer, or of all writers combined by label.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mmstats_core::reader::ValueError;
use mmstats_std::read::Field;
use serde::Serialize;

use crate::escape::lossless_path;
use crate::label_glob::Glob;
use crate::labels::Labels;

use crate::mmash::live::snapshot::{Delta, Snapshot};
use crate::mmash::server::parameters::Parameters;
use crate::mmash::server::response::HttpError;
use crate::render::json::{
    Float, JsonValue, Properties, bytes, liveness_name, scaling, type_code, values,
};
use crate::scraper::OwnedValue;
use crate::series::{
    Aggregate, Aggregation, Contributor, HistogramSnapshot, NoValue, SeriesKey, is_cumulative,
};
use mmstats_std::clock::unix_seconds;

/// How values are grouped into series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum By {
    /// Each field of each writer.
    #[default]
    File,
    /// All fields with the same label, kind, unit and scale.
    Label,
}

/// Which series are requested.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    /// The selected labels.
    pub(crate) labels: Labels,
    /// How values are grouped.
    pub(crate) by: By,
}

impl Query {
    /// Reads the parameters `match` and `by`.
    ///
    /// # Errors
    /// If one is invalid.
    pub(crate) fn from_parameters(parameters: &Parameters) -> Result<Self, HttpError> {
        let include = parameters.patterns("match")?;
        let by = match parameters.one("by")? {
            None | Some("file") => By::File,
            Some("label") => By::Label,
            Some(other) => {
                return Err(HttpError::bad_request(format!(
                    "by={other:?}: unknown (file or label expected)"
                )));
            }
        };
        Ok(Query { labels: Labels { include, exclude: Vec::new() }, by })
    }

    /// Returns a text that is equal for equal queries.
    pub(crate) fn key(&self) -> String {
        let mut patterns: Vec<&str> = self.labels.include.iter().map(Glob::as_str).collect();
        patterns.sort_unstable();
        patterns.dedup();
        format!("{:?} {patterns:?}", self.by)
    }
}

/// Returns the values of a scrape as JSON.
pub(crate) fn render(snapshot: &Snapshot, interval: f64, query: &Query) -> Vec<u8> {
    match query.by {
        By::File => {
            let samples = &snapshot.scrape.samples;
            let files: Vec<String> =
                samples.iter().map(|sample| lossless_path(&sample.writer_id.name)).collect();
            let mut chosen = Vec::new();
            each_wanted(fields(snapshot), &query.labels, |writer, index| {
                chosen.push((writer, index));
            });
            let row = |(writer, index): &(usize, usize)| {
                let (sample, delta) = (&samples[*writer], &snapshot.deltas[*writer][*index]);
                let whose = Whose::One {
                    file: (&files[*writer]).into(),
                    pid: sample.writer_id.pid(),
                    liveness: liveness_name(sample.verdict.liveness),
                    owner: sample.writer_id.other_owner,
                };
                let error = |error: &ValueError| Some(error.to_string());
                let value = sample.values[*index].as_ref().map_err(error);
                let increase = delta.increase.as_deref();
                SeriesJson::new(&sample.fields[*index], whose, value, delta.rate, increase)
            };
            write_rows(snapshot, interval, &chosen, row)
        }
        By::Label => {
            let combined = by_label(snapshot, &query.labels);
            write_rows(snapshot, interval, &combined, CombinedField::row)
        }
    }
}

/// Returns JSON with a row for each item.
fn write_rows<'t, T>(
    snapshot: &Snapshot,
    interval: f64,
    items: &'t [T],
    row: impl Fn(&'t T) -> SeriesJson<'t>,
) -> Vec<u8> {
    #[derive(Serialize)]
    struct ResultJson<R: Serialize> {
        time: f64,
        interval: f64,
        stats: R,
    }
    /// Makes each row only when it is written, as there may be many.
    struct Rows<'t, T, F>(&'t [T], F);
    impl<'t, T, F: Fn(&'t T) -> SeriesJson<'t>> Serialize for Rows<'t, T, F> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().map(&self.1))
        }
    }
    let time = unix_seconds(snapshot.scrape.time);
    bytes(&ResultJson { time, interval, stats: Rows(items, row) })
}

/// The value of a series.
#[derive(Serialize)]
struct SeriesJson<'r> {
    label: &'r str,
    kind: &'static str,
    r#type: String,
    unit: &'r str,
    help: &'r str,
    #[serde(flatten)]
    properties: Properties,
    #[serde(flatten)]
    whose: Whose<'r>,
    value: Option<JsonValue<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<JsonValue<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregate: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    divisor: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Option<Float>>,
}

/// The writers of a series.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Whose<'r> {
    One {
        file: Cow<'r, str>,
        pid: Option<u32>,
        liveness: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<u32>,
    },
    All {
        writers: usize,
        dead: usize,
    },
}

impl<'r> SeriesJson<'r> {
    fn new(
        field: &'r Field,
        whose: Whose<'r>,
        value: Result<&'r OwnedValue, Option<String>>,
        rate: Option<f64>,
        increase: Option<&'r HistogramSnapshot>,
    ) -> Self {
        let (scale, divisor) = scaling(field);
        let (base, raw) = values(field, value.as_ref().ok().copied());
        SeriesJson {
            label: &field.label,
            kind: field.kind.name(),
            r#type: type_code(field),
            unit: &field.unit,
            help: &field.help,
            properties: Properties::new(field),
            whose,
            value: base.map(|value| value.with_interval(increase)),
            raw,
            error: value.err().flatten(),
            aggregate: None,
            scale,
            divisor,
            rate: is_cumulative(field).then(|| rate.map(Float)),
        }
    }
}

/// Calls a function with the indices of the writer and of the field, for all selected fields.
pub(crate) fn each_wanted<'f>(
    writers: impl IntoIterator<Item = &'f Arc<[Field]>>,
    labels: &Labels,
    mut call: impl FnMut(usize, usize),
) {
    // Writers share fields, so each list is compared once.
    let mut wanted: HashMap<*const Field, Vec<usize>> = HashMap::new();
    for (writer, fields) in writers.into_iter().enumerate() {
        let choose = || (0..fields.len()).filter(|at| labels.accept(&fields[*at].label)).collect();
        let indices = wanted.entry(fields.as_ptr()).or_insert_with(choose);
        indices.iter().for_each(|index| call(writer, *index));
    }
}

/// Returns the fields of all writers.
fn fields(snapshot: &Snapshot) -> impl Iterator<Item = &Arc<[Field]>> {
    snapshot.scrape.samples.iter().map(|sample| &sample.fields)
}

/// All fields with one key, combined.
struct CombinedField<'g> {
    field: &'g Field,
    value: Result<OwnedValue, NoValue>,
    writers: usize,
    /// The last of them: a writer may have two fields of one label.
    last: Option<usize>,
    /// The number of dead writers among them.
    dead: usize,
    rate: Option<f64>,
    increase: Option<HistogramSnapshot>,
}

impl CombinedField<'_> {
    fn row(&self) -> SeriesJson<'_> {
        // That there is no value yet is no error.
        let error =
            |reason: &NoValue| Some(reason.to_string()).filter(|_| *reason != NoValue::Missing);
        let value = self.value.as_ref().map_err(error);
        let name = || Aggregation::from_field(self.field).json_name();
        let aggregate = value.is_ok().then(name);
        let whose = Whose::All { writers: self.writers, dead: self.dead };
        let row = SeriesJson::new(self.field, whose, value, self.rate, self.increase.as_ref());
        SeriesJson { aggregate, ..row }
    }
}

/// Adds rates; an unknown one does not hide the others.
pub(crate) fn add_rates(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    }
}

fn by_label<'s>(snapshot: &'s Snapshot, labels: &Labels) -> Vec<CombinedField<'s>> {
    let mut all: BTreeMap<SeriesKey<'_>, (Aggregate, CombinedField<'_>)> = BTreeMap::new();
    each_wanted(fields(snapshot), labels, |writer, index| {
        let sample = &snapshot.scrape.samples[writer];
        let contributor = Contributor::new(&sample.writer_id, sample.verdict);
        let field = &sample.fields[index];
        let Delta { rate, increase } = &snapshot.deltas[writer][index];
        let new = || {
            let (value, writers, last, dead) = (Err(NoValue::Missing), 0, None, 0);
            let (rate, increase) = (None, None);
            let combined = CombinedField { field, value, writers, last, dead, rate, increase };
            (Aggregate::new(field), combined)
        };
        let (aggregate, combined) = all.entry(SeriesKey::from_field(field)).or_insert_with(new);
        if combined.last.replace(writer) != Some(writer) {
            combined.writers += 1;
            combined.dead += usize::from(contributor.has_ended);
        }
        aggregate.add(field, sample.values[index].as_ref(), contributor);
        combined.rate = add_rates(combined.rate, *rate);
        if let Some(increase) = increase {
            combined.increase.get_or_insert_with(HistogramSnapshot::default).add(increase);
        }
    });
    all.into_values()
        .map(|(aggregate, combined)| CombinedField { value: aggregate.into_value(), ..combined })
        .collect()
}
