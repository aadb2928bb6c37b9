//! Combines the values that several writers have in one scrape.

#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use mmstats_core::reader::ValueError;
use mmstats_std::read::Field;

use super::aggregation::{Aggregation, Contributor, has_value};
use super::class::Class;
use super::number::{Scale, Scaled, ScaledSum};
use super::{HistogramSnapshot, OwnedValue};

/// Why writers have no common value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoValue {
    /// Texts, constants or booleans differ.
    Differs,
    /// No value could be read.
    Unreadable(ValueError),
    /// No writer has a value yet.
    Missing,
}

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoValue::Differs => f.write_str("differs"),
            NoValue::Unreadable(error) => error.fmt(f),
            NoValue::Missing => f.write_str("no value yet"),
        }
    }
}

/// The values of one field of several writers, combined by the rules of [`series`](super).
#[derive(Clone, Debug)]
pub struct Aggregate {
    class: Class,
    /// How values are combined unless a command chooses another way.
    aggregation: Aggregation,
    /// Whether a value that is not outdated was added.
    is_current: bool,
    values: usize,
    sum: ScaledSum,
    extremes: Option<Extremes>,
    histogram: Option<Box<HistogramSnapshot>>,
    /// The first value of texts, constants or identity, or that of the newest writer.
    fact: Option<OwnedValue>,
    /// The writer of the fact, or of the last number.
    last_writer: Contributor,
    /// Whether the fact is a kept text that is empty.
    is_blank: bool,
    /// The hashes of all texts, constants or identities.
    hashes: Vec<u64>,
    error: Option<ValueError>,
}

#[derive(Clone, Copy, Debug)]
struct Extremes {
    min: Scaled,
    max: Scaled,
    last: Scaled,
}

impl Aggregate {
    /// Creates an aggregate without values. All fields added have to be of the same class and
    /// aggregation as this one.
    #[must_use]
    pub fn new(field: &Field) -> Aggregate {
        Aggregate::with_rule(Class::from_field(field), Aggregation::from_field(field))
    }

    /// Creates an aggregate that combines the values of any fields in one way.
    #[must_use]
    pub fn with_rule(class: Class, aggregation: Aggregation) -> Aggregate {
        Aggregate {
            class,
            aggregation,
            is_current: false,
            values: 0,
            sum: ScaledSum::default(),
            extremes: None,
            histogram: None,
            fact: None,
            last_writer: Contributor::default(),
            is_blank: false,
            hashes: Vec::new(),
            error: None,
        }
    }

    /// Adds a writer's value of a field, or the error of reading it.
    pub fn add(
        &mut self,
        field: &Field,
        value: Result<&OwnedValue, &ValueError>,
        writer: Contributor,
    ) {
        if value.is_ok_and(|value| !has_value(field, value))
            || !self.accepts(writer.has_ended && !field.kept)
        {
            return;
        }
        let value = match value {
            Ok(value) => value,
            Err(error) => {
                self.error.get_or_insert(*error);
                return;
            }
        };
        self.values += 1;
        let is_compared = self.aggregation == Aggregation::Unique && self.class != Class::Flag;
        match (value, Scaled::from_value(value, Scale::from_field(field))) {
            (OwnedValue::Histogram(added), _) => match &mut self.histogram {
                Some(sum) => sum.add(added),
                None => self.histogram = Some(added.clone()),
            },
            (_, Some(number)) if !is_compared => self.push_number(number, writer),
            (value, _) => {
                let is_blank = matches!(value, OwnedValue::Text(text) if text.is_empty());
                self.push_fact(value, is_blank && field.kept, writer);
            }
        }
    }

    /// Adds a number that stands for a writer's value.
    #[inline]
    pub fn add_number(&mut self, number: Scaled, writer: Contributor) {
        if self.accepts(writer.has_ended) {
            self.values += 1;
            self.push_number(number, writer);
        }
    }

    /// Outdated values are replaced by others if they describe the present.
    #[inline]
    fn accepts(&mut self, is_outdated: bool) -> bool {
        if !self.class.is_current() {
            return true;
        }
        match (is_outdated, self.is_current) {
            (true, true) => return false,
            (false, false) => {
                self.clear();
                self.is_current = true;
            }
            _ => {}
        }
        true
    }

    #[inline]
    fn push_number(&mut self, number: Scaled, writer: Contributor) {
        self.sum.add(number);
        let Some(extremes) = &mut self.extremes else {
            self.extremes = Some(Extremes { min: number, max: number, last: number });
            self.last_writer = writer;
            return;
        };
        if number.is_less(extremes.min) || extremes.min.is_nan() {
            extremes.min = number;
        }
        if extremes.max.is_less(number) || extremes.max.is_nan() {
            extremes.max = number;
        }
        if !writer.is_older(self.last_writer) {
            (extremes.last, self.last_writer) = (number, writer);
        }
    }

    /// Adds a value that is compared. A blank one gives way to all others: a kept text is empty
    /// until there is something to report.
    fn push_fact(&mut self, value: &OwnedValue, is_blank: bool, writer: Contributor) {
        let is_first = self.hashes.is_empty();
        let replaces = match (is_blank, self.is_blank) {
            _ if is_first => true,
            (true, false) => return,
            (false, true) => true,
            _ if self.aggregation == Aggregation::Last => {
                if writer.is_older(self.last_writer) {
                    return;
                }
                true
            }
            _ => false,
        };
        let hash = hash(value);
        if replaces {
            self.hashes.clear();
            (self.is_blank, self.last_writer) = (is_blank, writer);
            if self.fact.as_ref() != Some(value) {
                self.fact = Some(value.clone());
            }
        }
        if self.hashes.last() != Some(&hash) {
            self.hashes.push(hash);
        }
    }

