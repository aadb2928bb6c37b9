//! The rows of a scrape: by how much values have changed since the last one, or what they are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use mmstats_core::Kind;
use mmstats_std::read::Field;

use super::cell::{Cell, GroupRow, Value};
use super::columns::{FieldBinding, FieldColumns};
use super::group::Group;
use super::statistic::Statistic;
use crate::options::poll::{GroupBy, Options};
use crate::render::number::Scale;
use crate::scraper::{OwnedValue, Scrape, WriterSample};
use crate::series::{
    Aggregate, Aggregation, Baseline, Class, Contributor, CounterTotal, HistogramSnapshot, NoValue,
    Number, Scaled, stated_aggregation,
};

/// Computes rows, and keeps the values of the last scrape for that.
pub(super) struct DeltaTable {
    by: Option<GroupBy>,
    aggregation: Aggregation,
    mode: Mode,
    /// All writers of the last scrape by their ids, with the last values that could be read.
    before: HashMap<u64, WriterSample>,
    /// The writers whose values are in the totals: those that passed the filters.
    joined: HashSet<u64>,
    /// The highest id of a writer.
    last_id: u64,
    /// The time of the last scrape.
    previous: Option<Duration>,
    totals: GroupTotals,
}

/// How counters and histograms are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Changes,
    Rates,
    Totals,
}

/// The totals of each group of files in each column, with their units.
type GroupTotals = HashMap<(Group, usize), (CounterTotal, String)>;

/// The earlier values of a writer.
#[derive(Clone, Copy)]
enum WriterBaseline<'b> {
    /// All counters were zero at the last scrape.
    Zero,
    /// It existed at the last scrape, but was not read.
    Unknown,
    /// It was read, and passed the filters or not.
    Known { sample: &'b WriterSample, has_joined: bool },
}

/// A field of one file, for one column.
struct Member<'p> {
    field: &'p Field,
    stored: &'p OwnedValue,
    writer: Contributor,
    /// Its value at the last scrape.
    baseline: Baseline<'p>,
    /// The part of its value that is in the totals.
    total_baseline: Baseline<'p>,
}

impl DeltaTable {
    pub(super) fn new(options: &Options) -> DeltaTable {
        let mode = match (options.rate, options.totals) {
            (true, _) => Mode::Rates,
            (_, true) => Mode::Totals,
            _ => Mode::Changes,
        };
        DeltaTable {
            by: options.group_by,
            aggregation: options.agg.unwrap_or_default(),
            mode,
            before: HashMap::new(),
            joined: HashSet::new(),
            last_id: 0,
            previous: None,
            totals: GroupTotals::new(),
        }
    }

    /// Returns the rows of a scrape to which the columns are bound. `others` are the writers that
    /// do not pass the filters in this scrape.
    pub(super) fn rows(
        &mut self,
        mut scrape: Scrape,
        others: Vec<WriterSample>,
        columns: &FieldColumns,
    ) -> Vec<GroupRow> {
        let seconds =
            self.previous.map(|previous| scrape.elapsed.saturating_sub(previous).as_secs_f64());
        let mut groups: BTreeMap<Group, Vec<&WriterSample>> = BTreeMap::new();
        if self.by.is_none() {
            groups.insert(Group::All, Vec::new());
        }
        for sample in &scrape.samples {
            groups.entry(Group::from_sample(sample, self.by)).or_default().push(sample);
        }
        let mut notes = Group::distinguish(groups.keys());
        let mut totals = std::mem::take(&mut self.totals);
        let row = |(group, samples): (Group, Vec<&WriterSample>)| {
            let members = self.members(&samples, columns);
            let cells = columns.iter().zip(&members);
            let cells = cells
                .map(|(column, (members, statistic))| {
                    let key = (group.clone(), column.id);
                    self.cell(members, *statistic, seconds, key, &mut totals)
                })
                .collect();
            let is_total = seconds.is_none() && self.mode == Mode::Changes;
            let note = notes.remove(&group);
            GroupRow { time: scrape.time, seconds, group, note, cells, is_total }
        };
        let rows = groups.into_iter().map(row).collect();
        self.totals = totals;
        self.joined.extend(scrape.samples.iter().map(|sample| sample.writer_id.id));
        scrape.samples.extend(others);
        self.keep_values(scrape);
        rows
    }

