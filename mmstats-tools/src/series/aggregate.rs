//! Combines the values that several writers have in one scrape.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use clap::ValueEnum;
use mmstats_core::reader::ValueError;

use super::class::Class;
use super::number::{Scale, Scaled, ScaledSum};
use super::{HistogramSnapshot, OwnedValue};

/// How to combine the gauges of several writers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Aggregation {
    /// As the field's class says.
    #[default]
    #[value(skip)]
    Auto,
    /// Their sum.
    Sum,
    /// Their mean.
    #[value(name = "avg")]
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The value of the newest file.
    Last,
}

impl Aggregation {
    /// Returns the next one, for a key that cycles through them.
    #[must_use]
    pub fn next(self) -> Aggregation {
        use Aggregation::{Auto, Last, Max, Mean, Min, Sum};
        match self {
            Auto => Sum,
            Sum => Mean,
            Mean => Min,
            Min => Max,
            Max => Last,
            Last => Auto,
        }
    }

    /// Returns the name: `auto`, `sum`, `avg`, `min`, `max`, `last`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Aggregation::Auto => "auto",
            Aggregation::Sum => "sum",
            Aggregation::Mean => "avg",
            Aggregation::Min => "min",
            Aggregation::Max => "max",
            Aggregation::Last => "last",
        }
    }

    /// Replaces [`Auto`](Aggregation::Auto) by the way of a class. A choice does not apply to
    /// histograms, texts, constants and identity.
    #[must_use]
    pub fn resolve(self, class: Class) -> Aggregation {
        match (self, class) {
            (_, Class::Fact | Class::Text | Class::Histogram) => Aggregation::Sum,
            (Aggregation::Auto, Class::Timestamp) => Aggregation::Max,
            (Aggregation::Auto, Class::Average) => Aggregation::Mean,
            (Aggregation::Auto, _) => Aggregation::Sum,
            (chosen, _) => chosen,
        }
    }
}

/// Why writers have no common value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoValue {
    /// Texts, constants or booleans differ.
    Differs,
    /// No value could be read.
    Unreadable(ValueError),
    /// Nothing was added.
    Missing,
}

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoValue::Differs => f.write_str("differs"),
            NoValue::Unreadable(error) => error.fmt(f),
            NoValue::Missing => f.write_str("no value"),
        }
    }
}

/// The values of one field of several writers, combined by the rules of [`series`](super).
#[derive(Clone, Debug)]
pub struct Aggregate {
    class: Class,
    /// Whether a value of a writer that has not ended was added.
    is_current: bool,
    values: usize,
    sum: ScaledSum,
    extremes: Option<Extremes>,
    histogram: Option<Box<HistogramSnapshot>>,
    /// The first value of texts, constants or identity.
    fact: Option<OwnedValue>,
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
    /// Creates an aggregate without values. All values added have to be of this class.
    #[must_use]
    pub fn new(class: Class) -> Aggregate {
        Aggregate {
            class,
            is_current: false,
            values: 0,
            sum: ScaledSum::default(),
            extremes: None,
            histogram: None,
            fact: None,
            hashes: Vec::new(),
            error: None,
        }
    }

