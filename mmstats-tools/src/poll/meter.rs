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
use crate::buckets::Buckets;
use crate::growth::{Amount, counts_up, growth};
use crate::options::poll::{Aggregate, By, Options};
use crate::render::number::Scale;
use crate::render::text::scale;
use crate::sampler::{Look, Seen, Stored};

/// What is known from look to look.
pub(super) struct Meter {
    by: Option<By>,
    aggregate: Option<Aggregate>,
    shows: Shows,
    /// All writers of the look before, by their numbers, with the last of their values that could
    /// be read.
    before: HashMap<u64, Seen>,
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
    Amount(Scaled, String),
    Buckets(Buckets, Scale),
}

/// What is known of a writer's past.
#[derive(Clone, Copy)]
enum Past<'b> {
    /// It began at zero: everything has come since the look before.
    None,
    /// It was there, but nobody looked.
    Unknown,
    /// What was seen then.
    Seen(&'b Seen),
    /// What was seen then, while it did not take part.
    Joins(&'b Seen),
}

/// A field of one file, for one column.
struct Part<'p> {
    /// Where the field is in its file.
    at: usize,
    field: &'p Field,
    stored: &'p Stored,
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
        mut look: Look,
        others: Vec<Seen>,
        columns: &Columns,
    ) -> Vec<Row> {
        let seconds = self.looked.map(|looked| look.elapsed.saturating_sub(looked).as_secs_f64());
        let mut groups: BTreeMap<Group, Vec<&Seen>> = BTreeMap::new();
        if self.by.is_none() {
            groups.insert(Group::All, Vec::new());
        }
        for seen in &look.seen {
            groups.entry(Group::of(seen, self.by)).or_default().push(seen);
        }
        let mut totals = std::mem::take(&mut self.totals);
        let row = |(group, files): (Group, Vec<&Seen>)| {
            let pasts: Vec<Past<'_>> = files.iter().map(|seen| self.past(seen)).collect();
            let mut parts: Vec<(Vec<Part<'_>>, Option<Statistic>)> =
                columns.iter().map(|_| (Vec::new(), None)).collect();
            for (seen, past) in files.iter().zip(&pasts) {
                for Place { column, at, statistic } in columns.places(&seen.fields).iter().copied()
                {
                    if let Ok(stored) = &seen.values[at] {
                        parts[column].0.push(Part {
                            at,
                            field: &seen.fields[at],
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
                time: look.time,
                seconds,
                group,
                cells,
                is_total: seconds.is_none() && self.shows == Shows::Changes,
            }
        };
        let rows = groups.into_iter().map(row).collect();
        self.totals = totals;
        self.joined.extend(look.seen.iter().map(|seen| seen.origin.id));
        look.seen.extend(others);
        self.keep(look);
        rows
    }

    fn past(&self, seen: &Seen) -> Past<'_> {
        match self.before.get(&seen.origin.id) {
            Some(before) if self.joined.contains(&seen.origin.id) => Past::Seen(before),
            Some(before) => Past::Joins(before),
            None if self.looked.is_none()
                || (seen.origin.is_new && seen.origin.id > self.last_id) =>
            {
                Past::None
            }
            None => Past::Unknown,
        }
    }

    /// Keeps the values for the next look: the last ones that could be read, also of files that
    /// cannot be read now.
    fn keep(&mut self, look: Look) {
        let troubled: HashSet<&Path> =
            look.problems.iter().map(|problem| problem.name.as_path()).collect();
        let mut before = std::mem::take(&mut self.before);
        for mut seen in look.seen {
            if let Some(old) = before.remove(&seen.origin.id) {
                keep_values(&mut seen, &old);
            }
            self.last_id = self.last_id.max(seen.origin.id);
            self.before.insert(seen.origin.id, seen);
        }
        self.before.extend(
            before.into_iter().filter(|(_, old)| troubled.contains(old.origin.name.as_path())),
        );
        self.joined.retain(|id| self.before.contains_key(id));
        self.looked = Some(look.elapsed);
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
                let total = totals
                    .entry(key())
                    .or_insert_with(|| Total::Buckets(Buckets::default(), scale));
                if let Total::Buckets(buckets, _) = total {
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
        if matches!(first.stored, Stored::Text(_)) {
            return text(parts);
        }
        if !counts_up(first.field) {
            return gauge(parts, self.aggregate, unit);
        }
        let unit = if first.field.kind == Kind::Histogram { "" } else { unit };
        let Some(grown) = amount(parts) else { return Cell::MISSING };
        match (self.shows, seconds) {
            _ if per_second => seconds
                .map_or(Cell::MISSING, |seconds| rate(grown.change.approximate(), seconds, unit)),
            (Shows::Totals, _) => {
                let total = match totals.remove(&key()) {
                    Some(Total::Amount(total, _)) => total.add(grown.gain),
                    _ => grown.gain,
                };
                totals.insert(key(), Total::Amount(total, unit.to_owned()));
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
            (Total::Amount(total, unit), _) => Cell::new(total.value(), unit),
            (Total::Buckets(buckets, scale), Some(statistic)) => statistic
                .of(buckets, *scale)
                .map_or(Cell::MISSING, |number| Cell::new(Value::Number(number), "")),
            (Total::Buckets(..), None) => Cell::MISSING,
        }
    }
}

impl<'p> Part<'p> {
    /// The value at the look before; `Err` if there was one, and nobody knows which.
    fn before(&self) -> Result<Option<&'p Stored>, ()> {
        match self.past {
            Past::None => Ok(None),
            Past::Unknown => Err(()),
            Past::Seen(seen) | Past::Joins(seen) => match seen.value_at(self.at, &self.field.label)
            {
                // A field that was added.
                None => Ok(None),
                Some(value) => value.as_ref().map(Some).map_err(drop),
            },
        }
    }

    /// Whether nothing of it is in the totals yet.
    fn joins(&self) -> bool {
        matches!(self.past, Past::Joins(_))
    }
}

/// In place of values that could not be read, puts those of the look before.
fn keep_values(seen: &mut Seen, old: &Seen) {
    for (at, (field, value)) in seen
        .fields
        .iter()
        .zip(&mut seen.values)
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
fn distribution(parts: &[Part<'_>]) -> Option<Grown<Buckets>> {
    let mut grown = Grown { change: Buckets::default(), gain: Buckets::default() };
    let first = scale(parts.first()?.field);
    for part in parts {
        let Stored::Histogram(now) = part.stored else { continue };
        if scale(part.field) != first {
            return None;
        }
        match part.before() {
            Ok(Some(Stored::Histogram(before))) => {
                let since = now.since(before, part.field.place.ty);
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
        let whole = growth(part.field, None, part.stored)?;
        let (change, gain) = match part.before() {
            Ok(before) => {
                let grown = growth(part.field, before, part.stored).unwrap_or(whole);
                (grown, if part.joins() { whole } else { grown })
            }
            Err(()) => (Amount::ZERO, whole),
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
        .map(|part| if let Stored::Text(text) = part.stored { Some(text) } else { None });
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
            Some(Scaled { amount: Amount::of(part.stored)?, scale: scale(part.field) })
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
