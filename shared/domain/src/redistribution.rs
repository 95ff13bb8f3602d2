//! Dividing the free units of a SKU anew by itself, once a channel runs low.
//!
//! 1. **Trigger**: a channel that takes part has fewer units available than the rule says.
//! 2. **Shares**: the free units of all that take part are divided by weights, in whole units, by the largest remainder; a channel whose
//!    share is below its minimum gets that minimum, and the others divide the rest. If there is not enough for all minimums, they are
//!    what is divided by.
//! 3. **Moves** from whoever has more than its share to whoever has less.
//!
//! Weights are fixed, and then only the channels that have one, or a minimum, take part; or they are recent sales: what each channel has
//! sold, of which half is forgotten after [`SALES_HALF_LIFE_SECONDS`]. A channel that is met for the first time counts with all that it
//! has ever sold.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{Channel, Reason},
    limits::{MAX_REASON_CHARS, SALES_HALF_LIFE_SECONDS},
    quota::Pool,
    time::Timestamp,
    transfer::{Move, pair},
};

/// By what units are divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    /// By what each channel has sold of late.
    RecentSales,
    /// By these numbers.
    Fixed(BTreeMap<Channel, u64>),
}

/// When and how the units of a SKU are divided anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// By what they are divided.
    pub weights: Weights,
    /// What a channel has at least.
    pub minimum: BTreeMap<Channel, u64>,
    /// They are divided once a channel has fewer units available than this. 0: only by hand.
    pub trigger_below: u64,
    /// Why, in the merchant's words; part of each movement's reason.
    pub reason: Option<Reason>,
}

impl Rule {
    /// The channels that it names: they take part even where they have no home yet.
    #[must_use]
    pub fn named(&self) -> BTreeSet<Channel> {
        let weighted = match &self.weights {
            Weights::RecentSales => None,
            Weights::Fixed(weights) => Some(weights.keys()),
        };
        weighted.into_iter().flatten().chain(self.minimum.keys()).cloned().collect()
    }

    /// Why a unit was moved by this rule, in at most [`MAX_REASON_CHARS`] characters.
    ///
    /// # Panics
    /// Never: the words below are a reason, and so is any beginning of them with the merchant's own.
    #[must_use]
    pub fn reason_of_moves(&self) -> Reason {
        let how = match self.weights {
            Weights::RecentSales => "by recent sales",
            Weights::Fixed(_) => "by fixed weights",
        };
        let said = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let text: String = format!("redistributed {how}{said}").chars().take(MAX_REASON_CHARS).collect();
        text.parse().expect("a beginning of a reason is a reason")
    }
}

/// What a rule remembers from one look to the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// How often it has looked.
    pub looks: u64,
    /// When it last did.
    pub seen_at: Option<Timestamp>,
    /// What each channel had sold by then, ever.
    pub sold: BTreeMap<Channel, u64>,
    /// What each channel has sold of late, in thousandths of a unit.
    pub recent: BTreeMap<Channel, u64>,
}

impl Memory {
    /// What is remembered after another look at these channels.
    #[must_use]
    pub fn after(&self, pools: &[Pool], now: Timestamp) -> Self {
        let elapsed = self.seen_at.map_or(0, |seen_at| now.seconds_since(seen_at));
        let mut next = Self { looks: self.looks + 1, seen_at: Some(now), ..Self::default() };
        for Pool { channel, level, .. } in pools {
            let before = self.sold.get(channel).copied().unwrap_or(0);
            let old = decayed(self.recent.get(channel).copied().unwrap_or(0), elapsed);
            let new = level.sold.saturating_sub(before).saturating_mul(1_000);
            next.sold.insert(channel.clone(), level.sold.max(before));
            next.recent.insert(channel.clone(), old.saturating_add(new));
        }
        next
    }
}

/// What is left after so many seconds: half of it for each half-life, and in between on a straight line.
fn decayed(recent: u64, seconds: u64) -> u64 {
    let (halvings, rest) = (seconds / SALES_HALF_LIFE_SECONDS, seconds % SALES_HALF_LIFE_SECONDS);
    let whole = u32::try_from(halvings).ok().and_then(|halvings| recent.checked_shr(halvings)).unwrap_or(0);
    let lost = u128::from(whole) * u128::from(rest) / u128::from(2 * SALES_HALF_LIFE_SECONDS);
    // Less than half of `whole`.
    whole - u64::try_from(lost).unwrap_or(whole)
}

/// One channel that takes part.
struct Part<'a> {
    channel: &'a Channel,
    free: u64,
    available: u64,
    weight: u64,
    minimum: u64,
}

/// The moves that divide the units anew; none if nobody runs low, or everybody has its share already. `by_hand`: whether or not anybody
/// runs low.
#[must_use]
pub fn plan(pools: &[Pool], recent: &BTreeMap<Channel, u64>, rule: &Rule, by_hand: bool) -> Vec<Move> {
    let named = rule.named();
    let parts = parts(pools, recent, rule, &named);
    if !by_hand && !parts.iter().any(|part| part.available < rule.trigger_below) {
        return Vec::new();
    }
    let changes = shares(&parts)
        .into_iter()
        .zip(&parts)
        .map(|(share, part)| (part.channel.clone(), share.cast_signed() - part.free.cast_signed()));
    pair(&changes.collect())
}

