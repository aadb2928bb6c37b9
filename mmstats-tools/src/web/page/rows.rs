//! Rows of the table: what all writers publish under one label.

use std::collections::BTreeMap;

use mmstats_core::Kind;
use mmstats_core::reader::ValueProblem;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;

use super::query::Words;
use crate::buckets::Buckets;
use crate::growth::Amount;
use crate::labels::is_identity;
use crate::render::date::Date;
use crate::render::distribution::QUANTILES;
use crate::render::human;
use crate::render::number::Scale;
use crate::render::text::scale;
use crate::sampler::{Look, Seen, Stored};

/// One label.
pub(super) struct Row<'l> {
    pub(super) label: &'l str,
    pub(super) kind: Kind,
    pub(super) unit: &'l str,
    pub(super) help: &'l str,
    scale: Scale,
    writers: usize,
    dead: usize,
    total: Total<'l>,
}

/// The values of all writers together.
enum Total<'l> {
    /// None could be read.
    Unreadable(ValueProblem),
    /// They agree, or it is a single one.
    Same(&'l Stored),
    /// Texts, or numbers that are no amounts, which are not the same.
    Different,
    Sum(Amount),
    Histogram(Box<Buckets>),
}

/// A value for people.
pub(super) struct Shown {
    /// As short as it can be read.
    pub(super) short: String,
    /// With all its digits.
    pub(super) exact: String,
}

/// The rows whose labels have all words of a search, in the order of their prefixes.
pub(super) fn rows<'l>(look: &'l Look, search: &str) -> Vec<Row<'l>> {
    let words = Words::new(search);
    let mut rows: BTreeMap<_, Option<Row<'l>>> = BTreeMap::new();
    for seen in &look.seen {
        let dead = usize::from(seen.verdict.liveness == Liveness::Dead);
        for (field, value) in seen.fields.iter().zip(&seen.values) {
            let key = (prefix(&field.label), field.label.as_str(), field.kind.name(), field.unit.as_str(), (field.scale, field.divisor));
            let row = rows.entry(key).or_insert_with(|| words.are_in(&field.label).then(|| Row::new(field, value)));
            if let Some(row) = row {
                row.add(value);
                row.dead += dead;
            }
        }
    }
    rows.into_values().flatten().collect()
}

/// What each writer of a label has there.
pub(super) fn writers<'l>(look: &'l Look, label: &'l str) -> impl Iterator<Item = (&'l Seen, Row<'l>)> {
    look.seen.iter().flat_map(move |seen| {
        let all = seen.fields.iter().zip(&seen.values).filter(move |(field, _)| field.label == label);
        all.map(move |(field, value)| (seen, Row::new(field, value)))
    })
}

/// The part of a label before its last dot, dimensions aside.
fn prefix(label: &str) -> &str {
    let name = label.find('{').map_or(label, |brace| &label[..brace]);
    name.rfind('.').map_or("", |dot| &name[..dot])
}

impl<'l> Row<'l> {
    fn new(field: &'l Field, value: &'l Result<Stored, ValueProblem>) -> Self {
        let total = match value {
            Ok(value) => Total::Same(value),
            Err(problem) => Total::Unreadable(*problem),
        };
        Row { label: &field.label, kind: field.kind, unit: &field.unit, help: &field.help, scale: scale(field), writers: 0, dead: 0, total }
    }

    fn add(&mut self, value: &'l Result<Stored, ValueProblem>) {
        self.writers += 1;
        let Ok(value) = value else { return };
        if self.writers == 1 {
            return;
        }
        let is_fact = self.is_fact() || self.unit == "unixtime";
        let total = std::mem::replace(&mut self.total, Total::Different);
        self.total = match (total, value) {
            (Total::Unreadable(_), value) => Total::Same(value),
            (Total::Different, _) => Total::Different,
            (Total::Histogram(mut sum), Stored::Histogram(other)) => {
                sum.add(other);
                Total::Histogram(sum)
            }
            (Total::Same(Stored::Histogram(one)), Stored::Histogram(other)) => {
                let mut sum = one.clone();
                sum.add(other);
                Total::Histogram(sum)
            }
            (Total::Same(one), other) if is_fact || matches!(other, Stored::Text(_) | Stored::Bool(_)) => {
                match (one == other, Amount::of(one), Amount::of(other)) {
                    (true, ..) => Total::Same(one),
                    // Of dates the latest.
                    (_, Some(before), Some(now)) if self.unit == "unixtime" => Total::Same(if now.as_f64() > before.as_f64() { other } else { one }),
                    _ => Total::Different,
                }
            }
            (Total::Same(one), other) => Amount::of(one).zip(Amount::of(other)).map_or(Total::Different, |(one, other)| Total::Sum(one + other)),
            (Total::Sum(sum), other) => Amount::of(other).map_or(Total::Different, |other| Total::Sum(sum + other)),
            (Total::Histogram(_), _) => Total::Different,
        };
    }

