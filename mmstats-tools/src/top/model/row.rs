//! A row: what all its writers publish under one label.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use mmstats_core::{Kind, Type};
use mmstats_std::read::Field;

use super::History;
use super::writer::Writer;
use crate::render::number::Scale;
use crate::render::text::scale;
use crate::scraper::OwnedValue;
use crate::series::is_averaged_unit;
use crate::series::is_identity;
use crate::series::{Number, is_cumulative};

/// What can be done with the values of several writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// They are summed, and their growth is what tells something.
    Counting,
    /// They are summed or averaged.
    Level,
    /// True or false: how many are true.
    Flag,
    /// They agree or differ: texts, constants.
    Fact,
    /// They are added bucket by bucket.
    Histogram,
}

impl Class {
    fn of(field: &Field) -> Class {
        match (field.kind, field.location.ty) {
            (Kind::Histogram, _) => Class::Histogram,
            (Kind::Info, _) | (_, Type::Text | Type::Pascal) => Class::Fact,
            // Not all writers say that it is no measure: those of version 1 cannot, and a thread's
            // number changes when its file is taken over.
            (Kind::Untyped | Kind::Gauge, _) if is_identity(&field.label) => Class::Fact,
            (_, Type::Bool) => Class::Flag,
            _ if is_cumulative(field) => Class::Counting,
            _ => Class::Level,
        }
    }

    /// Whether it has a rate.
    pub(crate) fn is_counting(self) -> bool {
        matches!(self, Class::Counting | Class::Histogram)
    }
}

/// What is made of the values of several writers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Aggregation {
    /// What makes sense: the mean of measures, the latest of dates, the sum of all else.
    #[default]
    Auto,
    Sum,
    Mean,
    Least,
    Most,
}

impl Aggregation {
    pub(crate) fn next(self) -> Aggregation {
        use Aggregation::{Auto, Least, Mean, Most, Sum};
        match self {
            Auto => Sum,
            Sum => Mean,
            Mean => Least,
            Least => Most,
            Most => Auto,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Aggregation::Auto => "auto",
            Aggregation::Sum => "sum",
            Aggregation::Mean => "avg",
            Aggregation::Least => "min",
            Aggregation::Most => "max",
        }
    }
}

/// What fields have to have in common to be in one row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    group: Option<Arc<str>>,
    label: Box<str>,
    unit: Box<str>,
    class: Class,
    kind: u8,
    scale: (i8, u32),
}

impl Key {
    pub(super) fn new(field: &Field, group: Option<Arc<str>>) -> Self {
        Key {
            group,
            label: field.label.as_str().into(),
            unit: field.unit.as_str().into(),
            class: Class::of(field),
            kind: field.kind as u8,
            scale: (field.scale, field.divisor),
        }
    }
}

/// What one look found of a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Writers that have the field, and those of them that are dead.
    pub(crate) writers: usize,
    pub(crate) dead: usize,
    /// Values that could be read.
    pub(crate) values: usize,
    pub(crate) sum: Option<Number>,
    pub(crate) least: f64,
    pub(crate) most: f64,
    grown: Option<Number>,
    /// One for each value of a fact.
    hashes: Vec<u64>,
    /// How many different ones there are.
    pub(crate) different: usize,
}

impl Tally {
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.values > 0).then(|| Some(self.sum?.as_f64() / self.values as f64)).flatten()
    }
}

/// What is shown in one line.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// A number that no other row of the table has.
    pub(crate) id: u64,
    /// Where it is in its table.
    pub(super) place: usize,
    /// The file or process, if rows are split by them.
    pub(crate) group: Option<Arc<str>>,
    pub(crate) label: Box<str>,
    pub(crate) unit: Box<str>,
    pub(crate) help: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) ty: Type,
    pub(crate) class: Class,
    pub(crate) scale: Scale,
    pub(crate) tally: Tally,
    /// Of facts, one of the values.
    pub(crate) fact: Option<OwnedValue>,
    /// Change per second.
    pub(crate) rate: Option<f64>,
    /// Rates of what counts, values of what does not, as floats; a screen shows no more of them.
    pub(crate) history: History<f32>,
    /// Whether it was ever seen to change.
    pub(crate) has_changed: bool,
    /// What writers had counted that are gone now.
    retired: Number,
    previous: f64,
}

impl Row {
    pub(super) fn new(id: u64, place: usize, field: &Field, group: Option<Arc<str>>) -> Self {
        Row {
            id,
            place,
            group,
            label: field.label.as_str().into(),
            unit: field.unit.as_str().into(),
            help: field.help.as_str().into(),
            kind: field.kind,
            ty: field.location.ty,
            class: Class::of(field),
            scale: scale(field),
            tally: Tally::default(),
            fact: None,
            rate: None,
            history: History::new(),
            has_changed: false,
            retired: Number::ZERO,
            previous: f64::NAN,
        }
    }

    /// Before a look.
    pub(super) fn begin(&mut self) {
        let mut hashes = std::mem::take(&mut self.tally.hashes);
        hashes.clear();
        self.tally =
            Tally { hashes, least: f64::INFINITY, most: f64::NEG_INFINITY, ..Tally::default() };
    }

