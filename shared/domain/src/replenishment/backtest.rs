//! What the rules would have done with days that have been, beside a merchant who orders when the shelf is empty.
//!
//! A simulation of one SKU, day by day:
//!
//! 1. What was ordered a lead time ago arrives, before the shop opens.
//! 2. The day's demand is served as far as the shelf goes. Where it does not, it is spread evenly over the day: the shelf was empty for the
//!    share of the day that was not served. What was not served is lost, and nobody sees it: the rule learns from what was *sold*.
//! 3. After closing, the policy looks. [`Policy::Rule`] is [`review()`], the very function of the service: what it opens an alert for is
//!    ordered at once, in the quantity of the settings. [`Policy::AtZero`] orders when nothing is left and nothing is on its way, up to the
//!    same level.
//!
//! The days before the first one that counts are known to both policies as history, and both begin with the same units.

use std::collections::VecDeque;

use super::{
    demand::{DayOfSales, Demand, Known, real},
    reorder::ReorderPoint,
    review::{Learned, Look, Sight, Turn, quantity, review},
    settings::Settings,
};
use crate::{
    ids::Sku,
    quantity::Quantity,
    time::{DAY_SECONDS, Day},
};

/// When more is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// At the reorder point, by the service's own rules.
    Rule,
    /// When the shelf is empty.
    AtZero,
}

/// What is replayed.
#[derive(Debug, Clone)]
pub struct History<'a> {
    /// What was sold.
    pub sku: &'a Sku,
    /// Units that were asked for, for each day from `first` on.
    pub demand: &'a [u64],
    /// The first of them.
    pub first: Day,
    /// How many of them only teach, and are not replayed.
    pub known_days: usize,
}

/// An order that the simulation has placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// After which day.
    pub on: Day,
    /// How many.
    pub units: u64,
    /// The position that made it necessary.
    pub position: i64,
    /// The reorder point then.
    pub reorder_point: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Days that were replayed.
    pub days: u64,
    /// Days on which somebody found nothing.
    pub days_out: u64,
    /// Units that nobody could buy.
    pub lost_units: u64,
    /// Units that were sold.
    pub sold_units: u64,
    /// Units on the shelf after an average day.
    pub average_stock: f64,
    /// The orders, the first one first.
    pub orders: Vec<Placed>,
    /// The reorder point at the end.
    pub reorder_point: u64,
    /// What sells on an average day, as it was known at the end.
    pub per_day: f64,
}

/// Replays a history.
#[must_use]
pub fn run(history: &History<'_>, settings: &Settings, policy: Policy) -> Outcome {
    let mut shop = Shop::open(history, settings);
    for (ahead, &wanted) in history.demand.iter().enumerate().skip(history.known_days) {
        let day = history.first.plus_days(ahead as u64);
        shop.receive(day);
        shop.sell(day, wanted);
        match policy {
            Policy::Rule => shop.review(history.sku, settings, day),
            Policy::AtZero => shop.order_if_empty(settings, day),
        }
    }
    shop.outcome(settings)
}

struct Shop {
    shelf: u64,
    sold: u64,
    on_its_way: VecDeque<(Day, u64)>,
    records: Vec<DayOfSales>,
    learned: Learned,
    opening: Option<Demand>,
    stock_days: u64,
    days: u64,
    days_out: u64,
    lost: u64,
    orders: Vec<Placed>,
}

impl Shop {
    /// With a full shelf: as if an order had just come.
    fn open(history: &History<'_>, settings: &Settings) -> Self {
        let known = history.demand.iter().take(history.known_days).enumerate();
        let day = |ahead: usize| history.first.plus_days(ahead as u64);
        let records: Vec<DayOfSales> =
            known.map(|(ahead, &units)| DayOfSales { day: day(ahead), units, out_seconds: 0 }).collect();
        let today = day(history.known_days);
        // Every day is known in full, also those to come.
        let known = Known { watched_since: None, told: Some((history.first, day(history.demand.len()))) };
        let demand = Demand::of(&records, known, settings.window_days, today);
        let reorder = ReorderPoint::of(settings, demand.as_ref());
        Self {
            shelf: quantity(settings, demand.as_ref(), &reorder, 0).map_or(0, Quantity::units),
            sold: 0,
            on_its_way: VecDeque::new(),
            records,
            learned: Learned { known, demand, ..Learned::default() },
            opening: demand,
            stock_days: 0,
            days: 0,
            days_out: 0,
            lost: 0,
            orders: Vec::new(),
        }
    }

    fn receive(&mut self, day: Day) {
        while self.on_its_way.front().is_some_and(|(due, _)| *due <= day) {
            self.shelf += self.on_its_way.pop_front().map_or(0, |(_, units)| units);
        }
    }

    fn sell(&mut self, day: Day, wanted: u64) {
        let units = wanted.min(self.shelf);
        let lost = wanted - units;
        let nothing_all_day = self.shelf == 0;
        self.shelf -= units;
        self.sold += units;
        let out_seconds = match wanted {
            _ if nothing_all_day => DAY_SECONDS,
            0 => 0,
            wanted => u64::try_from(u128::from(DAY_SECONDS) * u128::from(lost) / u128::from(wanted)).unwrap_or(0),
        };
        self.records.push(DayOfSales { day, units, out_seconds });
        self.lost += lost;
        self.days += 1;
        self.days_out += u64::from(lost > 0);
        self.stock_days += self.shelf;
    }

    /// What the service would see after closing: the next day has begun.
    fn sight(&self, day: Day) -> Sight {
        let on_order = self.on_its_way.iter().map(|(_, units)| units).sum();
        let as_of = day.plus_days(1).begins_at();
        Sight {
            available: self.shelf,
            reserved: 0,
            sold: self.sold,
            given_back: 0,
            shortfall: 0,
            on_order,
            promised: 0,
            arrived: 0,
            as_of,
        }
    }

