//! Formats the dates of `unixtime` fields.

use std::fmt;

const SECONDS_PER_DAY: u64 = 86_400;
/// The first second of the year 10000.
const YEAR_10000: f64 = 253_402_300_800.0;

/// A second in UTC. Displays as `2012-11-20 20:17:00 UTC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    seconds: u64,
}

impl Date {
    /// Converts seconds since 1970; `None` outside of the years 1970 to 9999, and for 0, which means
    /// that the date was never set.
    #[must_use]
    pub fn from_unix(seconds: f64) -> Option<Date> {
        (1.0..YEAR_10000).contains(&seconds).then_some(Date { seconds: seconds as u64 })
    }

    /// Year, month and day, by way of years that begin in March, so that the leap day is a year's
    /// last (Howard Hinnant's `civil_from_days`).
    fn civil(self) -> (u64, u64, u64) {
        let days = self.seconds / SECONDS_PER_DAY + 719_468; // since 0000-03-01
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let is_next_year = month >= 10;
        (
            400 * era + year + u64::from(is_next_year),
            if is_next_year { month - 9 } else { month + 3 },
            day,
        )
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        let time = self.seconds % SECONDS_PER_DAY;
        write!(
            f,
            "{year}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
            time / 3600,
            time / 60 % 60,
            time % 60
        )
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