    /// Adds the count of writers that are gone.
    pub fn add_retired(&mut self, number: Scaled) {
        if self.sum.total().is_some() {
            self.sum.add(number);
        }
    }

    /// Removes all values. Allocated memory is used again.
    pub fn clear(&mut self) {
        (self.is_current, self.values, self.extremes) = (false, 0, None);
        self.sum.clear();
        self.hashes.clear();
        (self.histogram, self.error) = (None, None);
    }

    /// Returns the number of values that were combined: those that exist and could be read, without
    /// outdated ones.
    #[must_use]
    pub fn values(&self) -> usize {
        self.values
    }

    /// Returns how many different texts, constants or identities there are, and sorts them. Of
    /// other values it is 0.
    pub fn count_distinct(&mut self) -> usize {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.len()
    }

    /// Returns a number that changes when texts or constants change.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.hashes.iter().fold(0, |all, hash| all ^ hash)
    }

    /// Returns the first of the texts, constants or identities.
    #[must_use]
    pub fn fact(&self) -> Option<&OwnedValue> {
        self.fact.as_ref().filter(|_| !self.hashes.is_empty())
    }

    /// Returns the sum of all numbers; see [`ScaledSum::total`].
    #[must_use]
    pub fn sum(&self) -> Option<Scaled> {
        self.sum.total()
    }

    /// Returns how values are combined if a command chooses this. A choice does not apply to
    /// histograms, texts, constants and identity.
    #[must_use]
    pub fn resolve(&self, chosen: Aggregation) -> Aggregation {
        match (chosen, self.class) {
            (Aggregation::Auto, _) | (_, Class::Fact | Class::Text | Class::Histogram) => {
                self.aggregation
            }
            (chosen, _) => chosen,
        }
    }

    /// Returns the numbers combined in the chosen way; `None` if there are none.
    #[must_use]
    pub fn combine(&self, chosen: Aggregation) -> Option<Scaled> {
        let extremes = self.extremes?;
        match self.resolve(chosen) {
            Aggregation::Auto | Aggregation::Sum | Aggregation::Unique => self.sum(),
            Aggregation::Mean if self.values > 1 => Some(self.sum()?.divide(self.values)),
            Aggregation::Mean => self.sum(),
            Aggregation::Min => Some(extremes.min),
            Aggregation::Max => Some(extremes.max),
            Aggregation::Last => Some(extremes.last),
        }
    }

    /// Returns the smallest number.
    #[must_use]
    pub fn min(&self) -> Option<Scaled> {
        Some(self.extremes?.min)
    }

    /// Returns the largest number.
    #[must_use]
    pub fn max(&self) -> Option<Scaled> {
        Some(self.extremes?.max)
    }

    /// Returns how several values became one, if they were neither added nor equal.
    #[must_use]
    pub fn selection(&self) -> Option<Aggregation> {
        let is_sum = matches!(self.aggregation, Aggregation::Sum | Aggregation::Unique);
        Some(self.aggregation).filter(|_| self.values > 1 && !is_sum)
    }

    /// Returns the common value.
    ///
    /// # Errors
    /// If writers have to agree and do not, or no value could be read.
    pub fn into_value(mut self) -> Result<OwnedValue, NoValue> {
        let kinds = [self.extremes.is_some(), self.histogram.is_some(), !self.hashes.is_empty()];
        if self.hashes.len() > 1 || kinds.iter().filter(|kind| **kind).count() > 1 {
            return Err(NoValue::Differs);
        }
        if let Some(histogram) = self.histogram.take() {
            return Ok(OwnedValue::Histogram(histogram));
        }
        if let Some(fact) = self.fact.take().filter(|_| !self.hashes.is_empty()) {
            return Ok(fact);
        }
        let Some(number) = self.combine(Aggregation::Auto) else {
            return Err(self.error.map_or(NoValue::Missing, NoValue::Unreadable));
        };
        let is_true = OwnedValue::Bool(number.as_f64() != 0.0);
        match (self.class, self.aggregation, self.extremes) {
            (Class::Flag, Aggregation::Unique, Some(Extremes { min, max, .. })) => {
                if min == max {
                    Ok(is_true)
                } else {
                    Err(NoValue::Differs)
                }
            }
            (Class::Flag, Aggregation::Min | Aggregation::Max | Aggregation::Last, _) => {
                Ok(is_true)
            }
            _ => Ok(number.number.into()),
        }
    }
}

fn hash(value: &OwnedValue) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        OwnedValue::Text(text) => text.hash(&mut hasher),
        OwnedValue::Bool(value) => value.hash(&mut hasher),
        // A writer of version 1 may store the same number with another type.
        OwnedValue::Unsigned(value) => i128::from(*value).hash(&mut hasher),
        OwnedValue::Signed(value) => i128::from(*value).hash(&mut hasher),
        OwnedValue::Float(value) => value.to_bits().hash(&mut hasher),
        OwnedValue::Histogram(_) => {}
    }
    hasher.finish()
}
