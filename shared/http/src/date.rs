//! Days as the API shows and takes them: `2026-11-26`, in UTC.

use std::{fmt, str::FromStr};

use domain::time::Day;
use jiff::civil;

/// The 1st of January 1970.
const EPOCH: civil::Date = civil::date(1970, 1, 1);

/// A day at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub Day);

/// Not a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateError;

impl fmt::Display for DateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a day from 1970-01-01 on, like 2026-11-26")
    }
}

impl fmt::Display for Date {
    /// A day after the year 9999 is shown as the last one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = i64::try_from(self.0.epoch_days()).ok().and_then(|days| jiff::Span::new().try_days(days).ok());
        let date = days.and_then(|days| EPOCH.checked_add(days).ok()).unwrap_or(civil::Date::MAX);
        date.fmt(f)
    }
}

impl FromStr for Date {
    type Err = DateError;

    /// Only what is shown: jiff would take `20261126`, too, or a time behind it.
    fn from_str(text: &str) -> Result<Self, DateError> {
        let date: civil::Date = text.parse().map_err(|_| DateError)?;
        let days = EPOCH.until(date).map_err(|_| DateError)?.get_days();
        let day = u64::try_from(days).map(Day::from_epoch_days).map_err(|_| DateError)?;
        Some(Self(day)).filter(|day| day.to_string() == text).ok_or(DateError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_as_it_is_shown() {
        for (days, text) in [
            (0, "1970-01-01"),
            (11_016, "2000-02-29"),
            (17_434, "2017-09-25"),
            (20_783, "2026-11-26"),
            (2_932_896, "9999-12-31"),
        ] {
            assert_eq!(Date(Day::from_epoch_days(days)).to_string(), text);
            assert_eq!(text.parse(), Ok(Date(Day::from_epoch_days(days))), "{text}");
        }
        assert_eq!(Date(Day::from_epoch_days(u64::MAX)).to_string(), "9999-12-31");
    }

    #[test]
    fn what_no_calendar_has_is_no_day() {
        for text in [
            "",
            "2026-11",
            "2026-11-31",
            "2025-02-29",
            "2026-1-1",
            "20261126",
            "1969-12-31",
            "2026-11-26T00:00:00",
            " 2026-11-26",
        ] {
            assert_eq!(text.parse::<Date>(), Err(DateError), "{text}");
        }
    }
}