    fn review(&mut self, sku: &Sku, settings: &Settings, day: Day) {
        let sight = self.sight(day);
        // The days know how long the shelf was empty, as finely as the simulation does.
        let learned = Learned { out_since: None, ..self.learned.clone() };
        let look = Look { sku, settings, terms: 1, learned: &learned, days: Some(&self.records), sight: &sight };
        let reviewed = review(&look);
        self.learned = reviewed.learned;
        if let Some(Turn::Opened(alert)) = reviewed.turn {
            self.order(settings, day, alert.quantity, &sight, alert.reorder_point);
            // The order is on its way: the service looks again when the table says so.
            self.review(sku, settings, day);
        }
    }

    fn order_if_empty(&mut self, settings: &Settings, day: Day) {
        let today = day.plus_days(1);
        self.learned.demand =
            Demand::of(&self.records, self.learned.known, settings.window_days, today).or(self.learned.demand);
        let sight = self.sight(day);
        if sight.position() == 0 {
            let reorder = ReorderPoint::of(settings, self.learned.demand.as_ref());
            let units = quantity(settings, self.learned.demand.as_ref(), &reorder, 0);
            self.order(settings, day, units, &sight, 0);
        }
    }

    fn order(&mut self, settings: &Settings, day: Day, units: Option<Quantity>, sight: &Sight, reorder_point: u64) {
        let Some(units) = units.map(Quantity::units) else { return };
        // Placed after closing: the first day of the lead time is the next one.
        self.on_its_way.push_back((day.plus_days(1 + settings.lead_time_days), units));
        self.orders.push(Placed { on: day, units, position: sight.position(), reorder_point });
    }

    fn outcome(self, settings: &Settings) -> Outcome {
        let demand = self.learned.demand.or(self.opening);
        Outcome {
            days: self.days,
            days_out: self.days_out,
            lost_units: self.lost,
            sold_units: self.sold,
            average_stock: real(self.stock_days) / real(self.days.max(1)),
            orders: self.orders,
            reorder_point: ReorderPoint::of(settings, demand.as_ref()).units,
            per_day: demand.map_or(0.0, |demand| demand.per_day()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{purchase::sizing::Rule, replenishment::settings::SafetyStock};

    const FIRST: Day = Day::from_epoch_days(17_434);

    fn replay(demand: &[u64], settings: &Settings, policy: Policy) -> Outcome {
        let sku = "tea".parse().unwrap();
        run(&History { sku: &sku, demand, first: FIRST, known_days: 28 }, settings, policy)
    }

    fn settings() -> Settings {
        Settings { order: Rule::CoverDays(14), ..Settings::new(7, SafetyStock::Percent(20)) }
    }

    #[test]
    fn a_steady_product_never_runs_out_by_the_rule_and_always_does_at_zero() {
        let rule = replay(&[10; 98], &settings(), Policy::Rule);
        assert_eq!((rule.days, rule.days_out, rule.lost_units, rule.reorder_point), (70, 0, 0, 84));
        // From 224 units down to 80 <= 84 in 15 days; then 144 every 14 or 15 days.
        let orders: Vec<(u64, u64)> =
            rule.orders.iter().map(|order| (order.on.days_since(FIRST) - 28, order.units)).collect();
        assert_eq!(orders, [(13, 140), (27, 140), (41, 140), (55, 140), (69, 140)]);
        let zero = replay(&[10; 98], &settings(), Policy::AtZero);
        // 224 units last 22 days and a part of the next; that one and the seven of the lead time are lost, twice.
        assert_eq!((zero.days_out, zero.lost_units), (16, 152));
        assert!(zero.average_stock < rule.average_stock);
    }

    #[test]
    fn days_out_of_stock_do_not_drag_the_average_down() {
        // The rule sees only what was sold; where it ran out, it still knows what was asked for.
        let mut demand = vec![10; 28];
        demand.extend([10; 7]);
        demand.extend([60; 10]);
        demand.extend([10; 40]);
        let zero = replay(&demand, &settings(), Policy::AtZero);
        assert!(zero.days_out >= 7, "{zero:?}");
        assert!((zero.per_day - 10.0).abs() < 0.1, "{zero:?}");
    }

    #[test]
    fn a_product_that_does_not_sell_is_ordered_by_nobody() {
        for policy in [Policy::Rule, Policy::AtZero] {
            let outcome = replay(&[0; 60], &settings(), policy);
            assert_eq!((outcome.orders.len(), outcome.days_out, outcome.sold_units), (0, 0, 0), "{policy:?}");
        }
    }

    #[test]
    fn no_shortage_is_ordered_twice() {
        // A demand that jumps about, from a fixed sequence.
        for seed in 1..200_u64 {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state >> 33
            };
            let demand: Vec<u64> = (0..120).map(|_| if next() % 3 == 0 { next() % 40 } else { next() % 4 }).collect();
            let outcome = replay(&demand, &settings(), Policy::Rule);
            for placed in &outcome.orders {
                // Whatever was ordered before is part of the position.
                assert!(placed.position <= placed.reorder_point.cast_signed(), "{seed} {placed:?}");
                assert!(placed.position + placed.units.cast_signed() > placed.reorder_point.cast_signed(), "{seed}");
            }
            let days: std::collections::BTreeSet<Day> = outcome.orders.iter().map(|placed| placed.on).collect();
            assert_eq!(days.len(), outcome.orders.len(), "{seed}: two orders after one day");
        }
    }
}
