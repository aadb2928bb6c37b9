//! Numbers as they are stored, their scales, and exact sums of them.

use std::ops::{Add, AddAssign, Sub};

use mmstats_std::read::Field;

use super::OwnedValue;

/// A number, exact if it is an integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer. Sums of 64-bit integers of any sign fit.
    Integer(i128),
    /// Any other number.
    Float(f64),
}

impl Number {
    /// The integer zero.
    pub const ZERO: Number = Number::Integer(0);

    /// Returns the stored number; booleans are 0 and 1. `None` for texts and histograms.
    #[must_use]
    pub fn from_value(stored: &OwnedValue) -> Option<Number> {
        Some(match *stored {
            OwnedValue::Bool(value) => Number::Integer(value.into()),
            OwnedValue::Unsigned(value) => Number::Integer(value.into()),
            OwnedValue::Signed(value) => Number::Integer(value.into()),
            OwnedValue::Float(value) => Number::Float(value),
            OwnedValue::Text(_) | OwnedValue::Histogram(_) => return None,
        })
    }

    /// Converts to a float.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Integer(value) => value as f64,
            Number::Float(value) => value,
        }
    }

    fn is_integer(self) -> bool {
        matches!(self, Number::Integer(_))
    }
}

/// Converts to a value that a field can store: an integer of more than 64 bits becomes a float.
impl From<Number> for OwnedValue {
    fn from(number: Number) -> OwnedValue {
        match number {
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

/// Converts stored numbers: shown = stored × 10^`power` / `divisor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The power of ten.
    pub power: i8,
    /// The divisor; 0 means 1.
    pub divisor: u32,
}

impl Scale {
    /// No scaling.
    pub const NONE: Scale = Scale { power: 0, divisor: 1 };

    /// Returns the scale of a field's numbers.
    #[must_use]
    pub fn from_field(field: &Field) -> Scale {
        Scale { power: field.scale, divisor: field.divisor }
    }

    /// Returns `true` if shown and stored numbers are equal.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.power == 0 && self.divisor <= 1
    }

    /// Scales a number with the precision of floating point.
    #[must_use]
    pub fn approximate(self, stored: f64) -> f64 {
        if self.is_none() {
            return stored;
        }
        stored * 10_f64.powi(self.power.into()) / f64::from(self.divisor.max(1))
    }
}

/// A stored number with its scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaled {
    /// The number as it is stored.
    pub number: Number,
    /// Its scale.
    pub scale: Scale,
}

impl Scaled {
    /// Returns the number in a value; `None` for texts and histograms.
    #[must_use]
    pub fn from_value(stored: &OwnedValue, scale: Scale) -> Option<Scaled> {
        Some(Scaled { number: Number::from_value(stored)?, scale })
    }

    /// Returns the number in its base unit, with the precision of floating point.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        let stored = self.number.as_f64();
        // Powers of ten up to 10^22 are exact as floats, their inverses are not.
        if self.scale.power < 0 {
            stored / 10_f64.powi(-i32::from(self.scale.power)) / self.scale.divisor.max(1) as f64
        } else {
            self.scale.approximate(stored)
        }
    }

    /// Returns `true` if this number is less than the other one: exact for integers of one scale;
    /// false if one is NaN.
    #[must_use]
    pub fn is_less(self, other: Scaled) -> bool {
        match (self.number, other.number) {
            (Number::Integer(one), Number::Integer(other_number)) if self.scale == other.scale => {
                one < other_number
            }
            _ => self.as_f64() < other.as_f64(),
        }
    }

    /// Divides the number.
    #[must_use]
    pub fn divide(self, by: usize) -> Scaled {
        Scaled { number: Number::Float(self.number.as_f64() / by as f64), ..self }
    }

    pub(super) fn is_nan(self) -> bool {
        self.number.as_f64().is_nan()
    }
}

