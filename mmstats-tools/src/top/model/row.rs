//! A row: all writers' fields with one label and meaning.

use std::sync::Arc;

use mmstats_core::{Kind, Type};
use mmstats_std::read::Field;

use super::History;
use super::writer::Writer;
use crate::render::number::Scale;
use crate::scraper::OwnedValue;
use crate::series::{Aggregate, Aggregation, Class, Number, Scaled, stated_aggregation};

/// The key that fields in one row share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RowKey {
    group: Option<Arc<str>>,
    label: Box<str>,
    unit: Box<str>,
    class: Class,
    kind: u8,
    scale: (i8, u32),
    aggregation: &'static str,
}

impl RowKey {
    pub(super) fn new(field: &Field, group: Option<Arc<str>>) -> Self {
        RowKey {
            group,
            label: field.label.as_str().into(),
            unit: field.unit.as_str().into(),
            class: Class::from_field(field),
            kind: field.kind as u8,
            scale: (field.scale, field.divisor),
            aggregation: stated_aggregation(field).name(),
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Unique in the table, also over time.
    pub(crate) id: u64,
    /// The index in the table.
    pub(super) place: usize,
    /// The last scrape that a writer had it in.
    pub(super) round: u64,
    /// The file or process, if rows are split by them.
    pub(crate) group: Option<Arc<str>>,
    pub(crate) label: Box<str>,
    pub(crate) unit: Box<str>,
    pub(crate) help: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) ty: Type,
    pub(crate) class: Class,
    pub(crate) scale: Scale,
    /// The name of the aggregation that the field states, if it does.
    pub(crate) stated: &'static str,
    /// Whether values of ended writers count.
    pub(crate) is_kept: bool,
    /// The number of writers, and of the dead ones among them.
    pub(crate) writers: usize,
    dead: usize,
    /// The number of values that exist and could be read.
    readable: usize,
    /// The values of the last scrape.
    aggregate: Aggregate,
    /// How many different texts, constants or identities there are.
    pub(crate) distinct: usize,
    /// The increase since the previous scrape.
    increase: Option<Number>,
    /// The increase per second; not scaled.
    pub(crate) rate: Option<f64>,
    /// Rates of counters, values of anything else; a screen shows no more digits than `f32` has.
    pub(crate) history: History<f32>,
    /// Whether it has ever changed.
    pub(crate) has_changed: bool,
    /// The totals of writers that are gone.
    retired: Number,
    previous: f64,
}

impl Row {
    pub(super) fn new(id: u64, place: usize, field: &Field, group: Option<Arc<str>>) -> Self {
        Row {
            id,
            place,
            round: 0,
            group,
            label: field.label.as_str().into(),
            unit: field.unit.as_str().into(),
            help: field.help.as_str().into(),
            kind: field.kind,
            ty: field.location.ty,
            class: Class::from_field(field),
            scale: Scale::from_field(field),
            stated: stated_aggregation(field).name(),
            is_kept: field.kept,
            writers: 0,
            dead: 0,
            readable: 0,
            aggregate: Aggregate::new(field),
            distinct: 0,
            increase: None,
            rate: None,
            history: History::new(),
            has_changed: false,
            retired: Number::ZERO,
            previous: f64::NAN,
        }
    }

    /// Adds a writer's field. The first one in a scrape replaces those of the scrape before.
    pub(super) fn add(&mut self, writer: &Writer, index: usize, round: u64) {
        if self.round != round {
            self.round = round;
            self.aggregate.clear();
            (self.writers, self.dead, self.readable, self.increase) = (0, 0, 0, None);
        }
        self.writers += 1;
        let contributor = writer.contributor();
        self.dead += usize::from(contributor.has_ended);
        let value = writer.value(index);
        self.readable += usize::from(value.is_some());
        if self.keeps_total() {
            if let Some(number) = writer.total(index) {
                self.aggregate.add_number(Scaled { number, scale: self.scale }, contributor);
            }
        } else if let Some(value) = value {
            self.aggregate.add(&writer.fields[index], Ok(value), contributor);
        }
        if let (true, Some(delta)) = (self.class.is_cumulative(), writer.delta(index)) {
            self.increase = Some(self.increase.map_or(delta, |sum| sum + delta));
        }
    }

    /// Returns `true` if the total does not decrease when writers end or restart.
    fn keeps_total(&self) -> bool {
        matches!(self.kind, Kind::Counter | Kind::Histogram)
    }

    /// Keeps the count of a writer that is gone.
    pub(super) fn retire(&mut self, writer: &Writer, index: usize) {
        if let Some(total) = writer.total(index).filter(|_| self.keeps_total()) {
            self.retired += total;
        }
    }

