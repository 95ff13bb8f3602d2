//! Taking units for one line: which bucket to try, and what a refused hold means.
//!
//! 1. *First try*: the home, where the SKU is not known to be split; on a SKU that is not hot this is the only step. Where it is, the bucket
//!    that this process believes in, or one of a few children that it looks at ([`crate::route`]).
//! 2. *Home*: its image names the window of children, and the holds that may be over.
//! 3. *Many children, and units at home*: they are held there; or, after room was looked for in it, *opened* as children.
//! 4. *Survey*: otherwise the children of the window are read, the newest first, until one has what is missing, and [`split`] says where
//!    the line fits: in one bucket if any is large enough, else over several.
//! 5. With enough units, but not where a hold can be made: *open* children for those of a home that is full of holds, and bring
//!    those of a child that is full of holds *home*. Then look again.
//! 6. Otherwise the line is short.

use crate::{
    bucket::{Bucket, BucketId, Hold, Home},
    ids::ReservationId,
    limits::{CHILD_UNITS, MAX_CHILDREN_AHEAD, MAX_CHILDREN_AT_ONCE, PEAK_SECONDS_AHEAD},
    quantity::Quantity,
    time::Timestamp,
};

/// Why a bucket refused a hold: read from the image that came back with the refusal, never guessed. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no such bucket.
    NoBucket,
    /// An earlier attempt of this very request holds units here already.
    AlreadyHeld(Hold),
    /// It has fewer units free than were asked for.
    TooFew {
        /// How many it has.
        free: u64,
    },
    /// It carries as many holds as it may.
    Crowded,
    /// A hold that ends so soon could be confused with one that was settled; it must end after this instant.
    EndsTooSoon {
        /// The watermark.
        watermark: Timestamp,
    },
}

/// Reads the reason for a refusal from the image of the bucket.
#[must_use]
pub fn why_refused(found: Option<&Bucket>, id: &ReservationId, asked: Hold) -> Refused {
    let Some(bucket) = found else { return Refused::NoBucket };
    if let Some(hold) = bucket.holds.get(id) {
        return Refused::AlreadyHeld(*hold);
    }
    match bucket.watermark {
        _ if bucket.free < asked.quantity.units() => Refused::TooFew { free: bucket.free },
        _ if bucket.is_crowded() => Refused::Crowded,
        Some(watermark) if watermark >= asked.expires_at => Refused::EndsTooSoon { watermark },
        // The image satisfies every condition: only an engine that returns another image than the one it judged does this.
        _ => Refused::TooFew { free: bucket.free },
    }
}

/// Where units were seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The bucket.
    pub bucket: BucketId,
    /// How many units were free in it.
    pub free: u64,
}

/// Where to hold `wanted` units: one bucket that has them all, the same for the same `spread` and different ones for different
/// shoppers, the likelier the more it has; else as few buckets as possible; nothing if all of them together do not have enough.
#[must_use]
pub fn split(wanted: Quantity, mut seen: Vec<Seen>, spread: u64) -> Option<Vec<(BucketId, Quantity)>> {
    let total: u64 = seen.iter().map(|s| s.free).sum();
    if total < wanted.units() {
        return None;
    }
    let large: Vec<&Seen> = seen.iter().filter(|s| s.free >= wanted.units()).collect();
    if let Some(chosen) = pick_by_weight(&large, |seen| seen.free, spread) {
        return Some(vec![(chosen.bucket.clone(), wanted)]);
    }
    seen.sort_by(|a, b| b.free.cmp(&a.free).then_with(|| a.bucket.cmp(&b.bucket)));
    let mut rest = Some(wanted);
    let mut parts = Vec::new();
    for Seen { bucket, free } in seen {
        let Some(missing) = rest else { break };
        let Some(part) = missing.at_most(free) else { break };
        rest = missing.minus(part);
        parts.push((bucket, part));
    }
    Some(parts)
}

/// One of `choices`, the same for the same `spread`.
#[must_use]
pub fn pick<T>(choices: &[T], spread: u64) -> Option<&T> {
    let count = u64::try_from(choices.len()).ok().filter(|count| *count > 0)?;
    usize::try_from(spread % count).ok().and_then(|index| choices.get(index))
}

/// One of `choices`, the same for the same `spread`; for different ones the likelier the more it weighs.
pub fn pick_by_weight<T>(choices: &[T], weight: impl Fn(&T) -> u64, spread: u64) -> Option<&T> {
    let total: u64 = choices.iter().map(&weight).sum();
    let mut place = spread.checked_rem(total)?;
    choices.iter().find(|choice| {
        let weight = weight(choice);
        let here = place < weight;
        place = place.saturating_sub(weight);
        here
    })
}

