//! By how much what counts up has grown between two looks.
//!
//! A number that is smaller than before has wrapped, or its writer has begun anew. The step tells
//! which: what has wrapped has made a step of less than half its range. (One that was made in the
//! other half takes a writer that counts faster than anybody looks.)

use std::ops::{Add, AddAssign, Sub};

use mmstats_core::{Kind, Type};
use mmstats_std::read::Field;

use crate::scraper::OwnedValue;

/// A number, exact if it is an integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Sums of 64-bit integers of any sign fit.
    Integer(i128),
    /// Anything else.
    Float(f64),
}

impl Number {
    /// None at all.
    pub const ZERO: Number = Number::Integer(0);

    /// The number stored; truth values are 0 and 1, texts and distributions are none.
    #[must_use]
    pub fn of(stored: &OwnedValue) -> Option<Number> {
        Some(match *stored {
            OwnedValue::Bool(value) => Number::Integer(value.into()),
            OwnedValue::Unsigned(value) => Number::Integer(value.into()),
            OwnedValue::Signed(value) => Number::Integer(value.into()),
            OwnedValue::Float(value) => Number::Float(value),
            OwnedValue::Text(_) | OwnedValue::Histogram(_) => return None,
        })
    }

    /// As a float.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Integer(value) => value as f64,
            Number::Float(value) => value,
        }
    }
}

/// As it would be stored; an integer that no field can hold becomes a float.
impl From<Number> for OwnedValue {
    fn from(amount: Number) -> OwnedValue {
        match amount {
            Number::Float(value) => OwnedValue::Float(value),
            Number::Integer(value) => {
                let unsigned = u64::try_from(value).map(OwnedValue::Unsigned);
                unsigned
                    .or_else(|_| i64::try_from(value).map(OwnedValue::Signed))
                    .unwrap_or(OwnedValue::Float(value as f64))
            }
        }
    }
}

impl Add for Number {
    type Output = Number;

    fn add(self, other: Number) -> Number {
        match (self, other) {
            (Number::Integer(one), Number::Integer(other)) => {
                Number::Integer(one.wrapping_add(other))
            }
            (one, other) => Number::Float(one.as_f64() + other.as_f64()),
        }
    }
}

impl AddAssign for Number {
    fn add_assign(&mut self, other: Number) {
        *self = *self + other;
    }
}

impl Sub for Number {
    type Output = Number;

    fn sub(self, other: Number) -> Number {
        match (self, other) {
            (Number::Integer(one), Number::Integer(other)) => {
                Number::Integer(one.wrapping_sub(other))
            }
            (one, other) => Number::Float(one.as_f64() - other.as_f64()),
        }
    }
}

/// Whether it is how much a field changes that tells something, and not only its value: a counter,
/// a histogram, or an integer of a file that does not say, as all of version 1 do not.
#[must_use]
pub fn is_cumulative(field: &Field) -> bool {
    match field.kind {
        Kind::Counter | Kind::Histogram => true,
        Kind::Untyped => !matches!(
            field.location.ty,
            Type::Bool | Type::F16 | Type::F32 | Type::F64 | Type::Text | Type::Pascal
        ),
        Kind::Gauge | Kind::Info => false,
    }
}

/// By how much the number in a field has grown since `before`, or since it was zero if there is
/// nothing before; of a histogram, how many values were recorded. `None` for texts.
///
/// Counters grow, whatever they say: what has wrapped is unwrapped, and what has begun anew has
/// counted what it holds. What has no kind may also shrink.
#[must_use]
pub fn delta(field: &Field, before: Option<&OwnedValue>, now: &OwnedValue) -> Option<Number> {
    if let OwnedValue::Histogram(buckets) = now {
        let count = match before {
            Some(OwnedValue::Histogram(before)) => buckets.since(before, field.location.ty).count(),
            _ => buckets.count(),
        };
        return Some(Number::Integer(count.into()));
    }
    let grown = match (before, now) {
        (Some(OwnedValue::Unsigned(before)), OwnedValue::Unsigned(now)) => {
            Number::Integer(integer(field, *before, *now))
        }
        (Some(before), now) => {
            let (before, now) = (Number::of(before)?, Number::of(now)?);
            let step = now - before;
            if field.kind == Kind::Counter && step.as_f64() < 0.0 { now } else { step }
        }
        (None, now) => Number::of(now)?,
    };
    Some(grown)
}

fn integer(field: &Field, before: u64, now: u64) -> i128 {
    let bits = field.location.ty.size().unwrap_or(8) * 8;
    let step = now.wrapping_sub(before) & (u64::MAX >> (64 - bits));
    let is_back = step >> (bits - 1) != 0;
    match field.kind {
        Kind::Counter if is_back => now.into(),
        Kind::Counter => step.into(),
        // The original's counters go back by wrapping around.
        Kind::Untyped if bits == 64 => (step as i64).into(),
        _ => i128::from(now) - i128::from(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mmstats_core::reader::{Storage, ValueLocation};

    fn field(kind: Kind, ty: Type) -> Field {
        let location = ValueLocation {
            offset: 0,
            size: 8,
            ty,
            storage: Storage::Word,
            swapped: false,
            word: 8,
        };
        Field {
            label: String::new(),
            unit: String::new(),
            help: String::new(),
            kind,
            scale: 0,
            divisor: 1,
            location,
        }
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
    fn a_counter_that_began_anew_has_counted_what_it_holds() {
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
    fn steps_add_up_to_what_was_counted() {
        let mut random = 2013_u64;
        for ty in [Type::U32, Type::U64] {
            let range = if ty == Type::U32 { u64::from(u32::MAX) } else { u64::MAX };
            let (mut now, mut counted, mut told) = (range - 1000, 0, 0);
            for _ in 0..10_000 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                // Whoever looks often enough sees steps of less than half the range.
                let by = random >> 8 & range >> 1;
                let before = now;
                now = now.wrapping_add(by) & range;
                counted += i128::from(by);
                told += step(Kind::Counter, ty, before, now);
            }
            assert_eq!(told, counted);
        }
    }

    #[test]
    fn what_has_no_kind_may_go_back() {
        assert_eq!(step(Kind::Untyped, Type::U64, 100, 89), -11);
        assert_eq!(step(Kind::Untyped, Type::U64, 5, u64::MAX - 5), -11);
        assert_eq!(step(Kind::Untyped, Type::U64, u64::MAX, 0), 1);
        assert_eq!(step(Kind::Untyped, Type::U32, 0, 3_000_000_000), 3_000_000_000);
        assert_eq!(step(Kind::Gauge, Type::U32, 3_000_000_000, 0), -3_000_000_000);
    }

    #[test]
    fn what_is_new_has_grown_from_zero() {
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
    fn integers_of_version_1_count_and_its_floats_do_not() {
        let counting = [Type::U64, Type::I64, Type::U32, Type::U8]
            .map(|ty| is_cumulative(&field(Kind::Untyped, ty)));
        assert_eq!(counting, [true; 4]);
        let others = [Type::F64, Type::F32, Type::Bool, Type::Text]
            .map(|ty| is_cumulative(&field(Kind::Untyped, ty)));
        assert_eq!(others, [false; 4]);
        assert!(!is_cumulative(&field(Kind::Gauge, Type::U64)));
    }
}