    /// Adds what a writer has.
    pub(super) fn add(&mut self, writer: &Writer, index: usize) {
        let keeps_total = self.keeps_total();
        let tally = &mut self.tally;
        tally.writers += 1;
        tally.dead += usize::from(writer.is_dead());
        let value = writer.value(index);
        tally.values += usize::from(value.is_some());
        if self.class == Class::Fact {
            if let Some(value) = value {
                tally.hashes.push(hash(value));
                if self.fact.as_ref() != Some(value) && tally.values == 1 {
                    self.fact = Some(value.clone());
                }
            }
            return;
        }
        let amount =
            if keeps_total { writer.total(index) } else { value.and_then(Number::from_value) };
        if let Some(amount) = amount {
            tally.sum = Some(tally.sum.map_or(amount, |sum| sum + amount));
            let number = amount.as_f64();
            tally.least = tally.least.min(number);
            tally.most = tally.most.max(number);
        }
        if let (true, Some(grown)) = (self.class.is_counting(), writer.grown(index)) {
            tally.grown = Some(tally.grown.map_or(grown, |sum| sum + grown));
        }
    }

    /// Whether what was counted stays counted.
    fn keeps_total(&self) -> bool {
        matches!(self.kind, Kind::Counter | Kind::Histogram)
    }

    /// Takes over what a writer had counted that is gone.
    pub(super) fn retire(&mut self, writer: &Writer, index: usize) {
        if let Some(total) = writer.total(index).filter(|_| self.keeps_total()) {
            self.retired += total;
        }
    }

    /// After a look, so many seconds after the one before.
    pub(super) fn end(&mut self, passed: Option<f64>) {
        let passed = passed.filter(|passed| *passed > 0.0);
        if let Some(sum) = &mut self.tally.sum {
            *sum += self.retired;
        }
        self.tally.hashes.sort_unstable();
        self.tally.hashes.dedup();
        self.tally.different = self.tally.hashes.len();
        if let Some(passed) = passed {
            let is_known = self.class.is_counting() && self.tally.writers > 0;
            self.rate = is_known.then(|| self.tally.grown.map_or(0.0, Number::as_f64) / passed);
        }
        let now = match self.class {
            Class::Fact => self.tally.hashes.iter().fold(0, |all, hash| all ^ (hash >> 12)) as f64,
            _ => self.number(Aggregation::Auto).unwrap_or(f64::NAN),
        };
        self.has_changed |= now != self.previous && !now.is_nan() && !self.previous.is_nan();
        self.previous = now;
        match self.class {
            Class::Counting | Class::Histogram => {
                self.rate.iter().for_each(|rate| self.history.push(*rate as f32))
            }
            Class::Level | Class::Flag => self.history.push(self.scale.approximate(now) as f32),
            Class::Fact => {}
        }
    }

    /// What [`Aggregation::Auto`] means here.
    pub(crate) fn resolve(&self, aggregation: Aggregation) -> Aggregation {
        match (aggregation, self.class) {
            (_, Class::Fact | Class::Histogram | Class::Flag) => Aggregation::Sum,
            (Aggregation::Auto, Class::Level) if &*self.unit == "unixtime" => Aggregation::Most,
            (Aggregation::Auto, Class::Level) if is_averaged_unit(&self.unit) => Aggregation::Mean,
            (Aggregation::Auto, _) => Aggregation::Sum,
            (chosen, _) => chosen,
        }
    }

    /// The number that stands for all writers, as stored; `None` if there is none.
    pub(crate) fn number(&self, aggregation: Aggregation) -> Option<f64> {
        match self.resolve(aggregation) {
            Aggregation::Mean => self.tally.mean(),
            Aggregation::Least => Some(self.tally.least).filter(|_| self.tally.sum.is_some()),
            Aggregation::Most => Some(self.tally.most).filter(|_| self.tally.sum.is_some()),
            Aggregation::Sum | Aggregation::Auto => self.tally.sum.map(Number::as_f64),
        }
    }

    /// The number that stands for all writers, as it is shown; of facts that agree on one, too.
    pub(crate) fn scaled(&self, aggregation: Aggregation) -> Option<f64> {
        let stored = match (self.class, &self.fact) {
            (Class::Fact, Some(fact)) if self.tally.different == 1 => {
                Number::from_value(fact).map(Number::as_f64)
            }
            (Class::Fact, _) => None,
            (Class::Histogram, _) => return self.number(aggregation),
            _ => self.number(aggregation),
        };
        stored.map(|stored| self.scale.approximate(stored))
    }

    /// Whether there is nothing to see: zero, an empty text, or no value at all.
    pub(crate) fn is_zero(&self) -> bool {
        match (self.class, &self.fact) {
            (Class::Fact, Some(OwnedValue::Text(text))) => {
                text.is_empty() && self.tally.different <= 1
            }
            (Class::Fact, Some(fact)) => {
                Number::from_value(fact).is_none_or(|amount| amount.as_f64() == 0.0)
                    && self.tally.different <= 1
            }
            (Class::Fact, None) => true,
            _ => {
                self.tally.sum.is_none()
                    || (self.tally.least == 0.0
                        && self.tally.most == 0.0
                        && self.number(Aggregation::Sum) == Some(0.0))
            }
        }
    }

    /// Whether no writer of it is alive or may be.
    pub(crate) fn is_dead(&self) -> bool {
        self.tally.writers > 0 && self.tally.dead == self.tally.writers
    }
}

fn hash(value: &OwnedValue) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        OwnedValue::Text(text) => text.hash(&mut hasher),
        OwnedValue::Bool(value) => value.hash(&mut hasher),
        OwnedValue::Unsigned(value) => value.hash(&mut hasher),
        OwnedValue::Signed(value) => value.hash(&mut hasher),
        OwnedValue::Float(value) => value.to_bits().hash(&mut hasher),
        OwnedValue::Histogram(_) => {}
    }
    hasher.finish()
}