/// How many units a new child takes from a home with `free` units so that `wanted` fit in it; nothing if the home has too few.
///
/// A child takes at most [`CHILD_UNITS`], so that the holds in it never outgrow 1 KB. A line of more units than that gets a child
/// of its own, of exactly its size and born with its hold in it.
#[must_use]
pub fn child_size(free: u64, wanted: Quantity) -> Option<u64> {
    (free >= wanted.units()).then(|| wanted.units().max(free.min(CHILD_UNITS)))
}

/// The sizes of the children that a shopper who wants `wanted` units opens in one transaction; none if the home has too few.
///
/// As many as there are already, so that a SKU that is hot for a moment is not scattered: one, one more, two, four, and so on; but at once
/// as many as fit in a transaction where a peak was announced.
#[must_use]
pub fn sizes_of_children(home_free: u64, home: &Home, wanted: Quantity) -> Vec<u64> {
    let Some(first) = child_size(home_free, wanted) else { return Vec::new() };
    let open = home.next_child.saturating_sub(home.first_child);
    let most =
        if home.expected_peak_per_second > 0 { MAX_CHILDREN_AT_ONCE } else { open.clamp(1, MAX_CHILDREN_AT_ONCE) };
    // A line too large for any child is born with its hold: nobody else finds anything there.
    let most = if first > CHILD_UNITS { 1 } else { most };
    let mut left = home_free;
    let sizes = (0..most).map_while(|number| {
        let size = if number == 0 { first } else { left.min(CHILD_UNITS) };
        left -= size;
        (size > 0).then_some(size)
    });
    sizes.collect()
}

