//! Formats the dates of `unixtime` fields.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};

/// The first second of the year 10000.
const YEAR_10000: f64 = 253_402_300_800.0;

/// A second in UTC. Displays as `2012-11-20 20:17:00 UTC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(DateTime);

impl Date {
    /// Converts seconds since 1970; `None` outside of the years 1970 to 9999, and for 0, which
    /// means that the date was never set.
    #[must_use]
    pub fn from_unix(seconds: f64) -> Option<Date> {
        if !(1.0..YEAR_10000).contains(&seconds) {
            return None;
        }
        let since_1970 = SignedDuration::from_secs(seconds as i64);
        date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since_1970).ok().map(Date)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.strftime("%Y-%m-%d %H:%M:%S UTC").fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_date_1() {
        for (seconds, date) in [
            (1.0, "1970-01-01 00:00:01 UTC"),
            (951_782_400.5, "2000-02-29 00:00:00 UTC"),
            (1_353_442_620.125, "2012-11-20 20:17:00 UTC"),
            (4_107_542_399.0, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400.0, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799.0, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(Date::from_unix(seconds).unwrap().to_string(), date);
        }
    }

    #[test]
    fn out_of_range_seconds_have_no_date() {
        for seconds in [0.0, -1.0, YEAR_10000, f64::NAN, f64::INFINITY] {
            assert_eq!(Date::from_unix(seconds), None);
        }
    }
}
