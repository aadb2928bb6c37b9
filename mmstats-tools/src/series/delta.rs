//! Deltas over time.
//!
//! A number that is smaller than before has wrapped, or its writer restarted. The step decides: a
//! step of less than half the range is a wrap. (A larger one would need a writer that counts faster
//! than anybody scrapes.)

use std::borrow::Cow;

use mmstats_core::Kind;
use mmstats_std::read::Field;

use super::number::{Number, Scale, Scaled, ScaledSum};
use super::{HistogramSnapshot, OwnedValue};
use crate::scraper::WriterSample;

/// Returns by how much the number in a field has increased since `before`, or since zero if there
/// is nothing before; of a histogram, how many values were recorded. `None` for texts.
///
/// Counters only increase: wraps are undone, and a restarted one has counted its current value.
/// Numbers without a kind may also decrease.
#[must_use]
pub fn delta(field: &Field, before: Option<&OwnedValue>, now: &OwnedValue) -> Option<Number> {
    if let OwnedValue::Histogram(buckets) = now {
        let count = match before {
            Some(OwnedValue::Histogram(before)) => buckets.since(before, field.location.ty).count(),
            _ => buckets.count(),
        };
        return Some(Number::Integer(count.into()));
    }
    let increase = match (before, now) {
        (Some(OwnedValue::Unsigned(before)), OwnedValue::Unsigned(now)) => {
            Number::Integer(integer_delta(field, *before, *now))
        }
        (Some(before), now) => {
            let (before, now) = (Number::from_value(before)?, Number::from_value(now)?);
            let step = now - before;
            if field.kind == Kind::Counter && step.as_f64() < 0.0 { now } else { step }
        }
        (None, now) => Number::from_value(now)?,
    };
    Some(increase)
}

fn integer_delta(field: &Field, before: u64, now: u64) -> i128 {
    let bits = field.location.ty.size().unwrap_or(8) * 8;
    let step = now.wrapping_sub(before) & (u64::MAX >> (64 - bits));
    let is_back = step >> (bits - 1) != 0;
    match field.kind {
        Kind::Counter if is_back => now.into(),
        Kind::Counter => step.into(),
        // The original's counters decrease by wrapping around.
        Kind::Untyped if bits == 64 => (step as i64).into(),
        _ => i128::from(now) - i128::from(before),
    }
}

/// The value of a field at an earlier scrape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Baseline<'v> {
    /// The writer or field did not exist: it has counted from zero since.
    Zero,
    /// It existed, but its value is not known.
    Unknown,
    /// The last value that could be read.
    Value(&'v OwnedValue),
}

impl<'v> Baseline<'v> {
    /// Returns the baseline of a field whose writer was in an earlier scrape: a field that it did
    /// not have then was added later. The field most likely had the same index.
    #[must_use]
    pub fn from_sample(earlier: &'v WriterSample, index: usize, field: &Field) -> Self {
        match earlier.value_of(index, field) {
            None => Baseline::Zero,
            Some(Ok(value)) => Baseline::Value(value),
            Some(Err(_)) => Baseline::Unknown,
        }
    }

    /// Returns by how much a number has increased; see [`delta`]. `None` if that is not known.
    #[must_use]
    pub fn delta(self, field: &Field, now: &OwnedValue) -> Option<Number> {
        delta(field, self.value()?, now)
    }

    /// Returns the increase of a field since then, with its scale; `None` if that is not known, and
    /// for texts.
    #[must_use]
    pub fn counted<'n>(self, field: &Field, now: &'n OwnedValue) -> Option<Counted<'n>> {
        let before = self.value()?;
        let scale = Scale::from_field(field);
        Some(match (before, now) {
            (Some(OwnedValue::Histogram(before)), OwnedValue::Histogram(now)) => {
                Counted::Histogram(Cow::Owned(now.since(before, field.location.ty)), scale)
            }
            (_, OwnedValue::Histogram(now)) => Counted::Histogram(Cow::Borrowed(now), scale),
            (before, now) => {
                let number = delta(field, before, now).or_else(|| delta(field, None, now))?;
                Counted::Number(Scaled { number, scale })
            }
        })
    }

    fn value(self) -> Option<Option<&'v OwnedValue>> {
        match self {
            Baseline::Zero => Some(None),
            Baseline::Unknown => None,
            Baseline::Value(value) => Some(Some(value)),
        }
    }
}

/// The increase of one field between two scrapes.
#[derive(Clone, Debug, PartialEq)]
pub enum Counted<'v> {
    /// The increase of a number.
    Number(Scaled),
    /// The recorded values, and their scale.
    Histogram(Cow<'v, HistogramSnapshot>, Scale),
}

/// The total of several writers over any number of scrapes. It never decreases when writers
/// end, restart or wrap, as only deltas are added.
#[derive(Clone, Debug, Default)]
pub struct CounterTotal {
    numbers: ScaledSum,
    /// With the scale of the first; others cannot be added.
    histogram: Option<(HistogramSnapshot, Scale)>,
    /// Whether a histogram had another scale.
    is_mixed: bool,
}

impl CounterTotal {
    /// Adds a writer's increase.
    pub fn add(&mut self, counted: &Counted<'_>) {
        match counted {
            Counted::Number(number) => self.numbers.add(*number),
            Counted::Histogram(added, scale) => match &mut self.histogram {
                None => self.histogram = Some((added.clone().into_owned(), *scale)),
                Some((sum, known)) if known == scale => sum.add(added),
                Some(_) => self.is_mixed = true,
            },
        }
    }

    /// Adds a writer's increase; of a histogram, only the number of recorded values.
    pub fn add_count(&mut self, counted: &Counted<'_>) {
        match counted {
            Counted::Number(number) => self.numbers.add(*number),
            Counted::Histogram(added, _) => {
                let number = Number::Integer(added.count().into());
                self.numbers.add(Scaled { number, scale: Scale::NONE });
            }
        }
    }

