//! What a look tells of each column: how much has changed since the one before, or what is there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use mmstats_core::Kind;
use mmstats_std::read::Field;

use super::cell::{Cell, Row, Scaled, Value};
use super::columns::{Columns, Place};
use super::group::Group;
use super::statistic::Statistic;
use crate::options::poll::{Aggregate, By, Options};
use crate::render::number::Scale;
use crate::render::text::scale;
use crate::scraper::{OwnedValue, Scrape, WriterSample};
use crate::series::delta::{Number, delta, is_cumulative};
use crate::series::histogram::HistogramSnapshot;

/// What is known from look to look.
pub(super) struct Meter {
    by: Option<By>,
    aggregate: Option<Aggregate>,
    shows: Shows,
    /// All writers of the look before, by their numbers, with the last of their values that could
    /// be read.
    before: HashMap<u64, WriterSample>,
    /// Those that have taken part, so that what they had counted is in the totals.
    joined: HashSet<u64>,
    /// The highest number of a writer.
    last_id: u64,
    /// When the look before was.
    looked: Option<Duration>,
    /// What has been counted by each group of files in each column.
    totals: HashMap<(Group, usize), Total>,
}

/// What is shown of what counts up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Changes,
    Rates,
    Totals,
}

enum Total {
    Number(Scaled, String),
    HistogramSnapshot(HistogramSnapshot, Scale),
}

/// What is known of a writer's past.
#[derive(Clone, Copy)]
enum Past<'b> {
    /// It began at zero: everything has come since the look before.
    None,
    /// It was there, but nobody looked.
    Unknown,
    /// What was seen then.
    WriterSample(&'b WriterSample),
    /// What was seen then, while it did not take part.
    Joins(&'b WriterSample),
}

/// A field of one file, for one column.
struct Part<'p> {
    /// Where the field is in its file.
    at: usize,
    field: &'p Field,
    stored: &'p OwnedValue,
    past: Past<'p>,
}

/// A distribution, or an amount, that came since the look before, and what comes to the total with
/// it.
struct Grown<T> {
    change: T,
    gain: T,
}

impl Meter {
    pub(super) fn new(options: &Options) -> Meter {
        let shows = match (options.rate, options.absolute) {
            (true, _) => Shows::Rates,
            (_, true) => Shows::Totals,
            _ => Shows::Changes,
        };
        let (before, totals) = (HashMap::new(), HashMap::new());
        Meter {
            by: options.by,
            aggregate: options.agg,
            shows,
            before,
            joined: HashSet::new(),
            last_id: 0,
            looked: None,
            totals,
        }
    }

    /// The rows of a look that the columns have learnt of.
    ///
    /// `others` are those writers that do not take part, for now.
    pub(super) fn rows(
        &mut self,
        mut scrape: Scrape,
        others: Vec<WriterSample>,
        columns: &Columns,
    ) -> Vec<Row> {
        let seconds = self.looked.map(|looked| scrape.elapsed.saturating_sub(looked).as_secs_f64());
        let mut groups: BTreeMap<Group, Vec<&WriterSample>> = BTreeMap::new();
        if self.by.is_none() {
            groups.insert(Group::All, Vec::new());
        }
        for sample in &scrape.samples {
            groups.entry(Group::of(sample, self.by)).or_default().push(sample);
        }
        let mut totals = std::mem::take(&mut self.totals);
        let row = |(group, files): (Group, Vec<&WriterSample>)| {
            let pasts: Vec<Past<'_>> = files.iter().map(|sample| self.past(sample)).collect();
            let mut parts: Vec<(Vec<Part<'_>>, Option<Statistic>)> =
                columns.iter().map(|_| (Vec::new(), None)).collect();
            for (sample, past) in files.iter().zip(&pasts) {
                for Place { column, at, statistic } in
                    columns.places(&sample.fields).iter().copied()
                {
                    if let Ok(stored) = &sample.values[at] {
                        parts[column].0.push(Part {
                            at,
                            field: &sample.fields[at],
                            stored,
                            past: *past,
                        });
                        parts[column].1 = statistic;
                    }
                }
            }
            let cells = columns.iter().zip(&parts);
            let cells = cells
                .map(|(column, (parts, statistic))| {
                    self.cell(parts, *statistic, seconds, &group, column.id, &mut totals)
                })
                .collect();
            Row {
                time: scrape.time,
                seconds,
                group,
                cells,
                is_total: seconds.is_none() && self.shows == Shows::Changes,
            }
        };
        let rows = groups.into_iter().map(row).collect();
        self.totals = totals;
        self.joined.extend(scrape.samples.iter().map(|sample| sample.writer_id.id));
        scrape.samples.extend(others);
        self.keep(scrape);
        rows
    }

    fn past(&self, sample: &WriterSample) -> Past<'_> {
        match self.before.get(&sample.writer_id.id) {
            Some(before) if self.joined.contains(&sample.writer_id.id) => {
                Past::WriterSample(before)
            }
            Some(before) => Past::Joins(before),
            None if self.looked.is_none()
                || (sample.writer_id.is_new && sample.writer_id.id > self.last_id) =>
            {
                Past::None
            }
            None => Past::Unknown,
        }
    }

