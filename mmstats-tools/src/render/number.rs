//! Formats numbers as Python does, and scaled numbers without floating-point noise.

use std::fmt;

use crate::scraper::OwnedValue;
pub use crate::series::Scale;

impl Scale {
    /// Scales a stored number; returns `None` for texts, booleans and histograms.
    #[must_use]
    pub fn number(self, stored: &OwnedValue) -> Option<ScaledNumber> {
        Some(match *stored {
            OwnedValue::Unsigned(value) => self.unsigned(value),
            OwnedValue::Signed(value) => self.signed(value),
            OwnedValue::Float(value) => self.float(value),
            OwnedValue::Bool(_) | OwnedValue::Text(_) | OwnedValue::Histogram(_) => return None,
        })
    }

    /// Scales an unsigned integer.
    #[must_use]
    pub fn unsigned(self, stored: u64) -> ScaledNumber {
        if self.is_none() {
            ScaledNumber::Unsigned(stored)
        } else {
            ScaledNumber::Decimal(self.quotient(stored, 1))
        }
    }

    /// Scales a signed integer.
    #[must_use]
    pub fn signed(self, stored: i64) -> ScaledNumber {
        if self.is_none() {
            return ScaledNumber::Signed(stored);
        }
        ScaledNumber::Decimal(Decimal {
            negative: stored < 0,
            ..self.quotient(stored.unsigned_abs(), 1)
        })
    }

    /// Scales a float.
    #[must_use]
    pub fn float(self, stored: f64) -> ScaledNumber {
        if !stored.is_finite() {
            return ScaledNumber::NotFinite(stored);
        }
        // Exact for a divisor of 1; a power of ten only moves the decimal point.
        let decimal = Decimal::from_float(stored / f64::from(self.divisor.max(1)));
        ScaledNumber::Decimal(decimal.times_ten_to(self.power))
    }

    /// Scales `stored` / `by`, for example a mean.
    #[must_use]
    pub fn quotient(self, stored: u64, by: u64) -> Decimal {
        Decimal::from_quotient(stored, u128::from(by) * u128::from(self.divisor.max(1)))
            .times_ten_to(self.power)
    }
}

/// A scaled number. Displays as Python 3 prints it.
#[derive(Clone, Debug, PartialEq)]
pub enum ScaledNumber {
    /// An unscaled unsigned integer.
    Unsigned(u64),
    /// An unscaled signed integer.
    Signed(i64),
    /// Any other number.
    Decimal(Decimal),
    /// An infinity or NaN.
    NotFinite(f64),
}

impl fmt::Display for ScaledNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScaledNumber::Unsigned(value) => value.fmt(f),
            ScaledNumber::Signed(value) => value.fmt(f),
            ScaledNumber::Decimal(value) => value.fmt(f),
            ScaledNumber::NotFinite(value) if value.is_nan() => f.write_str("nan"),
            ScaledNumber::NotFinite(value) => {
                f.write_str(if *value > 0.0 { "inf" } else { "-inf" })
            }
        }
    }
}

/// A finite decimal number: 0.`digits` × 10^`point`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// ASCII digits; the first and the last are not 0. Empty for zero.
    digits: Vec<u8>,
    point: i32,
    /// Whether integers display with a decimal point: `3.0`.
    float: bool,
}

impl Decimal {
    /// Digits that distinguish any two `f64`; quotients are rounded to as many.
    const MAX_DIGITS: usize = 17;

    /// Returns the shortest decimal that parses to this finite number; of two equally near ones the
    /// even one, as Python does.
    fn from_float(value: f64) -> Self {
        let magnitude = value.abs();
        let shortest = format!("{magnitude:e}");
        let decimals = shortest.find('e').unwrap_or(0).saturating_sub("1.".len());
        // Rust may choose the odd one. Rounding to as many digits gives the even one, except near
        // powers of two, where that can be another number.
        let even = format!("{magnitude:.decimals$e}");
        let text = if even.parse() == Ok(magnitude) { even } else { shortest };
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = digits.bytes().filter(|byte| *byte != b'.').collect();
        let exponent: i32 = exponent.parse().unwrap_or_default();
        Decimal { negative: value.is_sign_negative(), digits, point: exponent + 1, float: true }
            .without_trailing_zeros()
    }

