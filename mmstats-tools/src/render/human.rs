//! Numbers for people: three digits and an SI or binary prefix.

/// Prefixes of the International System of Units, in steps of 1000.
const LARGE: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
const SMALL: [&str; 5] = ["", "m", "µ", "n", "p"];
/// Prefixes of IEC 80000-13, in steps of 1024.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Formats a number in at most six characters and a sign: `0`, `7`, `999`, `1.23k`, `45.6M`; below
/// one `0.12`, `0.0012`; otherwise with an exponent.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return special(value).to_owned();
    }
    if value.abs() < 1.0 {
        return small(value);
    }
    scaled(value, 1000.0, &LARGE)
}

/// Formats a number with its unit: bytes in steps of 1024 (`1.21MiB`), seconds as `12.3ms` or
/// `1h02m`, ratios in percent (`45.6%`), everything else like [`number`] followed by the unit.
#[must_use]
pub fn quantity(value: f64, unit: &str) -> String {
    if !value.is_finite() {
        return special(value).to_owned();
    }
    match unit {
        "" => number(value),
        "bytes" => scaled(value, 1024.0, &BINARY) + "B",
        "seconds" => seconds(value),
        "ratio" => three_digits(value * 100.0) + "%",
        "volts" => in_steps(value, "V"),
        "amperes" => in_steps(value, "A"),
        "watts" => in_steps(value, "W"),
        "joules" => in_steps(value, "J"),
        "hertz" => in_steps(value, "Hz"),
        "meters" => in_steps(value, "m"),
        "grams" => in_steps(value, "g"),
        "celsius" => three_digits(value) + "°C",
        unit => format!("{} {unit}", number(value)),
    }
}

fn special(value: f64) -> &'static str {
    if value.is_nan() {
        "nan"
    } else if value > 0.0 {
        "inf"
    } else {
        "-inf"
    }
}

fn seconds(value: f64) -> String {
    let (sign, whole) = (if value < 0.0 { "-" } else { "" }, value.abs().round());
    match whole {
        _ if value.abs() < 59.95 => in_steps_below_thousand(value, "s"),
        60.0..3600.0 => format!("{sign}{}m{:02}s", (whole / 60.0).floor(), whole % 60.0),
        3600.0..86_400.0 => {
            format!("{sign}{}h{:02}m", (whole / 3600.0).floor(), (whole % 3600.0 / 60.0).floor())
        }
        _ if whole < 60.0 => "1m00s".to_owned(),
        _ => format!("{sign}{}d", number((whole / 86_400.0).floor())),
    }
}

/// Formats a number and a unit symbol with any SI prefix.
fn in_steps(value: f64, symbol: &str) -> String {
    if value.abs() < 1.0 {
        in_steps_below_thousand(value, symbol)
    } else {
        scaled(value, 1000.0, &LARGE) + symbol
    }
}

/// Like [`in_steps`], without prefixes above one.
fn in_steps_below_thousand(value: f64, symbol: &str) -> String {
    let mut scaled = value;
    for prefix in SMALL {
        // A number that rounds to 1000 was handled by the larger prefix before.
        if scaled.abs() >= 0.9995 || scaled == 0.0 {
            return three_digits(scaled) + prefix + symbol;
        }
        scaled *= 1000.0;
    }
    format!("{value:.2e}{symbol}")
}

fn scaled(value: f64, step: f64, prefixes: &[&str]) -> String {
    let mut scaled = value;
    for prefix in prefixes {
        // 999.6 is 1.00k in three digits; 1023.4 bytes still has four.
        if scaled.abs() < step - 0.5 {
            return three_digits(scaled) + prefix;
        }
        scaled /= step;
    }
    format!("{value:.0e}")
}

/// Formats a number below one with up to four decimals.
fn small(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.abs() < 0.0001 {
        return format!("{value:.0e}");
    }
    let decimals = if value.abs() < 0.01 { 4 } else { 3 };
    format!("{value:.decimals$}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Formats a number of at least one with three digits, or all digits before the point; integers
/// have no decimals.
fn three_digits(value: f64) -> String {
    let magnitude = value.abs();
    // Ignores rounding errors of multiplications by powers of ten.
    let is_whole = (magnitude - magnitude.round()).abs() <= magnitude * 1e-12;
    let decimals = match magnitude {
        _ if is_whole => 0,
        _ if magnitude < 9.995 => 2,
        _ if magnitude < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (7.0, "7"),
            (999.0, "999"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (1000.0, "1k"),
            (1234.0, "1.23k"),
            (45_600_000.0, "45.6M"),
            (999_999.0, "1.00M"),
            (-1234.0, "-1.23k"),
            (18_446_744_073_709_551_615.0, "18.4E"),
            (1e30, "1e30"),
            (1.5, "1.50"),
            (12.34, "12.3"),
            (0.5, "0.5"),
            (0.1234, "0.123"),
            (0.0012, "0.0012"),
            (0.000_01, "1e-5"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(number(value), text, "{value:?}");
        }
    }

    #[test]
    fn quantities_have_a_suitable_prefix() {
        for (value, unit, text) in [
            (0.0, "bytes", "0B"),
            (1023.0, "bytes", "1023B"),
            (1024.0, "bytes", "1KiB"),
            (1_270_000.0, "bytes", "1.21MiB"),
            (0.0, "seconds", "0s"),
            (0.0123, "seconds", "12.3ms"),
            (0.99999, "seconds", "1.00s"),
            (0.000_000_002, "seconds", "2ns"),
            (59.97, "seconds", "1m00s"),
            (61.0, "seconds", "1m01s"),
            (3725.0, "seconds", "1h02m"),
            (200_000.0, "seconds", "2d"),
            (-90.0, "seconds", "-1m30s"),
            (0.456, "ratio", "45.6%"),
            (1.0, "ratio", "100%"),
            (3.3, "volts", "3.30V"),
            (0.0042, "amperes", "4.20mA"),
            (48_000_000.0, "hertz", "48MHz"),
            (-12.5, "celsius", "-12.5°C"),
            (1234.0, "requests", "1.23k requests"),
            (f64::INFINITY, "bytes", "inf"),
        ] {
            assert_eq!(quantity(value, unit), text, "{value:?} {unit}");
        }
    }

    #[test]
    fn numbers_have_at_most_six_characters_and_a_sign() {
        for power in -40..40 {
            for digits in [1.0, 1.234_567, 9.994, 9.995_1, 9.999_9] {
                let value = digits * 10_f64.powi(power);
                let text = number(value);
                assert!(text.chars().count() <= 6, "{value:?}: {text}");
            }
        }
    }
}
