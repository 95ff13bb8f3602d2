//! What each shopper is going to do. It follows from the seed and the shopper's number alone, whatever happens to the others.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// Sold by everybody at the same time, and never enough of it.
const SCARCE: &str = "lamp";
/// Sold in nearly every cart: it has to be split.
const HOT: &str = "tea";
/// Sold in small numbers.
const COLD: [&str; 8] = ["mug", "cup", "pot", "jug", "bowl", "plate", "spoon", "tray"];
/// Sold in millilitres.
const FUEL: &str = "fuel";

/// Units of each SKU on the shelf before the first shopper, for each shopper a second who is expected: some carts must be refused.
const UNITS: [(&str, i64); 4] = [(SCARCE, 2), (HOT, 200), ("cold", 30), (FUEL, 100_000)];

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

/// Every SKU.
pub fn skus() -> impl Iterator<Item = &'static str> {
    COLD.into_iter().chain([SCARCE, HOT, FUEL])
}

/// How many units of a SKU are received before the first shopper.
pub fn units_before(sku: &str, rate: u32) -> i64 {
    let class = if COLD.contains(&sku) { "cold" } else { sku };
    let units = UNITS.iter().find(|(known, _)| *known == class).map_or(0, |(_, units)| units * i64::from(rate));
    units.min(MOST_UNITS)
}

/// Draws for one shopper.
pub fn dice(seed: u64, number: u64) -> Rng {
    Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03))
}

impl Plan {
    /// What the shopper with these dice does.
    pub fn draw(dice: &mut Rng) -> Self {
        match dice.u32(..100) {
            0..50 => Self::Hold { lines: cart(dice), ttl_seconds: 60 * dice.u64(5..=20), then: then(dice) },
            50..63 => Self::Order { lines: cart(dice) },
            63..85 => Self::Queue { lines: cart(dice) },
            85..93 => movement(dice),
            _ => Self::Look { sku: any(dice).to_owned() },
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

fn any(dice: &mut Rng) -> &'static str {
    match dice.u32(..100) {
        0..40 => HOT,
        40..50 => SCARCE,
        50..55 => FUEL,
        _ => COLD[dice.usize(..COLD.len())],
    }
}

fn cart(dice: &mut Rng) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for _ in 0..[1, 1, 1, 2, 3, 5][dice.usize(..6)] {
        let sku = any(dice);
        let quantity = if sku == FUEL { dice.u64(5_000..60_000) } else { dice.u64(1..=3) };
        // Lines of the same SKU are added up by the service; here none is drawn twice.
        if lines.iter().all(|line| line.sku != sku) {
            lines.push(Line { sku: sku.to_owned(), quantity });
        }
    }
    lines
}

/// Deliveries, mostly: what is sold has to come from somewhere.
fn movement(dice: &mut Rng) -> Plan {
    let sku = any(dice);
    let size = if sku == FUEL { 8_000 } else { 1 };
    let (kind, quantity) = match dice.u32(..100) {
        0..75 => ("receive", dice.i64(1..=120)),
        75..85 => ("adjust", -dice.i64(1..=3)),
        85..90 => ("adjust", dice.i64(1..=3)),
        _ => ("count", dice.i64(0..=120)),
    };
    Plan::Move { sku: sku.to_owned(), kind, quantity: quantity * size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_follows_from_seed_and_number() {
        let plans = |seed| -> Vec<Plan> { (0..500).map(|number| Plan::draw(&mut dice(seed, number))).collect() };
        assert_eq!(plans(1), plans(1));
        assert_ne!(plans(1), plans(2));
    }

    #[test]
    fn every_kind_is_drawn_and_no_cart_is_empty_or_names_a_sku_twice() {
        let plans: Vec<Plan> = (0..2_000).map(|number| Plan::draw(&mut dice(7, number))).collect();
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
