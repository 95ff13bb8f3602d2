//! A calendar day in UTC, as whole days since 1970. Written `2026-11-26`.

use std::{fmt, str::FromStr};

use crate::time::Timestamp;

/// Seconds of a day: UTC as computers count it has no others.
pub const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Days in 400 years of the Gregorian calendar, after which it repeats.
const ERA_DAYS: u64 = 146_097;

/// Days from the 1st of March of the year 0 to the 1st of January 1970.
const EPOCH_SHIFT: u64 = 719_468;

/// The last day that a text can name: 9999-12-31.
const LAST: u64 = 2_932_896;

/// Whole days since the 1st of January 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

/// Not a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a day from 1970-01-01 on, like 2026-11-26")]
pub struct DayError;

impl Day {
    /// The day so many days after the 1st of January 1970.
    #[must_use]
    pub const fn from_epoch_days(days: u64) -> Self {
        Self(days)
    }

    /// The day of this instant, in UTC.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        Self(at.epoch_seconds() / DAY_SECONDS)
    }

    /// Whole days since the 1st of January 1970.
    #[must_use]
    pub const fn epoch_days(self) -> u64 {
        self.0
    }

    /// Its first second.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp::from_epoch_seconds(self.0.saturating_mul(DAY_SECONDS))
    }

    /// So many days later.
    #[must_use]
    pub const fn plus(self, days: u64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// So many days earlier; not before 1970.
    #[must_use]
    pub const fn minus(self, days: u64) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// Whole days from `earlier` to this one; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn days_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Year, month and day of the month. Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil(day: Day) -> (u64, u64, u64) {
    let shifted = day.0 + EPOCH_SHIFT;
    let (era, of_era) = (shifted / ERA_DAYS, shifted % ERA_DAYS);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day_of_month)
}

/// The inverse, for any month from 1 to 12. Source: the same, `days_from_civil`.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, of_era) = (year / 400, year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + day.checked_sub(1)?;
    (era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(EPOCH_SHIFT)
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(Self(self.0.min(LAST)));
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = DayError;

    /// Only what [`Day`] itself writes: `2026-2-3` and `2026-02-30` are none.
    fn from_str(text: &str) -> Result<Self, DayError> {
        let parse = || {
            let mut parts = text.splitn(3, '-').map(|part| part.parse::<u64>().ok());
            let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
            let known = year <= 9_999 && (1..=12).contains(&month) && day <= 31;
            known.then(|| days(year, month, day)).flatten().map(Self)
        };
        parse().filter(|day| day.to_string() == text).ok_or(DayError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_and_read_as_a_date() {
        for (days, text) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (17_434, "2017-09-25"),
            (20_783, "2026-11-26"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
            (LAST, "9999-12-31"),
        ] {
            assert_eq!(Day(days).to_string(), text);
            assert_eq!(text.parse(), Ok(Day(days)), "{text}");
        }
    }

    #[test]
    fn every_day_reads_back_and_none_is_left_out() {
        let mut before = String::new();
        for days in 0..60_000 {
            let text = Day(days).to_string();
            assert!(text > before, "{before} {text}");
            assert_eq!(text.parse(), Ok(Day(days)));
            before = text;
        }
    }

    #[test]
    fn what_no_calendar_has_is_no_day() {
        for text in
            ["", "2026", "2026-11", "2026-11-31", "2025-02-29", "2026-13-01", "2026-00-10", "2026-1-1", "1969-12-31"]
        {
            assert_eq!(text.parse::<Day>(), Err(DayError), "{text}");
        }
        for text in
            ["2026-11-00", "+2026-11-26", "2026-11-26 ", "10000-01-01", "2026-11-26-1", "18446744073709551615-01-01"]
        {
            assert_eq!(text.parse::<Day>(), Err(DayError), "{text}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        let day = Day(20_783);
        assert_eq!(Day::of(day.start()), day);
        assert_eq!(Day::of(day.plus(1).start()), day.plus(1));
        assert_eq!(Day::of(Timestamp::from_epoch_seconds(day.plus(1).start().epoch_seconds() - 1)), day);
        assert_eq!((day.plus(3).days_since(day), day.days_since(day.plus(3)), day.minus(3).plus(3)), (3, 0, day));
    }
}
