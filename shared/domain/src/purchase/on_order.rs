//! What is on its way of a SKU: one entry for each purchase order, and when the next of it can be promised.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    bucket::{MalformedText, exact},
    ids::PurchaseOrderId,
    time::Day,
};

/// Units of one SKU that one purchase order is to bring. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incoming {
    units: u64,
    expected_on: Option<Day>,
}

impl Incoming {
    /// Nothing if no unit is to come.
    #[must_use]
    pub const fn new(units: u64, expected_on: Option<Day>) -> Option<Self> {
        if units == 0 { None } else { Some(Self { units, expected_on }) }
    }

    /// How many.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.units
    }

    /// When, if that is known.
    #[must_use]
    pub const fn expected_on(self) -> Option<Day> {
        self.expected_on
    }
}

/// `12@20840`: 12 units on that day since 1970; `12@-` where the day is not known.
impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected_on {
            Some(day) => write!(f, "{}@{}", self.units, day.epoch_days()),
            None => write!(f, "{}@-", self.units),
        }
    }
}

impl FromStr for Incoming {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let parse = || {
            let (units, day) = text.split_once('@')?;
            let expected_on = if day == "-" { None } else { Some(Day::from_epoch_days(exact(day)?)) };
            Self::new(exact(units)?, expected_on)
        };
        parse().ok_or_else(|| MalformedText::new("number of units on their way", text))
    }
}

/// Whether what is on its way of a SKU may be promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backorders {
    /// It never could be: there is no pool of it.
    #[default]
    Never,
    /// Not any more. What was promised is still owed, so that the pool follows the orders as before.
    Closed,
    /// Yes.
    Open,
}

impl Backorders {
    /// Whether there is a pool of what is to come.
    #[must_use]
    pub const fn has_pool(self) -> bool {
        !matches!(self, Self::Never)
    }
}

/// All that is on its way of a SKU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OnOrder {
    /// By purchase order.
    pub orders: BTreeMap<PurchaseOrderId, Incoming>,
    /// Rises with each change: two looks that find the same one have seen nothing change in between.
    pub generation: u64,
    /// Whether it may be promised.
    pub backorders: Backorders,
}

/// Units that are to come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub on: Day,
    /// How many, of those that nobody waits for.
    pub units: u64,
}