    /// Computes rate and history after a scrape. `passed` are the seconds since the previous one.
    pub(super) fn end_scrape(&mut self, passed: Option<f64>) {
        let passed = passed.filter(|passed| *passed > 0.0);
        if self.retired != Number::ZERO {
            self.aggregate.add_retired(Scaled { number: self.retired, scale: self.scale });
        }
        self.distinct = self.aggregate.count_distinct();
        if let Some(passed) = passed {
            let increase = self.increase.map_or(0.0, Number::as_f64);
            self.rate = self.class.is_cumulative().then_some(increase / passed);
        }
        let now = match self.class {
            Class::Fact | Class::Text => (self.aggregate.fingerprint() >> 12) as f64,
            _ => self.number(Aggregation::Auto).unwrap_or(f64::NAN),
        };
        self.has_changed |= now != self.previous && !now.is_nan() && !self.previous.is_nan();
        self.previous = now;
        match self.class {
            Class::Counter | Class::Histogram => {
                self.rate.iter().for_each(|rate| self.history.push(*rate as f32));
            }
            Class::Fact | Class::Text => {}
            _ => self.history.push(self.scale.approximate(now) as f32),
        }
    }

    /// Returns how writers are combined if this is chosen. A choice does not apply to booleans,
    /// which are counted unless they state an aggregation.
    pub(crate) fn resolve(&self, chosen: Aggregation) -> Aggregation {
        let chosen = if self.class == Class::Flag { Aggregation::Auto } else { chosen };
        match self.aggregate.resolve(chosen) {
            Aggregation::Unique => Aggregation::Sum,
            resolved => resolved,
        }
    }

    /// Returns `true` if writers can be combined in several ways.
    pub(crate) fn is_amount(&self) -> bool {
        !matches!(self.class, Class::Fact | Class::Text | Class::Flag | Class::Histogram)
    }

    /// Returns the number of values in the row, without outdated ones of dead writers.
    pub(crate) fn values(&self) -> usize {
        if self.keeps_total() { self.readable } else { self.aggregate.values() }
    }

    /// Returns the sum as it is stored.
    pub(crate) fn sum(&self) -> Option<Number> {
        Some(self.aggregate.sum()?.number)
    }

    /// Returns the first of the texts, constants or identities.
    pub(crate) fn fact(&self) -> Option<&OwnedValue> {
        self.aggregate.fact()
    }

    /// Returns the combined number, not scaled; `None` if no writer has one.
    pub(crate) fn number(&self, aggregation: Aggregation) -> Option<f64> {
        Some(self.aggregate.combine(self.resolve(aggregation))?.number.as_f64())
    }

    /// Returns the combined number as it is displayed, or the one that all writers agree on.
    pub(crate) fn scaled(&self, aggregation: Aggregation) -> Option<f64> {
        let stored = match (self.class, self.fact()) {
            (Class::Fact | Class::Text, Some(fact)) if self.distinct == 1 => {
                Number::from_value(fact).map(Number::as_f64)
            }
            (Class::Fact | Class::Text, _) => None,
            (Class::Histogram, _) => return self.number(aggregation),
            _ => self.number(aggregation),
        };
        stored.map(|stored| self.scale.approximate(stored))
    }

    /// Returns the rate as it is displayed; of a histogram, values per second.
    pub(crate) fn scaled_rate(&self) -> Option<f64> {
        match self.class {
            Class::Histogram => self.rate,
            _ => self.rate.map(|rate| self.scale.approximate(rate)),
        }
    }

    /// Returns `true` for zero, an empty text, or no value at all.
    pub(crate) fn is_zero(&self) -> bool {
        match (self.class, self.fact()) {
            (Class::Fact | Class::Text, Some(OwnedValue::Text(text))) => {
                text.is_empty() && self.distinct <= 1
            }
            (Class::Fact | Class::Text, Some(fact)) => {
                Number::from_value(fact).is_none_or(|number| number.as_f64() == 0.0)
                    && self.distinct <= 1
            }
            (Class::Fact | Class::Text, None) => true,
            _ => {
                let extremes = [self.aggregate.min(), self.aggregate.max()];
                extremes.iter().flatten().all(|number| number.number.as_f64() == 0.0)
                    && self.sum().is_none_or(|sum| sum.as_f64() == 0.0)
            }
        }
    }

    /// Returns `true` if all its writers are dead.
    pub(crate) fn is_dead(&self) -> bool {
        self.writers > 0 && self.dead == self.writers
    }
}
