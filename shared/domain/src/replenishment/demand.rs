//! What is asked of a SKU on an average day, from days on which it could be had.
//!
//! **Average** = units sold ÷ days in stock, where a day counts for the share of it in which there was something to sell. That is the
//! maximum-likelihood rate of a Poisson process that is watched for so long; a stockout hides demand, and is left out of both sums.
//!
//! **Deviation** of daily demand: √(Σ (u − e·m)² ÷ e ÷ (Σ e − 1)), with u the units of a day, e its share in stock and m the average. For
//! days that are all in stock it is the usual sample standard deviation; a part of a day counts as far as it was seen. Where no more than
//! one day was seen, it is √m, as of a Poisson process.
//!
//! **Known** are the days from the first to the last of which the merchant has said what was sold, and those since the service watches: a day
//! of which nothing is recorded was in stock then, and sold nothing. The day on which it began to watch is known in part only, and what lies
//! between the two, or before them, is not known at all: such days are neither good nor bad days.

use crate::time::{DAY_SECONDS, Day};

/// One day of a SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayOfSales {
    /// Which.
    pub day: Day,
    /// Units sold, in all channels.
    pub units: u64,
    /// Seconds in which there was nothing to sell.
    pub out_seconds: u64,
}

impl DayOfSales {
    fn in_stock_seconds(&self) -> u64 {
        DAY_SECONDS.saturating_sub(self.out_seconds)
    }
}

/// What a merchant says of a day that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Units sold, in all channels.
    pub units: u64,
    /// Seconds in which there was nothing to sell; as far as the service knows, where nothing is said.
    pub out_seconds: Option<u64>,
}

/// Of which days the sales of a SKU are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// The first and the last day of which the merchant has said what was sold.
    pub told: Option<(Day, Day)>,
    /// The day on which the service began to watch: the next one is the first that it has seen in full.
    pub watched_since: Option<Day>,
}

impl Known {
    /// Whether all of a day is known.
    #[must_use]
    pub fn has(self, day: Day) -> bool {
        self.was_told(day) || self.watched_since.is_some_and(|began_on| began_on < day)
    }

    fn was_told(self, day: Day) -> bool {
        self.told.is_some_and(|(first, last)| (first..=last).contains(&day))
    }

    /// The first day of which all is known, if there is one.
    fn first(self) -> Option<Day> {
        let told = self.told.map(|(first, _)| first);
        told.into_iter().chain(self.watched_since.map(|began_on| began_on.plus_days(1))).min()
    }

    /// What is known once the merchant has said what was sold from one day to another.
    #[must_use]
    pub fn and_told(self, first: Day, last: Day) -> Self {
        let (first, last) = self.told.map_or((first, last), |told| (told.0.min(first), told.1.max(last)));
        Self { told: Some((first, last)), ..self }
    }

    /// What is known at a look of `today` at days of which something is recorded. What nobody has told was counted by the service: it has
    /// watched since then, if not for longer.
    #[must_use]
    pub fn with(self, recorded: &[DayOfSales], today: Day) -> Self {
        let counted = recorded.iter().map(|sales| sales.day).filter(|day| !self.was_told(*day));
        Self { watched_since: counted.chain(self.watched_since).chain([today]).min(), ..self }
    }
}

/// What was learned from the complete days of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Units sold.
    pub units: u64,
    /// Seconds in which there was something to sell.
    pub in_stock_seconds: u64,
    /// The standard deviation of daily demand, in thousandths of a unit.
    pub deviation_thousandths: u64,
    /// The first day that counts.
    pub from: Day,
    /// The first day after those that count.
    pub until: Day,
}

impl Demand {
    /// From the `days` of which anything is recorded, in any order; the others that are `known` sold nothing and were in stock. `today` is
    /// not complete and does not count, nor does any day that is not known. Nothing when it was in stock for less than a day in all: an
    /// average of hours says nothing.
    #[must_use]
    pub fn of(days: &[DayOfSales], known: Known, window_days: u64, today: Day) -> Option<Self> {
        let from = today.minus_days(window_days).max(known.first()?);
        let counted = || days.iter().filter(|sales| (from..today).contains(&sales.day) && known.has(sales.day));
        let recorded = counted().count() as u64;
        let window = (0..today.days_since(from)).map(|ahead| from.plus_days(ahead));
        let silent = (window.filter(|day| known.has(*day)).count() as u64).saturating_sub(recorded);
        let units = counted().map(|sales| sales.units).sum();
        let in_stock = counted().map(DayOfSales::in_stock_seconds).sum::<u64>() + silent * DAY_SECONDS;
        if in_stock < DAY_SECONDS {
            return None;
        }
        let mean = real(units) / (real(in_stock) / real(DAY_SECONDS));
        let deviation = deviation(counted(), silent, mean, real(in_stock) / real(DAY_SECONDS));
        Some(Self {
            units,
            in_stock_seconds: in_stock,
            deviation_thousandths: whole(deviation * 1_000.0),
            from,
            until: today,
        })
    }

    /// Units a day.
    #[must_use]
    pub fn per_day(&self) -> f64 {
        real(self.units) / self.days_in_stock()
    }

    /// Days in stock, in parts of a day.
    #[must_use]
    pub fn days_in_stock(&self) -> f64 {
        real(self.in_stock_seconds) / real(DAY_SECONDS)
    }

    /// The standard deviation of daily demand, in units.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        real(self.deviation_thousandths) / 1_000.0
    }

    /// Days from the first that counts to the last; not all of them are known where [`Known`] has a gap.
    #[must_use]
    pub fn days(&self) -> u64 {
        self.until.days_since(self.from)
    }
}