/// How many children to open ahead of an announced peak: enough for its first ten seconds, no more than the units fill, and bounded; the
/// shoppers of a larger or longer one open the rest.
#[must_use]
pub fn children_ahead(expected_peak_per_second: u64, free: u64) -> u64 {
    let units = expected_peak_per_second.saturating_mul(PEAK_SECONDS_AHEAD);
    units.div_ceil(CHILD_UNITS).min(free / CHILD_UNITS).min(MAX_CHILDREN_AHEAD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        bucket::{Home, Role},
        ids::Caller,
    };

    fn id(key: &str) -> ReservationId {
        ReservationId::derive(&Caller::new("c"), &key.parse().unwrap())
    }

    fn bucket(free: u64, holds: usize, watermark: Option<u64>) -> Bucket {
        let holds = (0..holds).map(|n| (id(&n.to_string()), "1@500".parse().unwrap())).collect();
        let watermark = watermark.map(Timestamp::from_epoch_seconds);
        Bucket { free, holds, sold: 0, watermark, role: Role::Home(Home::default()) }
    }

    #[test]
    fn the_reason_for_a_refusal_is_read_from_the_image_in_order() {
        let asked: Hold = "2@1000".parse().unwrap();
        let mut mine = bucket(0, 24, Some(2000));
        mine.holds.insert(id("me"), asked);
        let at = Timestamp::from_epoch_seconds;
        let cases = [
            (None, Refused::NoBucket),
            (Some(mine), Refused::AlreadyHeld(asked)),
            (Some(bucket(1, 24, Some(2000))), Refused::TooFew { free: 1 }),
            (Some(bucket(2, 24, Some(2000))), Refused::Crowded),
            (Some(bucket(2, 23, Some(1000))), Refused::EndsTooSoon { watermark: at(1000) }),
            // An image that satisfies every condition was not the one that was judged: whoever sees it looks again.
            (Some(bucket(2, 23, Some(999))), Refused::TooFew { free: 2 }),
            (Some(bucket(2, 23, None)), Refused::TooFew { free: 2 }),
        ];
        for (found, expected) in cases {
            assert_eq!(why_refused(found.as_ref(), &id("me"), asked), expected);
        }
    }

    #[test]
    fn a_child_is_small_unless_one_line_fills_it() {
        let wanted = |units| Quantity::new(units).unwrap();
        let cases = [(100, 1, Some(32)), (20, 1, Some(20)), (0, 1, None), (100, 50, Some(50)), (40, 50, None)];
        for (free, units, expected) in cases {
            assert_eq!(child_size(free, wanted(units)), expected, "{units} of {free}");
        }
    }

    #[test]
    fn a_peak_is_split_for_its_first_ten_seconds() {
        for (peak, free, children) in
            [(0, 1_000, 0), (500, 10_000, 157), (5_000, 100, 3), (100_000, 1_000_000, 8_192), (1, 31, 0), (1, 32, 1)]
        {
            assert_eq!(children_ahead(peak, free), children, "{peak}/s of {free}");
        }
    }

    #[test]
    fn shoppers_open_as_many_children_as_there_are_and_a_whole_transaction_for_a_peak() {
        let sizes = |free, open: u32, peak, wanted| {
            let home = Home { first_child: 5, next_child: 5 + open, expected_peak_per_second: peak, ..Home::default() };
            sizes_of_children(free, &home, Quantity::new(wanted).unwrap())
        };
        assert_eq!(sizes(1_000, 0, 0, 1), [32]);
        assert_eq!(sizes(1_000, 1, 0, 1), [32]);
        assert_eq!(sizes(1_000, 3, 0, 1), [32; 3]);
        assert_eq!(sizes(9_999, 300, 0, 1), [32; 32]);
        assert_eq!(sizes(9_999, 0, 1, 1), [32; 32]);
        assert_eq!(sizes(70, 0, 1, 1), [32, 32, 6]);
        assert_eq!(sizes(1_000, 3, 0, 32), [32; 3], "a line that just fits a child is no reason for fewer");
        assert_eq!(sizes(9_999, 300, 1, 50), [50], "born with its hold");
        assert_eq!(sizes(4, 300, 1, 5), [0; 0]);
    }

    #[test]
    fn the_fullest_is_the_likeliest() {
        let choices = [0_u64, 3, 1];
        let picked = |spread| pick_by_weight(&choices, |weight| *weight, spread).copied();
        assert_eq!([0, 1, 2, 3, 4].map(picked), [Some(3), Some(3), Some(3), Some(1), Some(3)]);
        assert_eq!(pick_by_weight(&[0_u64], |weight| *weight, 7), None);
    }

    #[test]
    fn a_line_goes_where_all_of_it_fits_or_else_into_as_few_buckets_as_possible() {
        let stock = "a#own".parse::<BucketId>().unwrap().stock;
        let seen = [(stock.home(), 3), (stock.child(0), 5), (stock.child(1), 9), (stock.child(2), 5)];
        let cases = [
            (5, 0, Some("a#own#0:5")),
            (5, 4, Some("a#own#0:5")),
            (5, 5, Some("a#own#1:5")),
            (5, 13, Some("a#own#1:5")),
            (5, 14, Some("a#own#2:5")),
            (5, 19, Some("a#own#0:5")),
            (9, 7, Some("a#own#1:9")),
            (10, 7, Some("a#own#1:9 a#own#0:1")),
            (14, 7, Some("a#own#1:9 a#own#0:5")),
            (22, 7, Some("a#own#1:9 a#own#0:5 a#own#2:5 a#own:3")),
            (23, 7, None),
        ];
        for (wanted, spread, expected) in cases {
            let seen = seen.iter().map(|(bucket, free)| Seen { bucket: bucket.clone(), free: *free }).collect();
            let parts = split(Quantity::new(wanted).unwrap(), seen, spread);
            let text = |parts: Vec<(BucketId, Quantity)>| {
                parts.iter().map(|(bucket, part)| format!("{bucket}:{part}")).collect::<Vec<_>>().join(" ")
            };
            assert_eq!(parts.map(text).as_deref(), expected, "{wanted} from {spread}");
        }
    }

    #[test]
    fn each_choice_has_its_turn() {
        assert_eq!(
            [0, 1, 2, 3, 7].map(|spread| pick(&["a", "b", "c"], spread).copied()),
            [Some("a"), Some("b"), Some("c"), Some("a"), Some("b")]
        );
        assert_eq!(pick::<u8>(&[], 7), None);
    }

    proptest! {
        /// The parts sum exactly to what is wanted, none is larger than its bucket, and "short" is said only when it is true.
        #[test]
        fn a_split_is_exact(wanted in 1_u64..200, frees in prop::collection::vec(0_u64..60, 0..12), spread: u64) {
            let wanted = Quantity::new(wanted).unwrap();
            let stock = "a#own".parse::<BucketId>().unwrap().stock;
            let seen: Vec<Seen> =
                (0..).zip(&frees).map(|(n, free)| Seen { bucket: stock.child(n), free: *free }).collect();
            match split(wanted, seen.clone(), spread) {
                None => prop_assert!(frees.iter().sum::<u64>() < wanted.units()),
                Some(parts) => {
                    prop_assert_eq!(parts.iter().map(|(_, q)| q.units()).sum::<u64>(), wanted.units());
                    for (n, (bucket, part)) in parts.iter().enumerate() {
                        prop_assert!(seen.iter().any(|s| s.bucket == *bucket && s.free >= part.units()));
                        prop_assert!(parts[..n].iter().all(|(other, _)| other != bucket));
                    }
                }
            }
        }
    }
}
