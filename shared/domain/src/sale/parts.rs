//! Lines whose quantity was changed at the marketplace after they were recorded: a merchant edits an order, and the channel takes more
//! off its own stock, or puts some back.
//!
//! A record is of one quantity for ever. So such a line has *parts*, each with a record of its own under an id of its own: the first is
//! what was recorded at first, and whatever the line grows by is one more. What it shrinks by is canceled, of the last parts first; a part
//! never grows again. Each part is then told as a line of its own, to which everything applies that is true of lines: it is recorded once,
//! its cancellations only grow, what comes back of it comes back once.
//!
//! Only newer news changes a line, by the marketplace's own time of the change. Of a line that never was changed, no such time is kept: it
//! grows by any news, for a unit too many is seen and given back by the next news; and it shrinks by news from after it was recorded.

use std::{fmt, str::FromStr};

use super::{SaleLine, Stage};
use crate::{quantity::Quantity, time::Timestamp};

/// Parts of a line: more changes of an order than anybody makes by hand.
const MAX_PARTS: usize = 16;

/// One part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// What its record is of.
    recorded: Quantity,
    /// What of it is still a part of the line.
    left: u64,
}

/// The parts of a line, and of when the news is by which they are so. As a text `3/1 2/2@1800000000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    parts: Vec<Part>,
    changed_at: Timestamp,
}

/// What news of a line means for its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resized {
    /// They are as they were.
    No,
    /// They are these from now on.
    To(Parts),
    /// The news is older than what is known: nothing in it counts.
    Older,
    /// The line is told with another quantity than is recorded, and that cannot be followed: the news may be older, or it was changed too
    /// often.
    Unclear,
}

impl Parts {
    /// What news means for a line that was recorded as a whole, at this time of ours.
    #[must_use]
    pub fn of_whole(
        recorded: Quantity,
        recorded_at: Timestamp,
        line: &SaleLine,
        told_at: Option<Timestamp>,
    ) -> Resized {
        if line.is_canceled() || line.quantity == recorded {
            return Resized::No;
        }
        let is_newer = told_at.is_some_and(|told_at| told_at > recorded_at);
        if line.quantity < recorded && !is_newer {
            return Resized::Unclear;
        }
        let whole = Part { recorded, left: recorded.units() };
        let changed_at = told_at.unwrap_or(Timestamp::from_epoch_seconds(0));
        Self { parts: vec![whole], changed_at }.resized(line.quantity, changed_at)
    }

    /// What news means for these.
    #[must_use]
    pub fn after(&self, line: &SaleLine, told_at: Option<Timestamp>) -> Resized {
        if told_at.is_some_and(|told_at| told_at < self.changed_at) {
            return Resized::Older;
        }
        let left: u64 = self.parts.iter().map(|part| part.left).sum();
        match told_at {
            _ if line.is_canceled() || line.quantity.units() == left => Resized::No,
            // In the same second, the larger number is believed.
            Some(told_at) if told_at > self.changed_at || line.quantity.units() > left => {
                self.resized(line.quantity, told_at)
            }
            Some(_) => Resized::Older,
            None => Resized::Unclear,
        }
    }

    fn resized(&self, quantity: Quantity, changed_at: Timestamp) -> Resized {
        let mut parts = self.parts.clone();
        let mut missing = quantity.units();
        for part in &mut parts {
            part.left = part.left.min(missing);
            missing -= part.left;
        }
        if missing > 0 {
            // It is no more than the quantity.
            let Ok(recorded) = Quantity::new(missing) else { return Resized::Unclear };
            parts.push(Part { recorded, left: missing });
        }
        if parts.len() > MAX_PARTS { Resized::Unclear } else { Resized::To(Self { parts, changed_at }) }
    }