impl OnOrder {
    /// All units on their way.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.orders.values().map(|incoming| incoming.units).sum()
    }

    /// The entries in the order in which they come: by day, then by order. What has no day comes last.
    #[must_use]
    pub fn in_order(&self) -> Vec<(&PurchaseOrderId, Incoming)> {
        let mut entries: Vec<_> = self.orders.iter().map(|(id, incoming)| (id, *incoming)).collect();
        entries.sort_by_key(|(_, incoming)| (incoming.expected_on.is_none(), incoming.expected_on));
        entries
    }

    /// What nobody was promised, where `promised` units were: those take what comes first, late as it may be.
    #[must_use]
    pub fn without(&self, promised: u64) -> Self {
        let mut promised = promised;
        let mut left = Self { orders: BTreeMap::new(), ..self.clone() };
        for (id, Incoming { units, expected_on }) in self.in_order() {
            let taken = units.min(promised);
            promised -= taken;
            left.orders.extend(Incoming::new(units - taken, expected_on).map(|incoming| (id.clone(), incoming)));
        }
        left
    }

    /// The first day, `today` or later, on which units come that nobody waits for, where `awaited` units are: they go to those who wait
    /// first. An order without a day promises nothing, nor does one that is late or that the ERP refuses.
    #[must_use]
    pub fn next(&self, today: Day, awaited: u64) -> Option<Arrival> {
        let mut days: BTreeMap<Day, u64> = BTreeMap::new();
        for Incoming { units, expected_on } in self.orders.values() {
            if let Some(day) = expected_on.filter(|day| *day >= today) {
                *days.entry(day).or_default() += units;
            }
        }
        let mut awaited = awaited;
        days.into_iter().find_map(|(on, units)| {
            let left = units.saturating_sub(awaited);
            awaited = awaited.saturating_sub(units);
            (left > 0).then_some(Arrival { on, units: left })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::Caller;

    fn on_order(entries: &[&str]) -> OnOrder {
        let id = |n: usize| PurchaseOrderId::derive(&Caller::new("c"), &n.to_string().parse().unwrap());
        let orders = entries.iter().enumerate().map(|(n, entry)| (id(n), entry.parse().unwrap())).collect();
        OnOrder { orders, generation: 1, backorders: Backorders::Never }
    }

    #[test]
    fn an_entry_reads_back_what_it_writes() {
        for text in ["12@20840", "1@-", "33000000@0"] {
            assert_eq!(text.parse::<Incoming>().unwrap().to_string(), text);
        }
        for text in ["", "12", "12@", "0@5", "-1@5", "012@5", "12@05", "12@-5", "@5"] {
            assert!(text.parse::<Incoming>().is_err(), "{text}");
        }
        assert_eq!(Incoming::new(0, None), None);
    }

    #[test]
    fn the_next_arrival_is_the_first_day_that_brings_what_nobody_waits_for() {
        let today = Day::from_epoch_days(100);
        for (name, entries, awaited, expected) in [
            ("nothing is on its way", &[][..], 0, None),
            ("in a week", &["5@107"], 0, Some((107, 5))),
            ("today", &["5@100"], 0, Some((100, 5))),
            ("late", &["5@99"], 0, None),
            ("nobody knows when", &["5@-"], 0, None),
            ("the earlier one", &["5@110", "2@107", "9@-", "1@99"], 0, Some((107, 2))),
            ("two on one day", &["5@107", "2@107"], 0, Some((107, 7))),
            ("some are awaited", &["5@107"], 3, Some((107, 2))),
            ("all are awaited", &["5@107"], 5, None),
            ("all of the first are awaited", &["5@107", "4@110"], 6, Some((110, 3))),
        ] {
            let found = on_order(entries).next(today, awaited).map(|next| (next.on.epoch_days(), next.units));
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(on_order(&["5@107", "2@-"]).units(), 7);
    }

    #[test]
    fn promises_take_what_comes_first() {
        let texts = |on_order: &OnOrder| {
            on_order.in_order().iter().map(|(_, incoming)| incoming.to_string()).collect::<Vec<_>>().join(" ")
        };
        let all = on_order(&["5@107", "2@-", "3@99", "4@101"]);
        assert_eq!(texts(&all), "3@99 4@101 5@107 2@-");
        for (promised, left) in [
            (0, "3@99 4@101 5@107 2@-"),
            (2, "1@99 4@101 5@107 2@-"),
            (3, "4@101 5@107 2@-"),
            (13, "1@-"),
            (14, ""),
            (15, ""),
        ] {
            assert_eq!(texts(&all.without(promised)), left, "{promised}");
        }
        let today = Day::from_epoch_days(100);
        let next = |promised| all.without(promised).next(today, 0).map(|next| (next.on.epoch_days(), next.units));
        assert_eq!((next(3), next(6), next(7), next(12)), (Some((101, 4)), Some((101, 1)), Some((107, 5)), None));
    }

    proptest! {
        #[test]
        fn never_more_is_promised_than_comes(
            entries in prop::collection::vec((1_u64..50, prop::option::of(90_u64..120)), 0..8), awaited in 0_u64..100,
        ) {
            let texts: Vec<String> = entries
                .iter()
                .map(|(units, day)| format!("{units}@{}", day.map_or("-".to_owned(), |day| day.to_string())))
                .collect();
            let on_order = on_order(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            let today = Day::from_epoch_days(100);
            let until = |last: u64| -> u64 {
                let due = entries.iter().filter(|(_, day)| day.is_some_and(|day| (100..=last).contains(&day)));
                due.map(|(units, _)| units).sum()
            };
            match on_order.next(today, awaited) {
                Some(Arrival { on, units }) => {
                    prop_assert!(on >= today && units > 0);
                    prop_assert_eq!(units + awaited, until(on.epoch_days()));
                    prop_assert!(until(on.epoch_days() - 1) <= awaited, "an earlier day would have brought some");
                }
                None => prop_assert!(until(u64::MAX) <= awaited),
            }
        }
    }
}