    /// Returns `numerator / denominator`, exact up to 17 digits, else rounded. The denominator is
    /// at most 2^96, so that ten times a remainder fits `u128`; 0 counts as 1.
    fn from_quotient(numerator: u64, denominator: u128) -> Self {
        let denominator = denominator.max(1);
        let (whole, mut rest) =
            (u128::from(numerator) / denominator, u128::from(numerator) % denominator);
        let mut digits = if whole == 0 { Vec::new() } else { whole.to_string().into_bytes() };
        let mut point = digits.len() as i32;
        while rest != 0 && digits.len() < Self::MAX_DIGITS {
            rest *= 10;
            let digit = b'0' + (rest / denominator) as u8;
            rest %= denominator;
            if digits.is_empty() && digit == b'0' {
                point -= 1;
            } else {
                digits.push(digit);
            }
        }
        let mut decimal = Decimal { negative: false, digits, point, float: false };
        if rest * 2 >= denominator {
            decimal.round_up();
        }
        decimal.without_trailing_zeros()
    }

    /// Returns `true` if the number is beyond all finite `f64`.
    #[must_use]
    pub fn exceeds_f64(&self) -> bool {
        const MAX_POINT: i32 = f64::MAX_10_EXP + 1;
        self.point >= MAX_POINT && self.to_string().parse().is_ok_and(f64::is_infinite)
    }

    /// Returns the infinity of its sign.
    #[must_use]
    pub fn infinity(&self) -> f64 {
        if self.negative { f64::NEG_INFINITY } else { f64::INFINITY }
    }

    fn times_ten_to(self, power: i8) -> Self {
        Decimal { point: self.point + i32::from(power), ..self }
    }

    /// Rounds to a number of significant digits, at least one.
    #[must_use]
    pub fn rounded(mut self, digits: usize) -> Self {
        let digits = digits.max(1);
        if let Some(&first_lost) = self.digits.get(digits) {
            self.digits.truncate(digits);
            if first_lost >= b'5' {
                self.round_up();
            }
        }
        self.without_trailing_zeros()
    }

    /// Adds one to the last digit.
    fn round_up(&mut self) {
        for digit in self.digits.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        self.digits.insert(0, b'1');
        self.point += 1;
    }

    fn without_trailing_zeros(mut self) -> Self {
        while self.digits.last() == Some(&b'0') {
            self.digits.pop();
        }
        self
    }
}

