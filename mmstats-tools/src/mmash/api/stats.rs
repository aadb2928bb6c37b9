//! Current values: of each writer, or of all writers combined by label.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use mmstats_core::reader::ValueError;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;
use serde::Serialize;

use crate::escape::lossless_path;
use crate::labels::Labels;
use crate::mmash::api::json::{self, DisplayValue, Float, scaling, type_code};
use crate::mmash::live::scrape_loop::{Delta, Snapshot};
use crate::mmash::server::parameters::Parameters;
use crate::mmash::server::response::HttpError;
use crate::render::json::liveness_name;
use crate::render::number::Scale;
use crate::scraper::OwnedValue;
use crate::series::{Aggregate, Class, HistogramSnapshot, NoValue, SeriesKey, is_cumulative};
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
        let mut patterns: Vec<&str> =
            self.labels.include.iter().map(glob::Pattern::as_str).collect();
        patterns.sort_unstable();
        patterns.dedup();
        format!("{:?} {patterns:?}", self.by)
    }
}

/// Returns the values of a scrape as JSON.
pub(crate) fn render(snapshot: &Snapshot, interval: f64, query: &Query) -> Vec<u8> {
    #[derive(Serialize)]
    struct QueryResult<R: Serialize> {
        time: f64,
        interval: f64,
        stats: R,
    }
    let time = unix_seconds(snapshot.scrape.time);
    match query.by {
        By::File => {
            json::bytes(&QueryResult { time, interval, stats: by_file(snapshot, &query.labels) })
        }
        By::Label => {
            let groups = by_label(snapshot, &query.labels);
            let stats: Vec<Row<'_>> = groups.iter().map(CombinedField::row).collect();
            json::bytes(&QueryResult { time, interval, stats })
        }
    }
}

/// The value of a series.
#[derive(Serialize)]
struct Row<'r> {
    label: &'r str,
    kind: &'static str,
    r#type: String,
    unit: &'r str,
    help: &'r str,
    #[serde(flatten)]
    whose: Whose<'r>,
    value: Option<DisplayValue<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<DisplayValue<'r>>,
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

#[derive(Serialize)]
#[serde(untagged)]
enum Whose<'r> {
    One { file: &'r str, pid: Option<u32>, liveness: &'static str },
    All { writers: usize, dead: usize },
}

impl<'r> Row<'r> {
    fn new(
        field: &'r Field,
        whose: Whose<'r>,
        value: Result<&'r OwnedValue, String>,
        rate: Option<f64>,
        increase: Option<&'r HistogramSnapshot>,
    ) -> Self {
        let scale = Scale::from_field(field);
        let (power, divisor) = scaling(field);
        let is_scaled = power.is_some() || divisor.is_some();
        Row {
            label: &field.label,
            kind: field.kind.name(),
            r#type: type_code(field),
            unit: &field.unit,
            help: &field.help,
            whose,
            value: value.as_ref().ok().map(|stored| DisplayValue {
                stored,
                scale,
                interval: Some(increase),
            }),
            raw: value
                .as_ref()
                .ok()
                .filter(|_| is_scaled)
                .map(|stored| DisplayValue::new(stored, Scale::NONE)),
            error: value.err(),
            aggregate: None,
            scale: power,
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

fn by_file<'s>(snapshot: &'s Snapshot, labels: &Labels) -> impl Serialize + 's {
    struct Rows<'s> {
        snapshot: &'s Snapshot,
        files: Vec<String>,
        chosen: Vec<(usize, usize)>,
    }
    impl Serialize for Rows<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let row = |(writer, index): &(usize, usize)| {
                let sample = &self.snapshot.scrape.samples[*writer];
                let delta = &self.snapshot.deltas[*writer][*index];
                let liveness = liveness_name(sample.verdict.liveness);
                let whose = Whose::One {
                    file: &self.files[*writer],
                    pid: sample.writer_id.pid(),
                    liveness,
                };
                let value = sample.values[*index].as_ref().map_err(ValueError::to_string);
                Row::new(
                    &sample.fields[*index],
                    whose,
                    value,
                    delta.rate,
                    delta.increase.as_deref(),
                )
            };
            serializer.collect_seq(self.chosen.iter().map(row))
        }
    }
    let files = snapshot
        .scrape
        .samples
        .iter()
        .map(|sample| lossless_path(&sample.writer_id.name))
        .collect();
    let mut chosen = Vec::new();
    each_wanted(fields(snapshot), labels, |writer, index| chosen.push((writer, index)));
    Rows { snapshot, files, chosen }
}

/// All fields with one key, combined.
struct CombinedField<'g> {
    field: &'g Field,
    writers: usize,
    /// Of these, the dead ones.
    dead: usize,
    value: Result<OwnedValue, NoValue>,
    class: Class,
    rate: Option<f64>,
    increase: Option<HistogramSnapshot>,
}

impl CombinedField<'_> {
    fn row(&self) -> Row<'_> {
        let value = self.value.as_ref().map_err(NoValue::to_string);
        let aggregate = Some(self.class.aggregate_name()).filter(|_| value.is_ok());
        Row {
            aggregate,
            ..Row::new(
                self.field,
                Whose::All { writers: self.writers, dead: self.dead },
                value,
                self.rate,
                self.increase.as_ref(),
            )
        }
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
    struct Members<'s> {
        field: &'s Field,
        class: Class,
        aggregate: Aggregate,
        writers: usize,
        /// The last of them: a writer may have two fields of one label.
        last: Option<usize>,
        dead: usize,
        rate: Option<f64>,
        increase: Option<HistogramSnapshot>,
    }
    let mut all: BTreeMap<SeriesKey<'_>, Members<'_>> = BTreeMap::new();
    each_wanted(fields(snapshot), labels, |writer, index| {
        let sample = &snapshot.scrape.samples[writer];
        let is_dead = sample.verdict.liveness == Liveness::Dead;
        let field = &sample.fields[index];
        let Delta { rate, increase } = &snapshot.deltas[writer][index];
        let new = || {
            let class = Class::from_field(field);
            let aggregate = Aggregate::new(class);
            let (writers, last, dead, rate, increase) = (0, None, 0, None, None);
            Members { field, class, aggregate, writers, last, dead, rate, increase }
        };
        let members = all.entry(SeriesKey::from_field(field)).or_insert_with(new);
        if members.last.replace(writer) != Some(writer) {
            members.writers += 1;
            members.dead += usize::from(is_dead);
        }
        members.aggregate.add(sample.values[index].as_ref(), Scale::from_field(field), is_dead);
        members.rate = add_rates(members.rate, *rate);
        if let Some(increase) = increase {
            members.increase.get_or_insert_with(HistogramSnapshot::default).add(increase);
        }
    });
    let combine = |members: Members<'s>| {
        let Members { field, class, aggregate, writers, dead, rate, increase, .. } = members;
        CombinedField { field, writers, dead, value: aggregate.into_value(), class, rate, increase }
    };
    all.into_values().map(combine).collect()
}