    /// What is to be told of each part, in this order, with its number. Units canceled are those of the first parts: that share only grows.
    #[must_use]
    pub fn shares(&self, line: &SaleLine) -> Vec<(usize, SaleLine)> {
        let mut canceled = if line.is_canceled() { u64::MAX } else { line.canceled };
        let mut shares = Vec::new();
        for (number, Part { recorded, left }) in self.parts.iter().copied().enumerate() {
            let own = canceled.min(left);
            canceled -= own;
            let gone = recorded.units() - left;
            let share = |stage| SaleLine { quantity: recorded, canceled: gone + own, stage, ..line.clone() };
            // What the line has shrunk by was never shipped: it comes back before the rest is marked as shipped.
            if gone > 0 && line.stage == Stage::Shipped {
                shares.push((number, share(Stage::Paid)));
            }
            if left > 0 || line.stage != Stage::Shipped {
                shares.push((number, share(line.stage)));
            }
        }
        shares
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, part) in self.parts.iter().enumerate() {
            let space = if number == 0 { "" } else { " " };
            write!(f, "{space}{}/{}", part.recorded, part.left)?;
        }
        write!(f, "@{}", self.changed_at.epoch_seconds())
    }
}

/// A text that is no list of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be parts of a line")]
pub struct NoParts;

impl FromStr for Parts {
    type Err = NoParts;