    /// Keeps the values for the next look: the last ones that could be read, also of files that
    /// cannot be read now.
    fn keep(&mut self, scrape: Scrape) {
        let troubled: HashSet<&Path> =
            scrape.errors.iter().map(|problem| problem.name.as_path()).collect();
        let mut before = std::mem::take(&mut self.before);
        for mut sample in scrape.samples {
            if let Some(old) = before.remove(&sample.writer_id.id) {
                keep_values(&mut sample, &old);
            }
            self.last_id = self.last_id.max(sample.writer_id.id);
            self.before.insert(sample.writer_id.id, sample);
        }
        self.before.extend(
            before.into_iter().filter(|(_, old)| troubled.contains(old.writer_id.name.as_path())),
        );
        self.joined.retain(|id| self.before.contains_key(id));
        self.looked = Some(scrape.elapsed);
    }

    fn cell(
        &self,
        parts: &[Part<'_>],
        statistic: Option<Statistic>,
        seconds: Option<f64>,
        group: &Group,
        column: usize,
        totals: &mut Totals,
    ) -> Cell {
        let key = || (group.clone(), column);
        let per_second = self.shows == Shows::Rates || statistic == Some(Statistic::Rate);
        let Some(first) = parts.first() else {
            // What was counted stays counted.
            let total = totals.get(&key()).filter(|_| !per_second);
            return total.map_or(Cell::MISSING, |total| total.cell(statistic));
        };
        let unit = first.field.unit.as_str();
        if let Some(statistic) = statistic.filter(|statistic| *statistic != Statistic::Rate) {
            let Some(grown) = distribution(parts) else { return Cell::new(Value::Mixed, "") };
            let scale = scale(first.field);
            if self.shows == Shows::Totals {
                let total = totals.entry(key()).or_insert_with(|| {
                    Total::HistogramSnapshot(HistogramSnapshot::default(), scale)
                });
                if let Total::HistogramSnapshot(buckets, _) = total {
                    buckets.add(&grown.gain);
                }
                return with_unit(total.cell(Some(statistic)), unit, statistic);
            }
            let Some(number) = statistic.of(&grown.change, scale) else { return Cell::MISSING };
            let cell = with_unit(Cell::new(Value::Number(number), ""), unit, statistic);
            return match (per_second, seconds) {
                (false, _) => cell,
                (true, Some(seconds)) if statistic.is_amount() => {
                    rate(cell.approximate().unwrap_or(f64::NAN), seconds, &cell.unit)
                }
                (true, Some(_)) => cell,
                (true, None) => Cell::MISSING,
            };
        }
        if matches!(first.stored, OwnedValue::Text(_)) {
            return text(parts);
        }
        if !is_cumulative(first.field) {
            return gauge(parts, self.aggregate, unit);
        }
        let unit = if first.field.kind == Kind::Histogram { "" } else { unit };
        let Some(grown) = amount(parts) else { return Cell::MISSING };
        match (self.shows, seconds) {
            _ if per_second => seconds
                .map_or(Cell::MISSING, |seconds| rate(grown.change.approximate(), seconds, unit)),
            (Shows::Totals, _) => {
                let total = match totals.remove(&key()) {
                    Some(Total::Number(total, _)) => total.add(grown.gain),
                    _ => grown.gain,
                };
                totals.insert(key(), Total::Number(total, unit.to_owned()));
                Cell::new(total.value(), unit)
            }
            _ => Cell::new(grown.change.value(), unit),
        }
    }
}

type Totals = HashMap<(Group, usize), Total>;

impl Total {
    fn cell(&self, statistic: Option<Statistic>) -> Cell {
        match (self, statistic) {
            (Total::Number(total, unit), _) => Cell::new(total.value(), unit),
            (Total::HistogramSnapshot(buckets, scale), Some(statistic)) => statistic
                .of(buckets, *scale)
                .map_or(Cell::MISSING, |number| Cell::new(Value::Number(number), "")),
            (Total::HistogramSnapshot(..), None) => Cell::MISSING,
        }
    }
}

impl<'p> Part<'p> {
    /// The value at the look before; `Err` if there was one, and nobody knows which.
    fn before(&self) -> Result<Option<&'p OwnedValue>, ()> {
        match self.past {
            Past::None => Ok(None),
            Past::Unknown => Err(()),
            Past::WriterSample(sample) | Past::Joins(sample) => {
                match sample.value_at(self.at, &self.field.label) {
                    // A field that was added.
                    None => Ok(None),
                    Some(value) => value.as_ref().map(Some).map_err(drop),
                }
            }
        }
    }

