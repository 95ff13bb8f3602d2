//! Instants as whole seconds since 1970 (UTC). RFC 3339 exists only at the edge, in `http`.

use std::fmt;

/// Seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Later than every other instant.
    pub const MAX: Self = Self(u64::MAX);

    /// From seconds since the Unix epoch.
    #[must_use]
    pub const fn from_epoch_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn epoch_seconds(self) -> u64 {
        self.0
    }

    /// This instant, `seconds` later.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Whole seconds from `earlier` to this instant; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Seconds of a day. UTC has no leap seconds in epoch time.
pub const DAY_SECONDS: u64 = 24 * 60 * 60;

/// A day of UTC, as whole days since 1970. `yyyy-mm-dd` exists only at the edge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

impl Day {
    /// From days since 1970-01-01.
    #[must_use]
    pub const fn from_epoch_days(days: u64) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn epoch_days(self) -> u64 {
        self.0
    }

    /// The day of an instant.
    #[must_use]
    pub const fn of(instant: Timestamp) -> Self {
        Self(instant.0 / DAY_SECONDS)
    }

    /// Its first second.
    #[must_use]
    pub const fn begins_at(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(DAY_SECONDS))
    }

    /// This day, `days` later.
    #[must_use]
    pub const fn plus_days(self, days: u64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// This day, `days` earlier; not before 1970.
    #[must_use]
    pub const fn minus_days(self, days: u64) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// Whole days from `earlier` to this day; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn days_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Where the time comes from: the system in a Lambda, a hand that turns it in a test. Nothing in this crate calls it.
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_all_of_its_seconds() {
        let today = Day::from_epoch_days(20_833);
        let begins = today.begins_at();
        for (seconds, day) in [(0, today), (86_399, today), (86_400, today.plus_days(1))] {
            assert_eq!(Day::of(begins.plus_seconds(seconds)), day, "{seconds}");
        }
        assert_eq!((begins.epoch_seconds(), today.epoch_days()), (20_833 * 86_400, 20_833));
        assert_eq!((today.plus_days(7).days_since(today), today.days_since(today.plus_days(7))), (7, 0));
        assert_eq!((today.minus_days(7).plus_days(7), today.minus_days(30_000)), (today, Day::default()));
    }
}