/// A sum of numbers that may have different scales.
///
/// Integers and floats of each scale are added separately: so sums of integers are exact, and each
/// part is rounded in the same way whatever is added to the others. There is seldom more than one.
#[derive(Clone, Debug, Default)]
pub struct ScaledSum {
    first: Option<Scaled>,
    others: Vec<Scaled>,
}

impl ScaledSum {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, added: Scaled) {
        match &mut self.first {
            None => self.first = Some(added),
            Some(first) if belong_together(*first, added) => first.number += added.number,
            Some(_) => match self.others.iter_mut().find(|part| belong_together(**part, added)) {
                Some(part) => part.number += added.number,
                None => self.others.push(added),
            },
        }
    }

    /// Returns the part to which this number would be added.
    fn part(&self, added: Scaled) -> Option<Scaled> {
        self.parts().find(|part| belong_together(*part, added))
    }

    /// Returns `true` if the sum stays finite with this number.
    #[must_use]
    pub fn has_room_for(&self, added: Scaled) -> bool {
        let part = self.part(added).map_or(Number::ZERO, |part| part.number);
        (part + added.number).as_f64().is_finite()
    }

    /// Returns the sums of each scale, of integers and floats apart.
    pub fn parts(&self) -> impl Iterator<Item = Scaled> + '_ {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    /// Returns the sum: exact for integers of one scale, without scale if there are several; `None`
    /// if nothing was added.
    #[must_use]
    pub fn total(&self) -> Option<Scaled> {
        let first = self.first?;
        if self.others.iter().all(|part| part.scale == first.scale) {
            let number = self.others.iter().fold(first.number, |sum, part| sum + part.number);
            return Some(Scaled { number, ..first });
        }
        let number = Number::Float(self.parts().map(Scaled::as_f64).sum());
        Some(Scaled { number, scale: Scale::NONE })
    }

    pub(super) fn clear(&mut self) {
        self.first = None;
        self.others.clear();
    }
}

fn belong_together(one: Scaled, other: Scaled) -> bool {
    one.scale == other.scale && one.number.is_integer() == other.number.is_integer()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[Scaled]) -> Scaled {
        let mut sum = ScaledSum::default();
        numbers.iter().for_each(|number| sum.add(*number));
        sum.total().unwrap()
    }

    const MILLI: Scale = Scale { power: -3, divisor: 1 };

    #[test]
    fn sums_of_integers_are_exact_whatever_their_size() {
        let one = Scaled { number: Number::Integer(u64::MAX.into()), scale: Scale::NONE };
        assert_eq!(sum(&[one, one]).number, Number::Integer(36_893_488_147_419_103_230));
        assert_eq!(OwnedValue::from(one.number), OwnedValue::Unsigned(u64::MAX));
        assert_eq!(OwnedValue::from(Number::Integer(-2)), OwnedValue::Signed(-2));
        let beyond = OwnedValue::from(sum(&[one, one]).number);
        assert_eq!(beyond, OwnedValue::Float(36_893_488_147_419_103_230.0));
    }

    #[test]
    fn numbers_of_different_scales_are_added_as_they_are_shown() {
        let milli = Scaled { number: Number::Integer(3300), scale: MILLI };
        let plain = Scaled { number: Number::Integer(2), scale: Scale::NONE };
        assert_eq!(sum(&[milli, milli]), Scaled { number: Number::Integer(6600), scale: MILLI });
        let all = sum(&[milli, plain, milli]);
        assert_eq!(all, Scaled { number: Number::Float(8.6), scale: Scale::NONE });
        assert!(plain.is_less(milli) && !milli.is_less(plain));
    }

    #[test]
    fn a_sum_stays_finite() {
        let large = Scaled { number: Number::Float(1e308), scale: Scale::NONE };
        let mut total = ScaledSum::default();
        assert!(total.has_room_for(large));
        total.add(large);
        assert!(!total.has_room_for(large));
        assert!(total.has_room_for(Scaled { number: Number::Integer(1), scale: Scale::NONE }));
    }
}
