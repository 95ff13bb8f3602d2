//! What a seed decides before anything begins: who comes, and what is likely to go wrong. A plan is written as it is read, so that one
//! that has failed can be kept: `17 shoppers=2 merchants=0 without=lost,freeze`.

use std::{fmt, str::FromStr};

use fastrand::Rng;

use crate::{frailty::Frailty, network::Faults};

/// What a run goes by. Everything follows from the seed; a person may take something away to see whether it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How many shoppers come.
    pub shoppers: usize,
    /// How many merchants work meanwhile.
    pub merchants: usize,
    /// How many marketplaces tell what they have sold.
    pub marketplaces: usize,
    /// How many tell different things of the same order at once.
    pub disputes: usize,
    /// How many merchants divide what there is among channels.
    pub dividers: usize,
    /// Of how many shards the table's stream is.
    pub shards: usize,
    /// What goes wrong on the way.
    pub faults: Faults,
    /// What goes wrong with processes.
    pub frailty: Frailty,
    /// TTL deletes at once, not up to two days late.
    pub prompt_ttl: bool,
    /// Units of each SKU at first.
    pub units: i64,
    /// What kind of day it is.
    pub theme: Theme,
}

/// Kinds of days. On an ordinary one much is possible and little of it likely; the others are made for what is rare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// A bit of everything.
    #[default]
    Everyday,
    /// Everybody wants one unit of the same SKU: its home is crowded, and it splits.
    Crowd,
    /// The same through the queue, within minutes: its line settles in the write that holds.
    Line,
    /// Nobody asks twice, and functions stand still with a record in their hands until its hold is over.
    Forsaken,
    /// Most do not pay, and ask again when the record of that is deleted; functions stand still for a day.
    Haunted,
    /// Merchants announce peaks of one SKU and call them off, while its orders come through the queue: children come and go.
    Restless,
}