    /// Whether nothing of it is in the totals yet.
    fn joins(&self) -> bool {
        matches!(self.past, Past::Joins(_))
    }
}

/// In place of values that could not be read, puts those of the look before.
fn keep_values(sample: &mut WriterSample, old: &WriterSample) {
    for (at, (field, value)) in sample
        .fields
        .iter()
        .zip(&mut sample.values)
        .enumerate()
        .filter(|(_, (_, value))| value.is_err())
    {
        if let Some(Ok(stored)) = old.value_at(at, &field.label) {
            *value = Ok(stored.clone());
        }
    }
}

fn with_unit(cell: Cell, unit: &str, statistic: Statistic) -> Cell {
    if statistic.has_unit() { Cell::new(cell.value, unit) } else { cell }
}

fn rate(change: f64, seconds: f64, unit: &str) -> Cell {
    if seconds > 0.0 {
        Cell::new(Value::Rate(change / seconds), &format!("{unit}/s"))
    } else {
        Cell::MISSING
    }
}

/// What was recorded by all; `None` if they have different scales, so that their buckets cannot be
/// put together.
fn distribution(parts: &[Part<'_>]) -> Option<Grown<HistogramSnapshot>> {
    let mut grown =
        Grown { change: HistogramSnapshot::default(), gain: HistogramSnapshot::default() };
    let first = scale(parts.first()?.field);
    for part in parts {
        let OwnedValue::Histogram(now) = part.stored else { continue };
        if scale(part.field) != first {
            return None;
        }
        match part.before() {
            Ok(Some(OwnedValue::Histogram(before))) => {
                let since = now.since(before, part.field.location.ty);
                grown.change.add(&since);
                grown.gain.add(if part.joins() { now } else { &since });
            }
            Ok(_) => {
                grown.change.add(now);
                grown.gain.add(now);
            }
            Err(()) => grown.gain.add(now),
        }
    }
    Some(grown)
}

/// How much was counted by all.
fn amount(parts: &[Part<'_>]) -> Option<Grown<Scaled>> {
    let grown = parts.iter().filter_map(|part| {
        // A histogram's count has no scale.
        let scale =
            if part.field.kind == Kind::Histogram { Scale::NONE } else { scale(part.field) };
        let whole = delta(part.field, None, part.stored)?;
        let (change, gain) = match part.before() {
            Ok(before) => {
                let grown = delta(part.field, before, part.stored).unwrap_or(whole);
                (grown, if part.joins() { whole } else { grown })
            }
            Err(()) => (Number::ZERO, whole),
        };
        Some(Grown {
            change: Scaled { amount: change, scale },
            gain: Scaled { amount: gain, scale },
        })
    });
    grown.reduce(|one, other| Grown {
        change: one.change.add(other.change),
        gain: one.gain.add(other.gain),
    })
}

fn text(parts: &[Part<'_>]) -> Cell {
    let mut texts = parts
        .iter()
        .map(|part| if let OwnedValue::Text(text) = part.stored { Some(text) } else { None });
    match texts.next().flatten() {
        Some(first) if texts.all(|text| text == Some(first)) => {
            Cell::new(Value::Text(first.to_string()), "")
        }
        _ => Cell::new(Value::Mixed, ""),
    }
}

fn gauge(parts: &[Part<'_>], aggregate: Option<Aggregate>, unit: &str) -> Cell {
    // A sum of dates is none.
    let usual = if unit == "unixtime" { Aggregate::Max } else { Aggregate::Sum };
    let numbers: Vec<Scaled> = parts
        .iter()
        .filter_map(|part| {
            Some(Scaled { amount: Number::of(part.stored)?, scale: scale(part.field) })
        })
        .collect();
    let count = numbers.len();
    let sum = |numbers: Vec<Scaled>| numbers.into_iter().reduce(Scaled::add);
    let total = |one: &Scaled, other: &Scaled| one.approximate().total_cmp(&other.approximate());
    let number = match aggregate.unwrap_or(usual) {
        Aggregate::Sum => sum(numbers),
        Aggregate::Avg if count > 1 => sum(numbers).map(|sum| sum.divide(count)),
        Aggregate::Avg => sum(numbers),
        Aggregate::Min => numbers.into_iter().min_by(total),
        Aggregate::Max => numbers.into_iter().max_by(total),
    };
    number.map_or(Cell::MISSING, |number| Cell::new(number.value(), unit))
}
