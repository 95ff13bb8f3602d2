//! The reorder point: average daily sales × lead time + safety stock.
//!
//! | safety stock | is |
//! |---|---|
//! | units | so many |
//! | percent | so much of what sells during the lead time |
//! | service level | z · √(L·σd² + d²·σL²): the normal quantile of the level, times the deviation of what sells during a lead time of L days ± σL, at d ± σd units a day |
//!
//! Source of the last: Silver, Pyke, Thomas, *Inventory and Production Management in Supply Chains*, 4th ed. (2017), section 6.10
//! (variable lead times), with days as periods that do not depend on each other.
//!
//! The first two are computed exactly, in whole numbers, and rounded up once, at the end: 10 a day for 7 days is 70, and 84 with 20 %.

use statrs::distribution::{ContinuousCDF, Normal};

use super::{
    demand::{Demand, real},
    settings::{SafetyStock, ServiceLevel, Settings},
};
use crate::time::DAY_SECONDS;

/// Less than this is a rounding error of the floating point, and not a part of a unit.
const ROUNDING: f64 = 1e-9;

/// A reorder point, and how it came about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReorderPoint {
    /// Units: at this position it is time to order.
    pub units: u64,
    /// What sells on average during the lead time.
    pub lead_time_demand: f64,
    /// What is kept for the days that are not average.
    pub safety_stock: f64,
}

impl ReorderPoint {
    /// For this demand. Without any that is known only units of safety stock count.
    #[must_use]
    pub fn of(settings: &Settings, demand: Option<&Demand>) -> Self {
        let Some(demand) = demand else {
            let units = if let SafetyStock::Units(units) = settings.safety_stock { units } else { 0 };
            return Self { units, lead_time_demand: 0.0, safety_stock: real(units) };
        };
        let days = settings.lead_time_days;
        let lead_time_demand = demand.per_day() * real(days);
        // Units over `out_of`, both times 100 for the percent.
        let sold = u128::from(demand.units) * u128::from(DAY_SECONDS) * u128::from(days) * 100;
        let out_of = u128::from(demand.in_stock_seconds.max(1)) * 100;
        let (units, safety_stock) = match settings.safety_stock {
            SafetyStock::Units(units) => (round_up(sold, out_of).saturating_add(units), real(units)),
            SafetyStock::Percent(percent) => {
                let more = sold / 100 * u128::from(percent);
                (round_up(sold + more, out_of), lead_time_demand * real(percent) / 100.0)
            }
            SafetyStock::ServiceLevel(level) => {
                let safety_stock = safety_stock(settings, demand, level);
                (ceil(lead_time_demand + safety_stock), safety_stock)
            }
        };
        Self { units, lead_time_demand, safety_stock }
    }
}

/// See the head of this module.
fn safety_stock(settings: &Settings, demand: &Demand, level: ServiceLevel) -> f64 {
    let lead_time_deviation = real(settings.lead_time_deviation_hundredths) / 100.0;
    let of_demand = real(settings.lead_time_days) * demand.deviation().powi(2);
    let of_lead_time = (demand.per_day() * lead_time_deviation).powi(2);
    quantile(level) * (of_demand + of_lead_time).sqrt()
}

/// The standard normal quantile of a service level: 0 at one half, 1.645 at 95 %.
#[must_use]
pub fn quantile(level: ServiceLevel) -> f64 {
    Normal::standard().inverse_cdf(real(level.ten_thousandths()) / 10_000.0)
}