/// A risk, its name and where it stands in a plan.
type Risk = (&'static str, fn(&mut Plan) -> &mut u32);

/// Everything that can be taken out of a plan.
const RISKS: [Risk; 12] = [
    ("lost", |plan| &mut plan.faults.lost),
    ("reply-lost", |plan| &mut plan.faults.reply_lost),
    ("failed-after", |plan| &mut plan.faults.failed_after),
    ("copied", |plan| &mut plan.faults.copied),
    ("throttled", |plan| &mut plan.faults.throttled),
    ("conflict", |plan| &mut plan.faults.conflict),
    ("canceled", |plan| &mut plan.faults.canceled),
    ("slow", |plan| &mut plan.faults.slow),
    ("withheld", |plan| &mut plan.faults.withheld),
    ("crash", |plan| &mut plan.frailty.crash),
    ("freeze", |plan| &mut plan.frailty.freeze),
    ("hesitate", |plan| &mut plan.frailty.hesitate),
];

impl Plan {
    /// The plan of a seed. Uniform schedules are weak, so each seed is strong in some faults, and calm in the others.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let theme = match rng.u32(0..100) {
            0..=39 => Theme::Everyday,
            40..=45 => Theme::Forsaken,
            46..=55 => Theme::Crowd,
            56..=63 => Theme::Line,
            64..=79 => Theme::Haunted,
            _ => Theme::Restless,
        };
        let mut some = |often: u32, most: u32| if rng.u32(0..100) < often { rng.u32(1..=most) } else { 0 };
        let faults = Faults {
            lost: some(30, 30),
            reply_lost: if theme == Theme::Restless { some(100, 150) } else { some(50, 80) },
            failed_after: if theme == Theme::Restless { some(100, 150) } else { some(30, 40) },
            copied: if theme == Theme::Restless { some(100, 500) } else { some(60, 250) },
            throttled: some(20, 20),
            conflict: some(20, 30),
            canceled: 0,
            slow: some(50, 80),
            withheld: 0,
        };
        let calm = matches!(theme, Theme::Restless | Theme::Forsaken);
        let crash = some(60, if calm { 40 } else { 200 });
        let freeze = if theme == Theme::Haunted { some(100, 400) } else { some(60, 200) };
        let hesitate = match theme {
            Theme::Restless | Theme::Forsaken => some(100, 900),
            Theme::Haunted => some(100, 600),
            _ => some(40, 400),
        };
        let (shoppers, merchants, units) = match theme {
            Theme::Everyday | Theme::Haunted => (3..=14, 0..=2, 3..=40),
            Theme::Forsaken => (6..=14, 0..=1, 12..=40),
            Theme::Crowd => (30..=45, 0..=2, 25..=60),
            Theme::Line => (40..=55, 0..=1, 45..=70),
            // One child, and next to nothing at home.
            Theme::Restless => (4..=9, 1..=1, 32..=36),
        };
        // Drawn apart, so that everything else is as it would be without them.
        let mut others = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
        let most = if theme == Theme::Everyday { 2 } else { 1 };
        let marketplaces = if others.u32(0..100) < 40 { others.usize(1..=most) } else { 0 };
        let dividers = if others.u32(0..100) < 30 { others.usize(1..=3) } else { 0 };
        let shards = if others.u32(0..100) < 70 { others.usize(2..=4) } else { 1 };
        let canceled = if others.u32(0..100) < 40 { others.u32(1..=250) } else { 0 };
        let withheld = if others.u32(0..100) < 40 { others.u32(1..=500) } else { 0 };
        let faults = Faults { canceled, withheld, ..faults };
        let disputes = if others.u32(0..100) < 20 { others.usize(1..=2) } else { 0 };
        Self {
            seed,
            marketplaces,
            disputes,
            dividers,
            shards,
            shoppers: rng.usize(shoppers),
            merchants: rng.usize(merchants),
            faults,
            frailty: Frailty { crash, freeze, hesitate },
            prompt_ttl: theme == Theme::Haunted || rng.bool(),
            units: rng.i64(units),
            theme,
        }
    }

    /// Plans with a little less in them.
    pub(crate) fn lesser(self) -> Vec<Self> {
        let mut plans = Vec::new();
        if self.shoppers > 1 {
            plans.extend([self.shoppers / 2, self.shoppers - 1].map(|shoppers| Self { shoppers, ..self }));
        }
        if self.marketplaces > 0 {
            plans.push(Self { marketplaces: self.marketplaces - 1, ..self });
        }
        if self.disputes > 0 {
            plans.push(Self { disputes: self.disputes - 1, ..self });
        }
        if self.merchants > 0 {
            plans.push(Self { merchants: self.merchants - 1, ..self });
        }
        if self.dividers > 0 {
            plans.push(Self { dividers: self.dividers - 1, ..self });
        }
        if self.shards > 1 {
            plans.push(Self { shards: 1, ..self });
        }
        plans.extend(RISKS.iter().filter_map(|(_, risk)| {
            let mut calmer = self;
            (std::mem::take(risk(&mut calmer)) > 0).then_some(calmer)
        }));
        plans
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = Self::of(self.seed);
        write!(f, "{}", self.seed)?;
        if self.shoppers != whole.shoppers {
            write!(f, " shoppers={}", self.shoppers)?;
        }
        for (name, here, there) in [
            ("merchants", self.merchants, whole.merchants),
            ("marketplaces", self.marketplaces, whole.marketplaces),
            ("disputes", self.disputes, whole.disputes),
            ("dividers", self.dividers, whole.dividers),
            ("shards", self.shards, whole.shards),
        ] {
            if here != there {
                write!(f, " {name}={here}")?;
            }
        }
        let left_out = |(_, risk): &&Risk| *risk(&mut { whole }) > 0 && *risk(&mut { *self }) == 0;
        let without: Vec<&str> = RISKS.iter().filter(left_out).map(|(name, _)| *name).collect();
        if without.is_empty() { Ok(()) } else { write!(f, " without={}", without.join(",")) }
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().map_err(|_| format!("not a number: {text}"));
        let mut words = text.split_whitespace();
        let mut plan = Self::of(words.next().unwrap_or_default().parse().map_err(|_| "a plan begins with its seed")?);
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("shoppers", count) => plan.shoppers = number(count)?,
                ("merchants", count) => plan.merchants = number(count)?,
                ("marketplaces", count) => plan.marketplaces = number(count)?,
                ("disputes", count) => plan.disputes = number(count)?,
                ("dividers", count) => plan.dividers = number(count)?,
                ("shards", count) => plan.shards = number(count)?.max(1),
                ("without", names) => {
                    for name in names.split(',') {
                        let risk = RISKS.iter().find(|(known, _)| *known == name);
                        let (_, risk) = risk.ok_or_else(|| format!("no such risk: {name}"))?;
                        *risk(&mut plan) = 0;
                    }
                }
                _ => return Err(format!("not a part of a plan: {word}")),
            }
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_is_written() {
        for seed in 0..200 {
            let mut plan = Plan::of(seed);
            // Down to the smallest, one step of each kind after the other.
            while let Some(lesser) = plan.lesser().pop() {
                assert_eq!(plan.to_string().parse(), Ok(plan), "{plan}");
                plan = lesser;
            }
            let least = (plan.shoppers, plan.merchants, plan.marketplaces, plan.disputes, plan.dividers, plan.shards);
            assert_eq!(least, (1, 0, 0, 0, 0, 1));
        }
        for wrong in ["", "x", "1 shoppers=many", "1 without=luck", "1 luck"] {
            assert!(wrong.parse::<Plan>().is_err(), "{wrong}");
        }
    }
}
