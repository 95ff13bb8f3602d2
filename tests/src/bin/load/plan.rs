//! What each shopper is going to do. It follows from the seed and the shopper's number alone, whatever happens to the others.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// Sold by everybody at the same time, and never enough of it.
const SCARCE: &str = "lamp";
/// Sold in nearly every cart: it has to be split.
const HOT: &str = "tea";
/// Sold in millilitres.
const FUEL: &str = "fuel";

/// Other SKUs for each shopper a second: so many that a few shoppers hold some of each, which is what most SKUs meet.
const COLD_FOR_EACH: u32 = 15;

/// Units on the shelf before the first shopper, for each shopper a second; some carts must be refused.
const UNITS: [(&str, i64); 3] = [(SCARCE, 2), (HOT, 200), (FUEL, 100_000)];
/// Units of each of the others.
const COLD_UNITS: i64 = 40;

/// In one movement.
const MOST_UNITS: i64 = 1_000_000;

/// One line of a cart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    pub sku: String,
    pub quantity: u64,
}

/// What becomes of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Pay,
    /// Through the order queue.
    PayInTurn,
    /// Asks for more time before.
    ExtendAndPay,
    /// Comes back much later.
    PayLate,
    Cancel,
    /// Two tabs: one pays while the other cancels.
    PayAndCancel,
    Nothing,
}

/// What a shopper, or the merchant, does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    Hold { lines: Vec<Line>, ttl_seconds: u64, then: Then },
    Order { lines: Vec<Line> },
    Queue { lines: Vec<Line> },
    Move { sku: String, kind: &'static str, quantity: i64 },
    Look { sku: String },
}

/// What is sold, and to how many.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Shoppers a second.
    pub rate: u32,
}

impl Range {
    /// Every SKU, and how many units of it are received before the first shopper.
    pub fn skus(self) -> impl Iterator<Item = (String, i64)> {
        let few =
            UNITS.into_iter().map(move |(sku, units)| (sku.to_owned(), MOST_UNITS.min(units * i64::from(self.rate))));
        few.chain((0..self.rate * COLD_FOR_EACH).map(|number| (cold(number), COLD_UNITS)))
    }

    fn any_cold(self, dice: &mut Rng) -> String {
        cold(dice.u32(..self.rate * COLD_FOR_EACH))
    }

    fn any(self, dice: &mut Rng) -> String {
        match dice.u32(..100) {
            0..25 => HOT.to_owned(),
            25..35 => SCARCE.to_owned(),
            35..40 => FUEL.to_owned(),
            _ => self.any_cold(dice),
        }
    }

    fn cart(self, dice: &mut Rng) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for _ in 0..[1, 1, 1, 2, 3, 5][dice.usize(..6)] {
            let sku = self.any(dice);
            let quantity = if sku == FUEL { dice.u64(5_000..60_000) } else { dice.u64(1..=3) };
            // Lines of the same SKU are added up by the service; here none is drawn twice.
            if lines.iter().all(|line| line.sku != sku) {
                lines.push(Line { sku, quantity });
            }
        }
        lines
    }

    /// Deliveries, mostly: what is sold has to come from somewhere. Nobody counts a shelf while a crowd stands in front of it, and
    /// who did would often hear `contended`.
    fn movement(self, dice: &mut Rng) -> Plan {
        let (sku, kind, quantity) = match dice.u32(..100) {
            0..75 => (self.any(dice), "receive", dice.i64(1..=120)),
            75..85 => (self.any_cold(dice), "adjust", -dice.i64(1..=3)),
            85..90 => (self.any(dice), "adjust", dice.i64(1..=3)),
            _ => (self.any_cold(dice), "count", dice.i64(0..=60)),
        };
        let size = if sku == FUEL { 8_000 } else { 1 };
        Plan::Move { sku, kind, quantity: quantity * size }
    }
}

fn cold(number: u32) -> String {
    format!("shelf-{number:03}")
}

/// Draws for one shopper.
pub fn dice(seed: u64, number: u64) -> Rng {
    Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03))
}

impl Plan {
    /// What the shopper with these dice does. Holds last about as short as they may: so a long run soon has as many of them, and of
    /// their timers, as it will ever have.
    pub fn draw(range: Range, dice: &mut Rng) -> Self {
        match dice.u32(..100) {
            0..50 => Self::Hold { lines: range.cart(dice), ttl_seconds: dice.u64(300..=330), then: then(dice) },
            50..63 => Self::Order { lines: range.cart(dice) },
            63..85 => Self::Queue { lines: range.cart(dice) },
            85..93 => range.movement(dice),
            _ => Self::Look { sku: range.any(dice) },
        }
    }
}

fn then(dice: &mut Rng) -> Then {
    match dice.u32(..100) {
        0..45 => Then::Pay,
        45..55 => Then::PayInTurn,
        55..60 => Then::ExtendAndPay,
        60..70 => Then::PayLate,
        70..85 => Then::Cancel,
        85..90 => Then::PayAndCancel,
        _ => Then::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Range = Range { rate: 2 };

    #[test]
    fn a_plan_follows_from_seed_and_number() {
        let plans = |seed| -> Vec<Plan> { (0..500).map(|number| Plan::draw(RANGE, &mut dice(seed, number))).collect() };
        assert_eq!(plans(1), plans(1));
        assert_ne!(plans(1), plans(2));
    }

    #[test]
    fn every_kind_is_drawn_and_no_cart_is_empty_or_names_a_sku_twice() {
        let plans: Vec<Plan> = (0..2_000).map(|number| Plan::draw(RANGE, &mut dice(7, number))).collect();
        let mut kinds: Vec<String> = plans
            .iter()
            .map(|plan| match plan {
                Plan::Hold { then, .. } => format!("{then:?}"),
                Plan::Move { kind, .. } => (*kind).to_owned(),
                plan => format!("{plan:?}").split(' ').next().unwrap().to_owned(),
            })
            .collect();
        kinds.sort();
        kinds.dedup();
        assert_eq!(kinds.len(), 7 + 3 + 3, "{kinds:?}");
        for plan in plans {
            let (Plan::Hold { lines, .. } | Plan::Order { lines } | Plan::Queue { lines }) = plan else { continue };
            let mut skus: Vec<_> = lines.iter().map(|line| &line.sku).collect();
            skus.sort();
            skus.dedup();
            assert!(!lines.is_empty() && skus.len() == lines.len(), "{lines:?}");
        }
    }
}