    /// Whether it says what something is, and not how much there is of it.
    fn is_fact(&self) -> bool {
        self.kind == Kind::Info || is_identity(self.label)
    }

    /// What comes before its last dot.
    pub(super) fn prefix(&self) -> &'l str {
        prefix(self.label)
    }

    /// Whether all its writers have ended.
    pub(super) fn is_dead(&self) -> bool {
        self.dead == self.writers
    }

    /// How many writers it has, in words if some have ended.
    pub(super) fn writers(&self) -> String {
        match self.dead {
            0 => self.writers.to_string(),
            dead => format!("{}, {dead} ended", self.writers),
        }
    }

    /// Its value.
    pub(super) fn value(&self) -> Shown {
        match &self.total {
            Total::Unreadable(problem) => Shown { short: "unreadable".to_owned(), exact: problem.to_string() },
            Total::Different => Shown { short: "differs".to_owned(), exact: format!("another one at some of {} writers", self.writers) },
            Total::Same(Stored::Text(text)) => Shown { short: text.to_string(), exact: text.to_string() },
            Total::Same(Stored::Bool(value)) => Shown { short: value.to_string(), exact: value.to_string() },
            Total::Same(Stored::Histogram(buckets)) => self.histogram(buckets),
            Total::Histogram(buckets) => self.histogram(buckets),
            Total::Same(Stored::Unsigned(value)) => self.number(*value as f64, self.scale.unsigned(*value).to_string()),
            Total::Same(Stored::Signed(value)) => self.number(*value as f64, self.scale.signed(*value).to_string()),
            Total::Same(Stored::Float(value)) => self.number(*value, self.scale.float(*value).to_string()),
            Total::Sum(sum) => self.number(sum.as_f64(), self.exact_sum(*sum)),
        }
    }

    fn exact_sum(&self, sum: Amount) -> String {
        match sum {
            Amount::Integer(sum) => match (u64::try_from(sum), i64::try_from(sum)) {
                (Ok(sum), _) => self.scale.unsigned(sum).to_string(),
                (_, Ok(sum)) => self.scale.signed(sum).to_string(),
                _ if self.scale.is_none() => sum.to_string(),
                _ => self.scale.float(sum as f64).to_string(),
            },
            Amount::Float(sum) => self.scale.float(sum).to_string(),
        }
    }

    fn number(&self, stored: f64, exact: String) -> Shown {
        let shown = self.scale.approximate(stored);
        let date = Date::from_unix(shown).filter(|_| self.unit == "unixtime");
        let short = match date {
            Some(date) => date.to_string(),
            None if self.unit == "unixtime" && shown == 0.0 => "never".to_owned(),
            None if self.is_fact() && self.unit.is_empty() => exact.clone(),
            None => human::quantity(shown, self.unit),
        };
        Shown { short, exact: format!("{exact} {}", self.unit).trim_end().to_owned() }
    }

    fn histogram(&self, buckets: &Buckets) -> Shown {
        let quantity = |value: u64| human::quantity(self.scale.approximate(value as f64), self.unit);
        let quantiles = QUANTILES.map(|(name, fraction)| buckets.quantile(fraction).map(|value| format!("{name} {}", quantity(value))));
        let quantiles: Vec<String> = quantiles.into_iter().flatten().collect();
        let exact = format!("{} recorded", buckets.count());
        let short = if quantiles.is_empty() { "empty".to_owned() } else { quantiles.join(", ") };
        Shown { short, exact }
    }
}