    fn from_str(text: &str) -> Result<Self, NoParts> {
        let (parts, changed_at) = text.split_once('@').ok_or(NoParts)?;
        let changed_at = Timestamp::from_epoch_seconds(changed_at.parse().map_err(|_| NoParts)?);
        let part = |text: &str| {
            let (recorded, left) = text.split_once('/')?;
            let recorded = Quantity::new(recorded.parse().ok()?).ok()?;
            let left: u64 = left.parse().ok()?;
            (left <= recorded.units()).then_some(Part { recorded, left })
        };
        let parts: Vec<Part> = parts.split(' ').map(part).collect::<Option<_>>().ok_or(NoParts)?;
        Ok(Self { parts, changed_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(quantity: u64, canceled: u64, stage: Stage) -> SaleLine {
        let quantity = Quantity::new(quantity).unwrap();
        SaleLine { line: "1".parse().unwrap(), sku: "tea".parse().unwrap(), quantity, canceled, stage }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn parts(text: &str) -> Parts {
        let parts: Parts = text.parse().unwrap();
        assert_eq!(parts.to_string(), text);
        parts
    }

    #[test]
    fn a_line_that_was_recorded_as_a_whole_gets_parts_when_its_quantity_changes() {
        let to = |text| Resized::To(parts(text));
        for (recorded, quantity, canceled, told_at, expected) in [
            (3, 3, 0, Some(200), Resized::No),
            (3, 3, 1, None, Resized::No),
            (1, 3, 0, Some(200), to("1/1 2/2@200")),
            (1, 3, 0, Some(50), to("1/1 2/2@50")),
            (1, 3, 2, None, to("1/1 2/2@0")),
            (3, 1, 0, Some(101), to("3/1@101")),
            (3, 1, 0, Some(100), Resized::Unclear),
            (3, 1, 0, None, Resized::Unclear),
            // Canceled is canceled, whatever of it is still named.
            (3, 1, 1, Some(200), Resized::No),
            (1, 3, 3, Some(200), Resized::No),
        ] {
            let told = line(quantity, canceled, Stage::Paid);
            let resized = Parts::of_whole(Quantity::new(recorded).unwrap(), at(100), &told, told_at.map(at));
            assert_eq!(
                resized, expected,
                "{recorded} recorded, told {quantity} with {canceled} canceled at {told_at:?}"
            );
        }
    }

    #[test]
    fn parts_follow_newer_news_alone() {
        let to = |text| Resized::To(parts(text));
        for (known, quantity, canceled, told_at, expected) in [
            ("1/1 2/2@100", 3, 0, Some(200), Resized::No),
            ("1/1 2/2@100", 3, 0, None, Resized::No),
            ("1/1 2/2@100", 5, 0, Some(200), to("1/1 2/2 2/2@200")),
            ("1/1 2/2@100", 2, 0, Some(200), to("1/1 2/1@200")),
            ("4/4 2/2@100", 3, 0, Some(200), to("4/3 2/0@200")),
            // A part never grows again: what came back of it came back.
            ("3/1@100", 3, 0, Some(200), to("3/1 2/2@200")),
            ("3/1 2/0@100", 4, 0, Some(200), to("3/1 2/0 3/3@200")),
            ("1/1 2/2@100", 5, 0, Some(100), to("1/1 2/2 2/2@100")),
            ("1/1 2/2@100", 1, 0, Some(100), Resized::Older),
            ("1/1 2/2@100", 5, 0, Some(99), Resized::Older),
            ("1/1 2/2@100", 3, 3, Some(99), Resized::Older),
            ("1/1 2/2@100", 1, 0, None, Resized::Unclear),
            ("1/1 2/2@100", 1, 1, Some(200), Resized::No),
        ] {
            let resized = parts(known).after(&line(quantity, canceled, Stage::Paid), told_at.map(at));
            assert_eq!(resized, expected, "{known}, told {quantity} with {canceled} canceled at {told_at:?}");
        }
    }

    #[test]
    fn a_line_is_not_changed_without_end() {
        let mut known = parts("1/1@0");
        for n in 2..=MAX_PARTS as u64 {
            let Resized::To(next) = known.after(&line(n, 0, Stage::Paid), Some(at(n))) else { panic!("{n}") };
            known = next;
        }
        let next = known.after(&line(MAX_PARTS as u64 + 1, 0, Stage::Paid), Some(at(99)));
        assert_eq!(next, Resized::Unclear);
        assert!(matches!(known.after(&line(2, 0, Stage::Paid), Some(at(99))), Resized::To(_)), "it may shrink still");
    }

    #[test]
    fn each_part_is_told_its_share() {
        use Stage::{Paid, Pending, Shipped};
        type Share = (usize, u64, u64, Stage);
        let cases: [(&str, SaleLine, &[Share]); 9] = [
            ("1/1 2/2@9", line(3, 0, Pending), &[(0, 1, 0, Pending), (1, 2, 0, Pending)]),
            ("1/1 2/2@9", line(3, 2, Paid), &[(0, 1, 1, Paid), (1, 2, 1, Paid)]),
            ("1/1 2/2@9", line(3, 3, Paid), &[(0, 1, 1, Paid), (1, 2, 2, Paid)]),
            ("1/1 2/2@9", line(1, 1, Paid), &[(0, 1, 1, Paid), (1, 2, 2, Paid)]),
            ("1/1 2/2@9", line(3, 0, Shipped), &[(0, 1, 0, Shipped), (1, 2, 0, Shipped)]),
            ("3/1 2/2@9", line(3, 0, Paid), &[(0, 3, 2, Paid), (1, 2, 0, Paid)]),
            ("3/1 2/0@9", line(1, 0, Paid), &[(0, 3, 2, Paid), (1, 2, 2, Paid)]),
            ("3/1 2/0@9", line(1, 0, Shipped), &[(0, 3, 2, Paid), (0, 3, 2, Shipped), (1, 2, 2, Paid)]),
            ("3/3 2/1@9", line(4, 2, Paid), &[(0, 3, 2, Paid), (1, 2, 1, Paid)]),
        ];
        for (known, told, expected) in cases {
            let shares = parts(known).shares(&told);
            let shares = shares.iter().map(|(n, share)| (*n, share.quantity.units(), share.canceled, share.stage));
            assert_eq!(shares.collect::<Vec<_>>(), expected, "{known}: {told:?}");
        }
    }

    #[test]
    fn what_is_not_a_list_of_parts_is_refused() {
        for text in ["", "1/1", "@1", "1/2@1", "0/0@1", "1/1 @1", "1@1", "1/1@x", "x/1@1"] {
            assert_eq!(text.parse::<Parts>(), Err(NoParts), "{text}");
        }
    }
}