    /// Returns the fields of each column, and its statistic.
    fn members<'p>(
        &'p self,
        samples: &[&'p WriterSample],
        columns: &FieldColumns,
    ) -> Vec<(Vec<Member<'p>>, Option<Statistic>)> {
        let mut all: Vec<_> = columns.iter().map(|_| (Vec::new(), None)).collect();
        for sample in samples {
            let writer_baseline = self.writer_baseline(sample);
            let writer = Contributor::new(&sample.writer_id, sample.verdict);
            for FieldBinding { column, field_index: at, statistic } in
                columns.bindings(&sample.fields).iter().copied()
            {
                let Ok(stored) = &sample.values[at] else { continue };
                let field = &sample.fields[at];
                let baseline = writer_baseline.field(at, field);
                let total_baseline = match (writer_baseline, baseline) {
                    (WriterBaseline::Known { has_joined: false, .. }, _)
                    | (_, Baseline::Unknown) => Baseline::Zero,
                    (_, known) => known,
                };
                all[column].0.push(Member { field, stored, writer, baseline, total_baseline });
                all[column].1 = statistic;
            }
        }
        all
    }

    fn writer_baseline(&self, sample: &WriterSample) -> WriterBaseline<'_> {
        let id = sample.writer_id.id;
        match self.before.get(&id) {
            Some(sample) => WriterBaseline::Known { sample, has_joined: self.joined.contains(&id) },
            None if self.previous.is_none() || (sample.writer_id.is_new && id > self.last_id) => {
                WriterBaseline::Zero
            }
            None => WriterBaseline::Unknown,
        }
    }

    /// Keeps the values for the next scrape: the last ones that could be read, also of files that
    /// cannot be read now, and of writers without a file.
    fn keep_values(&mut self, mut scrape: Scrape) {
        let mut before = std::mem::take(&mut self.before);
        for mut sample in std::mem::take(&mut scrape.samples) {
            if let Some(old) = before.remove(&sample.writer_id.id) {
                replace_unreadable(&mut sample, &old);
            }
            self.last_id = self.last_id.max(sample.writer_id.id);
            self.before.insert(sample.writer_id.id, sample);
        }
        let unread = scrape.unread_writers();
        before.retain(|_, old| unread.may_return(&old.writer_id));
        self.before.extend(before);
        self.joined.retain(|id| self.before.contains_key(id));
        self.previous = Some(scrape.elapsed);
    }

    fn cell(
        &self,
        members: &[Member<'_>],
        statistic: Option<Statistic>,
        seconds: Option<f64>,
        key: (Group, usize),
        totals: &mut GroupTotals,
    ) -> Cell {
        let per_second = self.mode == Mode::Rates || statistic == Some(Statistic::Rate);
        let Some(first) = members.first() else {
            // All of its writers have gone; their totals stay.
            return match totals.get(&key).filter(|_| !per_second) {
                Some((total, unit)) => total_cell(total, statistic, unit),
                None => Cell::MISSING,
            };
        };
        let unit = first.field.unit.as_str();
        let statistic = statistic.filter(|statistic| *statistic != Statistic::Rate);
        if !Class::from_field(first.field).is_cumulative() {
            return self.current(members, first.field);
        }
        let has_one_scale = || {
            members
                .iter()
                .all(|member| Scale::from_field(member.field) == Scale::from_field(first.field))
        };
        if statistic.is_some() && !has_one_scale() {
            return Cell::new(Value::Mixed, "");
        }
        if self.mode == Mode::Totals && !per_second {
            let unit = match statistic {
                Some(statistic) if !statistic.has_unit() => "",
                None if first.field.kind == Kind::Histogram => "",
                _ => unit,
            };
            let new = || (CounterTotal::default(), unit.to_owned());
            let (total, _) = totals.entry(key).or_insert_with(new);
            add_all(total, members, statistic, |member| member.total_baseline);
            return total_cell(total, statistic, unit);
        }
        let mut change = CounterTotal::default();
        add_all(&mut change, members, statistic, |member| member.baseline);
        let Some(statistic) = statistic else {
            let unit = if first.field.kind == Kind::Histogram { "" } else { unit };
            let none = Scaled { number: Number::ZERO, scale: Scale::from_field(first.field) };
            let change = change.numbers().total().unwrap_or(none);
            return match seconds {
                Some(seconds) if per_second => rate(change.as_f64(), seconds, unit),
                None if per_second => Cell::MISSING,
                _ => Cell::new(Value::from_scaled(change), unit),
            };
        };
        let empty = HistogramSnapshot::default();
        let (buckets, scale) =
            change.histogram().unwrap_or((&empty, Scale::from_field(first.field)));
        let unit = if statistic.has_unit() { unit } else { "" };
        let Some(number) = statistic.evaluate(buckets, scale) else { return Cell::MISSING };
        let cell = Cell::new(Value::Number(number), unit);
        match seconds {
            Some(seconds) if per_second && statistic.is_amount() => {
                rate(cell.approximate().unwrap_or(f64::NAN), seconds, unit)
            }
            None if per_second => Cell::MISSING,
            _ => cell,
        }
    }

    /// Combines values that are of this scrape alone.
    fn current(&self, members: &[Member<'_>], first: &Field) -> Cell {
        // Version 1 cannot state an aggregation, so its fields follow the others.
        let fields = members.iter().map(|member| member.field);
        let mut typed = fields.filter(|field| field.kind != Kind::Untyped);
        let first = typed.next().unwrap_or(first);
        let stated = stated_aggregation(first);
        if self.aggregation == Aggregation::Auto
            && typed.any(|field| stated_aggregation(field) != stated)
        {
            return Cell::new(Value::Mixed, "");
        }
        let (mut aggregate, unit) = (Aggregate::new(first), first.unit.as_str());
        for member in members {
            aggregate.add(member.field, Ok(member.stored), member.writer);
        }
        if let Some(number) = aggregate.combine(self.aggregation) {
            return Cell::new(Value::from_scaled(number), unit);
        }
        match aggregate.into_value() {
            Ok(OwnedValue::Text(text)) => Cell::new(Value::Text(text.into()), ""),
            Ok(value) => match Scaled::from_value(&value, Scale::from_field(first)) {
                Some(number) => Cell::new(Value::from_scaled(number), unit),
                None => Cell::MISSING,
            },
            Err(NoValue::Differs) => Cell::new(Value::Mixed, ""),
            Err(NoValue::Unreadable(_) | NoValue::Missing) => Cell::MISSING,
        }
    }
}

impl<'b> WriterBaseline<'b> {
    /// Returns the earlier value of the field, which is most likely at this index.
    fn field(self, at: usize, field: &Field) -> Baseline<'b> {
        let sample = match self {
            WriterBaseline::Zero => return Baseline::Zero,
            WriterBaseline::Unknown => return Baseline::Unknown,
            WriterBaseline::Known { sample, .. } => sample,
        };
        Baseline::from_sample(sample, at, field)
    }
}