    /// Adds a writer's value, or the error of reading it.
    pub fn add(&mut self, value: Result<&OwnedValue, &ValueError>, scale: Scale, has_ended: bool) {
        if !self.accepts(has_ended) {
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
        match value {
            OwnedValue::Histogram(added) => match &mut self.histogram {
                Some(sum) => sum.add(added),
                None => self.histogram = Some(added.clone()),
            },
            value => match Scaled::from_value(value, scale) {
                Some(number) if !matches!(self.class, Class::Fact | Class::Text) => {
                    self.push_number(number);
                }
                _ => self.push_fact(value),
            },
        }
    }

    /// Adds a number that stands for a writer's value.
    #[inline]
    pub fn add_number(&mut self, number: Scaled, has_ended: bool) {
        if self.accepts(has_ended) {
            self.values += 1;
            self.push_number(number);
        }
    }

    /// Values of ended writers are replaced by those of others if they describe the present.
    #[inline]
    fn accepts(&mut self, has_ended: bool) -> bool {
        if !self.class.is_current() {
            return true;
        }
        match (has_ended, self.is_current) {
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
    fn push_number(&mut self, number: Scaled) {
        self.sum.add(number);
        match &mut self.extremes {
            None => self.extremes = Some(Extremes { min: number, max: number, last: number }),
            Some(extremes) => {
                if number.is_less(extremes.min) || extremes.min.is_nan() {
                    extremes.min = number;
                }
                if extremes.max.is_less(number) || extremes.max.is_nan() {
                    extremes.max = number;
                }
                extremes.last = number;
            }
        }
    }

    fn push_fact(&mut self, value: &OwnedValue) {
        let hash = hash(value);
        if self.hashes.is_empty() && self.fact.as_ref() != Some(value) {
            self.fact = Some(value.clone());
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

    /// Returns the number of values that were combined: those that could be read, without outdated
    /// ones.
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

    /// Returns the numbers combined in this way; `None` if there are none.
    #[must_use]
    pub fn combine(&self, aggregation: Aggregation) -> Option<Scaled> {
        let extremes = self.extremes?;
        match aggregation.resolve(self.class) {
            Aggregation::Auto | Aggregation::Sum => self.sum(),
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

    /// Returns how many values the result is the mean of, if it is one of several.
    #[must_use]
    pub fn averaged(&self) -> Option<usize> {
        let is_mean = self.class == Class::Average && self.extremes.is_some();
        Some(self.values).filter(|values| *values > 1 && is_mean)
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
        if let (Class::Flag, Some(Extremes { min, max, .. })) = (self.class, self.extremes) {
            let is_true = max.as_f64() != 0.0;
            return if min == max { Ok(OwnedValue::Bool(is_true)) } else { Err(NoValue::Differs) };
        }
        let number = self.combine(Aggregation::Auto).map(|number| number.number.into());
        number.ok_or_else(|| self.error.map_or(NoValue::Missing, NoValue::Unreadable))
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

#[cfg(test)]
mod tests {
    use super::*;
    use mmstats_core::Kind;
    use mmstats_core::Type;
    use mmstats_std::read::Field;

    fn field(kind: Kind, unit: &str) -> Field {
        Field { unit: unit.to_owned(), ..crate::series::delta::tests::field(kind, Type::U64) }
    }

    fn aggregate(field: &Field, values: &[(OwnedValue, bool)]) -> Aggregate {
        let mut aggregate = Aggregate::new(Class::from_field(field));
        for (value, has_ended) in values {
            aggregate.add(Ok(value), Scale::from_field(field), *has_ended);
        }
        aggregate
    }

    fn combined(field: &Field, values: &[OwnedValue]) -> Result<OwnedValue, NoValue> {
        let alive: Vec<_> = values.iter().map(|value| (value.clone(), false)).collect();
        aggregate(field, &alive).into_value()
    }

    #[test]
    fn numbers_are_added_and_all_else_has_to_agree() {
        let text = |text: &str| OwnedValue::Text(text.into());
        let (gauge, info, date) =
            (field(Kind::Gauge, ""), field(Kind::Info, ""), field(Kind::Gauge, "unixtime"));
        let flag = Field {
            location: crate::series::delta::tests::field(Kind::Gauge, Type::Bool).location,
            ..gauge.clone()
        };
        let differs = || Err(NoValue::Differs);
        assert_eq!(
            combined(&gauge, &[OwnedValue::Unsigned(7), OwnedValue::Signed(-9)]),
            Ok(OwnedValue::Signed(-2))
        );
        assert_eq!(
            combined(&gauge, &[OwnedValue::Unsigned(u64::MAX), OwnedValue::Unsigned(1)]),
            Ok(OwnedValue::Float(18_446_744_073_709_551_616.0))
        );
        assert_eq!(
            combined(&gauge, &[OwnedValue::Float(0.5), OwnedValue::Unsigned(1)]),
            Ok(OwnedValue::Float(1.5))
        );
        assert_eq!(
            combined(&info, &[OwnedValue::Unsigned(42), OwnedValue::Unsigned(42)]),
            Ok(OwnedValue::Unsigned(42))
        );
        assert_eq!(
            combined(&info, &[OwnedValue::Unsigned(42), OwnedValue::Unsigned(43)]),
            differs()
        );
        assert_eq!(
            combined(
                &date,
                &[OwnedValue::Float(5.0), OwnedValue::Float(9.0), OwnedValue::Float(7.0)]
            ),
            Ok(OwnedValue::Float(9.0))
        );
        assert_eq!(combined(&gauge, &[text("idle"), text("idle")]), Ok(text("idle")));
        assert_eq!(combined(&gauge, &[text("idle"), text("busy"), text("idle")]), differs());
        for value in [true, false] {
            let value = OwnedValue::Bool(value);
            assert_eq!(combined(&flag, &[value.clone(), value.clone()]), Ok(value));
        }
        assert_eq!(combined(&flag, &[OwnedValue::Bool(true), OwnedValue::Bool(false)]), differs());
        assert_eq!(combined(&gauge, &[text("1"), OwnedValue::Unsigned(1)]), differs());
    }

    #[test]
    fn gauges_of_ended_writers_count_only_if_no_other_writer_has_them() {
        let (gauge, counter) = (field(Kind::Gauge, ""), field(Kind::Counter, ""));
        for order in [
            [(64, true), (1, false), (2, false), (32, true)],
            [(1, false), (64, true), (32, true), (2, false)],
        ] {
            let order = order.map(|(value, has_ended)| (OwnedValue::Unsigned(value), has_ended));
            let sum = |field: &Field| aggregate(field, &order).into_value().unwrap();
            assert_eq!(
                [sum(&gauge), sum(&counter)],
                [OwnedValue::Unsigned(3), OwnedValue::Unsigned(99)]
            );
        }
        let dead = [5, 6].map(|value| (OwnedValue::Unsigned(value), true));
        assert_eq!(aggregate(&gauge, &dead).into_value(), Ok(OwnedValue::Unsigned(11)));
    }

    #[test]
    fn measurements_are_averaged() {
        let (celsius, seconds) = (field(Kind::Gauge, "celsius"), field(Kind::Counter, "seconds"));
        assert_eq!(
            combined(
                &celsius,
                &[OwnedValue::Unsigned(20), OwnedValue::Signed(-5), OwnedValue::Unsigned(30)]
            ),
            Ok(OwnedValue::Float(15.0))
        );
        assert_eq!(combined(&celsius, &[OwnedValue::Unsigned(20)]), Ok(OwnedValue::Unsigned(20)));
        assert_eq!(
            combined(&seconds, &[OwnedValue::Unsigned(20), OwnedValue::Unsigned(30)]),
            Ok(OwnedValue::Unsigned(50))
        );
    }

    #[test]
    fn the_latest_timestamp_of_living_writers_counts() {
        let date = field(Kind::Gauge, "unixtime");
        for order in [
            [(9.0, true), (5.0, false), (f64::NAN, false)],
            [(f64::NAN, false), (5.0, false), (9.0, true)],
        ] {
            let order = order.map(|(value, has_ended)| (OwnedValue::Float(value), has_ended));
            assert_eq!(aggregate(&date, &order).into_value(), Ok(OwnedValue::Float(5.0)));
        }
    }

    #[test]
    fn a_command_can_choose_another_aggregation() {
        let ratio = field(Kind::Gauge, "ratio");
        let values = [3.0, 1.0, 2.0].map(|value| (OwnedValue::Float(value), false));
        let all = aggregate(&ratio, &values);
        let combine = |aggregation| all.combine(aggregation).unwrap().as_f64();
        let mut aggregation = Aggregation::Auto;
        for (name, number) in
            [("auto", 2.0), ("sum", 6.0), ("avg", 2.0), ("min", 1.0), ("max", 3.0), ("last", 2.0)]
        {
            assert_eq!((aggregation.name(), combine(aggregation)), (name, number));
            aggregation = aggregation.next();
        }
        assert_eq!(aggregation, Aggregation::Auto);
        let pids = [1, 2].map(|pid| (OwnedValue::Unsigned(pid), false));
        let pid = Field { label: "sys.pid".to_owned(), ..field(Kind::Untyped, "") };
        let mut pids = aggregate(&pid, &pids);
        assert_eq!((pids.combine(Aggregation::Sum), pids.count_distinct()), (None, 2));
    }

    #[test]
    fn an_unreadable_value_hides_no_others() {
        let field = field(Kind::Counter, "");
        let mut aggregate = Aggregate::new(Class::from_field(&field));
        aggregate.add(Err(&ValueError::Contended), Scale::NONE, false);
        let error = aggregate.clone().into_value().unwrap_err();
        assert!(error.to_string().contains("contended"));
        aggregate.add(Ok(&OwnedValue::Unsigned(3)), Scale::NONE, false);
        assert_eq!(aggregate.into_value(), Ok(OwnedValue::Unsigned(3)));
    }
}