/// Who takes part: those that the rule names, and every channel with a quota of its own unless the weights are fixed.
fn parts<'a>(
    pools: &'a [Pool],
    recent: &BTreeMap<Channel, u64>,
    rule: &Rule,
    named: &'a BTreeSet<Channel>,
) -> Vec<Part<'a>> {
    let known: BTreeMap<&Channel, &Pool> = pools.iter().map(|pool| (&pool.channel, pool)).collect();
    let by_sales = rule.weights == Weights::RecentSales;
    let own =
        pools.iter().filter(|pool| by_sales && !pool.joined && !pool.channel.is_shared()).map(|pool| &pool.channel);
    let channels: BTreeSet<&Channel> = own.chain(named).collect();
    channels
        .into_iter()
        .map(|channel| {
            let pool = known.get(channel);
            let weight = match &rule.weights {
                Weights::RecentSales => recent.get(channel),
                Weights::Fixed(weights) => weights.get(channel),
            };
            Part {
                channel,
                free: pool.map_or(0, |pool| pool.free),
                available: pool.map_or(0, |pool| pool.level.available),
                weight: weight.copied().unwrap_or(0),
                minimum: rule.minimum.get(channel).copied().unwrap_or(0),
            }
        })
        .collect()
}

fn shares(parts: &[Part<'_>]) -> Vec<u64> {
    let total: u64 = parts.iter().map(|part| part.free).sum();
    let minimums: Vec<u64> = parts.iter().map(|part| part.minimum).collect();
    if minimums.iter().sum::<u64>() > total {
        return divide(total, &minimums);
    }
    // Whoever gets its minimum is out; then the others divide less, and another may fall below its own.
    let mut shares: Vec<Option<u64>> = vec![None; parts.len()];
    loop {
        let rest = total - shares.iter().flatten().sum::<u64>();
        let open: Vec<usize> = (0..parts.len()).filter(|part| shares[*part].is_none()).collect();
        let weights: Vec<u64> = open.iter().map(|part| parts[*part].weight).collect();
        let divided: Vec<(usize, u64)> = open.into_iter().zip(divide(rest, &weights)).collect();
        let below: Vec<usize> =
            divided.iter().filter(|(part, share)| *share < parts[*part].minimum).map(|(part, _)| *part).collect();
        if below.is_empty() {
            shares_of(&mut shares, divided);
            return shares.into_iter().map(Option::unwrap_or_default).collect();
        }
        shares_of(&mut shares, below.into_iter().map(|part| (part, parts[part].minimum)).collect());
    }
}

fn shares_of(shares: &mut [Option<u64>], decided: Vec<(usize, u64)>) {
    for (part, share) in decided {
        shares[part] = Some(share);
    }
}

/// Divides `total` by weights, in whole units, by the largest remainder; evenly if all weights are 0.
fn divide(total: u64, weights: &[u64]) -> Vec<u64> {
    let even = weights.iter().all(|weight| *weight == 0);
    let weights: Vec<u128> = weights.iter().map(|weight| if even { 1 } else { u128::from(*weight) }).collect();
    let sum: u128 = weights.iter().sum();
    if sum == 0 {
        return Vec::new();
    }
    let exact = |weight: &u128| u128::from(total) * weight;
    // Each is at most `total`.
    let mut shares: Vec<u64> =
        weights.iter().map(|weight| u64::try_from(exact(weight) / sum).unwrap_or(total)).collect();
    let left = total - shares.iter().sum::<u64>();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|part| std::cmp::Reverse(exact(&weights[*part]) % sum));
    for part in by_remainder.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        shares[part] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stock::Level;

    fn pool(channel: &str, free: u64, sold: u64) -> Pool {
        let level = Level { available: free, sold, ..Level::default() };
        Pool { channel: channel.parse().unwrap(), level, free, joined: false }
    }

    fn numbers(numbers: &[(&str, u64)]) -> BTreeMap<Channel, u64> {
        numbers.iter().map(|(channel, number)| (channel.parse().unwrap(), *number)).collect()
    }

    fn rule(weights: Weights, minimum: &[(&str, u64)], trigger_below: u64) -> Rule {
        Rule { weights, minimum: numbers(minimum), trigger_below, reason: None }
    }

    fn shown(moves: &[Move]) -> Vec<String> {
        moves.iter().map(|Move { from, to, units }| format!("{from} {units} {to}")).collect()
    }

    #[test]
    fn units_are_divided_by_the_largest_remainder() {
        for (total, weights, expected) in [
            (100, &[40, 35, 25][..], &[40, 35, 25][..]),
            (10, &[1, 1, 1], &[4, 3, 3]),
            (11, &[1, 1, 1], &[4, 4, 3]),
            (7, &[0, 0], &[4, 3]),
            (5, &[0, 9], &[0, 5]),
            (0, &[3, 4], &[0, 0]),
            (9, &[], &[]),
            (u64::MAX, &[u64::MAX, 0], &[u64::MAX, 0]),
        ] {
            assert_eq!(divide(total, weights), expected, "{total} by {weights:?}");
        }
    }

    #[test]
    fn a_channel_that_runs_low_triggers_and_shares_follow_weights_and_minimums() {
        let fixed = |weights: &[(&str, u64)]| Weights::Fixed(numbers(weights));
        let pools = [pool("amazon", 1, 0), pool("own", 30, 0), pool("shared", 50, 0)];
        let even = fixed(&[("amazon", 1), ("own", 1)]);
        for (name, rule, expected) in [
            ("nobody runs low", rule(even.clone(), &[], 1), &[][..]),
            ("below, not at", rule(even.clone(), &[], 2), &["own 15 amazon"]),
            ("a weight of nothing", rule(fixed(&[("amazon", 1), ("own", 0)]), &[], 2), &["own 30 amazon"]),
            ("a minimum", rule(fixed(&[("amazon", 1)]), &[("own", 12)], 2), &["own 18 amazon"]),
            ("a minimum that the share exceeds", rule(even.clone(), &[("own", 12)], 2), &["own 15 amazon"]),
            ("more than there is", rule(even.clone(), &[("own", 40), ("amazon", 22)], 2), &["own 10 amazon"]),
            ("a channel without a home", rule(fixed(&[("ebay", 1), ("own", 1)]), &[], 2), &["own 15 ebay"]),
            ("the shared stock, named", rule(fixed(&[("shared", 1), ("own", 7)]), &[], 31), &["shared 40 own"]),
        ] {
            assert_eq!(shown(&plan(&pools, &BTreeMap::new(), &rule, false)), expected, "{name}");
        }
        let by_hand = plan(&pools, &BTreeMap::new(), &rule(even, &[], 0), true);
        assert_eq!(shown(&by_hand), ["own 15 amazon"], "by hand nobody needs to run low");
    }

    #[test]
    fn whoever_sold_more_of_late_gets_more() {
        let rule = rule(Weights::RecentSales, &[("own", 2)], 5);
        let pools = [pool("amazon", 0, 30), pool("own", 20, 10), Pool { joined: true, ..pool("ebay", 7, 99) }];
        let first = Memory::default().after(&pools, Timestamp::from_epoch_seconds(0));
        assert_eq!(shown(&plan(&pools, &first.recent, &rule, false)), ["own 15 amazon"], "3 to 1, as ever");
        // A day later half of that is forgotten, and only the own store has sold: 15 and 5 + 40.
        let pools = [pool("amazon", 12, 30), pool("own", 0, 50)];
        let second = first.after(&pools, Timestamp::from_epoch_seconds(SALES_HALF_LIFE_SECONDS));
        assert_eq!(second.recent, numbers(&[("amazon", 15_000), ("own", 45_000)]));
        assert_eq!((second.looks, &second.sold), (2, &numbers(&[("amazon", 30), ("own", 50)])));
        assert_eq!(shown(&plan(&pools, &second.recent, &rule, false)), ["amazon 9 own"]);
    }

    #[test]
    fn sales_are_forgotten_by_halves() {
        let day = SALES_HALF_LIFE_SECONDS;
        for (seconds, left) in
            [(0, 8_000), (day / 2, 6_000), (day, 4_000), (2 * day, 2_000), (3 * day, 1_000), (200 * day, 0)]
        {
            assert_eq!(decayed(8_000, seconds), left, "{seconds}");
        }
        assert_eq!(decayed(u64::MAX, 1), u64::MAX - u64::MAX / (2 * day));
    }

    #[test]
    fn a_share_that_falls_below_its_minimum_later_is_raised_as_well() {
        // b takes 10 of 12, so that a's share of the rest, 1, falls below its 2.
        let pools = [pool("a", 12, 0), pool("b", 0, 0), pool("c", 0, 0)];
        let weights = Weights::Fixed(numbers(&[("a", 3), ("b", 0), ("c", 3)]));
        let rule = rule(weights, &[("a", 2), ("b", 10)], 1);
        assert_eq!(shown(&plan(&pools, &BTreeMap::new(), &rule, false)), ["a 10 b"]);
    }

    #[test]
    fn the_reason_of_a_move_fits() {
        let said = |reason: &str| Rule { reason: reason.parse().ok(), ..rule(Weights::RecentSales, &[], 1) };
        assert_eq!(said("").reason_of_moves().as_str(), "redistributed by recent sales");
        assert_eq!(said("festival").reason_of_moves().as_str(), "redistributed by recent sales: festival");
        assert_eq!(said(&"ü".repeat(200)).reason_of_moves().as_str().chars().count(), 200);
        let fixed = Rule { weights: Weights::Fixed(BTreeMap::new()), ..said("x") };
        assert_eq!(fixed.reason_of_moves().as_str(), "redistributed by fixed weights: x");
    }
}
