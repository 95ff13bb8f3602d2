//! How the units of one SKU are divided among channels: a number for each of them, or all of them shared.
//!
//! A quota is the number of a channel's *unsold* units, free or reserved. Bringing a channel to its number moves free units only, so a
//! number below what is reserved cannot be had. What is left over goes to the shared stock, and what is missing comes from it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{Channel, Reason, Sku},
    stock::{Level, StockView},
};

/// What a merchant wants the division to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Division {
    /// No channel has units of its own: all that is free is shared.
    Unified,
    /// These channels have these numbers of unsold units; those that are not named keep what they have.
    Split(BTreeMap<Channel, u64>),
}

/// A division that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaRequest {
    /// What is divided.
    pub sku: Sku,
    /// How.
    pub division: Division,
    /// Why, in the merchant's words.
    pub reason: Reason,
    /// Who says so.
    pub actor: String,
}

/// The units of one channel, or the shared ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Whose they are.
    pub channel: Channel,
    /// The sums.
    pub level: Level,
    /// Units that can be moved at once: nobody holds them, and no shortfall waits for them.
    pub free: u64,
    /// The channel sells from the shared stock ([`crate::bucket::Home::joined`]).
    pub joined: bool,
}

impl Pool {
    /// As it was seen.
    #[must_use]
    pub fn of(view: &StockView) -> Self {
        let home = view.home();
        // While a shortfall is open, what a child still has free belongs to that.
        let free = if home.shortfall > 0 { 0 } else { view.free() };
        Self { channel: view.stock.channel.clone(), level: view.level(), free, joined: home.joined }
    }

    /// Units that are not sold, less those that are missing: below 0 if more are missing than are unsold.
    #[must_use]
    pub fn unsold(&self) -> i64 {
        (self.level.available + self.level.reserved).cast_signed() - self.level.shortfall.cast_signed()
    }
}

/// What becomes of one channel's home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose home; it is made if it does not exist.
    pub channel: Channel,
    /// Units that it gets, or gives.
    pub delta: i64,
    /// Whether the channel sells from the shared stock from now on.
    pub joined: bool,
}

/// A channel that cannot give as much as it would have to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    /// Which.
    pub channel: Channel,
    /// What it would have to give.
    pub requested: u64,
    /// What it has free.
    pub available: u64,
}

/// Which homes change for this division; none where it is made already. The changes sum to 0.
///
/// # Errors
/// Every channel that would have to give more than is free in it.
pub fn plan(pools: &[Pool], division: &Division) -> Result<Vec<Change>, Vec<Short>> {
    match division {
        Division::Unified => Ok(unify(pools)),
        Division::Split(numbers) => split(pools, numbers),
    }
}

fn unify(pools: &[Pool]) -> Vec<Change> {
    let own = pools.iter().filter(|pool| !pool.channel.is_shared() && (pool.free > 0 || !pool.joined));
    let mut changes: Vec<Change> = own
        .map(|pool| Change { channel: pool.channel.clone(), delta: -pool.free.cast_signed(), joined: true })
        .collect();
    let given: i64 = changes.iter().map(|change| -change.delta).sum();
    if given > 0 || !pools.iter().any(|pool| pool.channel.is_shared()) {
        changes.push(Change { channel: Channel::shared(), delta: given, joined: false });
    }
    changes
}

fn split(pools: &[Pool], numbers: &BTreeMap<Channel, u64>) -> Result<Vec<Change>, Vec<Short>> {
    let known: BTreeMap<&Channel, &Pool> = pools.iter().map(|pool| (&pool.channel, pool)).collect();
    let mut changes: Vec<Change> = numbers
        .iter()
        .map(|(channel, number)| {
            let unsold = known.get(channel).map_or(0, |pool| pool.unsold());
            Change { channel: channel.clone(), delta: number.cast_signed() - unsold, joined: false }
        })
        .collect();
    let rest: i64 = changes.iter().map(|change| -change.delta).sum();
    // Nothing to do for whoever has its number already, unless that is a home that is yet to be made.
    changes.retain(|change| change.delta != 0 || known.get(&change.channel).is_none_or(|pool| pool.joined));
    if rest != 0 {
        changes.push(Change { channel: Channel::shared(), delta: rest, joined: false });
    }
    let short: Vec<Short> = changes
        .iter()
        .map(|change| Short {
            channel: change.channel.clone(),
            requested: if change.delta < 0 { change.delta.unsigned_abs() } else { 0 },
            available: known.get(&change.channel).map_or(0, |pool| pool.free),
        })
        .filter(|short| short.available < short.requested)
        .collect();
    if short.is_empty() { Ok(changes) } else { Err(short) }
}

