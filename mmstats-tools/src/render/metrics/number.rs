//! Formats numbers for the exposition formats: integers exactly, floats in the shortest form that
//! parses to the same value, scaled numbers rounded only once.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::render::number::Scale;
use crate::scraper::OwnedValue;
use crate::series::Number;

/// A number to export, in its base unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MetricValue(Number);

impl MetricValue {
    /// Scales a stored value; returns `None` for texts and histograms.
    pub(super) fn new(stored: &OwnedValue, scale: Scale) -> Option<MetricValue> {
        let scale = if matches!(stored, OwnedValue::Bool(_)) { Scale::NONE } else { scale };
        Number::from_value(stored).map(|number| MetricValue::scale(number, scale))
    }

    /// Scales a number.
    pub(super) fn scale(number: Number, scale: Scale) -> MetricValue {
        MetricValue(match number {
            number if scale.is_none() => number,
            Number::Integer(value) => {
                let magnitude = u64::try_from(value.unsigned_abs()).unwrap_or(u64::MAX);
                Number::Float(scaled(magnitude, scale).copysign(value as f64))
            }
            // In decimal, a power of ten only moves the point, so it adds no rounding error.
            Number::Float(value) if value.is_finite() => {
                Number::Float(scale.float(value).to_string().parse().unwrap_or(f64::NAN))
            }
            number => number,
        })
    }

    /// Converts a count.
    pub(super) fn count(count: u64) -> MetricValue {
        MetricValue(Number::Integer(count.into()))
    }

    /// Converts a duration to seconds.
    pub(super) fn seconds(duration: Duration) -> MetricValue {
        MetricValue(Number::Float(duration.as_secs_f64()))
    }

    /// Converts to the type that Prometheus stores.
    pub(super) fn as_f64(self) -> f64 {
        self.0.as_f64()
    }

    /// Returns `true` if a counter can have this value.
    pub(super) fn is_valid_count(self) -> bool {
        self.as_f64().is_finite() && self.as_f64() >= 0.0
    }

    /// Returns the error for a counter with this value.
    pub(super) fn invalid_count_error(self) -> String {
        format!("dropped: invalid counter value {self}: must be ≥ 0")
    }

    /// Appends the number to a page.
    pub(super) fn push(self, to: &mut String) {
        // Writing to a `String` cannot fail.
        let _ = write!(to, "{self}");
    }
}

impl fmt::Display for MetricValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // Short integers are formatted faster.
            Number::Integer(value) => match u64::try_from(value) {
                Ok(value) => value.fmt(f),
                Err(_) => value.fmt(f),
            },
            Number::Float(value) if value.is_nan() => f.write_str("NaN"),
            Number::Float(value) if value.is_infinite() => {
                f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" })
            }
            Number::Float(value) if value == 0.0 || (1e-5..1e17).contains(&value.abs()) => {
                value.fmt(f)
            }
            Number::Float(value) => write!(f, "{value:e}"),
        }
    }
}

/// The largest integer up to which every integer is an exact `f64`.
const MAX_EXACT: u128 = 1 << f64::MANTISSA_DIGITS;

/// Returns the float nearest to `stored` × 10^power / divisor.
pub(super) fn scaled(stored: u64, scale: Scale) -> f64 {
    let ten_to = |power: i8| 10_u128.checked_pow(u32::try_from(power).unwrap_or(0));
    let numerator = ten_to(scale.power).and_then(|factor| factor.checked_mul(stored.into()));
    let denominator = ten_to(scale.power.saturating_neg())
        .and_then(|factor| factor.checked_mul(scale.divisor.max(1).into()));
    match (numerator, denominator) {
        // Only the division rounds.
        (Some(numerator), Some(denominator))
            if numerator <= MAX_EXACT && denominator <= MAX_EXACT =>
        {
            numerator as f64 / denominator as f64
        }
        _ => scale.quotient(stored, 1).to_string().parse().unwrap_or(f64::NAN),
    }
}

/// Formats the upper bound of a bucket. As a label value, it has to be in OpenMetrics' canonical
/// form.
pub(super) fn format_bound(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        return format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    if value.fract() == 0.0 { format!("{value}.0") } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stored: OwnedValue, power: i8, divisor: u32) -> String {
        let mut to = String::new();
        MetricValue::new(&stored, Scale { power, divisor }).unwrap().push(&mut to);
        to
    }

    #[test]
    fn integers_are_exact() {
        assert_eq!(shown(OwnedValue::Unsigned(u64::MAX), 0, 1), "18446744073709551615");
        assert_eq!(shown(OwnedValue::Signed(i64::MIN), 0, 0), "-9223372036854775808");
        assert_eq!(shown(OwnedValue::Bool(true), 0, 1), "1");
    }

    #[test]
    fn scaled_numbers_have_no_noise() {
        for (stored, power, divisor, text) in [
            (3300, -3, 1, "3.3"),
            (29, -2, 1, "0.29"),
            (5, 3, 1, "5000"),
            (1, 0, 4096, "0.000244140625"),
            (1, 0, 3, "0.3333333333333333"),
            (u64::MAX, -9, 1, "18446744073.709553"),
            (u64::MAX, 127, 1, "1.844674407370955e146"),
            (1, -128, u32::MAX, "2.3283064370807973e-138"),
            (0, -128, 7, "0"),
        ] {
            assert_eq!(shown(OwnedValue::Unsigned(stored), power, divisor), text);
        }
        assert_eq!(shown(OwnedValue::Signed(-215), -1, 1), "-21.5");
        assert_eq!(shown(OwnedValue::Float(0.29), 2, 1), "29");
        assert_eq!(shown(OwnedValue::Float(0.3), -3, 1), "0.0003");
    }

    #[test]
    fn floats_are_short_and_infinities_and_nan_are_named() {
        for (value, text) in [
            (0.1, "0.1"),
            (3.0, "3"),
            (1e16, "10000000000000000"),
            (1e300, "1e300"),
            (-1.5e-7, "-1.5e-7"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(shown(OwnedValue::Float(value), 0, 1), text);
        }
        assert_eq!(shown(OwnedValue::Float(1e300), 127, 1), "+Inf", "beyond all floats");
    }

    #[test]
    fn bounds_are_canonical() {
        for (value, text) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (127.0, "127.0"),
            (262_143.0, "262143.0"),
            (1_048_575.0, "1.048575e+06"),
            (0.001, "0.001"),
            (0.000_255, "0.000255"),
            (2.55e-7, "2.55e-07"),
            (1e-10, "1e-10"),
            (12.5, "12.5"),
            (1e10, "1e+10"),
        ] {
            assert_eq!(format_bound(value), text);
        }
    }
}