impl fmt::Display for Decimal {
    /// Formats like Python: with an exponent below 0.0001 and from 1e16 on, unless all digits
    /// before the point are known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = std::str::from_utf8(&self.digits).unwrap_or_default();
        if self.negative {
            f.write_str("-")?;
        }
        let plain_up_to = if self.float { 16 } else { digits.len().max(16) as i32 };
        if digits.is_empty() {
            f.write_str(if self.float { "0.0" } else { "0" })
        } else if self.point <= -4 || self.point > plain_up_to {
            let (first, rest) = digits.split_at(1);
            let (mark, exponent) = (if rest.is_empty() { "" } else { "." }, self.point - 1);
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(f, "{first}{mark}{rest}e{sign}{:02}", exponent.abs())
        } else if self.point <= 0 {
            write!(f, "0.{:0<zeros$}{digits}", "", zeros = self.point.unsigned_abs() as usize)
        } else if let Some((whole, fraction)) = digits
            .split_at_checked(self.point as usize)
            .filter(|(_, fraction)| !fraction.is_empty())
        {
            write!(f, "{whole}.{fraction}")
        } else {
            write!(
                f,
                "{digits:0<width$}{}",
                if self.float { ".0" } else { "" },
                width = self.point as usize
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_as_python_prints_them() {
        let mut floats = 0;
        for line in include_str!("python_floats.txt").lines().filter(|line| !line.starts_with('#'))
        {
            let (bits, printed) = line.split_once(' ').unwrap();
            let float = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
            assert_eq!(Scale::NONE.float(float).to_string(), printed, "{bits}");
            floats += 1;
        }
        assert!(floats > 200);
    }

    fn scale(power: i8, divisor: u32) -> Scale {
        Scale { power, divisor }
    }

    #[test]
    fn scaled_integers_are_exact() {
        for (stored, power, shown) in [
            (3300, -3, "3.3"),
            (3000, -3, "3"),
            (1, -2, "0.01"),
            (0, -9, "0"),
            (0, 3, "0"),
            (5, 3, "5000"),
            (29, -2, "0.29"),
            (5, -9, "5e-09"),
            (1_234, -7, "0.0001234"),
            (u64::MAX, -9, "18446744073.709551615"),
            (u64::MAX, -19, "1.8446744073709551615"),
            (u64::MAX, -18, "18.446744073709551615"),
            (u64::MAX, 1, "1.8446744073709551615e+20"),
            (12, 127, "1.2e+128"),
            (12, -128, "1.2e-127"),
        ] {
            assert_eq!(scale(power, 1).unsigned(stored).to_string(), shown, "{stored} e{power}");
        }
        assert_eq!(scale(-3, 1).signed(-1).to_string(), "-0.001");
        assert_eq!(scale(-3, 1).signed(i64::MIN).to_string(), "-9223372036854775.808");
        assert_eq!(scale(-1, 0).signed(215).to_string(), "21.5");
    }

    #[test]
    fn quotients_have_17_digits() {
        for (stored, power, divisor, shown) in [
            (1, 0, 4096, "0.000244140625"),
            (4095, 0, 4096, "0.999755859375"),
            (8192, 0, 4096, "2"),
            (1, 0, 3, "0.33333333333333333"),
            (2, 0, 3, "0.66666666666666667"),
            (200, 0, 3, "66.666666666666667"),
            (32_768, -3, 32_768, "0.001"),
            (u64::MAX, 0, 10, "1844674407370955162"),
            (u64::MAX, 0, 2, "9223372036854775808"),
            (u64::MAX, 0, u32::MAX, "4294967297"),
            (1, 0, u32::MAX, "2.3283064370807974e-10"),
        ] {
            assert_eq!(
                scale(power, divisor).unsigned(stored).to_string(),
                shown,
                "{stored} e{power} / {divisor}"
            );
        }
    }

    #[test]
    fn scaled_floats_have_no_noise() {
        assert_eq!(scale(-3, 1).float(0.3).to_string(), "0.0003");
        assert_eq!(scale(2, 1).float(0.29).to_string(), "29.0");
        assert_eq!(scale(0, 4).float(1.0).to_string(), "0.25");
        assert_eq!(scale(-3, 1).float(f64::NEG_INFINITY).to_string(), "-inf");
        assert_eq!(scale(127, 1).float(1e300).to_string(), "1e+427");
    }

    #[test]
    fn rounding_carries() {
        for (stored, digits, shown) in [
            (996, 2, "1000"),
            (994, 2, "990"),
            (95, 1, "100"),
            (12, 5, "12"),
            (123_456, 3, "123000"),
            (0, 2, "0"),
        ] {
            assert_eq!(Scale::NONE.quotient(stored, 1).rounded(digits).to_string(), shown);
        }
        assert_eq!(Scale::NONE.quotient(1, 0).to_string(), "1");
        assert_eq!(
            scale(-9, u32::MAX).quotient(u64::MAX, u64::MAX).to_string(),
            "2.3283064370807974e-19"
        );
    }
}