/// The channels that a division names: their homes are looked at even where no list knows them yet.
#[must_use]
pub fn named(division: &Division) -> BTreeSet<Channel> {
    match division {
        Division::Unified => BTreeSet::new(),
        Division::Split(numbers) => numbers.keys().cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(channel: &str, free: u64, reserved: u64) -> Pool {
        let level = Level { available: free, reserved, ..Level::default() };
        Pool { channel: channel.parse().unwrap(), level, free, joined: false }
    }

    fn joined(pool: Pool) -> Pool {
        Pool { joined: true, ..pool }
    }

    fn numbers(numbers: &[(&str, u64)]) -> Division {
        Division::Split(numbers.iter().map(|(channel, number)| (channel.parse().unwrap(), *number)).collect())
    }

    fn shown(changes: &[Change]) -> Vec<String> {
        let joins = |change: &Change| if change.joined { " joined" } else { "" };
        changes.iter().map(|change| format!("{} {:+}{}", change.channel, change.delta, joins(change))).collect()
    }

    #[test]
    fn each_channel_is_brought_to_its_number_and_the_rest_is_shared() {
        let cases: [(&str, &[Pool], Division, &[&str]); 9] = [
            (
                "all of it is own at first",
                &[pool("own", 100, 0)],
                numbers(&[("own", 40), ("amazon", 35), ("ebay", 25)]),
                &["amazon +35", "ebay +25", "own -60"],
            ),
            ("a rest is shared", &[pool("own", 100, 0)], numbers(&[("own", 40)]), &["own -60", "shared +60"]),
            (
                "what is missing was shared",
                &[pool("own", 5, 0), pool("shared", 10, 3)],
                numbers(&[("own", 12)]),
                &["own +7", "shared -7"],
            ),
            ("reserved units are part of a number", &[pool("own", 5, 3)], numbers(&[("own", 8)]), &[]),
            ("they stay where they are", &[pool("own", 5, 3)], numbers(&[("own", 3)]), &["own -5", "shared +5"]),
            ("whoever is not named keeps all", &[pool("own", 5, 0), pool("ebay", 9, 0)], numbers(&[("own", 5)]), &[]),
            ("a quota of nothing is a quota", &[pool("shared", 5, 0)], numbers(&[("ebay", 0)]), &["ebay +0"]),
            (
                "a number ends the sharing",
                &[joined(pool("own", 0, 2)), pool("shared", 5, 0)],
                numbers(&[("own", 2)]),
                &["own +0"],
            ),
            (
                "a shortfall is covered by what comes",
                &[
                    Pool { level: Level { reserved: 4, shortfall: 3, ..Level::default() }, ..pool("own", 0, 0) },
                    pool("shared", 9, 0),
                ],
                numbers(&[("own", 5)]),
                &["own +4", "shared -4"],
            ),
        ];
        for (name, pools, division, expected) in cases {
            let changes = plan(pools, &division).unwrap();
            assert_eq!(shown(&changes), expected, "{name}");
            assert_eq!(changes.iter().map(|change| change.delta).sum::<i64>(), 0, "{name}");
        }
    }

    #[test]
    fn a_division_that_would_take_what_nobody_has_free_is_short() {
        for (pools, division, expected) in [
            (&[pool("own", 5, 3)][..], numbers(&[("own", 2)]), &["own 6 of 5"][..]),
            (&[pool("own", 5, 0)], numbers(&[("own", 6)]), &["shared 1 of 0"]),
            (&[pool("own", 5, 0), pool("shared", 2, 9)], numbers(&[("ebay", 3)]), &["shared 3 of 2"]),
            (
                &[pool("own", 0, 8), pool("ebay", 1, 5)],
                numbers(&[("own", 1), ("ebay", 1)]),
                &["ebay 5 of 1", "own 7 of 0"],
            ),
        ] {
            let short = plan(pools, &division).unwrap_err();
            let short: Vec<_> = short
                .iter()
                .map(|short| format!("{} {} of {}", short.channel, short.requested, short.available))
                .collect();
            assert_eq!(short, expected);
        }
    }

    #[test]
    fn unifying_shares_all_that_is_free() {
        let cases: [(&[Pool], &[&str]); 4] = [
            (&[pool("own", 40, 0), pool("ebay", 5, 2)], &["own -40 joined", "ebay -5 joined", "shared +45"]),
            (&[pool("own", 0, 0)], &["own +0 joined", "shared +0"]),
            (&[joined(pool("own", 0, 2)), pool("shared", 5, 0)], &[]),
            (&[joined(pool("own", 2, 0)), pool("shared", 5, 0)], &["own -2 joined", "shared +2"]),
        ];
        for (pools, expected) in cases {
            assert_eq!(shown(&plan(pools, &Division::Unified).unwrap()), expected);
        }
    }
}
