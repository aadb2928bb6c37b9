//! The rows of the table: one for each label, aggregated over its writers.

use std::collections::BTreeMap;

use mmstats_core::Kind;
use mmstats_core::reader::ValueError;
use mmstats_std::read::Field;

use crate::dimensions::base_name;
use crate::render::date::Date;
use crate::render::distribution::QUANTILES;
use crate::render::human;
use crate::render::number::Scale;
use crate::scraper::{OwnedValue, Scrape, WriterSample};
use crate::search::Search;
use crate::series::{
    Aggregate, Aggregation, Contributor, HistogramSnapshot, NoValue, Number, Scaled, SeriesKey,
    is_identity,
};

/// A row of the table.
pub(super) struct LabelRow<'l> {
    pub(super) label: &'l str,
    pub(super) kind: Kind,
    pub(super) unit: &'l str,
    pub(super) help: &'l str,
    scale: Scale,
    writers: usize,
    dead: usize,
    aggregate: Aggregate,
}

/// A formatted value.
pub(super) struct ValueText {
    /// Rounded, with its unit.
    pub(super) short: String,
    /// With all digits, for the tooltip.
    pub(super) exact: String,
}

/// Returns the rows whose labels match a search, ordered by prefix. (The page's scripts also search
/// the files and processes of writers, as they may show a row for each.)
pub(super) fn build_rows<'l>(scrape: &'l Scrape, search: &str) -> Vec<LabelRow<'l>> {
    let search = Search::new(search);
    let mut rows: BTreeMap<_, Option<LabelRow<'l>>> = BTreeMap::new();
    for sample in &scrape.samples {
        let writer = Contributor::new(&sample.writer_id, sample.verdict);
        for (field, value) in sample.fields.iter().zip(&sample.values) {
            let row =
                rows.entry((prefix(&field.label), SeriesKey::from_field(field))).or_insert_with(
                    || search.matches(&field.label, None).then(|| LabelRow::new(field)),
                );
            if let Some(row) = row {
                row.add(field, value, writer);
            }
        }
    }
    rows.into_values().flatten().collect()
}

/// Returns all writers of a label, each with a row of its value.
pub(super) fn writer_rows<'l>(
    scrape: &'l Scrape,
    label: &'l str,
) -> impl Iterator<Item = (&'l WriterSample, LabelRow<'l>)> {
    scrape.samples.iter().flat_map(move |sample| {
        let all =
            sample.fields.iter().zip(&sample.values).filter(move |(field, _)| field.label == label);
        all.map(move |(field, value)| {
            let mut row = LabelRow::new(field);
            row.add(field, value, Contributor::new(&sample.writer_id, sample.verdict));
            (sample, row)
        })
    })
}

/// Returns the part of a label before the last dot of its name.
fn prefix(label: &str) -> &str {
    let name = base_name(label);
    name.rfind('.').map_or("", |dot| &name[..dot])
}

impl<'l> LabelRow<'l> {
    fn new(field: &'l Field) -> Self {
        let (label, unit, help) = (&field.label, &field.unit, &field.help);
        LabelRow {
            label,
            kind: field.kind,
            unit,
            help,
            scale: Scale::from_field(field),
            writers: 0,
            dead: 0,
            aggregate: Aggregate::new(field),
        }
    }

    fn add(&mut self, field: &Field, value: &Result<OwnedValue, ValueError>, writer: Contributor) {
        self.writers += 1;
        self.dead += usize::from(writer.has_ended);
        self.aggregate.add(field, value.as_ref(), writer);
    }

    /// Returns `true` for constants and identity fields, whose numbers are not rounded.
    fn is_info(&self) -> bool {
        self.kind == Kind::Info || is_identity(self.label)
    }

    /// Returns the label's prefix, by which rows are grouped.
    pub(super) fn prefix(&self) -> &'l str {
        prefix(self.label)
    }

    /// Returns `true` if all writers are dead.
    pub(super) fn has_ended(&self) -> bool {
        self.dead == self.writers
    }

    /// Formats the number of writers, and of dead ones if there are any.
    pub(super) fn count_writers(&self) -> String {
        match self.dead {
            0 => self.writers.to_string(),
            dead => format!("{}, {dead} ended", self.writers),
        }
    }

    /// Returns `true` if the value is the mean of several writers.
    pub(super) fn is_mean(&self) -> bool {
        self.aggregate.selection() == Some(Aggregation::Mean)
    }

    /// Returns the aggregated value.
    pub(super) fn value(&self) -> ValueText {
        // A sum may exceed the range of all stored integers.
        let exact = match self.aggregate.combine(Aggregation::Auto) {
            Some(Scaled { number: Number::Integer(sum), .. }) if self.scale.is_none() => {
                Some(sum.to_string())
            }
            _ => None,
        };
        match self.aggregate.clone().into_value() {
            Err(NoValue::Differs) => ValueText {
                short: "differs".to_owned(),
                exact: format!("{} writers have different values", self.writers),
            },
            Err(NoValue::Missing) => {
                ValueText { short: "-".to_owned(), exact: NoValue::Missing.to_string() }
            }
            Err(error) => ValueText { short: "unreadable".to_owned(), exact: error.to_string() },
            Ok(OwnedValue::Text(text)) => ValueText {
                short: text.to_string(),
                exact: text.into_string() + &self.aggregate_note(),
            },
            Ok(OwnedValue::Bool(value)) => {
                let short = value.to_string();
                ValueText { exact: short.clone() + &self.aggregate_note(), short }
            }
            Ok(OwnedValue::Histogram(buckets)) => self.histogram(&buckets),
            Ok(number) => {
                let shown = || self.scale.number(&number).map(|number| number.to_string());
                let stored = Number::from_value(&number).map_or(f64::NAN, Number::as_f64);
                self.number(stored, exact.or_else(shown).unwrap_or_default())
            }
        }
    }

    fn number(&self, stored: f64, exact: String) -> ValueText {
        let shown = self.scale.approximate(stored);
        let date = Date::from_unix(shown).filter(|_| self.unit == "unixtime");
        let short = match date {
            Some(date) => date.to_string(),
            None if self.unit == "unixtime" && shown == 0.0 => "never".to_owned(),
            None if self.is_info() && self.unit.is_empty() => exact.clone(),
            None => human::quantity(shown, self.unit),
        };
        let exact = format!("{exact} {}", self.unit).trim_end().to_owned();
        ValueText { short, exact: exact + &self.aggregate_note() }
    }

    /// Returns how one value was made of several, unless that is obvious: `, max of 3`.
    fn aggregate_note(&self) -> String {
        match self.aggregate.selection().filter(|_| self.unit != "unixtime") {
            Some(way) => format!(", {} of {}", way.json_name(), self.aggregate.values()),
            None => String::new(),
        }
    }

    fn histogram(&self, buckets: &HistogramSnapshot) -> ValueText {
        let quantity =
            |value: u64| human::quantity(self.scale.approximate(value as f64), self.unit);
        let quantiles = QUANTILES.map(|(name, fraction)| {
            buckets.quantile(fraction).map(|value| format!("{name} {}", quantity(value)))
        });
        let quantiles: Vec<String> = quantiles.into_iter().flatten().collect();
        let exact = format!("{} recorded", buckets.count());
        let short = if quantiles.is_empty() { "empty".to_owned() } else { quantiles.join(", ") };
        ValueText { short, exact }
    }
}