fn deviation<'a>(days: impl Iterator<Item = &'a DayOfSales>, silent: u64, mean: f64, in_stock: f64) -> f64 {
    if in_stock <= 1.0 {
        return mean.sqrt();
    }
    let squares: f64 = days
        .filter_map(|sales| {
            let share = real(sales.in_stock_seconds()) / real(DAY_SECONDS);
            (share > 0.0).then(|| (real(sales.units) - share * mean).powi(2) / share)
        })
        .sum();
    ((squares + real(silent) * mean.powi(2)) / (in_stock - 1.0)).sqrt()
}

/// Exact for anything counted here: below 2^53.
#[expect(clippy::cast_precision_loss, reason = "units and seconds of a year are far below 2^53")]
pub(super) fn real(number: u64) -> f64 {
    number as f64
}

/// The nearest whole number; never below 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is not negative, and `as` stops at the end of the range"
)]
pub(super) fn whole(number: f64) -> u64 {
    number.round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Day = Day::from_epoch_days(1_000);

    /// Days before today, the latest first.
    fn days(sold: &[(u64, u64)]) -> Vec<DayOfSales> {
        let day = |ago: usize| TODAY.minus_days(ago as u64 + 1);
        sold.iter()
            .enumerate()
            .map(|(ago, &(units, out_seconds))| DayOfSales { day: day(ago), units, out_seconds })
            .collect()
    }

    fn of(sold: &[(u64, u64)], window: u64) -> Option<Demand> {
        Demand::of(&days(sold), since(window), window, TODAY)
    }

    /// Watched in full for so many days.
    fn since(days: u64) -> Known {
        Known { watched_since: Some(TODAY.minus_days(days + 1)), ..Known::default() }
    }

    #[test]
    fn the_average_is_over_complete_days_of_the_window() {
        let mut sold = days(&[(8, 0), (12, 0), (10, 0), (1_000, 0)]);
        sold.push(DayOfSales { day: TODAY, units: 500, out_seconds: 0 });
        let demand = Demand::of(&sold, since(500), 3, TODAY).unwrap();
        assert_eq!((demand.units, demand.days(), demand.in_stock_seconds), (30, 3, 3 * DAY_SECONDS));
        assert!((demand.per_day() - 10.0).abs() < 1e-12);
        assert!((demand.deviation() - 2.0).abs() < 1e-9, "the sample deviation of 8, 10, 12");
    }

    #[test]
    fn a_day_without_a_sale_counts_and_a_day_out_of_stock_does_not() {
        // Five days: 10, 10, nothing sold, and two days on which nothing was there.
        let day = DAY_SECONDS;
        let demand = of(&[(10, 0), (10, 0), (0, 0), (0, day), (0, day)], 5).unwrap();
        assert!((demand.per_day() - 20.0 / 3.0).abs() < 1e-12);
        // Sold out at noon of each day: five an hour, not five a day.
        let demand = of(&[(5, day / 2), (5, day / 2), (5, day / 2), (5, day / 2)], 4).unwrap();
        assert!((demand.per_day() - 10.0).abs() < 1e-12);
        assert_eq!(demand.deviation_thousandths, 0, "every half day was alike");
    }

    #[test]
    fn days_before_a_sku_was_known_do_not_count() {
        let demand = Demand::of(&days(&[(6, 0), (6, 0)]), since(2), 28, TODAY).unwrap();
        assert_eq!((demand.days(), demand.from), (2, TODAY.minus_days(2)));
        assert!((demand.per_day() - 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_part_of_a_day_and_what_lies_between_the_file_and_the_first_look_say_nothing() {
        // Told of ten days that ended a week ago, one of them without a sale; watched since the evening before yesterday, with two sales.
        let at = |ago: u64, units| DayOfSales { day: TODAY.minus_days(ago), units, out_seconds: 0 };
        let mut sold: Vec<DayOfSales> = (8..18).filter(|ago| *ago != 12).map(|ago| at(ago, 10)).collect();
        sold.push(at(2, 2));
        let known = Known::default().and_told(TODAY.minus_days(17), TODAY.minus_days(8)).with(&sold, TODAY);
        assert_eq!(known.watched_since, Some(TODAY.minus_days(2)));
        let demand = Demand::of(&sold, known, 28, TODAY).unwrap();
        assert_eq!((demand.units, demand.in_stock_seconds), (90, 11 * DAY_SECONDS), "ten days, and yesterday");
        assert_eq!((demand.from, demand.days()), (TODAY.minus_days(17), 17));
        let nothing_told = Known::default().with(&[], TODAY.minus_days(2));
        let demand = Demand::of(&[at(2, 2), at(1, 5)], nothing_told, 28, TODAY).unwrap();
        assert_eq!(
            (demand.units, demand.in_stock_seconds, demand.days()),
            (5, DAY_SECONDS, 1),
            "the evening is left out"
        );
        let again = known.and_told(TODAY.minus_days(9), TODAY.minus_days(7)).told;
        assert_eq!(again, Some((TODAY.minus_days(17), TODAY.minus_days(7))));
    }

    #[test]
    fn less_than_a_day_in_stock_is_no_average() {
        let day = DAY_SECONDS;
        assert_eq!(of(&[(9, day), (9, day)], 2), None);
        assert_eq!(of(&[(9, day / 2 + 1), (9, day / 2)], 2), None);
        assert_eq!(Demand::of(&[], Known::default().with(&[], TODAY), 28, TODAY), None, "known since today");
        let demand = of(&[(9, day / 2), (0, day / 2)], 2).unwrap();
        assert!((demand.per_day() - 9.0).abs() < 1e-12 && (demand.deviation() - 3.0).abs() < 1e-9, "{demand:?}");
        assert_eq!(of(&[(9, 9 * day)], 1), None, "a mistaken count of seconds is a whole day");
    }
}
