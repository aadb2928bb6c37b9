//! Times on the command line.

use std::time::Duration;

/// The longest that is waited for; more is a slip of the keyboard, or a number in another unit.
const LONGEST: u64 = 366 * 24 * 3600;

/// Parses a time: seconds, also with a fraction (`0.5`), or a number with a unit (`500ms`, `2s`,
/// `1.5m`, `12h`, `7d`).
///
/// # Errors
/// What would be a time.
pub fn parse(text: &str) -> Result<Duration, String> {
    let number_ends = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_ends);
    let unit = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(wanted()),
    };
    let number: f64 = number.parse().map_err(|_| wanted())?;
    // No number with only digits and a point is negative, or not a number.
    let time = Duration::try_from_secs_f64(number * unit).unwrap_or(Duration::MAX);
    if time > Duration::from_secs(LONGEST) {
        Err("longer than a year".to_owned())
    } else {
        Ok(time)
    }
}

/// Parses a time that has to pass: one as for [`parse`], from a millisecond on.
///
/// # Errors
/// What would be a time, or that it is too short.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    let time = parse(text)?;
    if time < Duration::from_millis(1) { Err("shorter than 1ms".to_owned()) } else { Ok(time) }
}

fn wanted() -> String {
    "not a time (2, 0.5, 500ms, 10s, 5m, 12h, 7d would be)".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_have_a_unit() {
        for (text, milliseconds) in [
            ("1", 1000),
            ("0.5", 500),
            (".25", 250),
            ("2.", 2000),
            ("500ms", 500),
            ("10s", 10_000),
            ("1.5m", 90_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_what_would_be() {
        for text in ["", "x", "-1", "1e3", "1.2.3", ".", "1 s", "s", "5 ", "inf", "NaN", "1S", "3w"]
        {
            assert_eq!(parse(text), Err(wanted()), "{text:?}");
        }
        assert_eq!(parse("367d"), Err("longer than a year".to_owned()));
        assert_eq!(parse("99999999999999999999999999"), Err("longer than a year".to_owned()));
        assert_eq!(parse_interval("0"), Err("shorter than 1ms".to_owned()));
        assert_eq!(parse_interval("1ms"), Ok(Duration::from_millis(1)));
    }
}