/// Adds what all have counted since these baselines: of histograms, the buckets for a statistic,
/// else the number of values.
fn add_all<'p>(
    total: &mut CounterTotal,
    members: &[Member<'p>],
    statistic: Option<Statistic>,
    baseline: impl Fn(&Member<'p>) -> Baseline<'p>,
) {
    for member in members {
        match baseline(member).counted(member.field, member.stored) {
            Some(counted) if statistic.is_some() => total.add(&counted),
            Some(counted) => total.add_count(&counted),
            None => {}
        }
    }
}

fn total_cell(total: &CounterTotal, statistic: Option<Statistic>, unit: &str) -> Cell {
    let Some(statistic) = statistic.filter(|statistic| *statistic != Statistic::Rate) else {
        let number = total.numbers().total();
        return number.map_or(Cell::MISSING, |number| Cell::new(Value::from_scaled(number), unit));
    };
    match total.histogram().and_then(|(buckets, scale)| statistic.evaluate(buckets, scale)) {
        Some(number) => Cell::new(Value::Number(number), unit),
        None => Cell::MISSING,
    }
}

/// Replaces values that could not be read by those of the last scrape.
fn replace_unreadable(sample: &mut WriterSample, old: &WriterSample) {
    for (at, (field, value)) in sample.fields.iter().zip(&mut sample.values).enumerate() {
        if let (true, Some(Ok(stored))) = (value.is_err(), old.value_of(at, field)) {
            *value = Ok(stored.clone());
        }
    }
}

fn rate(change: f64, seconds: f64, unit: &str) -> Cell {
    if seconds > 0.0 {
        Cell::new(Value::Rate(change / seconds), &format!("{unit}/s"))
    } else {
        Cell::MISSING
    }
}
