//! Durations on the command line.
//!
//! Parsed by hand: the original accepts plain seconds with a fraction (`0.25`), which crates for
//! durations do not.

use std::time::Duration;

/// The longest duration that is accepted; more is a typing mistake or a number in another unit.
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 3600);

/// The shortest interval of `topstats` and `mmash`, which read all fields of all writers: a typing
/// mistake must not use a whole core.
pub const MIN_SCRAPE_INTERVAL: Duration = Duration::from_millis(100);

/// Parses seconds, also with a fraction (`0.5`), or a number with a unit (`500ms`, `2s`, `1.5m`,
/// `12h`, `7d`).
///
/// # Errors
/// If it is not a duration, or longer than a year.
pub fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || "not a duration (2, 0.5, 500ms, 10s, 5m, 12h or 7d expected)".to_owned();
    let number_ends = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_ends);
    let unit = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(invalid()),
    };
    let number: f64 = number.parse().map_err(|_| invalid())?;
    // Digits and a point alone are neither negative nor NaN.
    let duration = Duration::try_from_secs_f64(number * unit).unwrap_or(Duration::MAX);
    if duration > MAX_DURATION { Err("longer than a year".to_owned()) } else { Ok(duration) }
}

/// Parses an interval: a duration as for [`parse`] of at least a millisecond.
///
/// # Errors
/// If it is not a duration, or too short.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse(text)?;
    if interval < Duration::from_millis(1) {
        Err("shorter than 1ms".to_owned())
    } else {
        Ok(interval)
    }
}

/// Parses an interval of at least [`MIN_SCRAPE_INTERVAL`].
///
/// # Errors
/// If it is not a duration, or too short.
pub fn parse_scrape_interval(text: &str) -> Result<Duration, String> {
    let interval = parse(text)?;
    if interval < MIN_SCRAPE_INTERVAL { Err("shorter than 0.1s".to_owned()) } else { Ok(interval) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
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
    fn other_texts_are_refused_with_the_accepted_forms() {
        for text in ["", "x", "-1", "1e3", "1.2.3", ".", "1 s", "s", "5 ", "inf", "NaN", "1S", "3w"]
        {
            assert_eq!(
                parse(text),
                Err("not a duration (2, 0.5, 500ms, 10s, 5m, 12h or 7d expected)".to_owned()),
                "{text:?}"
            );
        }
        assert_eq!(parse("367d"), Err("longer than a year".to_owned()));
        assert_eq!(parse("99999999999999999999999999"), Err("longer than a year".to_owned()));
        assert_eq!(parse_interval("0"), Err("shorter than 1ms".to_owned()));
        assert_eq!(parse_interval("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(parse_scrape_interval("99ms"), Err("shorter than 0.1s".to_owned()));
        assert_eq!(parse_scrape_interval("100ms"), Ok(MIN_SCRAPE_INTERVAL));
        assert_eq!(parse_scrape_interval("0.5"), Ok(Duration::from_millis(500)));
        assert!(parse_scrape_interval("soon").is_err());
    }
}
