//! How much to order.
//!
//! - **Cover**: what brings the position to the reorder point and so many days of average sales above it.
//! - **Economic**: the economic order quantity `sqrt(2 D K / h)`, where `D` is the demand of a year, `K` the cost of one order and `h` the
//!   cost of keeping one unit for a year. Source: Ford W. Harris, "How many parts to make at once", Factory, The Magazine of Management
//!   10 (2), 1913.
//!
//! Either is at least what lifts the position above the reorder point, or the shortage would not be over; at least the minimum of the
//! supplier; and whole packs.

use crate::{limits::MAX_QUANTITY, quantity::Quantity};

/// Less than this part of a number is a rounding error of the floating point, and not a part of a unit.
const ROUNDING: f64 = 1e-9;

/// Days of a year, over which a demand of a day becomes the `D` of the formula.
const DAYS_OF_A_YEAR: f64 = 365.0;

/// How much an order is to bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// So many days of average sales above the reorder point.
    CoverDays(u64),
    /// What costs the least.
    Economic {
        /// One order, in minor units of a currency. More than 0.
        order_cost_minor: u64,
        /// One unit kept for a year, in minor units of the same. More than 0.
        holding_cost_minor: u64,
    },
}

/// The terms of a supplier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Units of a pack: only whole packs are delivered. 1 where there are none.
    pub pack: Quantity,
    /// The least that is delivered.
    pub minimum: Quantity,
}

/// How many units to order where the position is at or below the reorder point; nothing where it is above, for there is no shortage.
#[must_use]
pub fn order_quantity(
    rule: Rule,
    terms: Terms,
    reorder_point: u64,
    position: i64,
    average_per_day: f64,
) -> Option<Quantity> {
    let below = i128::from(reorder_point) - i128::from(position);
    // One more than what is missing: at the reorder point the shortage is not over.
    let least = u64::try_from(below + 1).ok().filter(|least| *least > 0)?;
    let wanted = match rule {
        Rule::CoverDays(days) => {
            #[expect(clippy::cast_precision_loss, reason = "a number of days")]
            let cover = units(average_per_day * days as f64);
            u64::try_from(below).unwrap_or(0).saturating_add(cover)
        }
        Rule::Economic { order_cost_minor, holding_cost_minor } => {
            #[expect(
                clippy::cast_precision_loss,
                reason = "an order quantity is an estimate; the sum of an order is not made here"
            )]
            let (order, holding) = (order_cost_minor as f64, holding_cost_minor.max(1) as f64);
            units((2.0 * average_per_day * DAYS_OF_A_YEAR * order / holding).sqrt())
        }
    };
    Some(in_packs(wanted.max(least).max(terms.minimum.units()), terms.pack))
}

/// Whole units, rounded up; 0 for what is no number.
fn units(estimate: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "beyond its range, `as` answers the end of the range"
    )]
    let units = (estimate - ROUNDING * estimate.max(1.0)).ceil() as u64;
    units
}

/// Rounded up to whole packs; to the largest number of them that can be ordered at once, where that is less.
fn in_packs(units: u64, pack: Quantity) -> Quantity {
    let pack = pack.units();
    let rounded = units.div_ceil(pack).saturating_mul(pack).min(MAX_QUANTITY / pack * pack);
    // A pack is a quantity: one of them is at least 1 unit and can be ordered.
    Quantity::new(rounded).unwrap_or_else(|_| unreachable!("whole packs up to {MAX_QUANTITY}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terms(pack: u64, minimum: u64) -> Terms {
        Terms { pack: Quantity::new(pack).unwrap(), minimum: Quantity::new(minimum).unwrap() }
    }

    #[test]
    fn what_to_order_is_in_the_table() {
        let economic = |order, holding| Rule::Economic { order_cost_minor: order, holding_cost_minor: holding };
        for (name, rule, terms, reorder_point, position, average, expected) in [
            ("the gap and 14 days", Rule::CoverDays(14), terms(1, 1), 84, 80, 10.0, Some(4 + 140)),
            ("at the point exactly", Rule::CoverDays(7), terms(1, 1), 70, 70, 10.0, Some(70)),
            ("no cover lifts above the point", Rule::CoverDays(0), terms(1, 1), 70, 70, 10.0, Some(1)),
            ("nothing is sold", Rule::CoverDays(30), terms(1, 1), 5, 2, 0.0, Some(4)),
            ("above the point", Rule::CoverDays(14), terms(12, 50), 84, 85, 10.0, None),
            ("a fraction is a unit", Rule::CoverDays(3), terms(1, 1), 10, 10, 0.1, Some(1)),
            ("58 in 28 days are 29 in 14", Rule::CoverDays(14), terms(1, 1), 10, 10, 58.0 / 28.0, Some(29)),
            ("owed units too", Rule::CoverDays(0), terms(1, 1), 0, -5, 1.0, Some(6)),
            ("whole packs", Rule::CoverDays(14), terms(12, 1), 84, 80, 10.0, Some(144)),
            ("whole packs, rounded up", Rule::CoverDays(14), terms(100, 1), 84, 80, 10.0, Some(200)),
            ("the supplier's minimum", Rule::CoverDays(1), terms(1, 500), 84, 80, 10.0, Some(500)),
            ("the minimum in packs", Rule::CoverDays(1), terms(24, 500), 84, 80, 10.0, Some(504)),
            // 2 · 3650 · 2000 / 100 = 146,000; its root is 382.1.
            ("economic", economic(2_000, 100), terms(1, 1), 84, 80, 10.0, Some(383)),
            ("economic, but more is missing", economic(1, 100_000), terms(1, 1), 84, 0, 10.0, Some(85)),
            ("economic, of what is not sold", economic(2_000, 100), terms(1, 1), 5, 5, 0.0, Some(1)),
            ("no more than can be ordered", Rule::CoverDays(3_650), terms(7, 1), 84, 80, 1e6, Some(999_999)),
        ] {
            let found = order_quantity(rule, terms, reorder_point, position, average).map(Quantity::units);
            assert_eq!(found, expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn an_order_is_whole_packs_above_the_minimum_and_ends_the_shortage(
            days in 0_u64..100, pack in 1_u64..500, minimum in 1_u64..500, reorder_point in 0_u64..5_000,
            position in -500_i64..6_000, average in 0.0_f64..100.0,
        ) {
            let found = order_quantity(Rule::CoverDays(days), terms(pack, minimum), reorder_point, position, average);
            let short = position <= reorder_point.cast_signed();
            prop_assert_eq!(found.is_some(), short);
            if let Some(found) = found.map(Quantity::units) {
                prop_assert!(found % pack == 0 && found >= minimum);
                prop_assert!(position + found.cast_signed() > reorder_point.cast_signed());
                prop_assert!(found < minimum.max(reorder_point + 501 + days * 101) + pack);
            }
        }
    }
}