fn round_up(units: u128, out_of: u128) -> u64 {
    u64::try_from(units.div_ceil(out_of)).unwrap_or(u64::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is not negative, and `as` stops at the end of the range"
)]
fn ceil(units: f64) -> u64 {
    (units - ROUNDING).ceil().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Day;

    fn demand(units: u64, days: u64, deviation_thousandths: u64) -> Demand {
        let until = Day::from_epoch_days(1_000);
        Demand {
            units,
            in_stock_seconds: days * DAY_SECONDS,
            deviation_thousandths,
            from: until.minus_days(days),
            until,
        }
    }

    fn level(ten_thousandths: u64) -> ServiceLevel {
        ServiceLevel::from_ten_thousandths(ten_thousandths).unwrap()
    }

    fn point(days: u64, safety_stock: SafetyStock, demand: Demand) -> ReorderPoint {
        ReorderPoint::of(&Settings::new(days, safety_stock), Some(&demand))
    }

    #[test]
    fn ten_a_day_for_seven_days_is_seventy_and_eighty_four_with_twenty_percent() {
        let ten_a_day = demand(280, 28, 0);
        let none = point(7, SafetyStock::Units(0), ten_a_day);
        assert_eq!((none.units, none.lead_time_demand, none.safety_stock), (70, 70.0, 0.0));
        let percent = point(7, SafetyStock::Percent(20), ten_a_day);
        assert_eq!((percent.units, percent.lead_time_demand, percent.safety_stock), (84, 70.0, 14.0));
        assert_eq!(point(7, SafetyStock::Units(5), ten_a_day).units, 75);
    }

    #[test]
    fn it_is_rounded_up_once_and_at_the_end() {
        // 1 in 10 days: a tenth a day, which no float holds.
        let tenth = demand(1, 10, 0);
        for (days, percent, units) in [(30, 0, 3), (31, 0, 4), (10, 10, 2), (100, 10, 11), (1, 0, 1), (10, 0, 1)] {
            assert_eq!(point(days, SafetyStock::Percent(percent), tenth).units, units, "{days} {percent}");
        }
        // 2.1 + 2.1 * 20 % = 2.52, and not 3 + 1.
        assert_eq!(point(21, SafetyStock::Percent(20), tenth).units, 3);
        assert_eq!(point(21, SafetyStock::Units(1), tenth).units, 4);
    }

    #[test]
    fn a_service_level_is_what_the_textbook_says() {
        for (ten_thousandths, z) in [(5_000, 0.0), (9_000, 1.281_552), (9_500, 1.644_854), (9_900, 2.326_348)] {
            assert!((quantile(level(ten_thousandths)) - z).abs() < 1e-6, "{ten_thousandths}");
        }
        // 10 ± 3 a day, 7 ± 1.5 days, 95 %: 1.644854 * sqrt(7*9 + 100*2.25) = 27.92.
        let variable = Settings {
            lead_time_deviation_hundredths: 150,
            ..Settings::new(7, SafetyStock::ServiceLevel(level(9_500)))
        };
        let reorder = ReorderPoint::of(&variable, Some(&demand(280, 28, 3_000)));
        assert!((reorder.safety_stock - 27.914_5).abs() < 1e-3, "{reorder:?}");
        assert_eq!(reorder.units, 98);
        // Without any deviation nothing is kept, and nothing is added by rounding.
        assert_eq!(point(7, SafetyStock::ServiceLevel(level(9_500)), demand(280, 28, 0)).units, 70);
        assert_eq!(point(30, SafetyStock::ServiceLevel(level(9_500)), demand(1, 10, 0)).units, 3);
    }

    #[test]
    fn without_known_demand_only_units_of_safety_stock_count() {
        for (safety_stock, units) in
            [(SafetyStock::Units(5), 5), (SafetyStock::Percent(20), 0), (SafetyStock::ServiceLevel(level(9_900)), 0)]
        {
            assert_eq!(ReorderPoint::of(&Settings::new(7, safety_stock), None).units, units);
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let most = Demand { in_stock_seconds: DAY_SECONDS, ..demand(u64::MAX, 1, u64::MAX) };
        for safety_stock in
            [SafetyStock::Units(u64::MAX), SafetyStock::Percent(1_000), SafetyStock::ServiceLevel(level(9_999))]
        {
            assert_eq!(point(365, safety_stock, most).units, u64::MAX);
        }
    }
}
