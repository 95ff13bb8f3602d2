//! Why an order of a marketplace could not be covered. There are two reasons for which nobody is to blame, and each has a bound:
//!
//! - **The order was on its way**: when it was taken, the units were there. They went before it was told.
//! - **The number was on its way**: when it was taken, the units were gone already, and the marketplace did not show it yet.
//!
//! Anything else, and anything that takes longer than it may, breaks a promise.

use crate::{
    ledger::{Forced, Ledger, Taken, at},
    plan::{Day, Millis},
    vendors::LATEST_APPLIED_SECONDS,
};

/// What a lost webhook costs: the longest interval of pulls (Amazon's), the pull before it failing once, and its answer.
const ORDER_BOUND_MS: Millis = 2 * 180_000 + 60_000;

/// What a number may take: a push that was not answered is looked at by the next poll, the one after at the latest; then the marketplace
/// applies it.
const NUMBER_BOUND_MS: Millis = 2 * 60_000 + LATEST_APPLIED_SECONDS * 1_000 + 30_000;

/// How a shortfall came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// What was on its way.
    pub on_its_way: OnItsWay,
    /// When the marketplace took the order.
    pub taken_at: Millis,
    /// When the units went, for other buyers.
    pub gone_at: Millis,
    /// When the order was recorded.
    pub recorded_at: Millis,
    /// When the marketplace first showed no more than there was.
    pub shown_at: Option<Millis>,
    /// Whether the channel was down meanwhile.
    pub was_down: bool,
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnItsWay {
    /// The order.
    Order,
    /// The number.
    Number,
}

/// The cause of a shortfall; nothing if there is none that may be.
#[must_use]
pub fn cause(ledger: &Ledger, day: &Day, forced: &Forced, taken: Taken) -> Option<Cause> {
    let listed = (forced.place, taken.sku);
    let (free, shown) = (ledger.pool(listed), ledger.shown.get(&listed)?);
    let before = &free[..free.partition_point(|(since, _)| *since < forced.at)];
    let gone_at =
        before.iter().rev().take_while(|(_, units)| *units < taken.units).last().map_or(forced.at, |(at, _)| *at);
    let (on_its_way, (from, to), bound) = if gone_at > taken.at {
        (OnItsWay::Order, (taken.at, forced.at), ORDER_BOUND_MS)
    } else {
        (OnItsWay::Number, (gone_at, taken.at), NUMBER_BOUND_MS)
    };
    let down = if day.down.0 == forced.place { overlap(&day.down.1, from, to) } else { 0 };
    let was_down = down > 0;
    // An order that was shown less than it wanted cannot be.
    if taken.shown < taken.units || to - from > bound + if was_down { day.down.1.end - day.down.1.start } else { 0 } {
        return None;
    }
    let later = shown.iter().filter(|(since, _)| *since >= taken.at);
    let shown_at = later.into_iter().find(|(since, units)| at(free, *since).is_some_and(|there| *units <= there));
    let shown_at = shown_at.map(|(since, _)| *since);
    Some(Cause { on_its_way, taken_at: taken.at, gone_at, recorded_at: forced.at, shown_at, was_down })
}

fn overlap(down: &std::ops::Range<Millis>, from: Millis, to: Millis) -> Millis {
    to.min(down.end).saturating_sub(from.max(down.start))
}

/// By what was on its way, and whether the channel was down.
#[must_use]
pub fn name(cause: &Cause) -> &'static str {
    match (cause.on_its_way, cause.was_down) {
        (OnItsWay::Order, false) => "the order was on its way",
        (OnItsWay::Number, false) => "the number was on its way",
        (_, true) => "the channel was down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Place, Plan};

    fn ledger(free: &[(Millis, u64)], shown: &[(Millis, u64)]) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.free.insert("sku-000#shared".to_owned(), free.to_vec());
        ledger.shown.insert((Place::Ebay, 0), shown.to_vec());
        ledger
    }

    fn of(ledger: &Ledger, taken_at: Millis, recorded_at: Millis, shown: u64) -> Option<Cause> {
        let mut day = Day::draw(Plan { orders: 1, ..Plan::SHORT });
        day.down = (Place::Ebay, 50_000_000..53_600_000);
        let forced = Forced { at: recorded_at, place: Place::Ebay, order: "1".to_owned(), missing: 1 };
        cause(ledger, &day, &forced, Taken { at: taken_at, sku: 0, units: 2, shown })
    }

    #[test]
    fn what_was_on_its_way_is_told_by_when_the_units_went() {
        let went = ledger(&[(0, 9), (10_000, 1), (60_000, 0)], &[(0, 9), (40_000, 0)]);
        let order = of(&went, 5_000, 60_000, 9).unwrap();
        assert_eq!((order.on_its_way, order.gone_at, order.shown_at), (OnItsWay::Order, 10_000, Some(40_000)));
        let number = of(&went, 20_000, 60_000, 9).unwrap();
        assert_eq!((number.on_its_way, number.gone_at), (OnItsWay::Number, 10_000));
    }

    #[test]
    fn what_takes_too_long_has_no_cause_unless_the_channel_was_down() {
        let late = 10_000 + NUMBER_BOUND_MS + 1;
        let went = ledger(&[(0, 9), (10_000, 1)], &[(0, 9)]);
        assert!(of(&went, late - 1, late, 9).is_some());
        assert_eq!(of(&went, late, late + 1, 9), None, "a number that took too long");
        assert_eq!(of(&went, 20_000, 30_000, 1), None, "an order of more than was shown");
        let kept = ledger(&[(0, 9), (10_000_000, 1)], &[(0, 9)]);
        assert_eq!(of(&kept, 5_000, 10_000_001, 9), None, "an order that took too long");
        let down = ledger(&[(0, 9), (50_100_000, 1)], &[(0, 9)]);
        assert!(of(&down, 53_000_000, 53_700_000, 9).is_some_and(|cause| cause.was_down));
    }
}