    /// Returns `true` if the total can be counted when this is added: a sum that wraps would
    /// decrease, and an infinite one would stay so.
    #[must_use]
    pub fn has_room_for(&self, counted: &Counted<'_>) -> bool {
        match (counted, &self.histogram) {
            (Counted::Number(number), _) => self.numbers.has_room_for(*number),
            (Counted::Histogram(added, _), Some((sum, _))) => sum.has_room_for(added),
            (Counted::Histogram(added, _), None) => {
                HistogramSnapshot::default().has_room_for(added)
            }
        }
    }

    /// Returns the sum of the numbers.
    #[must_use]
    pub fn numbers(&self) -> &ScaledSum {
        &self.numbers
    }

    /// Returns the sum of the histograms with its scale; `None` if there are none, or they had
    /// different scales, so that their buckets cannot be combined.
    #[must_use]
    pub fn histogram(&self) -> Option<(&HistogramSnapshot, Scale)> {
        let (sum, scale) = self.histogram.as_ref().filter(|_| !self.is_mixed)?;
        Some((sum, *scale))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use mmstats_core::Type;

    pub(crate) fn field(kind: Kind, ty: Type) -> Field {
        Field::new("", kind, ty)
    }

    fn step(kind: Kind, ty: Type, before: u64, now: u64) -> i128 {
        match delta(
            &field(kind, ty),
            Some(&OwnedValue::Unsigned(before)),
            &OwnedValue::Unsigned(now),
        ) {
            Some(Number::Integer(step)) => step,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn counters_are_unwrapped_at_their_own_width() {
        for (ty, last) in
            [(Type::U8, 0xff), (Type::U16, 0xffff), (Type::U32, 0xffff_ffff), (Type::U64, u64::MAX)]
        {
            assert_eq!(step(Kind::Counter, ty, last - 2, 4), 7, "{ty:?}");
            assert_eq!(step(Kind::Counter, ty, 3, 5), 2, "{ty:?}");
            assert_eq!(step(Kind::Counter, ty, 3, 3), 0, "{ty:?}");
        }
    }

    #[test]
    fn a_restarted_counter_has_counted_its_current_value() {
        for ty in [Type::U32, Type::U64] {
            assert_eq!(step(Kind::Counter, ty, 1_000_000, 12), 12);
            assert_eq!(step(Kind::Counter, ty, 1, 0), 0);
        }
        let float = field(Kind::Counter, Type::F64);
        assert_eq!(
            delta(&float, Some(&OwnedValue::Float(9.5)), &OwnedValue::Float(0.5)),
            Some(Number::Float(0.5))
        );
    }

    #[test]
    fn deltas_add_up_to_what_was_counted() {
        let mut random = 2013_u64;
        for ty in [Type::U32, Type::U64] {
            let range = if ty == Type::U32 { u64::from(u32::MAX) } else { u64::MAX };
            let (mut now, mut counted, mut added) = (range - 1000, 0, 0);
            for _ in 0..10_000 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                // Frequent scrapes see steps of less than half the range.
                let by = random >> 8 & range >> 1;
                let before = now;
                now = now.wrapping_add(by) & range;
                counted += i128::from(by);
                added += step(Kind::Counter, ty, before, now);
            }
            assert_eq!(added, counted);
        }
    }

    #[test]
    fn numbers_without_a_kind_may_decrease() {
        assert_eq!(step(Kind::Untyped, Type::U64, 100, 89), -11);
        assert_eq!(step(Kind::Untyped, Type::U64, 5, u64::MAX - 5), -11);
        assert_eq!(step(Kind::Untyped, Type::U64, u64::MAX, 0), 1);
        assert_eq!(step(Kind::Untyped, Type::U32, 0, 3_000_000_000), 3_000_000_000);
        assert_eq!(step(Kind::Gauge, Type::U32, 3_000_000_000, 0), -3_000_000_000);
    }

    #[test]
    fn a_new_counter_has_increased_from_zero() {
        assert_eq!(
            delta(&field(Kind::Counter, Type::U64), None, &OwnedValue::Unsigned(7)),
            Some(Number::Integer(7))
        );
        assert_eq!(
            delta(&field(Kind::Info, Type::Text), None, &OwnedValue::Text("x".into())),
            None
        );
    }

    #[test]
    fn totals_do_not_decrease_when_writers_restart_or_wrap() {
        let field = field(Kind::Counter, Type::U32);
        let value = |value: u32| OwnedValue::Unsigned(value.into());
        let mut total = CounterTotal::default();
        for (before, now) in [(None, 5), (Some(5), 9), (Some(9), 2), (Some(u32::MAX), 1)] {
            let before = before.map(value);
            let baseline = before.as_ref().map_or(Baseline::Zero, Baseline::Value);
            total.add(&baseline.counted(&field, &value(now)).unwrap());
        }
        assert_eq!(total.numbers().total().unwrap().number, Number::Integer(5 + 4 + 2 + 2));
        assert_eq!(Baseline::Unknown.counted(&field, &value(7)), None);
    }

    #[test]
    fn histograms_of_different_scales_have_no_total() {
        let field = field(Kind::Histogram, Type::U64);
        let other = Field { scale: -3, ..field.clone() };
        let now = OwnedValue::Histogram(Box::default());
        let mut total = CounterTotal::default();
        total.add(&Baseline::Zero.counted(&field, &now).unwrap());
        assert!(total.histogram().is_some());
        total.add(&Baseline::Zero.counted(&other, &now).unwrap());
        assert!(total.histogram().is_none());
    }
}
